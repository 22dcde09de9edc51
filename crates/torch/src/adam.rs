//! Adam (Kingma and Ba, arXiv 1412.6980) and AdamW (Loshchilov and Hutter, arXiv 1711.05101) over libtorch's fused kernels,
//! with state that can be read, saved and restored.

use tch::{Kind, TchError, Tensor};

use crate::gradient::gradient;
use crate::restore::{Place, RestoreError};
use crate::{ffi, restore};

/// The numbers of Adam; the names are those of `torch.optim.Adam`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Learning rate, above 0.
    pub lr: f64,
    /// Decay of the first and second moment, each in [0, 1).
    pub betas: [f64; 2],
    /// Added to the denominator, above 0.
    pub eps: f64,
    /// L2 penalty, 0 for none.
    pub weight_decay: f64,
    /// Whether the penalty shrinks the parameter itself (AdamW) instead of being added to the gradient.
    pub decoupled_weight_decay: bool,
}

/// Adam's memory of one parameter, as in PyTorch's `state_dict`: `step` is a float32 scalar, the moments have the
/// parameter's shape.
pub struct ParameterState {
    /// Steps taken.
    pub step: Tensor,
    /// Running mean of the gradient.
    pub exp_avg: Tensor,
    /// Running mean of the squared gradient.
    pub exp_avg_sq: Tensor,
}

/// An optimiser over a fixed list of parameters.
pub struct Adam {
    /// The numbers of the next step; a schedule changes `lr` here.
    pub config: AdamConfig,
    parameters: Vec<Tensor>,
    /// One entry per parameter; none until that parameter first had a gradient.
    state: Vec<Option<ParameterState>>,
}

impl Adam {
    /// An optimiser over `parameters` (leaf tensors that require a gradient), with empty state.
    pub fn new(parameters: Vec<Tensor>, config: AdamConfig) -> Self {
        let state = parameters.iter().map(|_| None).collect();
        Adam { config, parameters, state }
    }

    /// Sets every gradient to 0 and keeps it (`zero_grad(set_to_none=False)` in PyTorch). A parameter that once had a gradient
    /// therefore takes part in every later step: without a new one it still moves by its decaying momentum and by
    /// `weight_decay`. One that never had a gradient stays out.
    pub fn zero_grad(&mut self) {
        self.parameters.iter_mut().for_each(Tensor::zero_grad);
    }

    /// One step on every parameter that has a gradient and still requires one.
    ///
    /// # Errors
    /// What libtorch says when shapes, types or devices do not agree.
    pub fn step(&mut self) -> Result<(), TchError> {
        tch::no_grad(|| {
            let gradients = self.gradients();
            let lists = self.lists(&gradients);
            for step in &lists.steps {
                let _ = step.shallow_clone().f_add_scalar_(1.0)?;
            }
            ffi::fused_adam(&lists, &self.config, None)
        })
    }

    /// The same as the device decides it, without the host: at the rate in `lr`, unless `left_out` is 1 and not 0. Both are
    /// float32 scalars on the parameters' device.
    ///
    /// # Errors
    /// Those of [`Adam::step`].
    pub fn step_unless(&mut self, lr: &Tensor, left_out: &Tensor) -> Result<(), TchError> {
        tch::no_grad(|| {
            let gradients = self.gradients();
            ffi::fused_adam(&self.lists(&gradients), &self.config, Some(ffi::Unless { lr, left_out }))
        })
    }

    /// The gradient of each parameter, each of which now has a state where it has a gradient.
    fn gradients(&mut self) -> Vec<Option<Tensor>> {
        let gradients: Vec<_> = self.parameters.iter().map(gradient).collect();
        for ((parameter, state), _) in
            self.parameters.iter().zip(&mut self.state).zip(&gradients).filter(|(_, gradient)| gradient.is_some())
        {
            state.get_or_insert_with(|| ParameterState::zeros_like(parameter));
        }
        gradients
    }

    fn lists<'a>(&'a self, gradients: &'a [Option<Tensor>]) -> ffi::AdamLists<'a> {
        let mut lists =
            ffi::AdamLists { params: vec![], grads: vec![], exp_avgs: vec![], exp_avg_sqs: vec![], steps: vec![] };
        for ((parameter, gradient), state) in self.parameters.iter().zip(gradients).zip(&self.state) {
            if let (Some(gradient), Some(state)) = (gradient, state) {
                lists.params.push(parameter);
                lists.grads.push(gradient);
                lists.exp_avgs.push(&state.exp_avg);
                lists.exp_avg_sqs.push(&state.exp_avg_sq);
                lists.steps.push(&state.step);
            }
        }
        lists
    }

    /// The state of each parameter, in the order of the parameters; none where no gradient ever came.
    pub fn state(&self) -> &[Option<ParameterState>] {
        &self.state
    }

    /// Goes on from a copy of this state, which is as in [`Adam::state`], on any device.
    ///
    /// # Errors
    /// Another number of entries than parameters, or a shape that is not its parameter's; then nothing has changed.
    pub fn restore(&mut self, state: &[Option<ParameterState>]) -> Result<(), RestoreError> {
        self.state = restore::each(&self.parameters, state, ParameterState::at)?;
        Ok(())
    }
}

