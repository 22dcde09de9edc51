//! What a step can reach of networks and of what trains them: to take it back, and to compare what it did.

use abbe_models::Store;
use anyhow::{Result, ensure};
use tch::{Device, Kind, Tensor};

use super::Made;
use crate::ema::Ema;
use crate::optimizer::Optimizer;

/// How far the first replay may be from the step that it repeats, over the length of all numbers of a kind. Kernels that add
/// in any order differ by far less; a graph that missed an input or a weight, by far more.
const CLOSE: f64 = 1e-2;
/// The same for moves of weights: Adam's are as long for a gradient that is only rounding as for any other.
const CLOSE_MOVES: f64 = 0.3;

/// The tensors that a step computes with and may change, where they lie.
pub(crate) struct Reach {
    /// The parameters of the network that it trains, which get gradients.
    trained: Vec<Tensor>,
    /// Those of other networks that it computes with.
    others: Vec<Tensor>,
    /// The buffers of all, and of the average where the step has its update.
    buffers: Vec<Tensor>,
    /// What the optimiser keeps, where the step has its update.
    memory: Vec<Tensor>,
    /// The parameters of the average, likewise.
    average: Vec<Tensor>,
}

impl Reach {
    /// Of a step that trains `network` by way of `others`, without its update.
    pub fn of(network: &Store, others: &[&Store]) -> Self {
        Reach {
            trained: network.parameters(),
            others: others.iter().flat_map(|store| store.parameters()).collect(),
            buffers: std::iter::once(&network).chain(others).flat_map(|store| store.buffers()).collect(),
            memory: Vec::new(),
            average: Vec::new(),
        }
    }

    /// With its update, and that of the average.
    pub fn with_update(self, optimizer: &Optimizer, ema: Option<&Ema>) -> Self {
        let mut with = Reach { memory: optimizer.memory(), ..self };
        if let Some(average) = ema.map(|ema| ema.model().store()) {
            with.average = average.parameters();
            with.buffers.extend(average.buffers()); // which a loss may read before the update
        }
        with
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        [&self.trained, &self.buffers, &self.memory, &self.average].into_iter().flatten()
    }

    fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        self.trained.iter().chain(&self.others)
    }
}

/// What a step can reach, as it was before.
pub(super) struct State {
    reach: Reach,
    /// Of each of its tensors.
    copies: Vec<Tensor>,
    /// Which parameters are trained.
    flags: Vec<bool>,
}

/// Copies of all numbers of a kind that a step left behind, and how close they must be to those of the same step.
pub(super) struct Evidence {
    what: &'static str,
    numbers: Tensor,
    close: f64,
}

impl State {
    pub fn of(reach: Reach) -> Self {
        let copies = reach.tensors().map(|tensor| tensor.detach().copy()).collect();
        let flags = reach.parameters().map(Tensor::requires_grad).collect();
        State { reach, copies, flags }
    }

    /// Where the network is that the step trains.
    pub fn device(&self) -> Device {
        self.reach.trained.first().map_or(Device::Cpu, Tensor::device)
    }

    #[cfg(test)]
    pub fn weight(&self) -> Tensor {
        self.reach.trained[0].shallow_clone()
    }

    /// Puts all back, where it lies in memory.
    pub fn restore(&self) {
        let pairs = self.reach.tensors().zip(&self.copies);
        tch::no_grad(|| pairs.for_each(|(own, before)| own.shallow_clone().copy_(before)));
        self.reach.parameters().zip(&self.flags).for_each(|(own, trained)| drop(own.set_requires_grad(*trained)));
    }

    /// All numbers that a step left behind.
    pub fn evidence(&self, made: &Made) -> Vec<Evidence> {
        let losses: Vec<Tensor> =
            made.terms.0.iter().map(|term| term.value.shallow_clone()).chain(norm(made)).collect();
        let gradients: Vec<Tensor> = self.reach.trained.iter().map(Tensor::grad).filter(Tensor::defined).collect();
        let buffers = self.reach.buffers.iter().map(Tensor::shallow_clone);
        let (counters, statistics): (Vec<_>, Vec<_>) = buffers.partition(|buffer| buffer.kind() == Kind::Int64);
        let numbers =
            [("losses", losses), ("gradients", gradients), ("statistics", statistics), ("counters", counters)];
        let numbers = numbers.map(|(what, tensors)| Evidence { what, numbers: flat(&tensors), close: CLOSE });
        let outputs = Evidence { what: "outputs", numbers: flat(&made.tensors), close: CLOSE };
        let moves = Evidence { what: "moves of weights", numbers: self.moves(), close: CLOSE_MOVES };
        numbers.into_iter().chain([outputs, moves]).collect()
    }

    /// How far the weights went, and those of the average.
    fn moves(&self) -> Tensor {
        let Reach { trained, buffers, memory, .. } = &self.reach;
        let average = trained.len() + buffers.len() + memory.len();
        let is_weight = |place: &usize| *place < trained.len() || *place >= average;
        let pairs = self.reach.tensors().zip(&self.copies).enumerate().filter(|(place, _)| is_weight(place));
        flat(&Vec::from_iter(pairs.map(|(_, (own, before))| own.detach() - before)))
    }
}

fn norm(made: &Made) -> Option<Tensor> {
    made.norm.as_ref().map(Tensor::shallow_clone)
}

/// All numbers of some tensors in a row, copied.
fn flat(tensors: &[Tensor]) -> Tensor {
    let rows: Vec<Tensor> = tensors.iter().map(|tensor| tensor.detach().reshape([-1]).to_kind(Kind::Double)).collect();
    if rows.is_empty() { Tensor::zeros([0], (Kind::Double, Device::Cpu)) } else { Tensor::cat(&rows, 0) }
}

/// Whether all numbers are finite.
pub(super) fn is_finite(evidence: &[Evidence]) -> bool {
    evidence.iter().all(|Evidence { numbers, .. }| numbers.isfinite().all().int64_value(&[]) == 1)
}

/// # Errors
/// Numbers that are too far from what they should be, or are none.
pub(super) fn compare(found: &[Evidence], expected: &[Evidence]) -> Result<()> {
    for (Evidence { what, numbers: found, close }, Evidence { numbers: expected, .. }) in found.iter().zip(expected) {
        ensure!(found.size() == expected.size(), "the graph makes other {what} than the step");
        let [apart, all] = [&(found - expected), expected].map(|row| row.norm().double_value(&[]));
        ensure!(apart <= close * all, "the graph's {what} are {apart:.1e} from the step's, which are {all:.1e} long");
    }
    Ok(())
}
