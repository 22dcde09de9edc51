//! Steps without graphs: all that can be seen on a CPU.

use abbe_models::Store;

use super::*;
use crate::batches::Batch;
use crate::experiment::Progress;
use crate::networks::Networks;
use crate::numbers::Numbers;
use crate::trainer::{At, Trainer};

/// A network of a weight 3 and a buffer that counts passes, and its step: the loss weight * x, whose gradient is x.
fn network() -> (Store, impl Fn(&mut Store, [&Tensor; 1]) -> Result<Made>) {
    let store = Store::new(Device::Cpu);
    let weight = store.root().parameter("weight", Tensor::from(3f32));
    let passes = store.root().buffer("passes", Tensor::from(0f32));
    let work = move |_: &mut Store, [x]: [&Tensor; 1]| {
        weight.shallow_clone().zero_grad();
        let _ = tch::no_grad(|| passes.shallow_clone().g_add_scalar_(1.0));
        let value = &weight * x;
        value.backward();
        Ok(Made::new(&Terms(vec![Term { name: "product", weight: 1.0, value }]), []))
    };
    (store, work)
}

fn reach(store: &Store) -> Reach {
    Reach::of(store, &[])
}

fn number(tensor: &Tensor) -> f64 {
    tensor.double_value(&[])
}

#[test]
fn without_graphs_a_step_is_done_once_all_the_same() {
    let ((mut store, work), mut graphs) = (network(), Graphs::default());
    graphs.generator = Recorder { whole: false, steps: Steps::First };
    for passes in [1.0, 2.0, 3.0] {
        let made = graphs.generator.run(&mut store, [&Tensor::from(2f32)], reach, &work).unwrap();
        assert_eq!(number(&made.terms.0[0].value), 6.0); // 3 * 2
        assert_eq!(number(&store.parameters()[0].grad()), 2.0);
        assert_eq!(number(&store.buffers()[0]), passes);
    }
    let notice = "cuda_graphs: the network's steps are not recorded: only a GPU has CUDA graphs";
    assert_eq!((graphs.notices(), graphs.notices()), (vec![notice.to_owned()], vec![]));
}

#[test]
fn a_step_that_is_not_finite_is_not_recorded_and_the_next_is_tried() {
    let ((mut store, work), mut graphs) = (network(), Graphs::default());
    graphs.generator = Recorder { whole: false, steps: Steps::Next };
    for passes in [1.0, 2.0] {
        let made = graphs.generator.run(&mut store, [&Tensor::from(f32::NAN)], reach, &work).unwrap();
        assert!(number(&made.terms.0[0].value).is_nan() && graphs.notices().is_empty());
        assert_eq!(number(&store.buffers()[0]), passes);
    }
    graphs.generator.run(&mut store, [&Tensor::from(2f32)], reach, &work).unwrap();
    assert_eq!((number(&store.buffers()[0]), graphs.notices().len()), (3.0, 1)); // a CPU has no graphs
}

#[test]
fn what_fits_only_without_copies_is_done_without_a_graph() {
    let ((mut store, work), mut graphs) = (network(), Graphs::default());
    graphs.generator = Recorder { whole: false, steps: Steps::Next };
    let calls = std::cell::Cell::new(0);
    let full = |store: &mut Store, inputs: [&Tensor; 1]| {
        let made = work(store, inputs);
        calls.set(calls.get() + 1);
        assert!(calls.get() > 1, "CUDA out of memory"); // the first runs beside copies of all
        made
    };
    let made = graphs.generator.run(&mut store, [&Tensor::from(2f32)], reach, full).unwrap();
    assert_eq!((number(&made.terms.0[0].value), number(&store.buffers()[0]), calls.get()), (6.0, 1.0, 2));
    assert!(graphs.notices()[0].ends_with("the network's steps are not recorded: CUDA out of memory"));
}

#[test]
fn what_a_failure_left_is_put_right() {
    let (mut store, work) = network();
    let before = State::of(reach(&store));
    work(&mut store, [&Tensor::from(2f32)]).unwrap();
    let _ = store.parameters()[0].set_requires_grad(false);
    tch::no_grad(|| drop(store.parameters()[0].fill_(7.0)));
    before.restore();
    assert!(store.parameters()[0].requires_grad());
    assert_eq!((number(&store.buffers()[0]), number(&store.parameters()[0])), (0.0, 3.0));
}

