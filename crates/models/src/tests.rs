//! What every network of [`NETWORKS`] must do.

use std::collections::HashSet;

use tch::{Device, Kind, Tensor};

use super::*;

fn samples() -> impl Iterator<Item = Config> {
    NETWORKS.iter().flat_map(|network| (network.samples)())
}

fn built(config: &Config) -> Built {
    config.build(Device::Cpu).unwrap()
}

/// Networks that enlarge pictures, with their configurations.
fn sr_models() -> impl Iterator<Item = (Config, Box<dyn SrModel>)> {
    samples().filter_map(|config| match built(&config) {
        Built::Sr(model) => Some((config, model)),
        Built::Other(_) => None,
    })
}

/// A batch of two of the network's usual inputs; smaller ones for networks that enlarge pictures.
fn input(config: &Config) -> Tensor {
    let [channels, height, width] = config.input();
    let [height, width] = if config.scale().is_some() { [6, 5] } else { [height, width] };
    noise(&[2, channels, height, width])
}

fn noise(shape: &[i64]) -> Tensor {
    Tensor::rand(shape, (Kind::Float, Device::Cpu))
}

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

#[test]
fn gradients_reach_every_parameter() {
    for config in samples() {
        let built = built(&config);
        built.network().forward(&input(&config), true).square().mean(Kind::Float).backward();
        for (parameter, i) in built.network().store().parameters().iter().zip(0..) {
            let grad = parameter.grad();
            assert!(grad.defined() && grad.abs().max().double_value(&[]) > 0.0, "{config:?}: parameter {i}");
        }
    }
}

#[test]
fn configurations_survive_json_and_refuse_strange_keys() {
    for network in NETWORKS {
        for config in (network.samples)() {
            let text = serde_json::to_string(&config).unwrap();
            assert!(text.starts_with(&format!("{{\"{}\":", network.name)), "{text}");
            assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
            let strange = text.replacen(":{\"", ":{\"strange\":1,\"", 1);
            assert!(serde_json::from_str::<Config>(&strange).unwrap_err().to_string().contains("strange"));
        }
    }
}

#[test]
fn values_out_of_range_are_named() {
    let srcnn = srcnn::Config::paper(4);
    let srresnet = srresnet::Config::paper(4);
    let rrdbnet = rrdbnet::Config::paper(4);
    let wrong = [
        (Config::Srcnn(srcnn::Config { scale: 5, ..srcnn }), "srcnn.scale"),
        (Config::Srcnn(srcnn::Config { kernels: [9, 2, 5], ..srcnn }), "srcnn.kernels"),
        (Config::Srcnn(srcnn::Config { channels: [64, 0], ..srcnn }), "srcnn.channels"),
        (Config::Srresnet(srresnet::Config { scale: 3, ..srresnet }), "srresnet.scale"),
        (Config::Srresnet(srresnet::Config { blocks: 65, ..srresnet }), "srresnet.blocks"),
        (Config::Srresnet(srresnet::Config { channels: -1, ..srresnet }), "srresnet.channels"),
        (Config::Srvgg(srvgg::Config { scale: 9, ..srvgg::Config::general(4) }), "srvgg.scale"),
        (Config::Rrdbnet(rrdbnet::Config { scale: 0, ..rrdbnet }), "rrdbnet.scale"),
        (Config::Rrdbnet(rrdbnet::Config { unshuffle: 3, ..rrdbnet }), "rrdbnet.unshuffle"),
    ];
    for (config, key) in wrong {
        let error = build(&config, Device::Cpu).err().unwrap().to_string();
        assert!(error.starts_with(key), "{error}");
    }
}

#[test]
fn weights_saved_and_loaded_give_the_same_picture() {
    for config in samples() {
        let [first, second] = [built(&config), built(&config)];
        let xs = input(&config);
        let _ = tch::no_grad(|| first.network().forward(&xs, true)); // moves batch norm's buffers off their start
        second.network().store().load(&first.network().store().state_dict()).unwrap();
        let [a, b] = [&first, &second].map(|built| tch::no_grad(|| built.network().forward(&xs, false)));
        assert!(a.equal(&b), "{config:?}");
    }
}

#[test]
fn names_are_unique() {
    for config in samples() {
        let names = built(&config).network().store().names();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    }
}

