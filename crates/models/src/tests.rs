//! What every network of [`NETWORKS`] must do.

use std::collections::HashSet;

use tch::{Device, Kind, Tensor};

use super::*;

fn samples() -> impl Iterator<Item = Config> {
    NETWORKS.iter().flat_map(|network| network.samples).copied()
}

fn built(config: &Config) -> Box<dyn SrModel> {
    build(config, Device::Cpu).unwrap()
}

fn noise(shape: &[i64]) -> Tensor {
    Tensor::rand(shape, (Kind::Float, Device::Cpu))
}

#[test]
fn output_is_scale_times_the_input_at_odd_sizes() {
    for config in samples() {
        let model = built(&config);
        assert_eq!(model.scale(), config.scale());
        for (h, w) in [(5, 7), (1, 1), (6, 3)] {
            let sr = tch::no_grad(|| model.forward(&noise(&[2, 3, h, w]), false));
            assert_eq!(sr.size(), [2, 3, h * model.scale(), w * model.scale()], "{config:?}");
            assert_eq!(sr.kind(), Kind::Float);
        }
    }
}

#[test]
fn gradients_reach_every_parameter() {
    for config in samples() {
        let model = built(&config);
        model.forward(&noise(&[2, 3, 6, 5]), true).square().mean(Kind::Float).backward();
        for (parameter, i) in model.store().parameters().iter().zip(0..) {
            let grad = parameter.grad();
            assert!(grad.defined() && grad.abs().max().double_value(&[]) > 0.0, "{config:?}: parameter {i}");
        }
    }
}

#[test]
fn configurations_survive_json_and_refuse_strange_keys() {
    for network in NETWORKS {
        for config in network.samples {
            let text = serde_json::to_string(config).unwrap();
            assert!(text.starts_with(&format!("{{\"{}\":", network.name)), "{text}");
            assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), *config);
            let strange = text.replacen("\"scale\"", "\"sclae\"", 1);
            assert!(serde_json::from_str::<Config>(&strange).unwrap_err().to_string().contains("sclae"));
        }
    }
}

#[test]
fn values_out_of_range_are_named() {
    let srcnn = srcnn::Config::paper(4);
    let srresnet = srresnet::Config::paper(4);
    let wrong = [
        (Config::Srcnn(srcnn::Config { scale: 5, ..srcnn }), "srcnn.scale"),
        (Config::Srcnn(srcnn::Config { kernels: [9, 2, 5], ..srcnn }), "srcnn.kernels"),
        (Config::Srcnn(srcnn::Config { channels: [64, 0], ..srcnn }), "srcnn.channels"),
        (Config::Srresnet(srresnet::Config { scale: 3, ..srresnet }), "srresnet.scale"),
        (Config::Srresnet(srresnet::Config { blocks: 65, ..srresnet }), "srresnet.blocks"),
        (Config::Srresnet(srresnet::Config { channels: -1, ..srresnet }), "srresnet.channels"),
    ];
    for (config, key) in wrong {
        let error = build(&config, Device::Cpu).err().unwrap().to_string();
        assert!(error.starts_with(key), "{error}");
    }
}

#[test]
fn weights_saved_and_loaded_give_the_same_picture() {
    for config in samples() {
        let model = built(&config);
        let _ = tch::no_grad(|| model.forward(&noise(&[2, 3, 4, 4]), true)); // moves batch norm's buffers off their start
        let other = build(&config, Device::Cpu).unwrap();
        other.store().load(&model.store().state_dict()).unwrap();
        let lr = noise(&[1, 3, 4, 5]);
        let [a, b] = [&model, &other].map(|model| tch::no_grad(|| model.forward(&lr, false)));
        assert!(a.equal(&b), "{config:?}");
    }
}

#[test]
fn names_are_unique() {
    for config in samples() {
        let names = built(&config).store().names();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    }
}

/// The farthest LR pixel that one output pixel depends on is at most `radius` away, and `radius` is not wasteful. A column
/// of pixels is enough to see it, since kernels are square.
#[test]
fn radius_is_how_far_an_output_pixel_sees() {
    for config in samples() {
        let model = built(&config);
        let (scale, radius) = (model.scale(), model.radius());
        let mut reach = 0;
        for phase in [0, scale - 1] {
            let lr = noise(&[1, 3, 2 * radius + 3, 1]).set_requires_grad(true);
            let sr = model.forward(&lr, false);
            sr.select(2, (radius + 1) * scale + phase).sum(Kind::Float).backward();
            let seen = lr.grad().abs().sum_dim_intlist([0i64, 1, 3].as_slice(), false, Kind::Float).nonzero();
            let farthest = (seen - (radius + 1)).abs().max().int64_value(&[]);
            assert!(farthest <= radius, "{config:?}: radius {radius}, but a pixel {farthest} away counts");
            reach = reach.max(farthest);
        }
        assert!(reach + 1 >= radius, "{config:?}: radius {radius}, but no pixel beyond {reach} counts");
    }
}