#[test]
fn a_replay_that_gives_something_else_is_found_out() {
    let (mut store, work) = network();
    let before = State::of(reach(&store));
    let mut after = |x: f32| {
        before.restore();
        before.evidence(&work(&mut store, [&Tensor::from(x)]).unwrap())
    };
    let expected = after(2.0);
    compare(&after(2.01), &expected).unwrap(); // half of a hundredth away
    for other in [2.1, -2.0, f32::NAN] {
        assert!(compare(&after(other), &expected).unwrap_err().to_string().contains("the graph's losses"));
    }
    let expected = after(2.0);
    let made = work(&mut store, [&Tensor::from(2f32)]).unwrap(); // the buffer counts a second pass
    let error = compare(&before.evidence(&made), &expected).unwrap_err().to_string();
    assert!(error.contains("the graph's statistics are 1.0e0 from the step's, which are 1.0e0 long"), "{error}");
    let moved = |by: f64| {
        before.restore();
        tch::no_grad(|| drop(before.weight().g_add_scalar_(by)));
        before.evidence(&Made::new(&Terms(vec![]), []))
    };
    compare(&moved(0.8), &moved(1.0)).unwrap();
    assert!(compare(&moved(0.0), &moved(1.0)).unwrap_err().to_string().contains("moves of weights are 1.0e0"));
}

#[test]
fn what_a_loss_reads_of_the_average_is_put_back() {
    let text = EXPERIMENT.replace("CLIP", "norm = 0.5").replace("OPTIMIZER", "sgd = { lr = 1e-2, momentum = 0.9 }");
    let networks = Networks::new(&Experiment::parse(&text).unwrap(), Device::Cpu).unwrap();
    let trainee = &networks.trainees["generator"];
    let average = trainee.ema.as_ref().unwrap();
    let whole = Reach::of(trainee.model.store(), &[]).with_update(&trainee.descent.optimizer, Some(average));
    let before = State::of(whole);
    let mut statistics = average.model().store().buffers().remove(0);
    let as_it_was = statistics.copy();
    tch::no_grad(|| drop(statistics.g_add_scalar_(1.0)));
    before.restore();
    assert_eq!(statistics, as_it_was);
}

const EXPERIMENT: &str = r#"
name = "whole"
seed = 0
scale = 4
non_finite = { skip = { in_a_row = 2 } }
ema = { generator = { decay = 0.9, warm_up = true } }
[data]
train = { hr = "hr", lr = { bicubic = { border = "replicate" } }, conversion = "refuse" }
test = { hr = "hr", lr = { bicubic = { border = "replicate" } }, conversion = "refuse" }
patch = 32
batch = 2
patches_per_picture = 1
augment = false
workers = 1
[networks]
generator = { srresnet = { scale = 4, blocks = 1, channels = 8, norm = "batch", input = "lr", bicubic_skip = false } }
[discriminator.srgan]
patch = 32
channels = 4
[[phase]]
name = "adversarial"
network = "generator"
length = { steps = 10 }
optimizer = { OPTIMIZER }
schedule = { cosine = { to = 1e-5 } }
save_epochs = []
clamp_output = false
clip = { CLIP }
groups = [{ names = ["*bias"], lr = 2.0, weight_decay = 0.0 }]
discriminator = { every = 2, optimizer = { OPTIMIZER }, clip = { CLIP } }
loss.pixel = { weight = 1.0, distance = "mse" }
loss.adversarial = { weight = 1e-1, form = "non_saturating" }
"#;

