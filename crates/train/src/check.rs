//! Before training begins: does each term of each phase's loss reach the network that the phase trains?
//!
//! A term that is cut off from the network (computed without a graph, clamped away, multiplied by zero) trains nothing and
//! shows in no log; other tools have shipped generators that never heard of their discriminator. Nor may the discriminator's
//! own terms, of which penalties are gradients of gradients, have a gradient that is not finite.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use abbe_models::Store;
use anyhow::{Context, Error, Result, anyhow, ensure};
use tch::Tensor;

use crate::batches::Batch;
use crate::experiment::Phase;
use crate::loss::{Term, gradient_penalty};
use crate::pattern;
use crate::session::Session;
use crate::trainer::Trainer;

/// Takes the gradient of each term of each phase alone, on the phase's first batch and in evaluation mode, so that nothing
/// is changed.
///
/// # Errors
/// A term with a weight above 0 whose gradient is zero in every parameter that the phase does not freeze, or is not finite:
/// by name; memory that is too small, with what would fit.
pub(crate) fn gradients(session: &mut Session) -> Result<()> {
    let experiment = session.setup.experiment;
    for (index, phase) in experiment.phases.iter().enumerate() {
        let batch = session.first_batch(index)?;
        let checked = in_memory(|| phase_gradients(session, phase, &first_part(phase, &batch)));
        let checked = checked.unwrap_or_else(|| Err(too_much(session, phase, &batch)));
        checked.with_context(|| format!("in phase `{}`", phase.name))?;
    }
    Ok(())
}

fn first_part(phase: &Phase, batch: &Batch) -> Batch {
    batch.parts(phase.accumulate).swap_remove(0)
}

/// What `work` gives; none where memory was too small for it, of the device or of the process.
pub(crate) fn in_memory<T>(work: impl FnOnce() -> Result<T>) -> Option<Result<T>> {
    const WORDS: [&str; 3] = ["out of memory", "can't allocate memory", "std::bad_alloc"]; // of CUDA, libtorch and C++
    let says_so = |text: &str| WORDS.iter().any(|words| text.contains(words));
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Err(error)) if says_so(&format!("{error:#}")) => None,
        Ok(done) => Some(done),
        Err(panic) if panic.downcast_ref::<String>().is_some_and(|text| says_so(text)) => None, // tch's operators panic
        Err(panic) => resume_unwind(panic),
    }
}

/// That memory is too small for a step on this batch, and how many patches of it would fit: half of a part, half of those,
/// and so on until the check comes through.
pub(crate) fn too_much(session: &mut Session, phase: &Phase, batch: &Batch) -> Error {
    // Other ranks may have room enough, and do not take part in this.
    session.trainer.networks.critic.iter_mut().for_each(|critic| critic.ranks = None);
    let session = &*session;
    let part = first_part(phase, batch);
    let all = part.lr.size()[0] as usize;
    let fits = |count: &usize| in_memory(|| phase_gradients(session, phase, &part.first(*count))).is_some();
    let halves = std::iter::successors(Some(all / 2), |count| Some(count / 2)).take_while(|count| *count > 0);
    match halves.into_iter().find(fits) {
        Some(count) => {
            let accumulate = phase.accumulate * parts(all, count);
            let batch = count * phase.accumulate * session.trainer.rank().1 as usize;
            anyhow!(
                "memory is too small for {all} patches at once; {count} fit: say `accumulate = {accumulate}` in the phase, \
                 which computes the same in parts but for batch norm and relativistic means, or `data.batch = {batch}`"
            )
        }
        None => {
            anyhow!("memory is too small for this network with a single patch: use a smaller network or `data.patch`")
        }
    }
}

/// The fewest equal parts of `all` patches, of which each has at most so many.
fn parts(all: usize, most: usize) -> usize {
    (1..all).find(|parts| all.is_multiple_of(*parts) && all / parts <= most).unwrap_or(all)
}

fn phase_gradients(session: &Session, phase: &Phase, batch: &Batch) -> Result<()> {
    let trainer = &session.trainer;
    let trainee = &trainer.networks.trainees[&phase.network];
    let sr = trainee.forward(phase, &batch.lr, false, trainer.precision)?;
    let terms = trainer.terms(phase, batch, &sr, false)?;
    let parameters = moved(phase, trainee.model.store())?;
    let what = if phase.freeze.is_empty() { "" } else { "what `freeze` leaves of " };
    let network = format!("{what}`{}`", phase.network);
    let weighed = terms.0.iter().filter(|term| term.weight > 0.0);
    for term in weighed {
        reaches(term, &network, &parameters, trainee.descent.scale())?;
    }
    discriminator_gradients(trainer, phase, &sr, &batch.real)
}

