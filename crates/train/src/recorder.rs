//! A step of training as a CUDA graph, which a GPU is given as a whole instead of operation by operation.
//!
//! In a graph is what the GPU computes alone: forward, losses, backward, and, where the host need not look at the losses
//! first, the update: the bound on the gradient, whether all is finite, the optimiser, the average. What changes from step to
//! step (pictures, learning rates, the average's weight) lies in tensors that are written before it.
//! A graph is used once it has given what the same step gave without it; where that cannot be, steps go on without graphs.

mod reach;

use abbe_torch::{Graph, GraphError, caught};
use anyhow::Result;
use tch::{Device, Tensor};

use crate::experiment::{DiscriminatorTraining, Experiment, OptimizerConfig, Phase, Precision};
use crate::loss::{Term, Terms};

pub(crate) use reach::Reach;
use reach::{State, compare, is_finite};

/// What a step computes on the device beside gradients: nothing of it has one itself.
pub(crate) struct Made {
    pub terms: Terms,
    /// SR, or the logits of HR and SR. Up to the next step alone: a graph overwrites them.
    pub tensors: Vec<Tensor>,
    /// Where the update is part of the work: the norm of the gradient before any bound on it.
    pub norm: Option<Tensor>,
}

impl Made {
    pub fn new<'a>(terms: &Terms, tensors: impl IntoIterator<Item = &'a Tensor>) -> Self {
        let term = |term: &Term| Term { value: term.value.detach(), ..*term };
        Made { terms: Terms(terms.0.iter().map(term).collect()), tensors: detached(tensors), norm: None }
    }

    fn shallow(&self) -> Self {
        Made { norm: self.norm.as_ref().map(Tensor::shallow_clone), ..Made::new(&self.terms, &self.tensors) }
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
            None => self.wait_for(phase),
        }
    }

    /// Will record what can be.
    fn wait_for(&mut self, phase: &Phase) {
        self.generator = self.first("network", by_host(&phase.optimizer));
        self.critic = phase.discriminator.as_ref().map(|training| self.first_critic(training)).unwrap_or_default();
    }

    fn first_critic(&mut self, training: &DiscriminatorTraining) -> Recorder {
        if is_penalised(training) {
            self.say("the discriminator's steps are not recorded: its penalties are not the same at every step");
            return Recorder::default();
        }
        let held_back = training.when.map(|_| "`when` looks at its losses first");
        self.first("discriminator", held_back.or(by_host(&training.optimizer)))
    }

    /// The recorder of a network's steps, without their update where something stands in its way.
    fn first(&mut self, network: &str, obstacle: Option<&str>) -> Recorder {
        if let Some(why) = obstacle {
            self.say(&format!("the {network}'s update is not recorded: {why}"));
        }
        Recorder { whole: obstacle.is_none(), steps: Steps::First }
    }

    /// What has to be said since this was last asked; nothing is said twice.
    pub fn notices(&mut self) -> Vec<String> {
        for (name, recorder) in [("network", &mut self.generator), ("discriminator", &mut self.critic)] {
            if let Steps::Failed(why) = &recorder.steps {
                let text = format!("the {name}'s steps are not recorded: {why}");
                *recorder = Recorder::default();
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

/// Why the host alone can take the steps of an optimiser.
fn by_host(optimizer: &OptimizerConfig) -> Option<&'static str> {
    matches!(optimizer, OptimizerConfig::RmsProp { .. }).then_some("libtorch has no fused rmsprop")
}

/// Whether the discriminator's loss has gradients of gradients, at random places or on some steps only.
fn is_penalised(training: &DiscriminatorTraining) -> bool {
    training.gradient_penalty.is_some() || training.r1.is_some()
}

/// The steps of one network.
#[derive(Default)]
pub(crate) struct Recorder {
    /// Whether the update is part of a step's work.
    pub whole: bool,
    steps: Steps,
}

#[derive(Default)]
enum Steps {
    /// They are done without a graph.
    #[default]
    Off,
    /// The first is still to come, and is done without a graph: it makes all that a step keeps.
    First,
    /// The next that is finite is recorded.
    Next,
    /// They are replayed.
    Recorded(Recorded),
    /// They are done without a graph from now on, for a reason still to be said.
    Failed(String),
}

impl Recorder {
    /// What `work` makes of `inputs`, and what it changes of `of`; `reach` tells all that this may be. It must set gradients to
    /// 0 in place, and do the same every time.
    ///
    /// # Errors
    /// Those of `work`; a replay that fails.
    pub fn run<C, const N: usize>(
        &mut self,
        of: &mut C,
        inputs: [&Tensor; N],
        reach: impl Fn(&C) -> Reach,
        work: impl Fn(&mut C, [&Tensor; N]) -> Result<Made>,
    ) -> Result<Made> {
        match &self.steps {
            Steps::Recorded(recorded) if recorded.fits(&inputs) => return recorded.replay(&inputs),
            Steps::Next => {}
            _ => {
                let made = work(of, inputs)?;
                if matches!(self.steps, Steps::First) {
                    self.steps = Steps::Next;
                }
                return Ok(made);
            }
        }
        match self.record(of, inputs, reach, &work) {
            Ok(made) => Ok(made),
            Err(why) => {
                self.steps = Steps::Failed(why.to_string());
                work(of, inputs) // with the memory that the copies had
            }
        }
    }

    /// Records a step, which is done then; one that is not finite is only done, and the next is recorded.
    ///
    /// # Errors
    /// Why there is no graph, most often too little memory for copies of all; then all is as it was before.
    fn record<C, const N: usize>(
        &mut self,
        of: &mut C,
        inputs: [&Tensor; N],
        reach: impl Fn(&C) -> Reach,
        work: impl Fn(&mut C, [&Tensor; N]) -> Result<Made>,
    ) -> Result<Made, GraphError> {
        let before = caught(|| Ok::<_, GraphError>(State::of(reach(of))))?;
        let recorded =
            caught(|| Recorded::new(&before, inputs, |inputs| work(of, inputs)).map_err(|error| format!("{error:#}")));
        let (recorded, made) = recorded.inspect_err(|_| before.restore())?;
        self.steps = recorded.map_or(Steps::Next, Steps::Recorded);
        Ok(made)
    }
}

/// A step as a graph.
struct Recorded {
    graph: Graph,
    /// Where it reads.
    inputs: Vec<Tensor>,
    /// Where it writes.
    made: Made,
}

impl Recorded {
    /// The graph of `work`, and what its first replay made of `inputs`; where that is not finite, which tells nothing of a graph,
    /// only what `work` made. All is where it would be after `work`.
    fn new<const N: usize>(
        before: &State,
        inputs: [&Tensor; N],
        mut work: impl FnMut([&Tensor; N]) -> Result<Made>,
    ) -> Result<(Option<Self>, Made)> {
        let inputs = inputs.map(|input| input.detach().copy());
        let made = work(inputs.each_ref())?;
        let expected = before.evidence(&made);
        if !is_finite(&expected) {
            return Ok((None, made));
        }
        drop(made);
        before.restore();
        let (graph, made) = Graph::capture(before.device(), || work(inputs.each_ref()))?;
        before.restore();
        graph.replay()?;
        compare(&before.evidence(&made), &expected)?;
        let replayed = made.shallow();
        Ok((Some(Recorded { graph, inputs: inputs.into(), made }), replayed))
    }

    /// Whether pictures have the sizes that it reads.
    fn fits(&self, inputs: &[&Tensor]) -> bool {
        self.inputs.iter().zip(inputs).all(|(own, input)| own.size() == input.size())
    }

    fn replay(&self, inputs: &[&Tensor]) -> Result<Made> {
        tch::no_grad(|| self.inputs.iter().zip(inputs).for_each(|(own, input)| own.shallow_clone().copy_(input)));
        self.graph.replay()?;
        Ok(self.made.shallow())
    }
}

#[cfg(test)]
mod tests;