/// Ten steps, the fifth and sixth of which are not finite, by the host or as a device would take them by itself: the weights
/// of both networks, of the average, what optimisers keep, and what was noted.
fn trained(experiment: &str, whole: bool) -> (Tensor, Vec<Numbers>) {
    let experiment = Experiment::parse(experiment).unwrap();
    let networks = Networks::new(&experiment, Device::Cpu).unwrap();
    let mut trainer = Trainer::new(&experiment, networks, None, Device::Cpu, None).unwrap();
    trainer.begin_phase(0).unwrap();
    (trainer.graphs.generator.whole, trainer.graphs.critic.whole) = (whole, whole);
    let wave = |step: u64, side: i64| {
        let phase = Tensor::arange(2 * 3 * side * side, (tch::Kind::Float, Device::Cpu)) * (0.37 + step as f64);
        let waves = phase.sin().view([2, 3, side, side]) * 0.5 + 0.5;
        if [4, 5].contains(&step) { waves * f64::NAN } else { waves }
    };
    let step = |step: u64| {
        let at = At { progress: Progress { step, steps: 10, scores: &[] }, number: step };
        trainer.step(0, at, &Batch::new(wave(step, 8), wave(step, 32))).unwrap()
    };
    let numbers = (0..10).map(step).collect();
    let (trainee, critic) = (&trainer.networks.trainees["generator"], trainer.networks.critic.as_ref().unwrap());
    let stores = [trainee.model.store(), trainee.ema.as_ref().unwrap().model().store(), critic.network.store()];
    let weights = stores.iter().flat_map(|store| store.parameters().into_iter().chain(store.buffers()));
    let kept = [&trainee.descent, &critic.descent].into_iter().flat_map(|descent| descent.optimizer.memory());
    let rows: Vec<Tensor> =
        weights.chain(kept).map(|tensor| tensor.detach().reshape([-1]).to_kind(tch::Kind::Double)).collect();
    assert_eq!(trainee.ema.as_ref().unwrap().updates(), 8);
    (Tensor::cat(&rows, 0), numbers)
}

#[test]
fn steps_that_a_device_takes_by_itself_are_those_of_the_host() {
    let adam = "adam = { lr = 1e-3, betas = [0.9, 0.99], eps = 1e-2 }";
    let adamw = "adamw = { lr = 1e-3, betas = [0.9, 0.99], eps = 1e-2, weight_decay = 0.1 }";
    let sgd = "sgd = { lr = 1e-2, momentum = 0.9, nesterov = true }";
    for (optimizer, clip) in [(adam, "norm = 0.5"), (adamw, "value = 0.01"), (sgd, "norm = 0.5")] {
        let experiment = EXPERIMENT.replace("OPTIMIZER", optimizer).replace("CLIP", clip);
        let [(host, noted), (device, found)] = [false, true].map(|whole| trained(&experiment, whole));
        let apart = (&host - &device).abs().max().double_value(&[]);
        assert!(apart < 1e-5, "{optimizer}: {apart}");
        assert!(host.isfinite().all().int64_value(&[]) == 1);
        for (noted, found) in noted.iter().zip(&found) {
            assert_eq!(noted.health.keys().collect::<Vec<_>>(), found.health.keys().collect::<Vec<_>>());
            for (name, value) in noted.weighted.iter().filter_map(|(name, value)| Some((name, value.as_f64()?))) {
                assert!((found.weighted[name].as_f64().unwrap() - value).abs() < 1e-5, "{optimizer}: {name}");
            }
        }
        let skipped = |name: &str| found.iter().filter(|numbers| numbers.health.contains_key(name)).count();
        assert_eq!((skipped("skipped_generator"), skipped("skipped_discriminator")), (2, 1));
    }
}

#[test]
fn what_the_host_must_look_at_first_is_said() {
    let said = |from: &str, to: &str| {
        let text = EXPERIMENT.replace("CLIP", "norm = 0.5").replace(from, to);
        let experiment = Experiment::parse(&text.replace("OPTIMIZER", "sgd = { lr = 1e-2, momentum = 0.9 }")).unwrap();
        let phase = &experiment.phases[0];
        let mut graphs = Graphs::default();
        graphs.wait_for(phase);
        ((graphs.generator.whole, graphs.critic.whole), graphs.notices().join("; "))
    };
    assert_eq!(said("", ""), ((true, true), String::new()));
    let held_back = said("every = 2", "every = 2, when = { accuracy = { below = 0.9 } }");
    assert_eq!(held_back.0, (true, false));
    assert!(held_back.1.contains("the discriminator's update is not recorded: `when` looks"), "{}", held_back.1);
    let rmsprop = said("OPTIMIZER", "rmsprop = { lr = 1e-2, alpha = 0.9, eps = 1e-8 }");
    assert_eq!(rmsprop.0, (false, false));
    assert!(rmsprop.1.contains("the network's update is not recorded: libtorch has no fused rmsprop"), "{}", rmsprop.1);
    let penalised = said("every = 2", "every = 2, gradient_penalty = { weight = 10.0 }");
    assert!(penalised.1.contains("the discriminator's steps are not recorded: its penalties"), "{}", penalised.1);
}