/// The parameters that a phase does not freeze.
fn moved(phase: &Phase, store: &Store) -> Result<Vec<Tensor>> {
    let frozen = pattern::chosen(&phase.freeze, &store.parameter_names()).context("freeze")?;
    let parameters = store.parameters().into_iter().zip(frozen);
    Ok(parameters.filter(|(_, is_frozen)| !is_frozen).map(|(parameter, _)| parameter).collect())
}

/// The discriminator's may be zero: a hinge is, when it is right by far.
fn discriminator_gradients(trainer: &Trainer, phase: &Phase, sr: &Tensor, hr: &Tensor) -> Result<()> {
    let (Some(critic), Some(_)) = (&trainer.networks.critic, &phase.discriminator) else { return Ok(()) };
    let shares = gradient_penalty::shares(trainer.experiment.seed, 0, hr.size()[0]);
    let (terms, _) = critic.terms(phase, [hr, sr], &shares, 0, false, trainer.precision)?;
    let parameters = critic.network.store().parameters();
    terms.0.iter().try_for_each(|term| {
        let name = term.name;
        let scale = critic.descent.scale();
        let largest = largest(term, &parameters, scale)?;
        ensure!(
            largest.is_finite() || scale.is_some(),
            "discriminator: the gradient of its term `{name}` is not finite on the first batch"
        );
        Ok(())
    })
}

/// With f16 a loss is scaled, and a scale that is too large comes down by itself.
fn reaches(term: &Term, network: &str, parameters: &[Tensor], scale: Option<f64>) -> Result<()> {
    let (name, largest) = (term.name, largest(term, parameters, scale)?);
    ensure!(largest > 0.0, "loss.{name}: it gives {network} no gradient on the first batch, so it would train nothing");
    let finite = largest.is_finite() || scale.is_some();
    ensure!(finite, "loss.{name}: its gradient for {network} is not finite on the first batch");
    Ok(())
}

/// The largest component of a term's gradient for the parameters.
fn largest(term: &Term, parameters: &[Tensor], scale: Option<f64>) -> Result<f64> {
    let loss = term.weighted() * scale.unwrap_or(1.0);
    let gradients = match loss.requires_grad() {
        true => Tensor::f_run_backward(&[&loss], parameters, true, false)?,
        false => vec![],
    };
    Ok(gradients.iter().map(size).fold(0.0, f64::max))
}

