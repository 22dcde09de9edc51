//! Losses and gradients of a step as a CUDA graph, which a GPU is given as a whole instead of operation by operation.
//!
//! Only what the GPU computes alone is in a graph: forward, losses, backward. What a step decides from their numbers (a bound
//! on the gradient, steps left out, a discriminator held back, learning rates, optimiser, average) comes after it, as ever.
//! A graph is used once it has given what the same step gave without it; where that cannot be, steps go on without graphs.

use abbe_models::Store;
use abbe_torch::Graph;
use anyhow::{Result, ensure};
use tch::{Device, Kind, Tensor};

use crate::experiment::{DiscriminatorTraining, Experiment, Phase, Precision};
use crate::loss::{Term, Terms};

/// How far the first replay may be from the step that it repeats, over the length of all numbers of a kind. Kernels that add
/// in any order differ by far less; a graph that missed an input or a weight, by far more.
const CLOSE: f64 = 1e-2;

/// What a step computes on the device beside gradients: nothing of it has one itself.
pub(crate) struct Made {
    pub terms: Terms,
    /// SR, or the logits of HR and SR. Up to the next step alone: a graph overwrites them.
    pub tensors: Vec<Tensor>,
}

impl Made {
    pub fn new<'a>(terms: &Terms, tensors: impl IntoIterator<Item = &'a Tensor>) -> Self {
        let term = |term: &Term| Term { value: term.value.detach(), ..*term };
        Made { terms: Terms(terms.0.iter().map(term).collect()), tensors: detached(tensors) }
    }
}

fn detached<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Vec<Tensor> {
    tensors.into_iter().map(Tensor::detach).collect()
}

/// The graphs of a phase.
#[derive(Default)]
pub(crate) struct Graphs {
    pub generator: Recorder,
    pub critic: Recorder,
    /// What was or is to be said, and how much of it was.
    notices: Vec<String>,
    said: usize,
}

impl Graphs {
    /// Forgets the graphs of another phase; says what stands in the way of those of this one.
    pub fn begin(&mut self, experiment: &Experiment, phase: &Phase, precision: Precision, device: Device, ranks: bool) {
        (self.generator, self.critic) = Default::default();
        if !experiment.cuda_graphs {
            return;
        }
        match obstacle(phase, precision, device, ranks) {
            Some(why) => self.say(&format!("steps are not recorded: {why}")),
            None => (self.generator, self.critic) = (Recorder::Waiting, Recorder::Waiting),
        }
        if matches!(self.critic, Recorder::Waiting) && phase.discriminator.as_ref().is_some_and(is_penalised) {
            self.critic = Recorder::Off;
            self.say("the discriminator's steps are not recorded: its penalties are not the same at every step");
        }
    }

    /// What has to be said since this was last asked; nothing is said twice.
    pub fn notices(&mut self) -> Vec<String> {
        for (name, recorder) in [("network", &mut self.generator), ("discriminator", &mut self.critic)] {
            if let Recorder::Failed(why) = recorder {
                let text = format!("the {name}'s steps are not recorded: {why}");
                *recorder = Recorder::Off;
                say(&mut self.notices, &text);
            }
        }
        let new = self.notices[self.said..].to_vec();
        self.said = self.notices.len();
        new
    }

    fn say(&mut self, text: &str) {
        say(&mut self.notices, text);
    }
}

fn say(notices: &mut Vec<String>, text: &str) {
    let notice = format!("cuda_graphs: {text}");
    if !notices.contains(&notice) {
        notices.push(notice);
    }
}

/// Why no step of a phase can be a graph.
fn obstacle(phase: &Phase, precision: Precision, device: Device, ranks: bool) -> Option<String> {
    let unlike = |what: &str| Some(format!("{what} is not the same work for every step or part"));
    match Graph::check(device) {
        Err(error) => Some(error.to_string()),
        Ok(()) if ranks => Some("several ranks exchange their gradients in the middle of a step".into()),
        Ok(()) if phase.accumulate > 1 => unlike("`accumulate`"),
        Ok(()) if precision == Precision::F16 => unlike("the scale of the loss in f16"),
        Ok(()) => None,
    }
}

/// Whether the discriminator's loss has gradients of gradients, at random places or on some steps only.
fn is_penalised(training: &DiscriminatorTraining) -> bool {
    training.gradient_penalty.is_some() || training.r1.is_some()
}

