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

/// A parameter behind a rectifier that happens to be closed has no gradient, so a network is built anew until each had one.
#[test]
fn gradients_reach_every_parameter() {
    for config in samples() {
        let mut reached = HashSet::new();
        let mut count = 0;
        for _ in 0..8 {
            let built = built(&config);
            built.network().forward(&input(&config), true).square().mean(Kind::Float).backward();
            let parameters = built.network().store().parameters();
            count = parameters.len();
            let has_gradient = |p: &Tensor| p.grad().defined() && p.grad().abs().max().double_value(&[]) > 0.0;
            reached.extend(parameters.iter().zip(0..).filter(|(p, _)| has_gradient(p)).map(|(_, i)| i));
            if reached.len() == count {
                break;
            }
        }
        let lost: Vec<_> = (0..count).filter(|i| !reached.contains(i)).collect();
        assert!(lost.is_empty(), "{config:?}: parameters {lost:?}");
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
    let unet = unet_discriminator::Config { colors: 3, channels: 64 };
    let vgg_style = vgg_style_discriminator::Config { patch: 128, colors: 3, channels: 64 };
    let dcgan = dcgan_generator::Config { latent: 100, channels: 64, colors: 3 };
    let judge = dcgan_discriminator::Config { colors: 3, channels: 64 };
    let msrresnet = msrresnet::Config::paper(4);
    let edsr = edsr::Config::baseline(4);
    let rcan = rcan::Config::paper(4);
    let fsrcnn = fsrcnn::Config::paper(4);
    let rrdbnet = rrdbnet::Config::paper(4);
    let wrong = [
        (Config::Srcnn(srcnn::Config { scale: 5, ..srcnn }), "srcnn.scale"),
        (Config::Srcnn(srcnn::Config { kernels: [9, 2, 5], ..srcnn }), "srcnn.kernels"),
        (Config::Srcnn(srcnn::Config { channels: [64, 0], ..srcnn }), "srcnn.channels"),
        (Config::Srresnet(srresnet::Config { scale: 3, ..srresnet }), "srresnet.scale"),
        (Config::Srresnet(srresnet::Config { blocks: 65, ..srresnet }), "srresnet.blocks"),
        (Config::Srresnet(srresnet::Config { channels: -1, ..srresnet }), "srresnet.channels"),
        (unet_discriminator::Config { colors: 0, ..unet }.into(), "unet_discriminator.colors"),
        (unet_discriminator::Config { channels: 257, ..unet }.into(), "unet_discriminator.channels"),
        (vgg_style_discriminator::Config { patch: 192, ..vgg_style }.into(), "vgg_style_discriminator.patch"),
        (vgg_style_discriminator::Config { colors: 17, ..vgg_style }.into(), "vgg_style_discriminator.colors"),
        (vgg_style_discriminator::Config { channels: 0, ..vgg_style }.into(), "vgg_style_discriminator.channels"),
        (leftthomas_discriminator::Config { channels: 0 }.into(), "leftthomas_discriminator.channels"),
        (dcgan_generator::Config { latent: 0, ..dcgan }.into(), "dcgan_generator.latent"),
        (dcgan_generator::Config { channels: 0, ..dcgan }.into(), "dcgan_generator.channels"),
        (dcgan_generator::Config { colors: 0, ..dcgan }.into(), "dcgan_generator.colors"),
        (dcgan_discriminator::Config { colors: -1, ..judge }.into(), "dcgan_discriminator.colors"),
        (dcgan_discriminator::Config { channels: 0, ..judge }.into(), "dcgan_discriminator.channels"),
        (Config::Msrresnet(msrresnet::Config { scale: 8, ..msrresnet }), "msrresnet.scale"),
        (Config::Msrresnet(msrresnet::Config { blocks: 0, ..msrresnet }), "msrresnet.blocks"),
        (Config::Msrresnet(msrresnet::Config { channels: 257, ..msrresnet }), "msrresnet.channels"),
        (Config::Msrresnet(msrresnet::Config { colors: 2, ..msrresnet }), "msrresnet.colors"),
        (Config::Edsr(edsr::Config { scale: 1, ..edsr }), "edsr.scale"),
        (Config::Edsr(edsr::Config { blocks: 65, ..edsr }), "edsr.blocks"),
        (Config::Edsr(edsr::Config { channels: 0, ..edsr }), "edsr.channels"),
        (Config::Edsr(edsr::Config { res_scale: f64::NAN, ..edsr }), "edsr.res_scale"),
        (Config::Rcan(rcan::Config { scale: 5, ..rcan }), "rcan.scale"),
        (Config::Rcan(rcan::Config { groups: 0, ..rcan }), "rcan.groups"),
        (Config::Rcan(rcan::Config { blocks: 65, ..rcan }), "rcan.blocks"),
        (Config::Rcan(rcan::Config { channels: 513, ..rcan }), "rcan.channels"),
        (Config::Rcan(rcan::Config { reduction: 65, ..rcan }), "rcan.reduction"),
        (Config::Rcan(rcan::Config { unshuffle: 2, ..rcan }), "rcan.unshuffle"),
        (Config::Fsrcnn(fsrcnn::Config { scale: 1, ..fsrcnn }), "fsrcnn.scale"),
        (Config::Fsrcnn(fsrcnn::Config { channels: 0, ..fsrcnn }), "fsrcnn.channels"),
        (Config::Fsrcnn(fsrcnn::Config { shrunk: 257, ..fsrcnn }), "fsrcnn.shrunk"),
        (Config::Fsrcnn(fsrcnn::Config { mappings: 0, ..fsrcnn }), "fsrcnn.mappings"),
        (Config::Fsrcnn(fsrcnn::Config { colors: 4, ..fsrcnn }), "fsrcnn.colors"),
        (Config::Srvgg(srvgg::Config { scale: 9, ..srvgg::Config::general(4) }), "srvgg.scale"),
        (Config::Rrdbnet(rrdbnet::Config { scale: 0, ..rrdbnet }), "rrdbnet.scale"),
        (Config::Rrdbnet(rrdbnet::Config { unshuffle: 3, ..rrdbnet }), "rrdbnet.unshuffle"),
    ];
    for (config, key) in wrong {
        let error = config.build(Device::Cpu).err().unwrap().to_string();
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

/// Biases of 1/2 open rectifiers and put pictures in the middle of [0, 1], where networks that clamp have a gradient.
fn open_gates(network: &dyn Network) {
    let is_vector = |parameter: &Tensor| parameter.dim() == 1;
    for mut vector in network.store().parameters().into_iter().filter(is_vector) {
        let _ = tch::no_grad(|| vector.fill_(0.5));
    }
}

/// The LR rows of a column of `rows` pixels, counted from `row`, that the output pixels at one phase of `row` depend on.
/// A column is enough to see it, since kernels are square.
fn seen(model: &dyn SrModel, rows: i64, row: i64, phase: i64) -> Tensor {
    let lr = noise(&[1, model.colors(), rows, 1]).set_requires_grad(true);
    model.forward(&lr, false).select(2, row * model.scale() + phase).sum(Kind::Float).backward();
    lr.grad().abs().sum_dim_intlist([0i64, 1, 3].as_slice(), false, Kind::Float).nonzero() - row
}

/// The farthest LR pixel that one output pixel depends on is at most `radius` away, and `radius` is not wasteful.
#[test]
fn radius_is_how_far_an_output_pixel_sees() {
    for (config, model) in sr_models().filter(|(_, model)| model.radius() < i64::MAX) {
        open_gates(model.as_ref());
        let radius = model.radius();
        let rows = 2 * radius + 2 + model.multiple();
        let phases = [0, model.scale() - 1].into_iter();
        let mut reach = 0;
        for (phase, row) in phases.flat_map(|phase| places(radius, &*model).map(move |row| (phase, row))) {
            let farthest = seen(model.as_ref(), rows, row, phase).abs().max().int64_value(&[]);
            assert!(farthest <= radius, "{config:?}: radius {radius}, but a pixel {farthest} away counts");
            reach = reach.max(farthest);
        }
        assert!(reach + 1 >= radius, "{config:?}: radius {radius}, but no pixel beyond {reach} counts");
    }
}

#[test]
fn without_a_radius_the_whole_picture_counts() {
    for (config, model) in sr_models().filter(|(_, model)| model.radius() == i64::MAX) {
        // Far beyond the convolutions of all but the largest of these networks.
        assert_eq!(seen(model.as_ref(), 100, 0, 0).numel(), 100, "{config:?}");
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

/// A layout says no to a network that its project could not run, and a file with other constants is not taken.
#[test]
fn layouts_hold_only_what_their_projects_compute() {
    let plain = Config::Srresnet(srresnet::Config::paper(4));
    for layout in ["leftthomas", "lornatang"] {
        let error = plain.naming(layout).err().unwrap().to_string();
        assert!(error.contains(layout) && error.contains("output"), "{error}");
    }
    let config = Config::Edsr(edsr::Config { blocks: 1, channels: 4, ..edsr::Config::baseline(2) });
    let naming = config.naming("edsr-pytorch").unwrap();
    let mut state = built(&config).network().store().state_dict_as(&naming);
    state.insert("sub_mean.bias".into(), abbe_checkpoint::Tensor::from_f32(&[3], &[-0.4488, -0.4371, -0.4040]));
    let error = recognise(&state, &hints(&config), Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("sub_mean.bias"), "{error}");
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
    let json = serde_json::to_value(config).unwrap();
    let res_scale = json[config.name()]["res_scale"].as_f64();
    let activation = match config {
        Config::Srvgg(srvgg::Config { activation: srvgg::Activation::Relu, .. }) => Some(Activation::Relu),
        Config::Srvgg(srvgg::Config { activation: srvgg::Activation::LeakyRelu, .. }) => Some(Activation::LeakyRelu),
        _ => None,
    };
    Hints { scale: config.scale(), activation, res_scale }
}
