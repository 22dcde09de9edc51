//! RMSprop (Tieleman and Hinton, Lecture 6.5 of "Neural Networks for Machine Learning", 2012) as `torch.optim.RMSprop`
//! computes it, with state that can be read, saved and restored.

use tch::{Kind, TchError, Tensor};

use crate::gradient::gradient;
use crate::restore::{self, Place, RestoreError};

/// The numbers of RMSprop; the names are those of `torch.optim.RMSprop`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsPropConfig {
    /// Learning rate, above 0.
    pub lr: f64,
    /// Decay of the mean square, in [0, 1).
    pub alpha: f64,
    /// Added to its root, above 0.
    pub eps: f64,
    /// Part of the last move that the next one keeps, in [0, 1); 0 for none.
    pub momentum: f64,
    /// Whether the step is divided by the gradient's running deviation instead of its root mean square (Graves, arXiv
    /// 1308.0850, section 4.2).
    pub centered: bool,
    /// L2 penalty added to the gradient, 0 for none.
    pub weight_decay: f64,
}

/// RMSprop's memory of one parameter, as in PyTorch's `state_dict`.
pub struct RmsPropState {
    /// Steps taken, a float32 scalar.
    pub step: Tensor,
    /// Running mean of the squared gradient, of the parameter's shape.
    pub square_avg: Tensor,
    /// The momentum, of the parameter's shape; none without it.
    pub momentum_buffer: Option<Tensor>,
    /// Running mean of the gradient, of the parameter's shape; none unless centered.
    pub grad_avg: Option<Tensor>,
}

/// An optimiser over a fixed list of parameters.
pub struct RmsProp {
    /// The numbers of the next step; a schedule changes `lr` here.
    pub config: RmsPropConfig,
    parameters: Vec<Tensor>,
    /// One entry per parameter; none until that parameter first had a gradient.
    state: Vec<Option<RmsPropState>>,
}

impl RmsProp {
    /// An optimiser over `parameters` (leaf tensors that require a gradient), with empty state.
    pub fn new(parameters: Vec<Tensor>, config: RmsPropConfig) -> Self {
        let state = parameters.iter().map(|_| None).collect();
        RmsProp { config, parameters, state }
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
        let Self { config, parameters, state } = self;
        tch::no_grad(|| {
            let mut each = parameters.iter_mut().zip(state);
            each.try_for_each(|(parameter, state)| match gradient(parameter) {
                Some(gradient) => move_one(config, parameter, gradient, state),
                None => Ok(()),
            })
        })
    }

    /// The state of each parameter, in the order of the parameters; none where no gradient ever came.
    pub fn state(&self) -> &[Option<RmsPropState>] {
        &self.state
    }

    /// Goes on from a copy of this state, which is as in [`RmsProp::state`], on any device.
    ///
    /// # Errors
    /// Another number of entries than parameters, or a shape that is not its parameter's; then nothing has changed.
    pub fn restore(&mut self, state: &[Option<RmsPropState>]) -> Result<(), RestoreError> {
        self.state = restore::each(&self.parameters, state, RmsPropState::at)?;
        Ok(())
    }
}

fn move_one(
    config: &RmsPropConfig,
    parameter: &mut Tensor,
    mut gradient: Tensor,
    state: &mut Option<RmsPropState>,
) -> Result<(), TchError> {
    let state = state.get_or_insert_with(|| RmsPropState::zeros_like(parameter));
    let _ = state.step.f_add_scalar_(1.0)?;
    if config.weight_decay != 0.0 {
        gradient = gradient.f_add(&(&*parameter * config.weight_decay))?;
    }
    let mut square = state.square_avg.f_mul_scalar_(config.alpha)?;
    let mut square = square.f_addcmul_(&(&gradient * (1.0 - config.alpha)), &gradient)?;
    if config.centered {
        let mean = state.grad_avg.get_or_insert_with(|| parameter.zeros_like());
        let mean = mean.f_lerp_(&gradient, 1.0 - config.alpha)?;
        square = square.f_addcmul(&-&mean, &mean)?;
    }
    let mut step = gradient.f_div(&(square.f_sqrt()? + config.eps))?;
    if config.momentum != 0.0 {
        let buffer = state.momentum_buffer.get_or_insert_with(|| parameter.zeros_like());
        step = buffer.f_mul_scalar_(config.momentum)?.f_add_(&step)?;
    }
    parameter.f_sub_(&(step * config.lr)).map(drop)
}

