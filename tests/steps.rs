//! What a training step is made of besides its losses, against numbers that PyTorch made (`tests/golden/train/steps.py`).

use abbe_checkpoint::{StateDict, Value, state_dict_of};
use abbe_models::convert::{from_checkpoint, to_checkpoint};
use abbe_models::{Config, Store, srresnet};
use abbe_train::clip::{Clip, clip_gradients};
use abbe_train::ema::{self, Ema};
use abbe_train::optimizer::Optimizer;
use abbe_train::scaler::Scaler;
use abbe_train::schedule::{Progress, Rise, Schedule, WarmUp};
use abbe_train::{Group, OptimizerConfig};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

use crate::support::repository;

fn golden() -> Value {
    abbe_checkpoint::read(repository("tests/golden/train/steps.pth")).unwrap()
}

fn tensors(value: &Value) -> StateDict {
    state_dict_of(value).unwrap()
}

fn items(value: &Value) -> &[Value] {
    let Value::List(items) = value else { panic!("no list") };
    items
}

/// The largest difference of two values of the same make, of a tensor in relation to its largest entry.
fn difference(ours: &Value, theirs: &Value) -> f64 {
    let largest = |values: &[f32]| values.iter().fold(0.0, |largest: f64, value| largest.max(f64::from(value.abs())));
    match (ours, theirs) {
        (Value::Tensor(ours), Value::Tensor(theirs)) => {
            assert_eq!((ours.shape(), ours.dtype()), (theirs.shape(), theirs.dtype()));
            if !ours.dtype().is_float() {
                assert_eq!(ours, theirs);
                return 0.0;
            }
            let (ours, theirs) = (ours.to_f32().unwrap(), theirs.to_f32().unwrap());
            let apart: Vec<f32> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours - theirs).collect();
            largest(&apart) / largest(&theirs).max(f64::MIN_POSITIVE)
        }
        (Value::List(ours), Value::List(theirs)) | (Value::Tuple(ours), Value::Tuple(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            ours.iter().zip(theirs).map(|(ours, theirs)| difference(ours, theirs)).fold(0.0, f64::max)
        }
        (Value::Float(ours), Value::Int(theirs)) => (ours - *theirs as f64).abs(),
        (ours, theirs) => match (ours.entries(), theirs.entries()) {
            (Some(ours), Some(theirs)) => {
                assert_eq!(ours.len(), theirs.len());
                // Options that a group has of its own come first in PyTorch.
                let of = |key: &Value| &theirs.iter().find(|entry| entry.0 == *key).expect("the same keys").1;
                ours.iter().map(|(key, ours)| difference(ours, of(key))).fold(0.0, f64::max)
            }
            _ => {
                assert_eq!(ours, theirs);
                0.0
            }
        },
    }
}

fn dict(names: Vec<String>, tensors: Vec<Tensor>) -> Value {
    let entry = |(name, tensor): (String, Tensor)| (Value::Text(name), Value::Tensor(to_checkpoint(&tensor)));
    Value::Dict(names.into_iter().zip(tensors).map(entry).collect())
}

/// The parameters of the golden file; `idle.bias` never has a gradient.
fn network(values: &Value) -> Store {
    let store = Store::new(Device::Cpu);
    for (name, value) in tensors(values) {
        let _ = store.root().parameter(&name, from_checkpoint(&value, Kind::Float).unwrap());
    }
    store
}

/// Gives each parameter the gradient of its name.
fn set_gradients(store: &Store, gradients: &Value) {
    let gradients = tensors(gradients);
    for (name, mut parameter) in store.parameter_names().into_iter().zip(store.parameters()) {
        parameter.zero_grad();
        if name != "idle.bias" {
            // The gradient of sum(p * g) is g.
            (&parameter * from_checkpoint(&gradients[&name], Kind::Float).unwrap()).sum(Kind::Float).backward();
        }
    }
}

/// The optimisers of the golden file.
const OPTIMIZERS: &str = "
adam = { adam = { lr = 1e-2, betas = [0.9, 0.99], eps = 1e-8, weight_decay = 0.01 } }
adamw = { adamw = { lr = 1e-2, betas = [0.9, 0.99], eps = 1e-8, weight_decay = 0.1 } }
sgd = { sgd = { lr = 1e-2, momentum = 0.0 } }
momentum = { sgd = { lr = 1e-2, momentum = 0.9, weight_decay = 0.1 } }
nesterov = { sgd = { lr = 1e-2, momentum = 0.9, nesterov = true, weight_decay = 0.1 } }
rmsprop = { rmsprop = { lr = 1e-3, alpha = 0.9, eps = 1e-8, weight_decay = 0.1 } }
rmsprop_momentum = { rmsprop = { lr = 1e-3, alpha = 0.9, eps = 1e-8, momentum = 0.9 } }
rmsprop_centered = { rmsprop = { lr = 1e-3, alpha = 0.9, eps = 1e-2, centered = true } }
rmsprop_both = { rmsprop = { lr = 1e-3, alpha = 0.9, eps = 1e-2, momentum = 0.9, centered = true } }
";

