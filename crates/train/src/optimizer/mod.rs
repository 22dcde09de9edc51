//! One optimiser over all parameters of a network, in groups with numbers of their own. Its state is that of `torch.optim`,
//! whose k-th parameter is the k-th of the groups one after the other; in one group, the k-th of
//! [`Store::parameters`](abbe_models::Store::parameters).

mod adam;
mod groups;
mod rmsprop;
mod sgd;

use abbe_checkpoint::Value;
use abbe_models::Store;
use abbe_torch::{Adam, AdamConfig, ParameterState, RmsProp, RmsPropConfig, Sgd, SgdConfig};
use anyhow::{Context, Result, bail};
use tch::{Device, Kind, Tensor};

use crate::experiment::optimizer::{Group, OptimizerConfig};
use groups::{Members, Places};

/// An optimiser over all parameters of a network; those that are frozen stay as they are.
pub struct Optimizer {
    parameters: Vec<Tensor>,
    groups: Vec<Members>,
    rules: Rules,
    lr: f64,
    /// Where a device reads the learning rate of each group; none before [`Optimizer::write_rates`].
    rates: Vec<Tensor>,
}

/// One optimiser per group.
enum Rules {
    Adam(Vec<Adam>),
    Sgd(Vec<Sgd>),
    RmsProp(Vec<RmsProp>),
}

impl Optimizer {
    /// An optimiser with empty state. Parameters that none of `groups` names are in a last one.
    ///
    /// # Errors
    /// A number out of range; a pattern that matches no parameter; a group all of whose parameters belong to earlier ones.
    pub fn new(config: &OptimizerConfig, groups: &[Group], store: &Store) -> Result<Self> {
        config.validate()?;
        let (parameters, lr) = (store.parameters(), config.lr());
        let groups = groups::split(groups, &store.parameter_names()).context("groups")?;
        let rules = Rules::new(config, &groups, &parameters);
        let mut optimizer = Optimizer { parameters, groups, rules, lr, rates: Vec::new() };
        optimizer.set_lr(lr);
        Ok(optimizer)
    }

    /// Becomes an optimiser of this kind, in these groups; it goes on from its state where that fits, and begins anew where
    /// it is of another kind or in other groups.
    ///
    /// # Errors
    /// Those of [`Optimizer::new`]; then nothing has changed.
    pub fn become_like(&mut self, config: &OptimizerConfig, groups: &[Group], store: &Store) -> Result<()> {
        let mut new = Optimizer::new(config, groups, store)?;
        let members =
            |optimizer: &Self| optimizer.groups.iter().map(|group| group.positions.clone()).collect::<Vec<_>>();
        if members(&new) == members(self) {
            let _ = new.restore(&self.to_value()); // that of another kind is left
        }
        *self = new;
        Ok(())
    }