/// The steps of one network.
#[derive(Default)]
pub(crate) enum Recorder {
    /// They are done without a graph.
    #[default]
    Off,
    /// The first is still to come.
    Waiting,
    /// They are replayed.
    Recorded(Recorded),
    /// They are done without a graph from now on, for a reason still to be said.
    Failed(String),
}

impl Recorder {
    /// What `work` makes of `inputs`, and the gradients that it leaves in the first of `stores`; all networks that it computes
    /// with are among them. It must set gradients to 0 in place, and do the same every time.
    ///
    /// # Errors
    /// Those of `work`; a replay that fails.
    pub fn run<const N: usize>(
        &mut self,
        stores: &[&Store],
        inputs: [&Tensor; N],
        work: impl Fn([&Tensor; N]) -> Result<Made>,
    ) -> Result<Made> {
        match self {
            Self::Recorded(recorded) if recorded.fits(&inputs) => return recorded.replay(&inputs),
            Self::Waiting => {}
            _ => return work(inputs),
        }
        let before = State::of(stores);
        match Recorded::new(stores, &before, inputs, &work) {
            Ok((recorded, made)) => {
                *self = Self::Recorded(recorded);
                Ok(made)
            }
            Err(error) => {
                *self = Self::Failed(format!("{error:#}"));
                before.restore(stores);
                work(inputs)
            }
        }
    }
}

/// A step as a graph.
pub(crate) struct Recorded {
    graph: Graph,
    /// Where it reads.
    inputs: Vec<Tensor>,
    /// Where it writes.
    made: Made,
}

impl Recorded {
    /// The graph of `work`, and what its first replay made of `inputs`. The networks are where they would be after `work`.
    fn new<const N: usize>(
        stores: &[&Store],
        before: &State,
        inputs: [&Tensor; N],
        work: impl Fn([&Tensor; N]) -> Result<Made>,
    ) -> Result<(Self, Made)> {
        let inputs = inputs.map(|input| input.detach().copy());
        let expected = evidence(stores, &work(inputs.each_ref())?);
        before.restore(stores);
        let device = stores.first().map_or(Device::Cpu, |store| store.device());
        let (graph, made) = Graph::capture(device, || work(inputs.each_ref()))?;
        before.restore(stores);
        graph.replay()?;
        compare(&evidence(stores, &made), &expected)?;
        let replayed = Made::new(&made.terms, &made.tensors);
        Ok((Recorded { graph, inputs: inputs.into(), made }, replayed))
    }

    /// Whether pictures have the sizes that it reads.
    fn fits(&self, inputs: &[&Tensor]) -> bool {
        self.inputs.iter().zip(inputs).all(|(own, input)| own.size() == input.size())
    }

    fn replay(&self, inputs: &[&Tensor]) -> Result<Made> {
        tch::no_grad(|| self.inputs.iter().zip(inputs).for_each(|(own, input)| own.shallow_clone().copy_(input)));
        self.graph.replay()?;
        Ok(Made::new(&self.made.terms, &self.made.tensors))
    }
}

/// What work may change of networks beside gradients.
struct State {
    /// Of each network: copies of its buffers, and which of its parameters are trained.
    networks: Vec<(Vec<Tensor>, Vec<bool>)>,
}

impl State {
    fn of(stores: &[&Store]) -> Self {
        let trained = |store: &Store| store.parameters().iter().map(Tensor::requires_grad).collect();
        let copies = |store: &Store| store.buffers().iter().map(Tensor::copy).collect();
        State { networks: stores.iter().map(|store| (copies(store), trained(store))).collect() }
    }

    fn restore(&self, stores: &[&Store]) {
        for (store, (buffers, trained)) in stores.iter().zip(&self.networks) {
            tch::no_grad(|| store.buffers().iter_mut().zip(buffers).for_each(|(own, before)| own.copy_(before)));
            store.parameters().iter().zip(trained).for_each(|(own, trained)| drop(own.set_requires_grad(*trained)));
        }
    }
}

/// Copies of all numbers that work left behind, by what they are.
fn evidence(stores: &[&Store], made: &Made) -> Vec<(&'static str, Tensor)> {
    let values: Vec<Tensor> = made.terms.0.iter().map(|term| term.value.shallow_clone()).collect();
    let parameters = stores.first().map(|store| store.parameters()).unwrap_or_default();
    let gradients: Vec<Tensor> = parameters.iter().map(Tensor::grad).filter(Tensor::defined).collect();
    let buffers = stores.iter().flat_map(|store| store.buffers());
    let (counters, statistics): (Vec<_>, Vec<_>) = buffers.partition(|buffer| buffer.kind() == Kind::Int64);
    let named = [("losses", &values), ("outputs", &made.tensors), ("gradients", &gradients)];
    let kept = [("statistics", &statistics), ("counters", &counters)];
    named.into_iter().chain(kept).map(|(what, tensors)| (what, flat(tensors))).collect()
}