/// The largest size of a component; NaN counts as infinite, an absent gradient as none.
fn size(gradient: &Tensor) -> f64 {
    if !gradient.defined() {
        return 0.0;
    }
    let size = gradient.abs().max().double_value(&[]);
    if size.is_nan() { f64::INFINITY } else { size }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::AtomicBool;

    use abbe_data::image::Rgb8;
    use abbe_data::pair::Pair;
    use abbe_models::{Network, SrModel};
    use abbe_run::RunFolder;
    use tch::{Device, Kind};

    use super::*;
    use crate::{Experiment, Networks, Setup, Validator, train};

    #[test]
    fn a_term_must_reach_a_parameter_with_a_finite_gradient() {
        let weight = Tensor::from_slice(&[2.0f32]).set_requires_grad(true);
        let said = |value: Tensor| {
            let term = Term { name: "pixel", weight: 0.5, value: value.sum(Kind::Float) };
            reaches(&term, "`generator`", &[weight.shallow_clone()], None).map_err(|error| error.to_string())
        };
        assert_eq!(said(&weight * 3.0), Ok(()));
        // Cut off from the graph, clamped away (2 is outside of [0, 1]), and dividing by zero.
        assert!(said(weight.detach() * 3.0).unwrap_err().contains("loss.pixel: it gives `generator` no gradient"));
        assert!(said(weight.clamp(0.0, 1.0)).unwrap_err().contains("no gradient"));
        assert!(said((&weight - 2.0).sqrt()).unwrap_err().contains("not finite"));
    }

    #[test]
    fn parts_are_equal_and_small_enough() {
        // Halves, then quarters; of 6 patches with room for 2 or for 1; of 5, a prime, with room for 2.
        assert_eq!([(8, 4), (8, 2), (6, 2), (6, 1), (5, 2)].map(|(all, most)| parts(all, most)), [2, 4, 3, 6, 5]);
    }

    pub(crate) const EXPERIMENT: &str = r#"
        name = "dead"
        seed = 0
        scale = 2
        networks = { b = { srcnn = { scale = 2, kernels = [3, 1, 3], channels = [2, 2] } } }
        [data]
        train = { hr = "", lr = { folder = "" }, conversion = "refuse" }
        test = { hr = "", lr = { folder = "" }, conversion = "refuse" }
        patch = 8
        batch = 1
        patches_per_picture = 1
        augment = false
        workers = 1
        [[phase]]
        name = "dead"
        network = "b"
        length = { steps = 1 }
        optimizer = { adam = { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8 } }
        schedule = "constant"
        clamp_output = true
        save_epochs = []
        loss = { pixel = { weight = 1.0, distance = "l1" } }
    "#;

    /// What `act` gives of a training of this experiment, on one grey picture.
    pub(crate) fn with_session<T>(
        text: &str,
        validator: Option<Validator>,
        stop: &AtomicBool,
        act: impl FnOnce(&mut Session) -> T,
    ) -> T {
        let root = tempfile::tempdir().unwrap();
        in_folder(&RunFolder::create(root.path(), false).unwrap(), text, validator, stop, act)
    }

    /// The same in a folder that stays.
    pub(crate) fn in_folder<T>(
        folder: &RunFolder,
        text: &str,
        validator: Option<Validator>,
        stop: &AtomicBool,
        act: impl FnOnce(&mut Session) -> T,
    ) -> T {
        let picture = |side: usize| Rgb8::new(side, side, vec![90; side * side * 3]).unwrap();
        let experiment = Experiment::parse(text).unwrap();
        let sampler =
            experiment.sampler(vec![Pair { name: "a".into(), hr: picture(16), lr: picture(8) }].into()).unwrap();
        let device = Device::Cpu;
        let networks = Networks::new(&experiment, device).unwrap();
        let setup = Setup {
            experiment: &experiment,
            sampler,
            data: String::new(),
            vgg: None,
            device,
            group: None,
            folder,
            notices: &[],
            validator,
            stop,
        };
        act(&mut Session::new(setup, networks, None).unwrap())
    }

    #[test]
    fn training_does_not_begin_with_a_network_that_learns_nothing() {
        let error = with_session(EXPERIMENT, None, &AtomicBool::new(false), |session| {
            // With weights of 0 and biases of -1 SRCNN's output is -1 everywhere; clamped to 0, it has no gradient.
            for mut weights in session.trainer.networks.trainees["b"].model.store().parameters() {
                let value = if weights.dim() == 1 { -1.0 } else { 0.0 };
                tch::no_grad(|| drop(weights.fill_(value)));
            }
            format!("{:#}", train(session, &mut |_| unreachable!("no step is taken")).unwrap_err())
        });
        assert!(error.contains("in phase `dead`") && error.contains("no gradient"), "{error}");
    }

    #[test]
    fn what_is_frozen_learns_nothing_so_the_rest_must() {
        let error = |keys: &str| {
            let text = EXPERIMENT.replace("clamp_output = true", &format!("clamp_output = false\n{keys}"));
            with_session(&text, None, &AtomicBool::new(false), |session| {
                // Of 0 times the picture and -1 the first rectifier makes 0, through which no gradient comes.
                for (place, mut weights) in
                    session.trainer.networks.trainees["b"].model.store().parameters().into_iter().enumerate()
                {
                    if place < 2 {
                        tch::no_grad(|| drop(weights.fill_(-(place as f64))));
                    }
                }
                gradients(session).map_err(|error| format!("{error:#}"))
            })
        };
        assert_eq!(error("freeze = [\"conv1.*\"]"), Ok(()));
        let error = error("freeze = [\"conv2.*\", \"conv3.*\"]").unwrap_err();
        assert!(error.contains("loss.pixel: it gives what `freeze` leaves of `b` no gradient"), "{error}");
    }

    /// A network that needs more memory than there is when it is trained on more than two pictures at once.
    struct Greedy(Box<dyn SrModel>);

    impl Network for Greedy {
        fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
            if train && xs.size()[0] > 2 {
                drop(Tensor::zeros([1 << 50], (Kind::Float, Device::Cpu)));
            }
            self.0.forward(xs, train)
        }

        fn store(&self) -> &Store {
            self.0.store()
        }
    }

    impl SrModel for Greedy {
        fn scale(&self) -> i64 {
            self.0.scale()
        }

        fn radius(&self) -> i64 {
            self.0.radius()
        }
    }

    #[test]
    fn memory_that_runs_out_in_a_step_is_told_with_what_would_fit() {
        let text = EXPERIMENT.replace("clamp_output = true", "clamp_output = false").replace("batch = 1", "batch = 4");
        let error = with_session(&text, None, &AtomicBool::new(false), |session| {
            let config = session.setup.experiment.network("b").unwrap();
            let greedy = Greedy(abbe_models::build(config, Device::Cpu).unwrap());
            session.trainer.networks.trainees["b"].model = Box::new(greedy);
            format!("{:#}", train(session, &mut |_| unreachable!("no step is taken")).unwrap_err())
        });
        let expected = "in phase `dead`: at step 0: memory is too small for 4 patches at once; 2 fit: \
                        say `accumulate = 2` in the phase, which computes the same in parts but for batch norm and relativistic means, or `data.batch = 2`";
        assert_eq!(error, expected);
    }
}
