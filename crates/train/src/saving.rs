//! The checkpoints of a training: each network's weights for whoever uses them, and its optimiser's state beside them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use abbe_checkpoint::{TrainingState, WriteOptions};
use abbe_models::{Card, Store};
use anyhow::{Context, Result, ensure};
use tch::Tensor;

use crate::experiment::Phase;
use crate::session::Session;

/// Where training stood when it was told to stop.
pub(crate) const INTERRUPTED: &str = "interrupted";

impl Session<'_> {
    /// Saves all that the phase has trained in so many steps: its network, the discriminator when it trains that, and the
    /// states of their optimisers in this order, in the file that BasicSR calls a training state. It has no schedulers:
    /// here the learning rate follows from the step alone.
    ///
    /// # Errors
    /// Weights that are not finite, a file that cannot be written.
    pub(crate) fn save_all(&self, index: usize, stage: &str, steps: u64) -> Result<PathBuf> {
        let phase = &self.setup.experiment.phases[index];
        let networks = &self.trainer.networks;
        let path = self.save(phase, stage, None)?;
        let mut optimizers = vec![networks.trainees[&phase.network].descent.optimizer.to_value()];
        if let (Some(_), Some(critic)) = (&phase.discriminator, &networks.critic) {
            let path = self.setup.folder.checkpoint(&format!("{}_discriminator_{stage}", phase.name));
            check_finite(critic.network.store(), "discriminator")?;
            abbe_checkpoint::save_state_dict(&path, &critic.network.store().state_dict(), None)?;
            optimizers.push(critic.descent.optimizer.to_value());
        }
        let epoch = steps.saturating_sub(1) / self.setup.experiment.steps_per_epoch(self.setup.sampler.pictures());
        let state = TrainingState { epoch, iter: steps, optimizers, schedulers: vec![], more: vec![] };
        let state_path = self.setup.folder.training_state(&format!("{}_{stage}", phase.name));
        abbe_checkpoint::write(state_path, &state.to_value(), &WriteOptions::default())?;
        Ok(path)
    }

    /// Saves the network of a phase, and its average as `<phase>_<stage>_ema.pth` where it has one; `notice` is what whoever
    /// uses the checkpoint must know beside what is known anyway.
    ///
    /// # Errors
    /// Weights that are not finite, a file that cannot be written.
    pub(crate) fn save(&self, phase: &Phase, stage: &str, notice: Option<&String>) -> Result<PathBuf> {
        let trainee = &self.trainer.networks.trainees[&phase.network];
        let card = self.card(phase, notice)?;
        let path = self.setup.folder.checkpoint(&format!("{}_{stage}", phase.name));
        save_finite(&path, trainee.model.as_ref(), &card, &phase.network)?;
        if let Some(ema) = &trainee.ema {
            let path = self.setup.folder.checkpoint(&format!("{}_{stage}_ema", phase.name));
            save_finite(&path, ema.model(), &card, &phase.network)?;
        }
        Ok(path)
    }

    /// Removes what [`Session::save_all`] saved of any phase when training was told to stop.
    ///
    /// # Errors
    /// A file that is there and cannot be removed.
    pub(crate) fn remove_interrupted(&self) -> Result<()> {
        let folder = self.setup.folder;
        self.setup.experiment.phases.iter().map(|phase| phase.name.as_str()).try_for_each(|name| {
            let [plain, average, discriminator] = [
                format!("{name}_{INTERRUPTED}"),
                format!("{name}_{INTERRUPTED}_ema"),
                format!("{name}_discriminator_{INTERRUPTED}"),
            ];
            let checkpoints = [&plain, &average, &discriminator].map(|name| folder.checkpoint(name));
            checkpoints.iter().chain([&folder.training_state(&plain)]).try_for_each(|path| remove(path))
        })
    }

    /// What a checkpoint of a phase's network says of it.
    fn card(&self, phase: &Phase, notice: Option<&String>) -> Result<Card> {
        let experiment = self.setup.experiment;
        let network = *experiment.network(&phase.network)?;
        let meets_vgg = |other: &Phase| other.network == phase.network && other.loss.layers().next().is_some();
        let of_vgg = if experiment.phases.iter().any(meets_vgg) { self.setup.notices } else { &[] };
        let of_start = &self.trainer.networks.trainees[&phase.network].origin.notices;
        let new = of_vgg.iter().chain(notice).filter(|notice| !of_start.contains(notice));
        let notices = of_start.iter().chain(new).cloned().collect();
        Ok(Card { network, notices, sources: Vec::new() })
    }
}

/// Removes a file, which may not be there.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn save_finite(path: &Path, model: &dyn abbe_models::SrModel, card: &Card, name: &str) -> Result<()> {
    check_finite(model.store(), name)?;
    Ok(abbe_models::save(path, model, card)?)
}

/// The statistics of batch norm count as weights here: what uses the network multiplies with them.
fn check_finite(store: &Store, name: &str) -> Result<()> {
    let finite = |weights: &Tensor| weights.isfinite().all().int64_value(&[]) == 1;
    let all = store.parameters().iter().chain(&store.buffers()).all(finite);
    ensure!(all, "the weights of `{name}` are no longer finite");
    Ok(())
}
