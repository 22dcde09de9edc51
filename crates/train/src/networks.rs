//! The networks that an experiment trains, each with its optimiser and with what it begins with.

use abbe_models::{CriticModel, SrModel};
use abbe_torch::Adam;
use anyhow::{Context, Result};
use indexmap::{IndexMap, IndexSet};
use tch::Device;

use crate::experiment::Experiment;
use crate::pretrained::{self, Origin};

/// Every network of an experiment, ready to be trained.
pub struct Networks {
    /// By their names in the experiment.
    pub trainees: IndexMap<String, Trainee>,
    /// When a phase is adversarial.
    pub critic: Option<Critic>,
}

/// A super-resolution network and its optimiser.
pub struct Trainee {
    /// The network.
    pub model: Box<dyn SrModel>,
    /// Over all its parameters.
    pub adam: Adam,
    /// What it begins with.
    pub origin: Origin,
}

/// The discriminator and its optimiser.
pub struct Critic {
    /// The network.
    pub network: Box<dyn CriticModel>,
    /// Over all its parameters.
    pub adam: Adam,
    /// What it begins with.
    pub origin: Origin,
}

impl Networks {
    /// Builds every network; first weights that come from no file are decided by the experiment's seed.
    ///
    /// # Errors
    /// A configuration that cannot be built; a file of `start` that cannot be read or does not fit its network: by its key
    /// and path, with all differences.
    pub fn new(experiment: &Experiment, device: Device) -> Result<Self> {
        tch::manual_seed(experiment.seed as i64);
        let names = experiment.networks.keys();
        let trainees = names.map(|name| Ok((name.clone(), Trainee::new(experiment, name, device)?)));
        let trainees = trainees.collect::<Result<_>>()?;
        Ok(Networks { trainees, critic: Critic::new(experiment, device)? })
    }

    /// What must be said of the files that they begin with, each thing once.
    pub fn notices(&self) -> Vec<String> {
        let critic = self.critic.iter().map(|critic| &critic.origin);
        let origins = self.trainees.values().map(|trainee| &trainee.origin).chain(critic);
        let notices: IndexSet<_> = origins.flat_map(|origin| origin.notices.clone()).collect();
        notices.into_iter().collect()
    }
}

impl Trainee {
    fn new(experiment: &Experiment, name: &str, device: Device) -> Result<Self> {
        let config = experiment.network(name)?;
        let model = abbe_models::build(config, device).with_context(|| format!("networks.{name}"))?;
        let first = experiment.phases.iter().find(|phase| phase.network == name);
        let phase = first.with_context(|| format!("networks.{name}: no phase trains it"))?;
        let mut adam = Adam::new(model.store().parameters(), phase.optimizer.into());
        let pretrained = experiment.start.as_ref().and_then(|start| start.networks.get(name));
        let origin = match pretrained {
            Some(from) => pretrained::load(from, config, model.store(), &mut adam, pretrained::GENERATOR)
                .with_context(|| format!("start.networks.{name}"))?,
            None => Origin::random(experiment.seed),
        };
        Ok(Trainee { model, adam, origin })
    }
}

impl Critic {
    fn new(experiment: &Experiment, device: Device) -> Result<Option<Self>> {
        let training = experiment.phases.iter().find_map(|phase| phase.discriminator);
        let (Some(config), Some(training)) = (experiment.discriminator, training) else { return Ok(None) };
        let network = config.build(device).context("discriminator")?;
        let mut adam = Adam::new(network.store().parameters(), training.optimizer.into());
        let pretrained = experiment.start.as_ref().and_then(|start| start.discriminator.as_ref());
        let origin = match pretrained {
            Some(from) => pretrained::load(from, &config.into(), network.store(), &mut adam, pretrained::DISCRIMINATOR)
                .context("start.discriminator")?,
            None => Origin::random(experiment.seed),
        };
        Ok(Some(Critic { network, adam, origin }))
    }
}
