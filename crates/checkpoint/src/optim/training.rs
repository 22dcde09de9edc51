//! BasicSR's `.state` files: what a training run keeps beside its networks' own files.

use super::fields::{Fields, dict};
use super::in_state;
use crate::error::Fault;
use crate::{Error, Value};

/// A BasicSR `training_states/{iter}.state` file.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// Epochs begun, from 0 on.
    pub epoch: u64,
    /// Steps done.
    pub iter: u64,
    /// The optimisers' states, of a GAN the generator's first; [`Adam`](crate::Adam) and [`Sgd`](crate::Sgd) read and give
    /// such values.
    pub optimizers: Vec<Value>,
    /// The schedulers' states, one per optimiser, as they are in the file.
    pub schedulers: Vec<Value>,
    /// What forks of BasicSR add, such as traiNNer's `scaler_g`, in the file's order.
    pub more: Vec<(Value, Value)>,
}

const KEYS: [&str; 4] = ["epoch", "iter", "optimizers", "schedulers"];

impl TrainingState {
    /// As BasicSR saves it.
    pub fn to_value(&self) -> Value {
        let count = |count: u64| i64::try_from(count).map_or(Value::BigInt(count.into()), Value::Int);
        let values = [
            count(self.epoch),
            count(self.iter),
            Value::List(self.optimizers.clone()),
            Value::List(self.schedulers.clone()),
        ];
        let entries = KEYS.map(|key| Value::Text(key.into())).into_iter().zip(values);
        Value::Dict(entries.chain(self.more.iter().cloned()).collect())
    }

    /// Reads what BasicSR saved.
    ///
    /// # Errors
    /// [`Error::TrainingState`] when one of the four entries is missing or odd.
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        Self::read(value).map_err(in_state)
    }

    fn read(value: &Value) -> Result<Self, Fault> {
        let fields = Fields::of("the training state", value)?;
        let is_more = |(key, _): &&(Value, Value)| !matches!(key, Value::Text(name) if KEYS.contains(&name.as_str()));
        Ok(TrainingState {
            epoch: fields.count("epoch")?,
            iter: fields.count("iter")?,
            optimizers: fields.list("optimizers")?.to_vec(),
            schedulers: fields.list("schedulers")?.to_vec(),
            more: value.entries().unwrap_or_default().iter().filter(is_more).cloned().collect(),
        })
    }
}

/// The state of a scheduler that multiplies the learning rate by `gamma` at each of `milestones`, when `iter` steps are
/// done: BasicSR's MultiStepRestartLR without restarts, which torch's MultiStepLR takes too. BasicSR's scheduler counts from
/// 0 and steps before each step of the optimiser but the first, so it stands at `iter - 1`.
///
/// PyTorch multiplies the optimiser's own `lr`, so that must be `lr` as well, with `base_lr` as its `initial_lr`.
pub fn multi_step_restart(milestones: &[i64], gamma: f64, base_lr: f64, lr: f64, iter: i64) -> Value {
    let times = |step: &i64| Value::Int(milestones.iter().filter(|other| *other == step).count() as i64);
    let mut counted: Vec<(Value, Value)> = Vec::new();
    for step in milestones {
        if !counted.iter().any(|(key, _)| *key == Value::Int(*step)) {
            counted.push((Value::Int(*step), times(step)));
        }
    }
    dict([
        ("milestones", Value::Counter(counted)),
        ("gamma", Value::Float(gamma)),
        ("restarts", Value::Tuple(vec![Value::Int(0)])),
        ("restart_weights", Value::Tuple(vec![Value::Int(1)])),
        ("base_lrs", Value::List(vec![Value::Float(base_lr)])),
        ("last_epoch", Value::Int(iter - 1)),
        ("_step_count", Value::Int(iter)),
        ("_is_initial", Value::Bool(false)),
        ("_get_lr_called_within_step", Value::Bool(false)),
        ("_last_lr", Value::List(vec![Value::Float(lr)])),
    ])
}
