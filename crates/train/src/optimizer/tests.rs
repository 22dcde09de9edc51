//! Groups, frozen parameters, and states that come back.

use abbe_models::Store;
use tch::{Device, Kind};

use super::*;

const CONFIGS: [OptimizerConfig; 4] = [
    OptimizerConfig::Adam { lr: 0.1, betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0.0 },
    OptimizerConfig::AdamW { lr: 0.1, betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0.1 },
    OptimizerConfig::Sgd { lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.1 },
    OptimizerConfig::RmsProp { lr: 0.1, alpha: 0.9, eps: 1e-8, momentum: 0.9, centered: true, weight_decay: 0.0 },
];
const SGD: OptimizerConfig = OptimizerConfig::Sgd { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.5 };

fn group(names: &[&str], lr: Option<f64>, weight_decay: Option<f64>) -> Group {
    Group { names: names.iter().map(|name| name.to_string()).collect(), lr, weight_decay }
}

/// `up.weight` is [2, 3, 2, 2] in PyTorch's channels-last order, the other two are [3].
fn network() -> Store {
    let store = Store::new(Device::Cpu);
    let noise = |shape: &[i64]| Tensor::rand(shape, (Kind::Float, Device::Cpu));
    let _ = (&store.root() / "body").parameter("bias", noise(&[3]));
    let _ = (&store.root() / "up").parameter("weight", abbe_torch::channels_last(&noise(&[2, 3, 2, 2])));
    let _ = (&store.root() / "up").parameter("bias", noise(&[3]));
    store
}

/// A step on a loss whose gradients change with the parameters and with the step.
fn step(optimizer: &mut Optimizer, number: i64) {
    optimizer.zero_grad();
    let losses =
        optimizer.parameters().iter().map(|p| (p * (p + number) + p.slice(0, 0, 1, 1)).square().sum(Kind::Float));
    losses.sum::<Tensor>().backward();
    optimizer.step().unwrap();
}

fn values(store: &Store) -> Vec<Vec<f32>> {
    store.parameters().iter().map(|p| Vec::try_from(p.detach().contiguous().view(-1)).unwrap()).collect()
}

#[test]
fn a_group_has_its_own_rate_and_decay() {
    let store = Store::new(Device::Cpu);
    let [bias, weight] = ["bias", "weight"].map(|name| store.root().parameter(name, Tensor::from(2.0f32)));
    let groups = [group(&["b*"], Some(0.1), Some(0.0))];
    let mut optimizer = Optimizer::new(&SGD, &groups, &store).unwrap();
    optimizer.set_lr(0.2);
    assert_eq!((optimizer.lr(), optimizer.parameters().len()), (0.2, 2));
    (&bias * 3.0 + &weight * 3.0).backward();
    optimizer.step().unwrap();
    // 2 - 0.2 * 0.1 * 3 and 2 - 0.2 * (3 + 0.5 * 2).
    assert!((bias.detach().double_value(&[]) - 1.94).abs() < 1e-6);
    assert!((weight.detach().double_value(&[]) - 1.2).abs() < 1e-6);
}

#[test]
fn a_parameter_is_in_the_first_group_that_names_it_and_the_rest_are_last() {
    let (store, sgd) = (network(), SGD);
    let sizes = |groups: &[Group]| {
        let optimizer = Optimizer::new(&sgd, groups, &store)?;
        Ok::<Vec<_>, anyhow::Error>(optimizer.groups.into_iter().map(|group| group.positions).collect())
    };
    assert_eq!(sizes(&[]).unwrap(), [vec![0, 1, 2]]);
    assert_eq!(sizes(&[group(&["*.bias"], None, None)]).unwrap(), [vec![0, 2], vec![1]]);
    assert_eq!(sizes(&[group(&["up.*"], None, None), group(&["*"], None, None)]).unwrap(), [vec![1, 2], vec![0]]);
    let error = format!("{:#}", sizes(&[group(&["*"], None, None), group(&["up.*"], None, None)]).unwrap_err());
    assert_eq!(error, "groups: 1 (from 0): names: all parameters that it names belong to earlier groups");
    let error = format!("{:#}", sizes(&[group(&["down.*"], None, None)]).unwrap_err());
    assert!(error.contains("`down.*` matches no parameter") && error.contains("body.bias, up.weight"), "{error}");
    assert!(format!("{:#}", sizes(&[group(&["*"], Some(-1.0), None)]).unwrap_err()).contains("lr: expected"));
}

