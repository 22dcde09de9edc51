//! How a network goes down its gradient: its optimiser, the scale of its loss in f16, and steps that cannot be taken.

use abbe_checkpoint::Value;
use abbe_torch::{ProcessGroup, Reducer};
use anyhow::{Context, Result, ensure};
use tch::{Kind, Tensor};

use crate::clip::{Clip, clip_gradients};
use crate::experiment::{NonFinite, Precision};
use crate::loss::Terms;
use crate::optimizer::Optimizer;
use crate::scaler::Scaler;
use crate::values::{Fields, dict};

/// What moves a network.
pub struct Descent {
    /// Over the network's parameters.
    pub optimizer: Optimizer,
    /// With several ranks: averages their gradients.
    reducer: Option<Reducer>,
    /// With f16.
    pub(crate) scaler: Option<Scaler>,
    /// Steps that were left out since the last one that was taken.
    pub(crate) left_out: u64,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slope {
    /// The Euclidean norm of the gradient before any bound on it.
    pub norm: f64,
    /// Whether the step was taken.
    pub taken: bool,
}

impl Descent {
    /// At the beginning of training.
    pub(crate) fn new(optimizer: Optimizer) -> Self {
        Descent { optimizer, reducer: None, scaler: None, left_out: 0 }
    }

    /// Gets ready for a precision, where it is not yet.
    pub(crate) fn prepare(&mut self, precision: Precision) {
        let scaler = self.scaler.take();
        self.scaler = (precision == Precision::F16).then(|| scaler.unwrap_or_default());
    }

    /// What the loss is multiplied by, with f16.
    pub(crate) fn scale(&self) -> Option<f64> {
        self.scaler.as_ref().map(Scaler::scale)
    }

    /// Whether a step may be left out: by `policy`, or since f16's scale comes down by that.
    pub(crate) fn may_skip(&self, policy: NonFinite) -> bool {
        policy.in_a_row() > 0 || self.scaler.is_some()
    }

    /// Will average gradients over the ranks of `group`, from now on and for the parameters that now want a gradient.
    ///
    /// # Errors
    /// A lost rank.
    pub(crate) fn join(&mut self, group: Option<&ProcessGroup>) -> Result<()> {
        self.reducer = None; // two at once would both do it
        self.reducer = group.map(|group| Reducer::new(group, self.optimizer.parameters())).transpose()?;
        Ok(())
    }

    /// Adds the gradient of `loss`, a scalar; with several ranks, that of the last part of a batch is followed by their mean.
    ///
    /// # Errors
    /// What libtorch says; a lost rank.
    pub(crate) fn backward(&self, loss: &Tensor, is_last: bool) -> Result<()> {
        let scale = self.scaler.as_ref().map_or(1.0, Scaler::scale);
        let scaled = if scale == 1.0 { loss.shallow_clone() } else { loss * scale };
        match self.reducer.as_ref().filter(|_| is_last) {
            Some(reducer) => reducer.backward(&scaled)?,
            None => scaled.f_backward()?,
        }
        Ok(())
    }

    /// Takes the step, or leaves it out where `loss` (whether the loss is finite) or the gradient says so.
    ///
    /// # Errors
    /// What libtorch says; a loss or gradient that is not finite, where `policy` does not let it pass.
    pub(crate) fn step(&mut self, loss: Result<()>, clip: Option<Clip>, policy: NonFinite) -> Result<Slope> {
        let parameters = self.optimizer.parameters();
        if let Some(scaler) = &mut self.scaler {
            scaler.unscale(parameters)?;
        }
        let norm = clip_gradients(clip, parameters)?.double_value(&[]);
        if loss.is_ok() && norm.is_finite() {
            self.optimizer.step()?;
        }
        self.account(loss, norm, policy)
    }

    /// Takes the step as the device does it by itself, or leaves it out there where one of `terms` or the gradient is not
    /// finite; [`Optimizer::write_rates`] comes before it, [`Descent::account`] after it. Gives the norm of the gradient
    /// before any bound on it, and a scalar that is 1 where the step was left out, else 0.
    ///
    /// # Errors
    /// What libtorch says.
    pub(crate) fn step_on_device(&mut self, terms: &Terms, clip: Option<Clip>) -> Result<(Tensor, Tensor)> {
        let norm = clip_gradients(clip, self.optimizer.parameters())?;
        let terms = terms.0.iter().map(|term| term.value.detach().to_kind(Kind::Float));
        let numbers: Vec<Tensor> = terms.chain([norm.shallow_clone()]).collect();
        let left_out = Tensor::stack(&numbers, 0).isfinite().all().logical_not().to_kind(Kind::Float);
        self.optimizer.step_unless(&left_out)?;
        Ok((norm, left_out))
    }

    /// What became of a step that was taken if `loss` and `norm`, that of the gradient, are finite.
    ///
    /// # Errors
    /// One that is not, where `policy` does not let it pass.
    pub(crate) fn account(&mut self, loss: Result<()>, norm: f64, policy: NonFinite) -> Result<Slope> {
        let is_finite = loss.is_ok();
        let taken = is_finite && norm.is_finite();
        if taken {
            self.left_out = 0;
        } else {
            self.left_out += 1;
            self.may_go_on(loss, norm, policy)?;
        }
        if let (Some(scaler), true) = (&mut self.scaler, is_finite) {
            scaler.update(taken); // a loss that is not finite was so before it was scaled
        }
        Ok(Slope { norm, taken })
    }

    /// What it needs to go on.
    pub(crate) fn to_value(&self) -> Value {
        dict([
            ("optimizer", self.optimizer.to_value()),
            ("scaler", self.scaler.as_ref().map_or(Value::None, Scaler::to_value)),
            ("left_out", Value::Int(self.left_out as i64)),
        ])
    }

    /// Goes on from what [`Descent::to_value`] gave.
    ///
    /// # Errors
    /// The state of another optimiser or of other parameters.
    pub(crate) fn restore(&mut self, fields: &Fields) -> Result<()> {
        self.optimizer.restore(fields.get("optimizer")?).context("optimizer")?;
        if let (Some(scaler), saved @ Value::Dict(_)) = (&mut self.scaler, fields.get("scaler")?) {
            scaler.restore(saved).context("scaler")?;
        }
        self.left_out = fields.whole("left_out")?;
        Ok(())
    }

    /// With f16 a loss may have been scaled too far: the scale falls from step to step and must come to an end. A
    /// loss that is not finite was so before it was scaled.
    fn may_go_on(&self, loss: Result<()>, norm: f64, policy: NonFinite) -> Result<()> {
        const HALVINGS: u64 = 40; // from 65536 to below 1e-7, where nothing can overflow that is finite
        let by_scale = if loss.is_ok() && self.scaler.is_some() { HALVINGS } else { 0 };
        let (most, left_out) = (policy.in_a_row().max(by_scale), self.left_out);
        let Err(why) = loss.and_then(|()| gradient(norm)) else { return Ok(()) };
        match most {
            0 => Err(why),
            _ => {
                ensure!(left_out <= most, "{why:#}; {left_out} steps in a row could not be taken");
                Ok(())
            }
        }
    }
}

fn gradient(norm: f64) -> Result<()> {
    ensure!(norm.is_finite(), "the norm of the gradient is {norm}");
    Ok(())
}
