//! RMSprop (Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine Learning", 2012), as `torch.optim.RMSprop` has it.

use super::fields::{Fields, dict};
use super::{group_entries, in_state, moment, parts, whole};
use crate::error::Fault;
use crate::{Error, Tensor, Value};

/// The state of `torch.optim.RMSprop`.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsProp {
    /// At least one; each holds the next `parameters` parameters.
    pub groups: Vec<RmsPropGroup>,
    /// One entry per parameter over all groups in order; None until that parameter had a gradient.
    pub state: Vec<Option<RmsPropState>>,
}

/// The options of one group of parameters, by PyTorch's names. Those that only say how PyTorch computes (`capturable`,
/// `foreach`, `differentiable`) are written with its defaults and not read.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsPropGroup {
    /// How many parameters it has.
    pub parameters: usize,
    /// The parameters' names, one each, if they are known.
    pub param_names: Option<Vec<String>>,
    /// Learning rate of the next step.
    pub lr: f64,
    /// Decay of the momentum buffer; 0 for none.
    pub momentum: f64,
    /// Decay of the mean square.
    pub alpha: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Whether the denominator is the gradient's deviation instead of its root mean square.
    pub centered: bool,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Whether steps go up the gradient.
    pub maximize: bool,
    /// The learning rate before any schedule, which schedulers put here.
    pub initial_lr: Option<f64>,
}

/// What RMSprop keeps of one parameter; all tensors have its shape.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsPropState {
    /// Steps taken. PyTorch keeps a float32, which is exact up to 2^24.
    pub step: u64,
    /// Running mean of the squared gradient.
    pub square_avg: Tensor,
    /// The momentum, with `momentum` only.
    pub momentum_buffer: Option<Tensor>,
    /// Running mean of the gradient, with `centered` only.
    pub grad_avg: Option<Tensor>,
}

impl RmsProp {
    /// As PyTorch 2.11's `state_dict()`, every option in its order.
    pub fn to_value(&self) -> Value {
        let groups = self.groups.iter().map(|group| (group.entries(), group.parameters)).collect();
        whole(groups, self.state.iter().map(|state| state.as_ref().map(RmsPropState::value)))
    }

    /// Reads the state of an optimiser over parameters of these `shapes`, in order.
    ///
    /// # Errors
    /// As those of [`Adam::from_value`](crate::Adam::from_value).
    pub fn from_value(value: &Value, shapes: &[Vec<usize>]) -> Result<Self, Error> {
        Self::read(value, shapes).map_err(in_state)
    }

    fn read(value: &Value, shapes: &[Vec<usize>]) -> Result<Self, Fault> {
        let parts = parts(value, "RMSprop", shapes.len())?;
        let groups = parts.groups.iter().map(|group| RmsPropGroup::read(&group.fields, group.parameters));
        let groups = groups.collect::<Result<Vec<_>, _>>()?;
        let group = groups.iter().flat_map(|group| std::iter::repeat_n(group, group.parameters));
        let read = |((fields, shape), group): ((&Option<Fields>, &Vec<usize>), &RmsPropGroup)| {
            fields.as_ref().map(|fields| RmsPropState::read(fields, shape, group)).transpose()
        };
        let state = parts.states.iter().zip(shapes).zip(group).map(read).collect::<Result<_, _>>()?;
        Ok(RmsProp { groups, state })
    }
}

impl RmsPropGroup {
    fn read(fields: &Fields, parameters: usize) -> Result<Self, Fault> {
        Ok(RmsPropGroup {
            parameters,
            param_names: fields.names("param_names", parameters)?,
            lr: fields.number("lr")?,
            momentum: fields.number("momentum")?,
            alpha: fields.number("alpha")?,
            eps: fields.number("eps")?,
            centered: fields.flag("centered")?,
            weight_decay: fields.number("weight_decay")?,
            maximize: fields.flag("maximize")?,
            initial_lr: fields.optional_number("initial_lr")?,
        })
    }

    fn entries(&self) -> Vec<(Value, Value)> {
        let options = [
            ("lr", Value::Float(self.lr)),
            ("momentum", Value::Float(self.momentum)),
            ("alpha", Value::Float(self.alpha)),
            ("eps", Value::Float(self.eps)),
            ("centered", Value::Bool(self.centered)),
            ("weight_decay", Value::Float(self.weight_decay)),
            ("capturable", Value::Bool(false)),
            ("foreach", Value::None),
            ("maximize", Value::Bool(self.maximize)),
            ("differentiable", Value::Bool(false)),
        ];
        group_entries(self.param_names.as_deref(), options, self.initial_lr)
    }
}

impl RmsPropState {
    fn read(fields: &Fields, shape: &[usize], group: &RmsPropGroup) -> Result<Self, Fault> {
        let with = |has: bool, name| has.then(|| moment(fields, name, shape)).transpose();
        Ok(RmsPropState {
            step: fields.count("step")?,
            square_avg: moment(fields, "square_avg", shape)?,
            momentum_buffer: with(group.momentum > 0.0, "momentum_buffer")?,
            grad_avg: with(group.centered, "grad_avg")?,
        })
    }

    fn value(&self) -> Value {
        let required = [("step", Tensor::from_f32(&[], &[self.step as f32])), ("square_avg", self.square_avg.clone())];
        let buffer = self.momentum_buffer.clone().map(|buffer| ("momentum_buffer", buffer));
        let mean = self.grad_avg.clone().map(|mean| ("grad_avg", mean));
        let entries = required.into_iter().chain(buffer).chain(mean);
        dict(entries.map(|(name, tensor)| (name, Value::Tensor(tensor))))
    }
}