/// All numbers of some tensors in a row, copied.
fn flat(tensors: &[Tensor]) -> Tensor {
    let rows: Vec<Tensor> = tensors.iter().map(|tensor| tensor.detach().reshape([-1]).to_kind(Kind::Double)).collect();
    if rows.is_empty() { Tensor::zeros([0], (Kind::Double, Device::Cpu)) } else { Tensor::cat(&rows, 0) }
}

/// # Errors
/// Numbers that are too far from what they should be, or are none.
fn compare(found: &[(&'static str, Tensor)], expected: &[(&'static str, Tensor)]) -> Result<()> {
    for ((what, found), (_, expected)) in found.iter().zip(expected) {
        ensure!(found.size() == expected.size(), "the graph makes other {what} than the step");
        let [apart, all] = [&(found - expected), expected].map(|row| row.norm().double_value(&[]));
        ensure!(apart <= CLOSE * all, "the graph's {what} are {apart:.1e} from the step's, which are {all:.1e} long");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network of a weight 3 and a buffer that counts passes, and its step: the loss weight * x, whose gradient is x.
    fn network() -> (Store, impl Fn([&Tensor; 1]) -> Result<Made>) {
        let store = Store::new(Device::Cpu);
        let weight = store.root().parameter("weight", Tensor::from(3f32));
        let passes = store.root().buffer("passes", Tensor::from(0f32));
        let work = move |[x]: [&Tensor; 1]| {
            weight.shallow_clone().zero_grad();
            let _ = tch::no_grad(|| passes.shallow_clone().g_add_scalar_(1.0));
            let value = &weight * x;
            value.backward();
            Ok(Made::new(&Terms(vec![Term { name: "product", weight: 1.0, value }]), []))
        };
        (store, work)
    }

    fn number(tensor: &Tensor) -> f64 {
        tensor.double_value(&[])
    }

    #[test]
    fn without_graphs_a_step_is_done_once_all_the_same() {
        let ((store, work), mut graphs) = (network(), Graphs::default());
        graphs.generator = Recorder::Waiting;
        for passes in [1.0, 2.0] {
            let made = graphs.generator.run(&[&store], [&Tensor::from(2f32)], &work).unwrap();
            assert_eq!(number(&made.terms.0[0].value), 6.0); // 3 * 2
            assert_eq!(number(&store.parameters()[0].grad()), 2.0);
            assert_eq!(number(&store.buffers()[0]), passes);
        }
        let notice = "cuda_graphs: the network's steps are not recorded: only a GPU has CUDA graphs";
        assert_eq!((graphs.notices(), graphs.notices()), (vec![notice.to_owned()], vec![]));
    }

    #[test]
    fn what_a_failure_left_is_put_right() {
        let (store, work) = network();
        let before = State::of(&[&store]);
        work([&Tensor::from(2f32)]).unwrap();
        let _ = store.parameters()[0].set_requires_grad(false);
        before.restore(&[&store]);
        assert!(store.parameters()[0].requires_grad());
        assert_eq!(number(&store.buffers()[0]), 0.0);
    }

    #[test]
    fn a_replay_that_gives_something_else_is_found_out() {
        let (store, work) = network();
        let before = State::of(&[&store]);
        let after = |x: f32| {
            before.restore(&[&store]);
            evidence(&[&store], &work([&Tensor::from(x)]).unwrap())
        };
        let expected = after(2.0);
        compare(&after(2.01), &expected).unwrap(); // half of a hundredth away
        for other in [2.1, -2.0, f32::NAN] {
            assert!(compare(&after(other), &expected).unwrap_err().to_string().contains("the graph's losses"));
        }
        let made = work([&Tensor::from(2f32)]).unwrap(); // the buffer counts a second pass
        let error = compare(&evidence(&[&store], &made), &after(2.0)).unwrap_err().to_string();
        assert!(error.contains("the graph's statistics are 1.0e0 from the step's, which are 1.0e0 long"), "{error}");
    }
}