/// The farthest LR pixel that one output pixel depends on is at most `radius` away, and `radius` is not wasteful. A column
/// of pixels is enough to see it, since kernels are square.
#[test]
fn radius_is_how_far_an_output_pixel_sees() {
    for (config, model) in sr_models() {
        let (scale, radius) = (model.scale(), model.radius());
        let mut reach = 0;
        for (phase, place) in
            [0, scale - 1].into_iter().flat_map(|phase| places(radius, &*model).map(move |y| (phase, y)))
        {
            let lr = noise(&[1, model.colors(), 2 * radius + 2 + model.multiple(), 1]).set_requires_grad(true);
            let sr = model.forward(&lr, false);
            sr.select(2, place * scale + phase).sum(Kind::Float).backward();
            let seen = lr.grad().abs().sum_dim_intlist([0i64, 1, 3].as_slice(), false, Kind::Float).nonzero();
            let farthest = (seen - place).abs().max().int64_value(&[]);
            assert!(farthest <= radius, "{config:?}: radius {radius}, but a pixel {farthest} away counts");
            reach = reach.max(farthest);
        }
        assert!(reach + 1 >= radius, "{config:?}: radius {radius}, but no pixel beyond {reach} counts");
    }
}

/// Places in a column that has more than `radius` pixels on both sides of each, one for each way in which a network that
/// sees squares of pixels as one can see them.
fn places(radius: i64, model: &dyn SrModel) -> std::ops::Range<i64> {
    radius + 1..radius + 1 + model.multiple()
}

/// Written in any of its layouts that can hold it, with a wrapper's prefix, a network is found again with what its tensors
/// tell; what they do not tell is given.
#[test]
fn a_network_is_recognised_in_each_of_its_layouts() {
    for config in samples() {
        let from = built(&config);
        for layout in config.layouts().into_iter().filter(|layout| *layout != "abbe") {
            let Ok(naming) = config.naming(layout) else { continue };
            let state = from.network().store().state_dict_as(&naming);
            let state = state.into_iter().map(|(name, tensor)| (format!("module.{name}"), tensor)).collect();
            let found = recognise(&state, &hints(&config), Device::Cpu).unwrap_or_else(|e| panic!("{config:?}: {e}"));
            assert_eq!((found.config, found.layout, found.prefix.as_str()), (config, layout, "module."));
            let loaded = found.built.network().store().state_dict();
            assert_eq!(loaded, from.network().store().state_dict(), "{config:?}");
        }
    }
}

/// From any layout to any other the tensors stay the same, under the names that the network itself would write.
#[test]
fn a_checkpoint_changes_its_layout_and_keeps_its_tensors() {
    for config in samples() {
        let from = built(&config);
        let named = |layout| Some((layout, from.network().store().state_dict_as(&config.naming(layout).ok()?)));
        let states: Vec<_> = config.layouts().into_iter().filter_map(named).collect();
        let card = Card { network: config, notices: Vec::new(), sources: Vec::new() };
        for (_, state) in &states {
            let wrapped = state.iter().map(|(name, tensor)| (format!("module.{name}"), tensor.clone())).collect();
            let found = identify(&wrapped, Some(&card), &Choice::default(), Device::Cpu).unwrap();
            for (layout, expected) in &states {
                assert_eq!(&found.state_as(layout).unwrap(), expected, "{config:?} as {layout}");
            }
        }
    }
}

#[test]
fn a_counter_that_the_file_lacks_is_zero() {
    let config = Config::from(srresnet::Config::paper(4));
    let from = built(&config).network().store().state_dict();
    let state = from.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
    let state: abbe_checkpoint::StateDict = state.map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
    let card = Card { network: config, notices: Vec::new(), sources: Vec::new() };
    let found = identify(&state, Some(&card), &Choice::default(), Device::Cpu).unwrap();
    assert!(state.len() < from.len() && found.state_as(found.layout).unwrap() == from);
}

/// What tensors cannot tell of a sample.
fn hints(config: &Config) -> Hints {
    let activation = match config {
        Config::Srvgg(srvgg::Config { activation: srvgg::Activation::Relu, .. }) => Some(Activation::Relu),
        Config::Srvgg(srvgg::Config { activation: srvgg::Activation::LeakyRelu, .. }) => Some(Activation::LeakyRelu),
        _ => None,
    };
    Hints { scale: config.scale(), activation, ..Hints::default() }
}
