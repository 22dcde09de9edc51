//! Loss scaling for float16, whose gradients would else vanish: the loss is multiplied by a number that grows while all
//! gradients stay finite and falls when one does not (Micikevicius et al., arXiv 1710.03740), as `torch.amp.GradScaler` does.

use abbe_checkpoint::Value;
use anyhow::{Context, Result, ensure};
use tch::Tensor;

/// A loss scale. A generator and its discriminator have one each: what is too large for one need not be for the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaler {
    /// A float32 in PyTorch, and so here.
    scale: f32,
    growth_factor: f64,
    backoff_factor: f64,
    growth_interval: i64,
    growth_tracker: i64,
}

impl Default for Scaler {
    /// PyTorch's: 65536, doubled after 2000 finite steps in a row, halved after one that is not.
    fn default() -> Self {
        Scaler { scale: 65536.0, growth_factor: 2.0, backoff_factor: 0.5, growth_interval: 2000, growth_tracker: 0 }
    }
}

impl Scaler {
    /// What the loss is to be multiplied by.
    pub fn scale(&self) -> f64 {
        f64::from(self.scale)
    }

    /// Divides the gradients of `parameters` by the scale, and says whether all are finite; else their step must be left
    /// out.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn unscale(&self, parameters: &[Tensor]) -> Result<bool> {
        Ok(!abbe_torch::unscale_gradients(parameters, self.scale())?)
    }

    /// Ends a step: whether all gradients of it were finite.
    pub fn update(&mut self, finite: bool) {
        if !finite {
            self.scale = (self.scale() * self.backoff_factor) as f32;
            self.growth_tracker = 0;
            return;
        }
        self.growth_tracker += 1;
        if self.growth_tracker == self.growth_interval {
            let grown = (self.scale() * self.growth_factor) as f32;
            self.scale = if grown.is_finite() { grown } else { self.scale };
            self.growth_tracker = 0;
        }
    }

    /// As `GradScaler.state_dict()`.
    pub fn to_value(&self) -> Value {
        let entries = [
            ("scale", Value::Float(self.scale())),
            ("growth_factor", Value::Float(self.growth_factor)),
            ("backoff_factor", Value::Float(self.backoff_factor)),
            ("growth_interval", Value::Int(self.growth_interval)),
            ("_growth_tracker", Value::Int(self.growth_tracker)),
        ];
        Value::Dict(entries.map(|(key, value)| (Value::Text(key.into()), value)).into())
    }

    /// Goes on from what [`Scaler::to_value`] or PyTorch gave.
    ///
    /// # Errors
    /// An entry that is missing, or not a number of its range; then nothing has changed.
    pub fn restore(&mut self, state: &Value) -> Result<()> {
        let restored = Scaler {
            scale: number(state, "scale")? as f32,
            growth_factor: number(state, "growth_factor")?,
            backoff_factor: number(state, "backoff_factor")?,
            growth_interval: whole(state, "growth_interval")?,
            growth_tracker: whole(state, "_growth_tracker")?,
        };
        let Scaler { scale, growth_factor, backoff_factor, growth_interval, growth_tracker } = restored;
        ensure!(scale.is_finite() && scale > 0.0, "scale: expected a float32 above 0, found {scale}");
        ensure!(
            growth_factor.is_finite() && growth_factor > 1.0,
            "growth_factor: expected above 1, found {growth_factor}"
        );
        ensure!(
            backoff_factor > 0.0 && backoff_factor < 1.0,
            "backoff_factor: expected above 0 and below 1, found {backoff_factor}"
        );
        ensure!(growth_interval > 0, "growth_interval: expected at least 1, found {growth_interval}");
        ensure!(
            (0..growth_interval).contains(&growth_tracker),
            "_growth_tracker: expected 0 or more and below growth_interval, {growth_interval}, found {growth_tracker}"
        );
        *self = restored;
        Ok(())
    }
}

fn number(state: &Value, key: &str) -> Result<f64> {
    match state.get(key) {
        Some(Value::Float(number)) => Some(*number),
        Some(Value::Int(number)) => Some(*number as f64),
        _ => None,
    }
    .with_context(|| format!("{key}: the loss scale's state has no such number"))
}

fn whole(state: &Value, key: &str) -> Result<i64> {
    match state.get(key) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    }
    .with_context(|| format!("{key}: the loss scale's state has no such whole number"))
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn it_grows_after_an_interval_of_finite_steps_and_falls_at_once() {
        let mut scaler = Scaler { growth_interval: 3, ..Scaler::default() };
        let scales = [true, true, true, true, true, false, true, true, true].map(|finite| {
            scaler.update(finite);
            scaler.scale()
        });
        // 2^16 twice, doubled at the third; two more are not enough; then it is halved, and three are needed again.
        assert_eq!(scales, [65536.0, 65536.0, 131072.0, 131072.0, 131072.0, 65536.0, 65536.0, 65536.0, 131072.0]);
    }

    #[test]
    fn it_never_grows_to_infinity() {
        let mut scaler = Scaler { scale: 2f32.powi(127), growth_interval: 1, ..Scaler::default() };
        scaler.update(true);
        assert_eq!((scaler.scale(), scaler.growth_tracker), (2f64.powi(127), 0));
    }

    #[test]
    fn gradients_are_divided_by_it() {
        let parameter = Tensor::from(1.0f32).set_requires_grad(true);
        let parameters = [parameter.shallow_clone()];
        let mut scaler = Scaler::default();
        (&parameter * 3.0 * scaler.scale()).sum(Kind::Float).backward();
        assert!(scaler.unscale(&parameters).unwrap());
        assert_eq!(parameter.grad().double_value(&[]), 3.0);
        scaler.scale = 2f32.powi(127);
        (&parameter * 3.0 * scaler.scale()).sum(Kind::Float).backward(); // past the largest float32
        assert!(!scaler.unscale(&parameters).unwrap());
    }

    #[test]
    fn its_state_comes_back_and_an_odd_one_changes_nothing() {
        let mut scaler = Scaler { growth_interval: 3, ..Scaler::default() };
        scaler.update(true);
        let saved = scaler.to_value();
        let mut restored = Scaler::default();
        restored.restore(&saved).unwrap();
        assert_eq!(restored, scaler);
        for (key, odd) in [
            ("scale", Value::Float(0.0)),
            ("scale", Value::Float(1e40)),
            ("growth_factor", Value::Int(1)),
            ("backoff_factor", Value::Float(f64::NAN)),
            ("growth_interval", Value::Float(3.0)),
            ("_growth_tracker", Value::Int(3)),
            ("_growth_tracker", Value::None),
        ] {
            let entries = saved.entries().unwrap().iter().cloned();
            let is_it = |found: &Value| matches!(found, Value::Text(text) if text == key);
            let entries =
                entries.map(|(found, value)| if is_it(&found) { (found, odd.clone()) } else { (found, value) });
            let error = restored.restore(&Value::Dict(entries.collect())).unwrap_err().to_string();
            assert!(error.contains(key), "{key}: {error}");
        }
        assert!(restored.restore(&Value::Dict(vec![])).unwrap_err().to_string().starts_with("scale:"));
        assert_eq!(restored, scaler);
    }
}