#[test]
fn ten_steps_of_every_optimiser_in_two_groups_are_pytorchs() {
    let golden = golden();
    let of = |key: &str| golden.get(key).unwrap();
    let group = Group { names: vec!["*.bias".into()], lr: Some(0.5), weight_decay: Some(0.0) };
    let optimizers: toml::Table = OPTIMIZERS.parse().unwrap();
    assert_eq!(optimizers.len(), 9);
    for (name, config) in optimizers {
        let expected = |key: &str| of(&name).get(key).unwrap();
        let config = OptimizerConfig::deserialize(config).unwrap();
        let gradients = items(of("gradients"));
        let run = |store: &Store, optimizer: &mut Optimizer, steps: &[Value]| {
            for gradients in steps {
                set_gradients(store, gradients);
                optimizer.step().unwrap();
            }
            (dict(store.parameter_names(), store.parameters()), optimizer.to_value())
        };
        let store = network(of("parameters"));
        let mut optimizer = Optimizer::new(&config, std::slice::from_ref(&group), &store).unwrap();
        let (parameters_5, state_5) = run(&store, &mut optimizer, &gradients[..5]);
        let (parameters_10, state_10) = run(&store, &mut optimizer, &gradients[5..]);

        let store = network(expected("parameters_5"));
        let mut optimizer = Optimizer::new(&config, std::slice::from_ref(&group), &store).unwrap();
        assert_eq!(optimizer.restore(expected("state_5")).unwrap(), [""; 0], "{name}");
        let (parameters_after, state_after) = run(&store, &mut optimizer, &gradients[5..]);
        for (what, ours, key) in [
            ("five steps", parameters_5, "parameters_5"),
            ("their state", state_5, "state_5"),
            ("ten steps", parameters_10, "parameters_10"),
            ("their state", state_10, "state_10"),
            ("five there, five here", parameters_after, "parameters_10"),
            ("their state", state_after, "state_10"),
        ] {
            let apart = difference(&ours, expected(key));
            println!("{name}, {what}: {apart:.1e}");
            assert!(apart < 1e-6, "{name}, {what}: {apart:e}");
        }
    }
}

#[test]
fn gradients_are_clipped_as_in_pytorch() {
    let golden = golden();
    let of = |key: &str| golden.get(key).unwrap();
    for (name, clip) in [("norm", Clip::Norm(0.5)), ("large_norm", Clip::Norm(1000.0)), ("value", Clip::Value(0.1))] {
        let expected = tensors(of("clip").get(name).unwrap());
        let store = network(of("parameters"));
        let gradients = tensors(&items(of("gradients"))[0]);
        for (name, parameter) in store.parameter_names().iter().zip(store.parameters()) {
            (&parameter * from_checkpoint(&gradients[name], Kind::Float).unwrap()).sum(Kind::Float).backward();
        }
        let norm = clip_gradients(Some(clip), &store.parameters()).unwrap();
        let norms =
            (norm.double_value(&[]), tensors(of("clip").get("large_norm").unwrap())["norm"].to_f32().unwrap()[0]);
        assert!((norms.0 / f64::from(norms.1) - 1.0).abs() < 1e-6, "{name}: {norms:?}");
        for (parameter, key) in store.parameters().iter().zip(store.parameter_names()) {
            let ours = Value::Tensor(to_checkpoint(&parameter.grad()));
            let apart = difference(&ours, &Value::Tensor(expected[&key].clone()));
            println!("{name}, {key}: {apart:.1e}");
            assert!(apart < 1e-6, "{name}, {key}: {apart:e}");
        }
    }
}

