//! Losses, phases and the training loops.
//!
//! Never: decodes or draws a picture, judges a result, prints.

mod batches;
mod bench;
mod buffers;
mod check;
pub mod clip;
mod critic;
mod descent;
mod difference;
pub mod ema;
mod ending;
mod experiment;
mod generator;
mod health;
pub mod loss;
mod networks;
mod numbers;
pub mod optimizer;
mod pattern;
mod pretrained;
mod recorder;
mod resume;
mod saving;
pub mod scaler;
mod session;
mod trainer;
mod validation;
mod values;
mod vgg_weights;

use abbe_torch::SynchronisedBatchNorm;
use anyhow::{Context, Result};

pub use batches::Batch;
pub use bench::{Timing, time_steps};
pub use descent::Descent;
pub use experiment::{
    Begin, Data, DiscriminatorTraining, Experiment, Group, Length, Losses, NonFinite, OptimizerConfig, Phase,
    Precision, Pretrained, Progress, Resume, Rise, Schedule, Start, Throttle, Vgg, WarmUp, Weights,
};
pub use networks::{Critic, Networks, Trainee};
pub use numbers::Numbers;
pub use pretrained::Origin;
pub use resume::Resumed;
pub use session::{Report, Session, Setup};
pub use trainer::{At, Trainer};
pub use validation::{Measure, Measured, Validator};
pub use vgg_weights::{OpenVgg, cache_path, open as open_vgg};

/// Runs the phases of an experiment one after the other: each ends with the checkpoint `<phase>_final.pth` of its network (and
/// `<phase>_final_ema.pth` of its average), that of the discriminator if it trained it, and `<phase>_final.state`, from which
/// their optimisers can go on elsewhere. With a [`Validator`], which changes nothing of the training, each also leaves
/// `<phase>_best.pth` and its value in [`Session::best`]. After [`Session::resume`] it goes on where that left off.
///
/// # Errors
/// A loss term that gives its network no gradient, or is not finite (by step and term); a validation that fails; Ctrl-C
/// (`setup.stop`); a file that cannot be written. What was written before is whole.
pub fn train(session: &mut Session, report: Report) -> Result<()> {
    let synchronised = session.setup.group.as_ref().filter(|_| session.setup.experiment.synchronised_batch_norm);
    let _guard = synchronised.map(SynchronisedBatchNorm::over);
    if session.next == (0, 0) {
        check::gradients(session)?;
    }
    while let Some(phase) = session.setup.experiment.phases.get(session.next.0) {
        session.run_phase(report).with_context(|| format!("in phase `{}`", phase.name))?;
    }
    Ok(())
}
