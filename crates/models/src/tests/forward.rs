//! What networks compute.

use std::collections::HashSet;

use tch::{Device, Kind, Tensor};

use super::{built, input, noise, samples, sr_models, weighted};
use crate::Config;

#[test]
fn output_is_scale_times_the_input_at_odd_sizes() {
    for (config, model) in sr_models() {
        assert_eq!(Some(model.scale()), config.scale());
        for (h, w) in [(5, 7), (1, 1), (6, 3)] {
            let sr = tch::no_grad(|| model.forward(&noise(&[2, model.colors(), h, w]), false));
            assert_eq!(sr.size(), [2, model.colors(), h * model.scale(), w * model.scale()], "{config:?}");
            assert_eq!(sr.kind(), Kind::Float);
        }
    }
}

/// A parameter behind a rectifier that happens to be closed has no gradient, so other weights are tried until each had one.
#[test]
fn gradients_reach_every_parameter() {
    for config in samples() {
        let mut lost = without_gradient(&config, 0);
        for seed in 1..8 {
            if !lost.is_empty() {
                lost = &lost & &without_gradient(&config, seed);
            }
        }
        assert!(lost.is_empty(), "{config:?}: {lost:?}");
    }
}

fn without_gradient(config: &Config, seed: u32) -> HashSet<String> {
    let built = weighted(config, seed);
    built.network().forward(&input(config), true).square().mean(Kind::Float).backward();
    let store = built.network().store();
    let has_gradient = |p: &Tensor| p.grad().defined() && p.grad().abs().max().double_value(&[]) > 0.0;
    let parameters = store.parameter_names().into_iter().zip(store.parameters());
    parameters.filter(|(_, parameter)| !has_gradient(parameter)).map(|(name, _)| name).collect()
}

#[test]
fn the_smallest_pictures_pass() {
    for config in samples() {
        let (sides, [channels, height, width]) = (config.sides(), config.input());
        assert!(sides.contains(height) && sides.contains(width), "{config:?}");
        let picture = noise(&[1, channels, sides.least, sides.least]);
        let ys = tch::no_grad(|| built(&config).network().forward(&picture, false));
        assert!(ys.numel() > 0, "{config:?}");
    }
}

#[test]
fn weights_saved_and_loaded_give_the_same_picture() {
    for config in samples() {
        let (first, second) = (built(&config), config.build(Device::Cpu).unwrap());
        let xs = input(&config);
        let _ = tch::no_grad(|| first.network().forward(&xs, true)); // moves batch norm's buffers off their start
        second.network().store().load(&first.network().store().state_dict()).unwrap();
        let [a, b] = [&first, &second].map(|built| tch::no_grad(|| built.network().forward(&xs, false)));
        assert!(a.equal(&b), "{config:?}");
    }
}
