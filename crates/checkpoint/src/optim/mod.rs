//! What `torch.optim` keeps between steps, in the layout of its `state_dict()`, as plain numbers and tensors.
//!
//! An optimiser's state is `{'state': {id: {..}}, 'param_groups': [{.., 'params': [ids]}]}`. PyTorch matches parameters by
//! their position over all groups, and checks no shapes; here they are checked.

mod adam;
mod fields;
mod rmsprop;
mod sgd;
mod training;

pub use adam::{Adam, AdamGroup, AdamState};
pub use rmsprop::{RmsProp, RmsPropGroup, RmsPropState};
pub use sgd::{Sgd, SgdGroup};
pub use training::{TrainingState, multi_step_restart};

use std::collections::HashMap;

use crate::error::{Fault, refuse};
use crate::{Error, Tensor, Value};
use fields::{Fields, dict};

/// An optimiser's state apart into groups and parameters, in the order of positions.
struct Parts<'a> {
    groups: Vec<Group<'a>>,
    /// What is kept for each parameter, if anything.
    states: Vec<Option<Fields<'a>>>,
}

struct Group<'a> {
    fields: Fields<'a>,
    parameters: usize,
}

/// Takes apart the state of the optimiser `name` over `parameters` parameters.
fn parts<'a>(value: &'a Value, name: &str, parameters: usize) -> Result<Parts<'a>, Fault> {
    let top = Fields::of("the optimiser's state", value)?;
    let mut positions = HashMap::new();
    let group = |(index, group)| group_of(index, group, name, &mut positions);
    let groups = top.list("param_groups")?.iter().enumerate().map(group).collect::<Result<_, _>>()?;
    if positions.len() != parameters {
        let found = positions.len();
        return refuse(format!("it is over {found} parameters, expected {parameters}: it belongs to another network"));
    }
    Ok(Parts { groups, states: states(&top, &positions)? })
}

/// A group of the optimiser `name`; the ids of its parameters get the next positions.
fn group_of<'a>(
    index: usize,
    group: &'a Value,
    name: &str,
    positions: &mut HashMap<i64, usize>,
) -> Result<Group<'a>, Fault> {
    let fields = Fields::of(format!("param_groups.{index}"), group)?;
    let found = optimizer_of(group).unwrap_or("an unknown optimiser");
    if found != name {
        return refuse(format!("{} has the options of {found}, expected {name}", fields.place));
    }
    let ids = fields.list("params")?;
    for id in ids {
        let Value::Int(id) = id else {
            return refuse(format!("{}.params holds {}, expected ints", fields.place, id.kind()));
        };
        if positions.insert(*id, positions.len()).is_some() {
            return refuse(format!("{}.params names parameter {id} again", fields.place));
        }
    }
    Ok(Group { fields, parameters: ids.len() })
}

/// What is kept for each parameter, by position.
fn states<'a>(top: &Fields<'a>, positions: &HashMap<i64, usize>) -> Result<Vec<Option<Fields<'a>>>, Fault> {
    let mut states: Vec<_> = positions.iter().map(|_| None).collect();
    for (key, state) in top.entries("state")? {
        // PyTorch takes text keys without a word, and never looks them up.
        let Value::Int(id) = key else {
            return refuse(format!("state has a key that is {}, expected ints", key.kind()));
        };
        match positions.get(id).and_then(|position| states.get_mut(*position)) {
            Some(place) => *place = Some(Fields::of(format!("state.{id}"), state)?),
            None => return refuse(format!("state has parameter {id}, which no group names")),
        }
    }
    Ok(states)
}

/// Puts an optimiser's state together: the groups with their numbers of parameters, and what is kept for each parameter.
fn whole(groups: Vec<(Vec<(Value, Value)>, usize)>, states: impl Iterator<Item = Option<Value>>) -> Value {
    let mut first = 0;
    let group = |(mut entries, parameters): (Vec<(Value, Value)>, usize)| {
        let ids = (first..first + parameters).map(|id| Value::Int(id as i64));
        first += parameters;
        entries.push((Value::Text("params".into()), Value::List(ids.collect())));
        Value::Dict(entries)
    };
    let groups = groups.into_iter().map(group).collect();
    let states = states.enumerate().filter_map(|(id, state)| Some((Value::Int(id as i64), state?)));
    dict([("state", Value::Dict(states.collect())), ("param_groups", Value::List(groups))])
}

/// A group's entries before `params`, in PyTorch's order.
fn group_entries<const N: usize>(
    names: Option<&[String]>,
    options: [(&str, Value); N],
    initial_lr: Option<f64>,
) -> Vec<(Value, Value)> {
    let names = names.map(|names| Value::List(names.iter().cloned().map(Value::Text).collect()));
    let names = names.map(|names| ("param_names", names));
    let initial_lr = initial_lr.map(|lr| ("initial_lr", Value::Float(lr)));
    let entries = names.into_iter().chain(options).chain(initial_lr);
    entries.map(|(name, value)| (Value::Text(name.into()), value)).collect()
}

/// Which of PyTorch's optimisers a state dict is of, told by the options in its first group; None when it has no groups or
/// the options of no optimiser that is known. Adam and AdamW differ in an option's value and are one here.
pub fn optimizer_name(state: &Value) -> Option<&'static str> {
    match state.get("param_groups")? {
        Value::List(groups) => optimizer_of(groups.first()?),
        _ => None,
    }
}

/// The first row all of whose options a group has decides.
const OPTIONS: [(&str, &[&str]); 13] = [
    ("SGD", &["momentum", "dampening", "nesterov"]),
    ("RMSprop", &["alpha", "centered"]),
    ("ASGD", &["lambd", "alpha", "t0"]),
    ("Rprop", &["etas", "step_sizes"]),
    ("NAdam", &["betas", "momentum_decay"]),
    ("Adagrad", &["lr_decay", "initial_accumulator_value"]),
    ("Adadelta", &["rho"]),
    ("LBFGS", &["history_size"]),
    ("Muon", &["ns_steps"]),
    ("Adafactor", &["beta2_decay"]),
    ("Adam", &["betas", "eps", "amsgrad"]),
    ("RAdam", &["betas", "eps", "decoupled_weight_decay"]),
    ("Adamax, SparseAdam or an old RAdam", &["betas", "eps"]),
];

fn optimizer_of(group: &Value) -> Option<&'static str> {
    let fits = |options: &[&str]| options.iter().all(|option| group.get(option).is_some());
    OPTIONS.iter().find(|(_, options)| fits(options)).map(|row| row.0)
}

/// Checks that a moment has its parameter's shape and a floating-point type, and gives a clone that shares its storage.
fn moment(fields: &Fields, name: &str, shape: &[usize]) -> Result<Tensor, Fault> {
    let tensor = fields.tensor(name)?;
    if tensor.shape() != shape || !tensor.dtype().is_float() {
        return refuse(format!(
            "{}.{name} is {} {:?}, expected floats of its parameter's shape {shape:?}",
            fields.place,
            tensor.dtype(),
            tensor.shape()
        ));
    }
    Ok(tensor.clone())
}

fn in_state(fault: Fault) -> Error {
    Error::TrainingState {
        reason: match fault {
            Fault::Content(reason) => reason,
            Fault::Io(error) => error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests;
