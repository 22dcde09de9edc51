//! Stochastic gradient descent with momentum, as `torch.optim.SGD` has it.

use super::fields::Fields;
use super::{dict, group_entries, in_state, moment, parts, whole};
use crate::error::Fault;
use crate::{Error, Tensor, Value};

/// The state of `torch.optim.SGD`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    /// At least one; each holds the next `parameters` parameters.
    pub groups: Vec<SgdGroup>,
    /// One momentum buffer of its shape per parameter over all groups in order; None until that parameter had a gradient,
    /// and always without momentum.
    pub momentum_buffers: Vec<Option<Tensor>>,
}

/// The options of one group of parameters, by PyTorch's names. Those that only say how PyTorch computes (`foreach`,
/// `differentiable`, `fused`) are written with its defaults and not read.
#[derive(Clone, Debug, PartialEq)]
pub struct SgdGroup {
    /// How many parameters it has.
    pub parameters: usize,
    /// The parameters' names, one each, if they are known.
    pub param_names: Option<Vec<String>>,
    /// Learning rate of the next step.
    pub lr: f64,
    /// Decay of the momentum buffer; 0 for none.
    pub momentum: f64,
    /// How much of the gradient does not enter the momentum buffer.
    pub dampening: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Whether momentum looks ahead.
    pub nesterov: bool,
    /// Whether steps go up the gradient.
    pub maximize: bool,
    /// The learning rate before any schedule, which schedulers put here.
    pub initial_lr: Option<f64>,
}

impl Sgd {
    /// As PyTorch 2.11's `state_dict()`, every option in its order.
    pub fn to_value(&self) -> Value {
        let groups = self.groups.iter().map(|group| (group.entries(), group.parameters)).collect();
        let state = |buffer: &Tensor| dict([("momentum_buffer", Value::Tensor(buffer.clone()))]);
        whole(groups, self.momentum_buffers.iter().map(|buffer| buffer.as_ref().map(state)))
    }

    /// Reads the state of an optimiser over parameters of these `shapes`, in order.
    ///
    /// # Errors
    /// As those of [`Adam::from_value`](crate::Adam::from_value).
    pub fn from_value(value: &Value, shapes: &[Vec<usize>]) -> Result<Self, Error> {
        Self::read(value, shapes).map_err(in_state)
    }

    fn read(value: &Value, shapes: &[Vec<usize>]) -> Result<Self, Fault> {
        let parts = parts(value, "SGD", shapes.len())?;
        let groups = parts.groups.iter().map(|group| SgdGroup::read(&group.fields, group.parameters));
        let groups = groups.collect::<Result<_, _>>()?;
        // Older versions keep an entry that is None.
        let buffer = |(fields, shape): (&Option<Fields>, &Vec<usize>)| match fields {
            Some(fields) if fields.optional("momentum_buffer").is_some() => {
                moment(fields, "momentum_buffer", shape).map(Some)
            }
            _ => Ok(None),
        };
        let momentum_buffers = parts.states.iter().zip(shapes).map(buffer).collect::<Result<_, _>>()?;
        Ok(Sgd { groups, momentum_buffers })
    }
}

impl SgdGroup {
    fn read(fields: &Fields, parameters: usize) -> Result<Self, Fault> {
        Ok(SgdGroup {
            parameters,
            param_names: fields.names("param_names", parameters)?,
            lr: fields.number("lr")?,
            momentum: fields.number("momentum")?,
            dampening: fields.number("dampening")?,
            weight_decay: fields.number("weight_decay")?,
            nesterov: fields.flag("nesterov")?,
            maximize: fields.flag("maximize")?,
            initial_lr: fields.optional_number("initial_lr")?,
        })
    }

    fn entries(&self) -> Vec<(Value, Value)> {
        let options = [
            ("lr", Value::Float(self.lr)),
            ("momentum", Value::Float(self.momentum)),
            ("dampening", Value::Float(self.dampening)),
            ("weight_decay", Value::Float(self.weight_decay)),
            ("nesterov", Value::Bool(self.nesterov)),
            ("maximize", Value::Bool(self.maximize)),
            ("foreach", Value::None),
            ("differentiable", Value::Bool(false)),
            ("fused", Value::None),
        ];
        group_entries(self.param_names.as_deref(), options, self.initial_lr)
    }
}
