//! Losses and their gradients against numbers that PyTorch made (`tests/golden/train/losses.py`), SSIM against the metric, and
//! runs with every loss.

use std::collections::BTreeSet;

use abbe_checkpoint::StateDict;
use abbe_data::image::Rgb8;
use abbe_eval::{Metric, Protocol, Versions, measure};
use abbe_models::discriminator::{self, Discriminator};
use abbe_models::vgg::{Features, Net};
use abbe_models::{CriticModel, Network, Store};
use abbe_train::Losses;
use abbe_train::loss::{Inputs, Judged, Judgement, Perception, gradient_penalty, r1};
use tch::{Device, Kind, Tensor};

use crate::support::{EXPERIMENT, Scratch, repository, scene, small_experiment};

/// The tensors of the golden file, by name.
struct Golden(StateDict);

impl Golden {
    fn read() -> Self {
        let value = abbe_checkpoint::read(repository("tests/golden/train/losses.pth")).unwrap();
        Golden(abbe_checkpoint::state_dict_of(&value).unwrap())
    }

    /// A tensor of floating-point numbers.
    fn tensor(&self, name: &str) -> Tensor {
        let stored = &self.0[name];
        let shape: Vec<i64> = stored.shape().iter().map(|&side| side as i64).collect();
        Tensor::from_slice(&stored.to_f32().unwrap()).view(&shape[..])
    }
}

/// Largest difference in relation to the largest value.
fn difference(ours: &Tensor, theirs: &Tensor) -> f64 {
    let largest = |tensor: &Tensor| tensor.abs().max().double_value(&[]);
    largest(&(ours - theirs)) / largest(theirs)
}

/// The losses of pictures, each under its name in the golden file.
const PICTURES: [(&str, &str); 20] = [
    ("ldl", "ldl = { weight = 1.0 }"),
    ("pixel_l1", "pixel = { weight = 1.0, distance = 'l1' }"),
    ("pixel_mse", "pixel = { weight = 1.0, distance = 'mse' }"),
    ("pixel_charbonnier", "pixel = { weight = 1.0, distance = { charbonnier = { eps = 1e-3 } } }"),
    ("pixel_huber", "pixel = { weight = 1.0, distance = { huber = { delta = 0.3 } } }"),
    (
        "content_relu2_2_l1",
        "content = { weight = 1.0, distance = 'l1', layers = { relu2_2 = 1.0 }, imagenet_normalization = true }",
    ),
    (
        "content_conv4_3_l1",
        "content = { weight = 1.0, distance = 'l1', layers = { conv4_3 = 1.0 }, imagenet_normalization = true }",
    ),
    (
        "content_relu5_4_mse",
        "content = { weight = 1.0, distance = 'mse', layers = { relu5_4 = 1.0 }, imagenet_normalization = true }",
    ),
    (
        "content_conv5_4_mse",
        "content = { weight = 1.0, distance = 'mse', layers = { conv5_4 = 1.0 }, imagenet_normalization = true }",
    ),
    (
        "content_conv5_4_l1",
        "content = { weight = 1.0, distance = 'l1', layers = { conv5_4 = 1.0 }, imagenet_normalization = true }",
    ),
    (
        "style_relu1_2_mse",
        "style = { weight = 1.0, distance = 'mse', layers = { relu1_2 = 1.0 }, imagenet_normalization = true }",
    ),
    (
        "style_conv3_1_l1",
        "style = { weight = 1.0, distance = 'l1', layers = { conv3_1 = 1.0 }, imagenet_normalization = true }",
    ),
    ("histogram", "histogram = { weight = 1.0, bins = 64, bandwidth = 0.02 }"),
    ("total_variation", "total_variation = { weight = 1.0 }"),
    ("frequency", "frequency = { weight = 1.0 }"),
    ("focal_frequency", "focal_frequency = { weight = 1.0, alpha = 1.0 }"),
    ("focal_frequency_half", "focal_frequency = { weight = 1.0, alpha = 0.5 }"),
    ("ssim_rgb", "ssim = { weight = 1.0, channel = 'rgb' }"),
    ("ssim_y", "ssim = { weight = 1.0, channel = 'y' }"),
    ("feature_matching", "feature_matching = { weight = 1.0, distance = 'l1' }"),
];