impl RmsPropState {
    fn zeros_like(parameter: &Tensor) -> Self {
        RmsPropState {
            step: Tensor::zeros([], (Kind::Float, parameter.device())),
            square_avg: parameter.zeros_like(),
            momentum_buffer: None,
            grad_avg: None,
        }
    }

    fn at(place: Place, saved: &Self) -> Result<Self, RestoreError> {
        let like = |name, saved: &Option<Tensor>| saved.as_ref().map(|saved| place.like_parameter(name, saved));
        Ok(RmsPropState {
            step: place.step(&saved.step)?,
            square_avg: place.like_parameter("square_avg", &saved.square_avg)?,
            momentum_buffer: like("momentum_buffer", &saved.momentum_buffer).transpose()?,
            grad_avg: like("grad_avg", &saved.grad_avg).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: RmsPropConfig =
        RmsPropConfig { lr: 0.1, alpha: 0.75, eps: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 };

    fn step(optimizer: &mut RmsProp, parameter: &Tensor, gradient: f32) -> f64 {
        optimizer.zero_grad();
        (parameter * f64::from(gradient)).sum(Kind::Float).backward();
        optimizer.step().unwrap();
        parameter.detach().double_value(&[])
    }

    fn parameter() -> Tensor {
        Tensor::from(1.0f32).set_requires_grad(true)
    }

    #[test]
    fn a_step_is_the_gradient_over_its_root_mean_square() {
        // The mean square is 0.25 * 4 = 1, so the move is 0.1 * 2 / 1; then 0.75 * 1 + 0.25 * 9 = 3 and 0.1 * 3 / sqrt(3).
        let parameter = parameter();
        let mut optimizer = RmsProp::new(vec![parameter.shallow_clone()], CONFIG);
        assert!((step(&mut optimizer, &parameter, 2.0) - 0.8).abs() < 1e-6);
        assert!((step(&mut optimizer, &parameter, 3.0) - (0.8 - 0.1 * 3f64.sqrt())).abs() < 1e-6);
        assert_eq!(optimizer.state()[0].as_ref().unwrap().square_avg.double_value(&[]), 3.0);
    }

    #[test]
    fn momentum_keeps_a_part_of_the_last_move_and_decay_joins_the_gradient() {
        // With decay 1 the gradient is 1 + 1 = 2: the buffer is 2 / 1, the move 0.2. Then the parameter is 0.8, the gradient
        // 2.2 + 0.8 = 3, the mean square 3, the buffer 0.5 * 2 + sqrt(3).
        let parameter = parameter();
        let config = RmsPropConfig { momentum: 0.5, weight_decay: 1.0, ..CONFIG };
        let mut optimizer = RmsProp::new(vec![parameter.shallow_clone()], config);
        assert!((step(&mut optimizer, &parameter, 1.0) - 0.8).abs() < 1e-6);
        assert!((step(&mut optimizer, &parameter, 2.2) - (0.7 - 0.1 * 3f64.sqrt())).abs() < 1e-6);
    }

    #[test]
    fn a_centered_step_is_divided_by_the_deviation() {
        // The mean square is 0.25 * 16 = 4, the mean 0.25 * 4 = 1, the variance 4 - 1 = 3.
        let parameter = parameter();
        let mut optimizer = RmsProp::new(vec![parameter.shallow_clone()], RmsPropConfig { centered: true, ..CONFIG });
        assert!((step(&mut optimizer, &parameter, 4.0) - (1.0 - 0.1 * 4.0 / 3f64.sqrt())).abs() < 1e-6);
        assert_eq!(optimizer.state()[0].as_ref().unwrap().grad_avg.as_ref().unwrap().double_value(&[]), 1.0);
    }

    #[test]
    fn a_restored_state_is_gone_on_from_and_a_wrong_one_changes_nothing() {
        let saved = |square_avg| {
            let step = Tensor::from(1.0f32);
            Some(RmsPropState { step, square_avg, momentum_buffer: None, grad_avg: None })
        };
        let parameter = parameter();
        let mut optimizer = RmsProp::new(vec![parameter.shallow_clone()], CONFIG);
        optimizer.restore(&[saved(Tensor::from(1.0f32))]).unwrap();
        let wrong = optimizer.restore(&[saved(Tensor::from_slice(&[1.0f32]))]).unwrap_err().to_string();
        assert!(wrong.contains("square_avg of parameter 0"), "{wrong}");
        // The mean square is 0.75 * 1 + 0.25 * 9 = 3.
        assert!((step(&mut optimizer, &parameter, 3.0) - (1.0 - 0.1 * 3f64.sqrt())).abs() < 1e-6);
    }
}