    /// Learning rate of the next step, on which groups have their factors.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Sets the learning rate of the next step, from 0 on; groups multiply it by their factors.
    pub fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
        let rates = self.groups.iter().map(|group| lr * group.lr);
        match &mut self.rules {
            Rules::Adam(each) => each.iter_mut().zip(rates).for_each(|(adam, lr)| adam.config.lr = lr),
            Rules::Sgd(each) => each.iter_mut().zip(rates).for_each(|(sgd, lr)| sgd.config.lr = lr),
            Rules::RmsProp(each) => each.iter_mut().zip(rates).for_each(|(rmsprop, lr)| rmsprop.config.lr = lr),
        }
    }

    /// All parameters, in the network's order.
    pub fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    /// Sets every gradient to 0 and keeps it, as [`Adam::zero_grad`] does.
    pub fn zero_grad(&self) {
        self.parameters.iter().for_each(|parameter| parameter.shallow_clone().zero_grad());
    }

    /// One step on every parameter that has a gradient and is not frozen.
    ///
    /// # Errors
    /// What libtorch says when shapes, types or devices do not agree.
    pub fn step(&mut self) -> Result<()> {
        let stepped = match &mut self.rules {
            Rules::Adam(each) => each.iter_mut().try_for_each(Adam::step),
            Rules::Sgd(each) => each.iter_mut().try_for_each(Sgd::step),
            Rules::RmsProp(each) => each.iter_mut().try_for_each(RmsProp::step),
        };
        stepped.context("the optimiser's step")
    }

    /// Writes the learning rates to the device, where [`Optimizer::step_unless`] reads them.
    pub(crate) fn write_rates(&mut self) {
        if self.rates.is_empty() {
            let device = self.parameters.first().map_or(Device::Cpu, Tensor::device);
            self.rates = self.groups.iter().map(|_| Tensor::zeros([], (Kind::Float, device))).collect();
        }
        for (group, rate) in self.groups.iter().zip(&mut self.rates) {
            let _ = rate.fill_(self.lr * group.lr);
        }
    }

    /// [`Optimizer::step`] as the device takes it by itself, at the rates of [`Optimizer::write_rates`], unless the scalar
    /// `left_out` is 1 and not 0.
    ///
    /// # Errors
    /// Those of [`Optimizer::step`]; an optimiser that only the host can hold back.
    pub(crate) fn step_unless(&mut self, left_out: &Tensor) -> Result<()> {
        let rates = &self.rates;
        let stepped = match &mut self.rules {
            Rules::Adam(each) => each.iter_mut().zip(rates).try_for_each(|(adam, lr)| adam.step_unless(lr, left_out)),
            Rules::Sgd(each) => each.iter_mut().zip(rates).try_for_each(|(sgd, lr)| sgd.step_unless(lr, left_out)),
            Rules::RmsProp(_) => bail!("rmsprop: only the host can leave out a step"),
        };
        stepped.context("the optimiser's step")
    }

    /// The tensors that a step changes beside the parameters, where they lie.
    pub(crate) fn memory(&self) -> Vec<Tensor> {
        let adam = |state: &ParameterState| [&state.step, &state.exp_avg, &state.exp_avg_sq].map(Tensor::shallow_clone);
        match &self.rules {
            Rules::Adam(each) => each.iter().flat_map(Adam::state).flatten().flat_map(adam).collect(),
            Rules::Sgd(each) => each.iter().flat_map(Sgd::state).flatten().map(Tensor::shallow_clone).collect(),
            Rules::RmsProp(_) => Vec::new(), // which only the host steps
        }
    }

    /// As `state_dict()` of the optimiser in `torch.optim`, which can load it.
    pub fn to_value(&self) -> Value {
        match &self.rules {
            Rules::Adam(each) => adam::to_value(each),
            Rules::Sgd(each) => sgd::to_value(each),
            Rules::RmsProp(each) => rmsprop::to_value(each),
        }
    }

    /// Goes on from the steps and moments of a saved state, in the same groups or all in one, in the network's order. The
    /// numbers (learning rate, betas, ...) stay those of the experiment; where the state was made with others but for the
    /// learning rate, which schedules change, a notice says so.
    ///
    /// # Errors
    /// The state of another optimiser or of other parameters, or one made in a way that is not done here (`amsgrad`,
    /// `dampening`, `maximize`); then nothing has changed.
    pub fn restore(&mut self, state: &Value) -> Result<Vec<String>> {
        let places = Places::new(state, &self.groups, &self.parameters)?;
        match &mut self.rules {
            Rules::Adam(each) => adam::restore(each, state, &places),
            Rules::Sgd(each) => sgd::restore(each, state, &places),
            Rules::RmsProp(each) => rmsprop::restore(each, state, &places),
        }
    }
}

impl Rules {
    fn new(config: &OptimizerConfig, groups: &[Members], parameters: &[Tensor]) -> Self {
        let of = |group: &Members| group.positions.iter().map(|&place| parameters[place].shallow_clone()).collect();
        let decay = |group: &Members, own: f64| group.weight_decay.unwrap_or(own);
        let adam = |config: AdamConfig| {
            let each = groups.iter().map(|group| {
                Adam::new(of(group), AdamConfig { weight_decay: decay(group, config.weight_decay), ..config })
            });
            Rules::Adam(each.collect())
        };
        match *config {
            OptimizerConfig::Adam { lr, betas, eps, weight_decay } => {
                adam(AdamConfig { lr, betas, eps, weight_decay, decoupled_weight_decay: false })
            }
            OptimizerConfig::AdamW { lr, betas, eps, weight_decay } => {
                adam(AdamConfig { lr, betas, eps, weight_decay, decoupled_weight_decay: true })
            }
            OptimizerConfig::Sgd { lr, momentum, nesterov, weight_decay } => {
                let config = |group| SgdConfig { lr, momentum, nesterov, weight_decay: decay(group, weight_decay) };
                Rules::Sgd(groups.iter().map(|group| Sgd::new(of(group), config(group))).collect())
            }
            OptimizerConfig::RmsProp { lr, alpha, eps, momentum, centered, weight_decay } => {
                let config = |group| {
                    let weight_decay = decay(group, weight_decay);
                    RmsPropConfig { lr, alpha, eps, momentum, centered, weight_decay }
                };
                Rules::RmsProp(groups.iter().map(|group| RmsProp::new(of(group), config(group))).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests;