const FORMS: [&str; 5] = ["non_saturating", "saturating", "least_squares", "hinge", "wasserstein"];

fn losses(text: &str) -> Losses {
    toml::from_str(text).unwrap()
}

/// The value of the only loss.
fn value(losses: &Losses, inputs: &Inputs) -> Tensor {
    let mut all = losses.of_pictures().chain(losses.of_judgement());
    let loss = all.next().unwrap();
    assert!(all.next().is_none());
    loss.value(inputs).unwrap()
}

/// A value and its gradient are PyTorch's.
fn check(golden: &Golden, name: &str, variable: &Tensor, loss: impl Fn(&Tensor) -> Tensor) {
    let variable = variable.detach().copy().set_requires_grad(true);
    let value = loss(&variable);
    let gradient = Tensor::run_backward(&[&value], &[&variable], true, false).remove(0);
    close(golden, name, &value, &gradient);
}

fn close(golden: &Golden, name: &str, value: &Tensor, gradient: &Tensor) {
    let value = difference(&value.detach().view(1), &golden.tensor(name));
    let gradient = difference(gradient, &golden.tensor(&format!("{name}_gradient")));
    println!("{name}: value {value:.1e}, gradient {gradient:.1e}");
    assert!(value < 1e-5 && gradient < 1e-5, "{name}: value {value:e}, gradient {gradient:e}");
}

/// The formula of losses.py.
fn fill(store: &Store) {
    let mixed = |k: u32| {
        let steps = [(16, 0x85eb_ca6b), (13, 0xc2b2_ae35)];
        let h = steps.into_iter().fold(k, |h, (shift, factor)| (h ^ (h >> shift)).wrapping_mul(factor));
        f64::from(h ^ (h >> 16)) / 4_294_967_296.0
    };
    for (name, mut values) in store.parameter_names().into_iter().zip(store.parameters()) {
        let (shape, count) = (values.size(), values.numel() as u32);
        let bound = if shape.len() > 1 { (6.0 * shape[0] as f64 / f64::from(count)).sqrt() } else { 0.1 };
        let one = if shape.len() == 1 && name.ends_with("weight") { 1.0 } else { 0.0 };
        let numbers: Vec<f32> = (0..count).map(|k| ((mixed(k) - 0.5) * 2.0 * bound + one) as f32).collect();
        tch::no_grad(|| values.copy_(&Tensor::from_slice(&numbers).view(&shape[..])));
    }
}

fn network() -> Discriminator {
    let network = Discriminator::new(&discriminator::Config { patch: 32, channels: 2 }, Device::Cpu).unwrap();
    fill(network.store());
    network
}

#[test]
fn losses_of_pictures_and_their_gradients_are_pytorchs() {
    let golden = Golden::read();
    let (sr, hr, ema) = (golden.tensor("sr"), golden.tensor("hr"), golden.tensor("ema"));
    let (features, network) = (Features::new(Net::Vgg19, Device::Cpu), network());
    fill(features.store());
    let judged = |pictures: &Tensor| {
        let (logits, features) = network.forward_with_features(pictures, true);
        Judged { logits, features }
    };
    let mut found = BTreeSet::from(["adversarial".to_owned()]);
    for (name, text) in PICTURES {
        let losses = losses(text);
        found.extend(losses.of_pictures().chain(losses.of_judgement()).map(|loss| loss.name().to_owned()));
        check(&golden, name, &sr, |sr| {
            let judgement = Judgement { fake: judged(sr), real: Some(tch::no_grad(|| judged(&hr))), ranks: None };
            let vgg = Perception::new(&features, Kind::Float, losses.features(), [sr, &hr]).unwrap();
            let inputs = Inputs { sr, hr: &hr, sr_average: Some(&ema), vgg: Some(&vgg), judgement: Some(&judgement) };
            value(&losses, &inputs)
        });
    }
    let keys = serde_json::to_value(Losses::default()).unwrap();
    let keys: BTreeSet<String> = keys.as_object().unwrap().keys().cloned().collect();
    assert_eq!(found, keys, "a loss without a golden: add it to losses.py, run that, and to the table above");
}