#[test]
fn the_loss_scale_goes_as_pytorchs() {
    let golden = golden();
    for name in ["scaler", "large_scaler"] {
        let trace = golden.get(name).unwrap();
        let (factors, states) = (items(trace.get("factors").unwrap()), items(trace.get("states").unwrap()));
        assert!(states.len() == factors.len() + 1 && factors.len() > 3);
        let mut scaler = Scaler::default();
        scaler.restore(&states[0]).unwrap();
        let parameter = Tensor::from(1.0f32).set_requires_grad(true);
        for (factor, state) in factors.iter().zip(&states[1..]) {
            let Value::Float(factor) = factor else { panic!("no float") };
            parameter.shallow_clone().zero_grad();
            (&parameter * *factor * scaler.scale()).backward();
            let finite = scaler.unscale(&[parameter.shallow_clone()]).unwrap();
            assert_eq!(finite, factor.is_finite());
            assert!(!finite || parameter.grad().double_value(&[]) == *factor);
            scaler.update(finite);
            assert_eq!(scaler.to_value(), *state, "{name}");
        }
    }
}

fn floats(value: &Value) -> Vec<f64> {
    let float = |value: &Value| match value {
        Value::Float(value) => *value,
        other => panic!("{other:?}"),
    };
    items(value).iter().map(float).collect()
}

/// The schedules of the golden file, each from a rate of 0.1.
const SCHEDULES: &str = "
linear = { linear = { to = 0.02 } }
cosine = { cosine = { to = 0.02 } }
restarts = { restarts = { periods = [20, 40], weights = [1.0, 1.0], to = 0.02 } }
multi_step = { multi_step = { at = [10, 30, 31], factor = 0.5 } }
plateau = { plateau = { factor = 0.5, patience = 1, least = 0.01 } }
";

#[test]
fn learning_rates_go_as_those_of_pytorchs_schedulers() {
    let golden = golden();
    let of = |key: &str| floats(golden.get("rates").unwrap().get(key).unwrap());
    let (scores, mut schedules) = (of("scores"), SCHEDULES.parse::<toml::Table>().unwrap());
    let plateau = Schedule::deserialize(schedules.remove("plateau").unwrap()).unwrap();
    let rate = |count| plateau.at(0.1, Progress { step: 0, steps: 1, scores: &scores[..count] });
    let mut found = vec![("plateau".to_owned(), (1..=scores.len()).map(rate).collect::<Vec<_>>())];
    let warm_up = WarmUp { steps: 40, from: 0.25, form: Rise::Linear };
    found.push(("linear_warm_up".to_owned(), (0..60).map(|step| 0.1 * warm_up.factor(step)).collect()));
    for (name, schedule) in schedules {
        let schedule = Schedule::deserialize(schedule).unwrap();
        schedule.validate(0.1).unwrap();
        let rate = |step| schedule.at(0.1, Progress { step, steps: 60, scores: &[] });
        found.push((name, (0..60).map(rate).collect()));
    }
    for (name, rates) in found {
        let expected = of(&name);
        assert_eq!(rates.len(), expected.len());
        let apart = rates.iter().zip(&expected).map(|(ours, theirs)| (ours / theirs - 1.0).abs()).fold(0.0, f64::max);
        println!("{name}: {apart:.1e}");
        assert!(apart < 1e-12, "{name}: {apart:e}, {rates:?}, expected {expected:?}");
    }
}

#[test]
fn averaged_weights_are_those_of_averaged_model() {
    let golden = golden();
    let of = |key: &str| items(golden.get("ema").unwrap().get(key).unwrap());
    let (networks, averages) = (of("networks"), of("averages"));
    let config = Config::Srresnet(srresnet::Config {
        blocks: 1,
        channels: 2,
        norm: srresnet::Norm::Batch,
        ..srresnet::Config::paper(2)
    });
    let network = abbe_models::build(&config, Device::Cpu).unwrap();
    network.store().load(&tensors(&networks[0])).unwrap();
    let new = || Ema::new(ema::Config { decay: 0.9, warm_up: false }, &config, network.as_ref()).unwrap();
    let mut whole = new();
    let mut parted = new();
    parted.restore(&averages[2]).unwrap();
    assert_eq!((parted.updates(), difference(&whole.to_value(), &averages[0])), (2, 0.0));
    for (step, (state, average)) in networks.iter().zip(averages).enumerate().skip(1) {
        network.store().load(&tensors(state)).unwrap();
        whole.update(network.store()).unwrap();
        let mut apart = vec![difference(&whole.to_value(), average)];
        if step > 2 {
            parted.update(network.store()).unwrap();
            apart.push(difference(&parted.to_value(), average));
        }
        println!("after {step}: {apart:?}");
        assert!(apart.iter().all(|apart| *apart < 1e-6), "after {step}: {apart:?}");
    }
}