impl ParameterState {
    fn zeros_like(parameter: &Tensor) -> Self {
        ParameterState {
            step: Tensor::zeros([], (Kind::Float, parameter.device())),
            exp_avg: parameter.zeros_like(),
            exp_avg_sq: parameter.zeros_like(),
        }
    }

    fn at(place: Place, saved: &Self) -> Result<Self, RestoreError> {
        Ok(ParameterState {
            step: place.step(&saved.step)?,
            exp_avg: place.like_parameter("exp_avg", &saved.exp_avg)?,
            exp_avg_sq: place.like_parameter("exp_avg_sq", &saved.exp_avg_sq)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: AdamConfig =
        AdamConfig { lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled_weight_decay: false };

    #[test]
    fn the_first_step_moves_by_the_learning_rate_against_the_gradient() {
        // After one step both bias-corrected moments are g and g^2, so the move is lr * g / (|g| + eps) = lr * sign(g).
        let parameter = Tensor::from_slice(&[1.0f32, 1.0]).set_requires_grad(true);
        let mut adam = Adam::new(vec![parameter.shallow_clone()], CONFIG);
        (&parameter * Tensor::from_slice(&[3.0f32, -0.5])).sum(Kind::Float).backward();
        adam.step().unwrap();
        let moved = Vec::<f32>::try_from(&parameter.detach()).unwrap();
        assert!((moved[0] - 0.9).abs() < 1e-6 && (moved[1] - 1.1).abs() < 1e-6, "{moved:?}");
        assert_eq!(f64::try_from(&adam.state()[0].as_ref().unwrap().step).unwrap(), 1.0);
    }

    #[test]
    fn a_parameter_without_gradient_keeps_its_value_and_has_no_state() {
        let used = Tensor::from_slice(&[1.0f32]).set_requires_grad(true);
        let idle = Tensor::from_slice(&[2.0f32]).set_requires_grad(true);
        let mut adam = Adam::new(vec![idle.shallow_clone(), used.shallow_clone()], CONFIG);
        used.sum(Kind::Float).backward();
        adam.step().unwrap();
        assert_eq!(f64::try_from(&idle.detach()).unwrap(), 2.0);
        assert!(adam.state()[0].is_none() && adam.state()[1].is_some());
    }

    #[test]
    fn gradients_are_set_to_zero_and_kept() {
        let parameter = Tensor::from_slice(&[1.0f32, 1.0]).set_requires_grad(true);
        let mut adam = Adam::new(vec![parameter.shallow_clone()], CONFIG);
        (&parameter * Tensor::from_slice(&[3.0f32, -0.5])).sum(Kind::Float).backward();
        adam.zero_grad();
        assert_eq!(Vec::<f32>::try_from(&parameter.grad()).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn decoupled_decay_shrinks_the_parameter_whatever_the_gradient() {
        // The first step moves by lr = 0.1 as without decay; before it the parameter 2 shrinks by lr * 0.5 * 2 = 0.1.
        let parameter = Tensor::from(2.0f32).set_requires_grad(true);
        let config = AdamConfig { weight_decay: 0.5, decoupled_weight_decay: true, ..CONFIG };
        let mut adam = Adam::new(vec![parameter.shallow_clone()], config);
        (&parameter * 7.0).backward();
        adam.step().unwrap();
        assert!((parameter.detach().double_value(&[]) - 1.8).abs() < 1e-6);
    }

    #[test]
    fn a_restored_state_is_gone_on_from_and_a_wrong_one_changes_nothing() {
        let saved = |step: Tensor, moment: Tensor| {
            let exp_avg_sq = moment.square();
            Some(ParameterState { step, exp_avg: moment, exp_avg_sq })
        };
        let parameter = Tensor::from(1.0f32).set_requires_grad(true);
        let mut adam = Adam::new(vec![parameter.shallow_clone()], AdamConfig { betas: [0.5, 0.5], ..CONFIG });
        adam.restore(&[saved(Tensor::from(1.0f32), Tensor::from(0.25f32))]).unwrap();
        let wrong =
            adam.restore(&[saved(Tensor::from(1.0f32), Tensor::from_slice(&[1.0f32]))]).unwrap_err().to_string();
        assert!(wrong.contains("exp_avg of parameter 0") && wrong.contains("[1], expected []"), "{wrong}");
        let wrong = adam.restore(&[saved(Tensor::from_slice(&[1.0f32]), Tensor::from(1.0f32))]);
        assert!(matches!(wrong, Err(RestoreError::Shape { name: "step", .. })));
        assert!(matches!(adam.restore(&[]), Err(RestoreError::Count { expected: 1, found: 0 })));
        parameter.backward();
        adam.step().unwrap();
        // With gradient 1 at step 2 the moments are (1/4 + 1) / 2 = 5/8 and (1/16 + 1) / 2 = 17/32, each to be divided by
        // 1 - (1/2)^2 = 3/4: 5/6 and 17/24. The move is 0.1 * (5/6) / sqrt(17/24) = 0.0990148.
        assert!((parameter.detach().double_value(&[]) - (1.0 - 0.099_014_8)).abs() < 1e-6);
        assert_eq!(adam.state()[0].as_ref().unwrap().step.double_value(&[]), 2.0);
    }
}
