//! The networks that an experiment trains, each with its optimiser and with what it begins with.

use abbe_models::{CriticModel, SrModel, Store};
use abbe_torch::ProcessGroup;
use anyhow::{Context, Result, ensure};
use indexmap::{IndexMap, IndexSet};
use tch::{Device, Tensor};

use crate::descent::Descent;
use crate::ema::Ema;
use crate::experiment::{Begin, Experiment, Phase, Precision};
use crate::optimizer::Optimizer;
use crate::pattern;
use crate::pretrained::{self, Origin};

/// Every network of an experiment, ready to be trained.
pub struct Networks {
    /// By their names in the experiment.
    pub trainees: IndexMap<String, Trainee>,
    /// When a phase is adversarial.
    pub critic: Option<Critic>,
}

/// A super-resolution network and what trains it.
pub struct Trainee {
    /// The network.
    pub model: Box<dyn SrModel>,
    /// Its way down.
    pub descent: Descent,
    /// The average of its weights over the steps, where the experiment wants one.
    pub ema: Option<Ema>,
    /// What it begins with.
    pub origin: Origin,
}

/// The discriminator and what trains it.
pub struct Critic {
    /// The network.
    pub network: Box<dyn CriticModel>,
    /// Its way down.
    pub descent: Descent,
    /// The ranks whose answers a relativistic average is taken over.
    pub(crate) ranks: Option<ProcessGroup>,
    /// The running mean of its loss, where it is held back by that.
    pub(crate) mean_loss: Option<f64>,
    /// What it begins with.
    pub origin: Origin,
}

impl Networks {
    /// Builds every network; first weights that come from no file are decided by the experiment's seed.
    ///
    /// # Errors
    /// A configuration that cannot be built; a pattern of names that matches no parameter; a file of `start` that cannot be
    /// read or does not fit its network: by its key and path, with all differences.
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
        lay_for(device, model.store());
        let first = experiment.phases.iter().find(|phase| phase.network == name);
        let phase = first.with_context(|| format!("networks.{name}: no phase trains it"))?;
        for phase in experiment.phases.iter().filter(|phase| phase.network == name) {
            let names = model.store().parameter_names();
            let frozen = Optimizer::new(&phase.optimizer, &phase.groups, model.store())
                .and_then(|_| pattern::chosen(&phase.freeze, &names).context("freeze"))
                .with_context(|| format!("phase `{}`", phase.name))?; // patterns that match nothing, before the first step
            ensure!(frozen.contains(&false), "phase `{}`: freeze: no parameter is left to train", phase.name);
        }
        let mut optimizer = Optimizer::new(&phase.optimizer, &phase.groups, model.store())?;
        let pretrained = experiment.start.as_ref().and_then(|start| start.networks.get(name));
        let origin = match pretrained {
            Some(from) => pretrained::load(from, config, model.store(), &mut optimizer, pretrained::GENERATOR)
                .with_context(|| format!("start.networks.{name}"))?,
            None => Origin::random(experiment.seed),
        };
        let ema = experiment.ema.get(name).map(|ema| Ema::new(*ema, config, model.as_ref())).transpose();
        Ok(Trainee { model, descent: Descent::new(optimizer), ema: ema.context("ema")?, origin })
    }

    /// Gets ready for a phase that trains it: with the phase's optimiser, which goes on from the state of the one before
    /// where that is of the same kind and groups, and with the parameters frozen that the phase wants so.
    pub(crate) fn begin(&mut self, phase: &Phase) -> Result<()> {
        self.descent.optimizer.become_like(&phase.optimizer, &phase.groups, self.model.store())?;
        self.model.store().parameters().iter().for_each(|parameter| drop(parameter.set_requires_grad(true)));
        pattern::freeze(&phase.freeze, self.model.store()).context("freeze")
    }

    /// Sets the learning rate of the next step; for a step that the device takes by itself, also where it reads that.
    pub(crate) fn set_lr(&mut self, lr: f64, on_device: bool) {
        self.descent.optimizer.set_lr(lr);
        if on_device {
            self.descent.optimizer.write_rates();
            self.ema.iter_mut().for_each(Ema::write_weight);
        }
    }

    /// Takes the average of its weights as its weights where the phase wants that. Its optimiser begins anew then: what it
    /// knows is of the weights that are left behind.
    pub(crate) fn take_average(&mut self, phase: &Phase) -> Result<()> {
        let (Begin::Average, Some(ema)) = (phase.begin, &self.ema) else { return Ok(()) };
        let (own, average) = (self.model.store(), ema.model().store());
        let tensors = |store: &Store| store.parameters().into_iter().chain(store.buffers()).collect::<Vec<_>>();
        tch::no_grad(|| tensors(own).iter_mut().zip(&tensors(average)).for_each(|(own, average)| own.copy_(average)));
        self.descent.optimizer = Optimizer::new(&phase.optimizer, &phase.groups, own)?;
        Ok(())
    }

    /// SR for `lr` as the losses of the phase see it, float32.
    ///
    /// # Errors
    /// What libtorch says of the precision.
    pub(crate) fn forward(&self, phase: &Phase, lr: &Tensor, train: bool, precision: Precision) -> Result<Tensor> {
        output(self.model.as_ref(), phase, lr, train, precision)
    }
}

/// Orders weights in memory as a GPU's convolutions read them; a CPU's order them for each pass in a way of their own.
pub(crate) fn lay_for(device: Device, store: &Store) {
    if device.is_cuda() {
        abbe_torch::lay_channels_last(&store.parameters());
    }
}

/// SR of a network for `lr` as the losses of the phase see it, float32.
pub(crate) fn output(
    model: &dyn SrModel,
    phase: &Phase,
    lr: &Tensor,
    train: bool,
    precision: Precision,
) -> Result<Tensor> {
    let sr = abbe_torch::autocast(lr.device(), precision.kind(), || model.forward(lr, train))?;
    let sr = sr.to_kind(tch::Kind::Float);
    Ok(if phase.clamp_output { sr.clamp(0.0, 1.0) } else { sr })
}

impl Critic {
    fn new(experiment: &Experiment, device: Device) -> Result<Option<Self>> {
        let training = experiment.phases.iter().find_map(|phase| phase.discriminator.as_ref());
        let (Some(config), Some(training)) = (&experiment.discriminator, training) else { return Ok(None) };
        let network = config.build(device).context("discriminator")?;
        lay_for(device, network.store());
        let mut optimizer = Optimizer::new(&training.optimizer, &[], network.store())?;
        let pretrained = experiment.start.as_ref().and_then(|start| start.discriminator.as_ref());
        let origin = match pretrained {
            Some(from) => {
                let config = (*config).into();
                pretrained::load(from, &config, network.store(), &mut optimizer, pretrained::DISCRIMINATOR)
                    .context("start.discriminator")?
            }
            None => Origin::random(experiment.seed),
        };
        Ok(Some(Critic { network, descent: Descent::new(optimizer), ranks: None, mean_loss: None, origin }))
    }

    /// Gets ready for a phase that trains it.
    pub(crate) fn begin(&mut self, phase: &Phase) -> Result<()> {
        let Some(training) = &phase.discriminator else { return Ok(()) };
        self.descent.optimizer.become_like(&training.optimizer, &[], self.network.store())
    }
}