#[test]
fn a_restored_optimiser_goes_on_bit_for_bit_in_every_order_of_memory() {
    for config in CONFIGS {
        for groups in [vec![], vec![group(&["*.bias"], Some(0.5), Some(0.0))]] {
            tch::manual_seed(1);
            let (whole, parted) = (network(), network());
            tch::no_grad(|| {
                parted.parameters().iter_mut().zip(whole.parameters()).for_each(|(parted, whole)| parted.copy_(&whole));
            });
            let mut optimizer = Optimizer::new(&config, &groups, &whole).unwrap();
            (0..6).for_each(|number| step(&mut optimizer, number));

            let mut first = Optimizer::new(&config, &groups, &parted).unwrap();
            (0..3).for_each(|number| step(&mut first, number));
            let mut second = Optimizer::new(&config, &groups, &parted).unwrap();
            assert_eq!(second.restore(&first.to_value()).unwrap(), [""; 0]);
            (3..6).for_each(|number| step(&mut second, number));
            assert_eq!(values(&whole), values(&parted), "{}", config.name());
            assert_eq!(optimizer.to_value(), second.to_value(), "{}", config.name());
            assert_eq!(whole.parameters()[1].stride(), [12, 1, 6, 3]);
        }
    }
}

#[test]
fn a_state_in_one_group_is_in_the_networks_order() {
    for config in CONFIGS {
        let store = network();
        let mut one = Optimizer::new(&config, &[], &store).unwrap();
        step(&mut one, 1);
        let mut two = Optimizer::new(&config, &[group(&["up.*"], None, None)], &store).unwrap();
        assert_eq!(two.restore(&one.to_value()).unwrap(), [""; 0]);
        let states = |optimizer: &Optimizer| {
            let value = optimizer.to_value();
            value.get("state").unwrap().entries().unwrap().iter().map(|entry| entry.1.clone()).collect::<Vec<_>>()
        };
        let (one, two) = (states(&one), states(&two));
        assert_eq!([&two[0], &two[1], &two[2]], [&one[1], &one[2], &one[0]], "{}", config.name());
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let store = network();
    for config in CONFIGS {
        let optimizer = |groups: &[Group]| Optimizer::new(&config, groups, &store).unwrap();
        let mut wrong = optimizer(&[group(&["up.weight"], None, None)]);
        step(&mut wrong, 1);
        let mut here = optimizer(&[group(&["*.bias"], None, None)]);
        let before = here.to_value();
        let error = here.restore(&wrong.to_value()).unwrap_err().to_string();
        assert!(error.contains("groups of [1, 2] parameters") && error.contains("[2, 1]"), "{error}");
        let other = CONFIGS.iter().find(|other| other.name()[..1] != config.name()[..1]).unwrap();
        let error = here.restore(&Optimizer::new(other, &[], &store).unwrap().to_value()).unwrap_err().to_string();
        assert!(error.contains("the options of"), "{error}");
        let error = here.restore(&Value::None).unwrap_err().to_string();
        assert!(error.contains("expected a dict"), "{error}");
        assert_eq!(here.to_value(), before);
    }
}

#[test]
fn numbers_that_a_state_was_made_with_are_noticed_where_they_differ() {
    let store = network();
    let saved = Optimizer::new(&CONFIGS[0], &[], &store).unwrap().to_value();
    let other = OptimizerConfig::Adam { lr: 0.3, betas: [0.9, 0.99], eps: 1e-6, weight_decay: 0.0 };
    let mut here = Optimizer::new(&other, &[group(&["up.*"], None, Some(0.5))], &store).unwrap();
    let notices = here.restore(&saved).unwrap();
    assert_eq!(notices.len(), 2);
    let made = "Adam's state was made with betas [0.9, 0.99], eps 1e-8, weight_decay 0";
    assert!(notices[0].contains(made) && notices[0].contains("eps 1e-6, weight_decay 0.5"), "{notices:?}");
    assert!(notices[1].starts_with("param_groups.1: "), "{notices:?}");
    let mut same = Optimizer::new(
        &OptimizerConfig::Adam { lr: 0.3, betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0.0 },
        &[],
        &store,
    );
    assert_eq!(same.as_mut().unwrap().restore(&saved).unwrap(), [""; 0]);
}

#[test]
fn what_is_frozen_stays_whatever_its_moments_were() {
    for config in CONFIGS {
        let store = network();
        let mut optimizer = Optimizer::new(&config, &[], &store).unwrap();
        step(&mut optimizer, 1);
        crate::pattern::freeze(&["up.*".to_owned()], &store).unwrap();
        let before = values(&store);
        step(&mut optimizer, 2);
        let after = values(&store);
        assert_eq!(after[1..], before[1..], "{}", config.name());
        assert_ne!(after[0], before[0]);
    }
}