#[test]
fn adversarial_losses_and_their_gradients_are_pytorchs() {
    let golden = Golden::read();
    let (real, fake) = (golden.tensor("real"), golden.tensor("fake"));
    for (form, relative) in FORMS.into_iter().flat_map(|form| [(form, false), (form, true)]) {
        let text = format!("adversarial = {{ weight = 1.0, form = '{form}', relativistic_average = {relative} }}");
        let losses = losses(&text);
        let name = if relative { format!("{form}_relative") } else { form.to_owned() };
        let judged = |logits: &Tensor| Judged { logits: logits.shallow_clone(), features: vec![] };
        check(&golden, &format!("generator_{name}_fake"), &fake, |fake| {
            let judgement = Judgement { fake: judged(fake), real: Some(judged(&real)), ranks: None };
            value(&losses, &Inputs { judgement: Some(&judgement), ..Inputs::of_pictures(fake, &real) })
        });
        let config = losses.adversarial.unwrap();
        let of_real = |real: &Tensor| config.discriminator(real, &fake, None).value;
        check(&golden, &format!("discriminator_{name}_real"), &real, of_real);
        let of_fake = |fake: &Tensor| config.discriminator(&real, fake, None).value;
        check(&golden, &format!("discriminator_{name}_fake"), &fake, of_fake);
    }
}

#[test]
fn penalties_and_their_gradients_for_the_discriminator_are_pytorchs() {
    let golden = Golden::read();
    let (sr, hr, network) = (golden.tensor("sr"), golden.tensor("hr"), network());
    let shares = Tensor::from_slice(&[0.3f32, 0.8]).view([2, 1, 1, 1]);
    let judge = |pictures: &Tensor| network.forward(pictures, true);
    let penalty = gradient_penalty::Config { weight: 10.0 }.term(judge, &hr, &sr, &shares).unwrap();
    let hr = hr.set_requires_grad(true);
    let r1 = r1::Config { weight: 10.0, every: 1 }.term(&judge(&hr), &hr).unwrap();
    let names = network.store().parameter_names().into_iter().zip(network.store().parameters());
    let weights: Vec<Tensor> =
        names.filter(|(name, _)| name != "classifier.0.weight").map(|(_, weight)| weight).collect();
    for term in [penalty, r1] {
        let gradients = Tensor::run_backward(&[&term.value], &weights, true, false);
        let gradients = gradients.iter().zip(&weights).map(|(gradient, weight)| match gradient.defined() {
            true => gradient.flatten(0, -1),
            false => weight.zeros_like().flatten(0, -1),
        });
        close(&golden, term.name, &term.value, &Tensor::cat(&gradients.collect::<Vec<_>>(), 0));
    }
}

#[test]
fn the_ssim_loss_is_one_less_the_metric() {
    let (sr, hr) = (scene(61, 80, 1), scene(61, 80, 2));
    let tensor = |picture: &Rgb8| {
        let pixels = Tensor::from_slice(&picture.pixels).view([61, 80, 3]).permute([2, 0, 1]).unsqueeze(0);
        pixels.to_kind(Kind::Float) / 255.0
    };
    // Y that is not rounded.
    for (channel, protocol) in [("rgb", "rgb"), ("y", "basicsr-y-crop0")] {
        let protocol = Protocol::named(protocol, 4).unwrap();
        let metric = measure(&Versions { sr: &sr, hr: &hr, lr: None }, &protocol, &[Metric::named("ssim").unwrap()]);
        let metric = metric.unwrap()[0];
        let loss = losses(&format!("ssim = {{ weight = 1.0, channel = '{channel}' }}"));
        let loss = value(&loss, &Inputs::of_pictures(&tensor(&sr), &tensor(&hr))).double_value(&[]);
        println!("{channel}: {metric} and {loss}");
        assert!((1.0 - metric - loss).abs() < 1e-6, "{channel}: a metric of {metric}, a loss of {loss}");
    }
}

