//! Which parameters are in which group, here and in a saved state.

use abbe_checkpoint::Value;
use anyhow::{Context, Result, ensure};
use tch::Tensor;

use crate::experiment::optimizer::Group;
use crate::pattern;

/// The parameters of one group.
pub(super) struct Members {
    /// Places in the network's list, rising.
    pub positions: Vec<usize>,
    /// Factor on the learning rate.
    pub lr: f64,
    /// In the place of the optimiser's.
    pub weight_decay: Option<f64>,
}

/// Gives each name to the first group that has a pattern for it, and what is left to a last group.
///
/// # Errors
/// A number out of range, a pattern that matches nothing, a group to which nothing is left.
pub(super) fn split(groups: &[Group], names: &[String]) -> Result<Vec<Members>> {
    let mut is_free = vec![true; names.len()];
    let mut all = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let members = take(group, names, &mut is_free).with_context(|| format!("{index} (from 0)"))?;
        all.push(members);
    }
    let rest: Vec<usize> = (0..names.len()).filter(|&place| is_free[place]).collect();
    if !rest.is_empty() || all.is_empty() {
        all.push(Members { positions: rest, lr: 1.0, weight_decay: None });
    }
    Ok(all)
}

fn take(group: &Group, names: &[String], is_free: &mut [bool]) -> Result<Members> {
    group.validate()?;
    let chosen = pattern::chosen(&group.names, names).context("names")?;
    let positions: Vec<usize> = (0..names.len()).filter(|&place| chosen[place] && is_free[place]).collect();
    ensure!(!positions.is_empty(), "names: all parameters that it names belong to earlier groups");
    positions.iter().for_each(|&place| is_free[place] = false);
    Ok(Members { positions, lr: group.lr.unwrap_or(1.0), weight_decay: group.weight_decay })
}

/// Where a saved state has what belongs to the groups here.
pub(super) struct Places {
    /// Shapes of the parameters in the order of the state.
    pub shapes: Vec<Vec<usize>>,
    /// For each group here, the places of its parameters in the state.
    groups: Vec<Vec<usize>>,
}

impl Places {
    /// # Errors
    /// A state in several groups that have other sizes than those here.
    pub fn new(state: &Value, groups: &[Members], parameters: &[Tensor]) -> Result<Self> {
        let saved = sizes(state);
        let here: Vec<usize> = groups.iter().map(|group| group.positions.len()).collect();
        let shape = |place: usize| parameters[place].size().iter().map(|&side| side as usize).collect();
        if saved.len() < 2 {
            let groups = groups.iter().map(|group| group.positions.clone()).collect();
            return Ok(Places { shapes: (0..parameters.len()).map(shape).collect(), groups });
        }
        ensure!(
            saved == here,
            "the optimiser's state is in groups of {saved:?} parameters, the experiment's has {here:?}"
        );
        let shapes = groups.iter().flat_map(|group| &group.positions).map(|&place| shape(place)).collect();
        let mut places = 0..parameters.len();
        let groups = here.iter().map(|&size| places.by_ref().take(size).collect()).collect();
        Ok(Places { shapes, groups })
    }

    /// What the state has of each parameter, in the groups here.
    pub fn distribute<S>(&self, mut states: Vec<Option<S>>) -> Vec<Vec<Option<S>>> {
        let mut take = |place: &usize| states.get_mut(*place).and_then(Option::take);
        self.groups.iter().map(|group| group.iter().map(&mut take).collect()).collect()
    }
}

/// How many parameters each group of a saved state has, as far as it is one; reading it will tell what is wrong with it.
fn sizes(state: &Value) -> Vec<usize> {
    let list = |value: Option<&Value>| match value {
        Some(Value::List(items)) => items.clone(),
        _ => Vec::new(),
    };
    list(state.get("param_groups")).iter().map(|group| list(group.get("params")).len()).collect()
}

/// A notice where a saved group was made with other numbers than those here.
pub(super) fn notice(optimizer: &str, index: usize, saved: String, here: String) -> Option<String> {
    (saved != here).then(|| {
        format!(
            "param_groups.{index}: {optimizer}'s state was made with {saved}; it goes on with the experiment's {here}"
        )
    })
}
