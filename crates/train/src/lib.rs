//! Losses, phases and the training loops.
//!
//! Never: decodes or draws a picture, judges a result, prints.

mod adversarial;
mod batches;
mod check;
pub mod clip;
pub mod ema;
mod experiment;
pub mod loss;
mod networks;
pub mod optimizer;
pub mod optimizer_state;
pub mod pattern;
mod pretrained;
pub mod scaler;
mod session;
mod supervised;
mod validation;
mod vgg_weights;

use anyhow::{Context, Result};

pub use experiment::optimizer::{Group, OptimizerConfig};
pub use experiment::{
    Data, DiscriminatorTraining, Experiment, Length, Losses, Optimizer, Phase, Pretrained, Schedule, Start, Vgg,
    Weights, schedule,
};
pub use networks::{Critic, Networks, Trainee};
pub use pretrained::Origin;
pub use session::{Report, Session, Setup};
pub use validation::{Measure, Measured, Validator};
pub use vgg_weights::{OpenVgg, cache_path, open as open_vgg};

/// Runs the phases of an experiment one after the other: each ends with the checkpoint `<phase>_final.pth` of its network,
/// that of the discriminator if it trained it, and `<phase>_final.state`, from which their optimisers can go on. With a
/// [`Validator`], which changes nothing of the training, each also leaves `<phase>_best.pth` and its value in
/// [`Session::best`].
///
/// # Errors
/// A loss term that gives its network no gradient, or is not finite (by step and term); a validation that fails; Ctrl-C
/// (`setup.stop`); a file that cannot be written. What was written before is whole.
pub fn train(session: &mut Session, report: Report) -> Result<()> {
    check::gradients(session)?;
    let phases = &session.setup.experiment.phases;
    for (index, phase) in phases.iter().enumerate() {
        session.begin_phase(index)?;
        let run = match &phase.loss.adversarial {
            None => supervised::run(session, index, report),
            Some(_) => adversarial::run(session, index, report),
        };
        run.with_context(|| format!("in phase `{}`", phase.name))?;
    }
    Ok(())
}