/// The small experiment with more in its adversarial phase.
fn train_with(scratch: &Scratch, losses: &str, discriminator: &str) -> crate::support::Finished {
    let form = "adversarial = { weight = 1e-3, form = \"non_saturating\" }";
    assert!(EXPERIMENT.contains(form) && EXPERIMENT.matches("clip = { value = 1.0 } }").count() == 1);
    let text = EXPERIMENT.replace(form, losses).replace("every = 6", "every = 2");
    let text = text.replace("clip = { value = 1.0 } }", &format!("clip = {{ value = 1.0 }}{discriminator} }}"));
    let text = text.replacen("\n[data]", "\nema.generator = { decay = 0.5 }\n\n[data]", 1);
    scratch.write("changed.toml", text);
    scratch.abbe("train changed.toml --out run --overwrite")
}

#[test]
fn a_run_with_every_loss_logs_each_and_repeats_itself() {
    let scratch = small_experiment();
    let others = r#"
style = { weight = 1.0, distance = "mse", layers = { conv2_1 = 1.0 }, imagenet_normalization = true }
histogram = { weight = 1e-2, bins = 32, bandwidth = 0.02 }
total_variation = { weight = 1e-4 }
frequency = { weight = 1e-2 }
focal_frequency = { weight = 1.0, alpha = 1.0 }
ssim = { weight = 1e-1, channel = "y" }
ldl = { weight = 1.0 }
feature_matching = { weight = 1e-2, distance = "l1" }
adversarial = { weight = 5e-3, form = "hinge", relativistic_average = true }
"#;
    let penalties = ", gradient_penalty = { weight = 10.0 }, r1 = { weight = 1.0, every = 2 }";
    let run = || {
        train_with(&scratch, others, penalties).ok();
        let log = std::fs::read_to_string(scratch.path("run/log.jsonl")).unwrap();
        let rows = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        rows.filter(|row| row["phase"] == "srgan").map(|row| row["terms"].clone()).collect::<Vec<_>>()
    };
    let rows = run();
    let losses = serde_json::to_value(Losses::default()).unwrap();
    for (step, row) in rows.iter().enumerate() {
        let mut expected: BTreeSet<&str> = losses.as_object().unwrap().keys().map(String::as_str).collect();
        expected.insert("total");
        // An update on every second step, R1 on every second update.
        expected.extend(["discriminator", "gradient_penalty"].into_iter().filter(|_| step % 2 == 0));
        expected.extend(["r1"].into_iter().filter(|_| step % 4 == 0));
        assert_eq!(
            row.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(),
            expected,
            "step {step}"
        );
    }
    assert_eq!(rows, run(), "another run with the same seed");
}

#[test]
fn contradictions_are_named() {
    let scratch = small_experiment();
    let adversarial = "adversarial = { weight = 1e-3, form = \"wasserstein\" }";
    let cases: [(&str, &str, &[&str]); 6] = [
        ("feature_matching = { weight = 1.0, distance = \"l1\" }", "", &["loss: feature_matching", "loss.adversarial"]),
        ("total_variation = { weight = 1.0 }", "", &["discriminator: the phase has no `loss.adversarial`"]),
        ("adversarial = { weight = 1e-3, form = \"relativistic\" }", "", &["relativistic", "wasserstein"]),
        (adversarial, ", gradient_penalty = { weight = 0.0 }", &["discriminator: gradient_penalty.weight", "above 0"]),
        (adversarial, ", r1 = { weight = inf, every = 1 }", &["discriminator: r1.weight", "inf"]),
        (adversarial, ", r1 = { weight = 10.0, every = 0 }", &["discriminator: r1.every", "1 to 1000000"]),
    ];
    for (losses, discriminator, parts) in cases {
        train_with(&scratch, losses, discriminator).fails_with(parts);
        assert!(!scratch.path("run").exists(), "a run was begun with {losses}{discriminator}");
    }
}
