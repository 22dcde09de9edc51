//! Adam (Kingma and Ba, arXiv 1412.6980) and AdamW (Loshchilov and Hutter, arXiv 1711.05101).

use super::fields::{Fields, dict, number};
use super::{group_entries, in_state, moment, parts, whole};
use crate::error::{Fault, refuse};
use crate::{Error, Tensor, Value};

/// The state of `torch.optim.Adam`, or of AdamW, which is Adam with `decoupled_weight_decay`.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// At least one; each holds the next `parameters` parameters.
    pub groups: Vec<AdamGroup>,
    /// One entry per parameter over all groups in order; None until that parameter had a gradient.
    pub state: Vec<Option<AdamState>>,
}

/// The options of one group of parameters, by PyTorch's names. Those that only say how PyTorch computes (`foreach`,
/// `capturable`, `differentiable`, `fused`) are written with its defaults and not read.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamGroup {
    /// How many parameters it has.
    pub parameters: usize,
    /// The parameters' names, one each, if they are known.
    pub param_names: Option<Vec<String>>,
    /// Learning rate of the next step.
    pub lr: f64,
    /// Decay of the first and the second moment, each in [0, 1).
    pub betas: (f64, f64),
    /// Added to the denominator.
    pub eps: f64,
    /// The pull towards 0.
    pub weight_decay: f64,
    /// Whether the denominator is the largest second moment so far.
    pub amsgrad: bool,
    /// Whether steps go up the gradient.
    pub maximize: bool,
    /// Whether weights decay by themselves (AdamW) instead of through the gradient.
    pub decoupled_weight_decay: bool,
    /// The learning rate before any schedule, which schedulers put here.
    pub initial_lr: Option<f64>,
}

/// What Adam keeps of one parameter; all tensors have its shape.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamState {
    /// Steps taken. PyTorch keeps a float32, which is exact up to 2^24.
    pub step: u64,
    /// Running mean of the gradient.
    pub exp_avg: Tensor,
    /// Running mean of the squared gradient.
    pub exp_avg_sq: Tensor,
    /// The largest `exp_avg_sq` so far, with `amsgrad` only.
    pub max_exp_avg_sq: Option<Tensor>,
}

impl Adam {
    /// As PyTorch 2.11's `state_dict()`, every option in its order.
    pub fn to_value(&self) -> Value {
        let groups = self.groups.iter().map(|group| (group.entries(), group.parameters)).collect();
        whole(groups, self.state.iter().map(|state| state.as_ref().map(AdamState::value)))
    }

    /// Reads the state of an optimiser over parameters of these `shapes`, in order. Older forms are read too: `step` as an
    /// int or an int64 tensor, `betas` as a list, options absent that later versions added.
    ///
    /// # Errors
    /// [`Error::TrainingState`] when it is another optimiser's state, over another number of parameters, when a tensor has
    /// another shape than its parameter, or an entry is missing or odd.
    pub fn from_value(value: &Value, shapes: &[Vec<usize>]) -> Result<Self, Error> {
        Self::read(value, shapes).map_err(in_state)
    }

    fn read(value: &Value, shapes: &[Vec<usize>]) -> Result<Self, Fault> {
        let parts = parts(value, "Adam", shapes.len())?;
        let groups = parts.groups.iter().map(|group| AdamGroup::read(&group.fields, group.parameters));
        let groups = groups.collect::<Result<Vec<_>, _>>()?;
        let amsgrad = groups.iter().flat_map(|group| std::iter::repeat_n(group.amsgrad, group.parameters));
        let read = |((fields, shape), amsgrad): ((&Option<Fields>, &Vec<usize>), bool)| {
            fields.as_ref().map(|fields| AdamState::read(fields, shape, amsgrad)).transpose()
        };
        let state = parts.states.iter().zip(shapes).zip(amsgrad).map(read).collect::<Result<_, _>>()?;
        Ok(Adam { groups, state })
    }
}

impl AdamGroup {
    fn read(fields: &Fields, parameters: usize) -> Result<Self, Fault> {
        let betas: Vec<_> = fields.list("betas")?.iter().map(number).collect();
        let [Some(first), Some(second)] = betas[..] else {
            return refuse(format!("{}.betas are not two numbers", fields.place));
        };
        if ![first, second].iter().all(|beta| (0.0..1.0).contains(beta)) {
            return refuse(format!("{}.betas are {first} and {second}, expected numbers in [0, 1)", fields.place));
        }
        Ok(AdamGroup {
            parameters,
            param_names: fields.names("param_names", parameters)?,
            lr: fields.number("lr")?,
            betas: (first, second),
            eps: fields.number("eps")?,
            weight_decay: fields.number("weight_decay")?,
            amsgrad: fields.flag("amsgrad")?,
            maximize: fields.flag("maximize")?,
            decoupled_weight_decay: fields.flag("decoupled_weight_decay")?,
            initial_lr: fields.optional_number("initial_lr")?,
        })
    }

    fn entries(&self) -> Vec<(Value, Value)> {
        let betas = Value::Tuple(vec![Value::Float(self.betas.0), Value::Float(self.betas.1)]);
        let options = [
            ("lr", Value::Float(self.lr)),
            ("betas", betas),
            ("eps", Value::Float(self.eps)),
            ("weight_decay", Value::Float(self.weight_decay)),
            ("amsgrad", Value::Bool(self.amsgrad)),
            ("maximize", Value::Bool(self.maximize)),
            ("foreach", Value::None),
            ("capturable", Value::Bool(false)),
            ("differentiable", Value::Bool(false)),
            ("fused", Value::None),
            ("decoupled_weight_decay", Value::Bool(self.decoupled_weight_decay)),
        ];
        group_entries(self.param_names.as_deref(), options, self.initial_lr)
    }
}

impl AdamState {
    fn read(fields: &Fields, shape: &[usize], amsgrad: bool) -> Result<Self, Fault> {
        let largest = amsgrad.then(|| moment(fields, "max_exp_avg_sq", shape)).transpose()?;
        Ok(AdamState {
            step: fields.count("step")?,
            exp_avg: moment(fields, "exp_avg", shape)?,
            exp_avg_sq: moment(fields, "exp_avg_sq", shape)?,
            max_exp_avg_sq: largest,
        })
    }

    fn value(&self) -> Value {
        let mut value = vec![
            ("step", Tensor::from_f32(&[], &[self.step as f32])),
            ("exp_avg", self.exp_avg.clone()),
            ("exp_avg_sq", self.exp_avg_sq.clone()),
        ];
        value.extend(self.max_exp_avg_sq.clone().map(|largest| ("max_exp_avg_sq", largest)));
        dict(value.into_iter().map(|(name, tensor)| (name, Value::Tensor(tensor))))
    }
}
