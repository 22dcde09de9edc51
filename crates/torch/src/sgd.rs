//! Stochastic gradient descent with momentum (Polyak 1964; Nesterov's form as in Sutskever et al., ICML 2013) over libtorch's
//! fused kernel, with state that can be read, saved and restored.

use tch::{TchError, Tensor};

use crate::gradient::gradient;
use crate::restore::RestoreError;
use crate::{ffi, restore};

/// The numbers of SGD; the names are those of `torch.optim.SGD`, whose `dampening` is 0 here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdConfig {
    /// Learning rate, above 0.
    pub lr: f64,
    /// Part of the last move that the next one keeps, in [0, 1); 0 for none.
    pub momentum: f64,
    /// L2 penalty added to the gradient, 0 for none.
    pub weight_decay: f64,
    /// Whether the step looks ahead along the momentum, which must then be above 0.
    pub nesterov: bool,
}

/// An optimiser over a fixed list of parameters.
pub struct Sgd {
    /// The numbers of the next step; a schedule changes `lr` here.
    pub config: SgdConfig,
    parameters: Vec<Tensor>,
    /// One momentum buffer per parameter; none until that parameter first had a gradient, and none without momentum.
    state: Vec<Option<Tensor>>,
}

impl Sgd {
    /// An optimiser over `parameters` (leaf tensors that require a gradient), with empty state.
    pub fn new(parameters: Vec<Tensor>, config: SgdConfig) -> Self {
        let state = parameters.iter().map(|_| None).collect();
        Sgd { config, parameters, state }
    }

    /// Sets every gradient to 0 and keeps it, as [`Adam::zero_grad`](crate::Adam::zero_grad) does.
    pub fn zero_grad(&mut self) {
        self.parameters.iter_mut().for_each(Tensor::zero_grad);
    }

    /// One step on every parameter that has a gradient and still requires one.
    ///
    /// # Errors
    /// What libtorch says when shapes, types or devices do not agree.
    pub fn step(&mut self) -> Result<(), TchError> {
        tch::no_grad(|| self.run(None))
    }

    /// The same as the device decides it; see [`Adam::step_unless`](crate::Adam::step_unless).
    ///
    /// # Errors
    /// Those of [`Sgd::step`].
    pub fn step_unless(&mut self, lr: &Tensor, left_out: &Tensor) -> Result<(), TchError> {
        tch::no_grad(|| self.run(Some(ffi::Unless { lr, left_out })))
    }

    fn run(&mut self, unless: Option<ffi::Unless>) -> Result<(), TchError> {
        let grads: Vec<_> = self.parameters.iter().map(gradient).collect();
        let mut lists = ffi::SgdLists { params: vec![], grads: vec![], buffers: vec![] };
        for ((parameter, grad), buffer) in self.parameters.iter().zip(&grads).zip(&mut self.state) {
            if let Some(grad) = grad {
                lists.params.push(parameter);
                lists.grads.push(grad);
                if self.config.momentum != 0.0 {
                    lists.buffers.push(buffer.get_or_insert_with(|| parameter.zeros_like()));
                }
            }
        }
        ffi::fused_sgd(&lists, &self.config, unless)
    }

    /// The momentum buffer of each parameter (of its shape), in the order of the parameters; none where no gradient ever
    /// came, and without momentum.
    pub fn state(&self) -> &[Option<Tensor>] {
        &self.state
    }

    /// Goes on from copies of these momentum buffers, which are as in [`Sgd::state`], on any device.
    ///
    /// # Errors
    /// Another number of entries than parameters, or a shape that is not its parameter's; then nothing has changed.
    pub fn restore(&mut self, state: &[Option<Tensor>]) -> Result<(), RestoreError> {
        self.state =
            restore::each(&self.parameters, state, |place, saved| place.like_parameter("momentum_buffer", saved))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    const CONFIG: SgdConfig = SgdConfig { lr: 0.1, momentum: 0.5, weight_decay: 0.0, nesterov: false };

    fn step(sgd: &mut Sgd, parameter: &Tensor, gradient: f32) -> f64 {
        sgd.zero_grad();
        (parameter * f64::from(gradient)).sum(Kind::Float).backward();
        sgd.step().unwrap();
        parameter.detach().double_value(&[])
    }

    fn parameter() -> Tensor {
        Tensor::from(1.0f32).set_requires_grad(true)
    }

    #[test]
    fn momentum_keeps_a_part_of_the_last_move() {
        // The buffer is 2, then 0.5 * 2 + 3 = 4: 1 - 0.1 * 2 = 0.8, then 0.8 - 0.1 * 4 = 0.4.
        let parameter = parameter();
        let mut sgd = Sgd::new(vec![parameter.shallow_clone()], CONFIG);
        assert!((step(&mut sgd, &parameter, 2.0) - 0.8).abs() < 1e-6);
        assert!((step(&mut sgd, &parameter, 3.0) - 0.4).abs() < 1e-6);
        assert_eq!(sgd.state()[0].as_ref().unwrap().double_value(&[]), 4.0);
    }

    #[test]
    fn nesterov_looks_ahead_and_decay_joins_the_gradient() {
        // With a decay of 0.5 the gradient at 1 is 2 + 0.5 = 2.5 and so is the buffer; the move is 2.5 + 0.5 * 2.5 = 3.75.
        let parameter = parameter();
        let config = SgdConfig { weight_decay: 0.5, nesterov: true, ..CONFIG };
        let mut sgd = Sgd::new(vec![parameter.shallow_clone()], config);
        assert!((step(&mut sgd, &parameter, 2.0) - 0.625).abs() < 1e-6);
    }

    #[test]
    fn without_momentum_nothing_is_kept() {
        let parameter = parameter();
        let mut sgd = Sgd::new(vec![parameter.shallow_clone()], SgdConfig { momentum: 0.0, ..CONFIG });
        assert!((step(&mut sgd, &parameter, 2.0) - 0.8).abs() < 1e-6);
        assert!(sgd.state()[0].is_none());
    }

    #[test]
    fn a_restored_buffer_is_gone_on_from_and_a_wrong_one_changes_nothing() {
        let parameter = parameter();
        let mut sgd = Sgd::new(vec![parameter.shallow_clone()], CONFIG);
        sgd.restore(&[Some(Tensor::from(4.0f64))]).unwrap();
        let wrong = sgd.restore(&[Some(Tensor::from_slice(&[1.0f32, 2.0]))]).unwrap_err().to_string();
        assert!(wrong.contains("momentum_buffer of parameter 0") && wrong.contains("[2], expected []"), "{wrong}");
        assert!(matches!(sgd.restore(&[]), Err(RestoreError::Count { expected: 1, found: 0 })));
        // The buffer is 0.5 * 4 + 1 = 3: 1 - 0.1 * 3 = 0.7.
        assert!((step(&mut sgd, &parameter, 1.0) - 0.7).abs() < 1e-6);
    }
}
