//! BasicSR's `.state` files: what a training run keeps beside its networks' own files.

use indexmap::IndexMap;

use super::fields::{Fields, dict};
use super::in_state;
use crate::error::Fault;
use crate::{Error, Value};

/// A BasicSR `training_states/{iter}.state` file.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// The epoch, from 0 on.
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
    let mut times = IndexMap::<i64, i64>::new();
    for step in milestones {
        *times.entry(*step).or_default() += 1;
    }
    let times = times.into_iter().map(|(step, times)| (Value::Int(step), Value::Int(times)));
    dict([
        ("milestones", Value::Counter(times.collect())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_forks_add_is_kept() {
        let text = |text: &str| Value::Text(text.into());
        let state = TrainingState {
            epoch: 2,
            iter: 500,
            optimizers: vec![],
            schedulers: vec![multi_step_restart(&[50, 100, 100], 0.5, 1e-4, 5e-5, 500)],
            more: vec![(text("scaler_g"), Value::None)],
        };
        let value = state.to_value();
        let milestones = state.schedulers[0].get("milestones").and_then(Value::entries).unwrap();
        assert_eq!(milestones, [(Value::Int(50), Value::Int(1)), (Value::Int(100), Value::Int(2))]);
        assert_eq!(value.get("iter"), Some(&Value::Int(500)));
        assert_eq!(TrainingState::from_value(&value).unwrap(), state);
    }

    #[test]
    fn what_is_missing_or_odd_is_named() {
        let value = dict([("epoch", Value::Int(1)), ("iter", Value::Float(0.5))]);
        let message = TrainingState::from_value(&value).unwrap_err().to_string();
        assert!(message.contains("iter") && message.contains("whole number"), "{message}");
        assert!(TrainingState::from_value(&Value::None).unwrap_err().to_string().contains("None"));
    }
}
