//! Forward passes against PyTorch's: same weights, same input, same output within 1e-5 of its largest value. The files
//! and the script that made them are in `tests/golden/models`.

use abbe_checkpoint::{StateDict, state_dict_of};
use abbe_models::discriminator::{self, Discriminator};
use abbe_models::patchgan_discriminator::{self, PatchGanDiscriminator};
use abbe_models::srresnet::{Input, Norm};
use abbe_models::vgg::{Features, Net};
use abbe_models::{Config, Network, SrModel, Store, build, srcnn, srresnet};
use tch::{Device, Kind, Tensor};

/// The flat dict of tensors in a golden file.
fn read(name: &str) -> StateDict {
    let path = format!("{}/../../tests/golden/models/{name}.pth", env!("CARGO_MANIFEST_DIR"));
    state_dict_of(&abbe_checkpoint::read(path).unwrap()).unwrap()
}

/// The tensors whose names begin with `group`, without it.
fn group(golden: &StateDict, group: &str) -> StateDict {
    golden.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(group)?.to_string(), tensor.clone()))).collect()
}

fn tensor(golden: &StateDict, name: &str) -> Tensor {
    let saved = &golden[name];
    let shape: Vec<i64> = saved.shape().iter().map(|side| *side as i64).collect();
    Tensor::from_slice(&saved.to_f32().unwrap()).view(&shape[..])
}

fn assert_close(name: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.size(), expected.size(), "{name}");
    let error = (found - expected).abs().max().double_value(&[]) / expected.abs().max().double_value(&[]);
    assert!(error <= 1e-5, "{name}: {error} of the largest value");
}

/// Loads the golden weights, which must have the same names in the same order, and compares the outputs. After a pass in
/// training mode the buffers must agree too.
fn check(name: &str, store: &Store, forward: impl Fn(&Tensor, bool) -> Tensor) {
    let golden = read(name);
    let state = group(&golden, "state.");
    assert!(store.names().iter().eq(state.keys()), "{name}: {:?}", store.names());
    store.load(&state).unwrap();
    let after = group(&golden, "after.");
    let output = tch::no_grad(|| forward(&tensor(&golden, "input"), !after.is_empty()));
    assert_close(name, &output, &tensor(&golden, "output"));
    let found = store.state_dict();
    for key in after.keys() {
        match key.ends_with("num_batches_tracked") {
            true => assert_eq!(found[key].to_i64().unwrap(), after[key].to_i64().unwrap(), "{name}: {key}"),
            false => assert_close(key, &tensor(&found, key), &tensor(&after, key)),
        }
    }
}

fn check_model(name: &str, config: Config) {
    let model: Box<dyn SrModel> = build(&config, Device::Cpu).unwrap();
    check(name, model.store(), |lr, train| model.forward(lr, train));
}

#[test]
fn srresnet() {
    let plain = srresnet::Config { blocks: 2, channels: 4, norm: Norm::None, ..srresnet::Config::paper(4) };
    let batch = srresnet::Config { scale: 2, norm: Norm::Batch, ..plain };
    check_model("srresnet_none", Config::Srresnet(plain));
    check_model("srresnet_batch", Config::Srresnet(batch));
    check_model("srresnet_batch_train", Config::Srresnet(batch));
    let input = srresnet::Config { scale: 2, blocks: 1, input: Input::Bicubic, ..plain };
    check_model("srresnet_bicubic_input", Config::Srresnet(input));
    let skip = srresnet::Config { scale: 8, blocks: 1, channels: 3, bicubic_skip: true, ..batch };
    check_model("srresnet_bicubic_skip", Config::Srresnet(skip));
}

#[test]
fn srcnn() {
    let channels = [8, 4];
    check_model("srcnn_915", Config::Srcnn(srcnn::Config { scale: 4, kernels: [9, 1, 5], channels, colors: 3 }));
    check_model("srcnn_955", Config::Srcnn(srcnn::Config { scale: 3, kernels: [9, 5, 5], channels, colors: 3 }));
}

#[test]
fn discriminator() {
    for (name, patch, channels) in [("discriminator", 32, 1), ("discriminator_train", 16, 2)] {
        let config = discriminator::Config { patch, channels };
        let model = Discriminator::new(&config, Device::Cpu).unwrap();
        check(name, model.store(), |pictures, train| model.forward(pictures, train));
    }
}

#[test]
fn patchgan_discriminator() {
    for (name, colors, layers) in [("patchgan", 3, 3), ("patchgan_train", 1, 4)] {
        let config = patchgan_discriminator::Config { colors, channels: 2, layers };
        let model = PatchGanDiscriminator::new(&config, Device::Cpu).unwrap();
        check(name, model.store(), |pictures, train| model.forward(pictures, train));
    }
}

#[test]
fn vgg() {
    for net in Net::ALL.into_iter().filter(|net| !net.batch_norm()) {
        let golden = read(net.name());
        let features = Features::new(net, Device::Cpu);
        fill_with_hash(&features);
        let outputs = group(&golden, "output.");
        let layers: Vec<&str> = outputs.keys().map(String::as_str).collect();
        let found = features.forward(&tensor(&golden, "input"), &layers).unwrap();
        for (layer, found) in layers.iter().zip(found) {
            assert_close(&format!("{} {layer}", net.name()), &found, &tensor(&outputs, layer));
        }
    }
}

/// The weights of `vgg` in the script: for the k-th convolution salt 2k, for its bias salt 2k + 1.
fn fill_with_hash(features: &Features) {
    for (mut parameter, salt) in features.store().parameters().into_iter().zip(0..) {
        let shape = parameter.size();
        let scale = match shape[..] {
            [_, c_in, ..] => (24.0 / (9 * c_in) as f64).sqrt(),
            _ => 0.1,
        };
        parameter.copy_(&hashed(&shape, salt, scale));
    }
}

/// As `hashed` in the script.
fn hashed(shape: &[i64], salt: i64, scale: f64) -> Tensor {
    let i = Tensor::arange(shape.iter().product::<i64>(), (Kind::Int64, Device::Cpu));
    let h = (i * 2654435761i64 + salt).remainder(1i64 << 32);
    let h = (&h * (h.remainder(65521) + 1)).remainder(1i64 << 32);
    ((h.to_kind(Kind::Double) / (1u64 << 32) as f64 - 0.5) * scale).to_kind(Kind::Float).view(shape)
}
