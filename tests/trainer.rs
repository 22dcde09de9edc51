//! The trainer's steps against those of a PyTorch script that does the same with the same weights and batches.

use abbe_checkpoint::StateDict;
use abbe_models::convert::to_checkpoint;
use abbe_models::vgg::Features;
use abbe_models::{Config, Network, Store};
use abbe_train::{At, Batch, Experiment, Networks, Numbers, Progress, Trainer};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::support::{Scratch, repository};

const STEPS: i64 = 10;

/// A generator with batch norm, SRGAN's discriminator and losses, a discriminator that is throttled, a bound on the norm.
const SRGAN: &str = r#"
ema = { generator = { decay = 0.9 } }
[networks]
generator = { srresnet = { scale = 4, blocks = 2, channels = 8, norm = "batch", input = "lr", bicubic_skip = false } }
[discriminator.srgan]
patch = 32
channels = 4
[[phase]]
clamp_output = true
clip = { norm = 0.5 }
discriminator = { every = 3, optimizer = { adam = { lr = 1e-4, betas = [0.9, 0.999], eps = 1e-8 } } }
loss.pixel = { weight = 7e-2, distance = "l1" }
loss.content = { weight = 1e-2, distance = "mse", layers = { relu2_1 = 1.0 }, imagenet_normalization = true }
loss.adversarial = { weight = 1e-3, form = "non_saturating" }
"#;

/// A small RRDB generator, ESRGAN's discriminator and relativistic losses.
const ESRGAN: &str = r#"
ema = { generator = { decay = 0.9 } }
[networks]
generator = { rrdbnet = { scale = 4, blocks = 1, channels = 8, growth = 4, unshuffle = 1, colors = 3, plus = false } }
[discriminator.vgg_style]
patch = 128
colors = 3
channels = 2
[[phase]]
clamp_output = false
discriminator = { every = 1, optimizer = { adam = { lr = 1e-4, betas = [0.9, 0.999], eps = 1e-8 } } }
loss.pixel = { weight = 1e-2, distance = "l1" }
loss.content = { weight = 1.0, distance = "l1", layers = { conv2_1 = 1.0 }, imagenet_normalization = true }
loss.adversarial = { weight = 5e-3, form = "non_saturating", relativistic_average = true }
"#;

/// What is the same in both.
fn experiment(text: &str, patch: i64) -> Experiment {
    let head = format!(
        r#"
name = "steps"
seed = 5
scale = 4
data.train = {{ hr = "a", lr = {{ bicubic = {{ border = "replicate" }} }}, conversion = "refuse" }}
data.test = {{ hr = "b", lr = {{ bicubic = {{ border = "replicate" }} }}, conversion = "refuse" }}
data.patch = {patch}
data.batch = 2
data.patches_per_picture = 1
data.augment = false
data.workers = 1
vgg = {{ net = "vgg11", weights = {{ random = {{ seed = 0 }} }} }}
"#
    );
    let phase = r#"[[phase]]
name = "gan"
network = "generator"
length = { steps = 10 }
optimizer = { adam = { lr = 1e-4, betas = [0.9, 0.999], eps = 1e-8 } }
schedule = "constant"
save_epochs = []
"#;
    Experiment::parse(&format!("{head}{}", text.replace("[[phase]]\n", phase))).unwrap()
}

fn save(scratch: &Scratch, name: &str, state: &StateDict) {
    abbe_checkpoint::save_state_dict(scratch.path(&format!("{name}.pth")), state, None).unwrap();
}

/// Writes a network for Python: its module and its weights.
fn hand_over(scratch: &Scratch, name: &str, config: &Config, store: &Store) {
    scratch.write(&format!("{name}.py"), config.python());
    save(scratch, name, &store.state_dict());
}

/// Noise for every step: `[STEPS, 2, 3, side, side]`.
fn noise(side: i64) -> Tensor {
    Tensor::rand([STEPS, 2, 3, side, side], (Kind::Float, Device::Cpu))
}

/// Ten steps here: what each computed.
fn train(trainer: &mut Trainer, [lr, hr]: &[Tensor; 2]) -> Vec<Numbers> {
    trainer.begin_phase(0).unwrap();
    let step = |step: i64| {
        let progress = Progress { step: step as u64, steps: STEPS as u64, scores: &[] };
        let batch = Batch::new(lr.get(step), hr.get(step));
        trainer.step(0, At { progress, number: step as u64 }, &batch).unwrap()
    };
    (0..STEPS).map(step).collect()
}

/// A batch norm takes away the bias before it, whose gradient is nothing but rounding: Adam makes steps of chance of it.
fn is_left_to_chance(name: &str) -> bool {
    let of_generator = [".conv1.bias", ".conv2.bias", "fuse.0.bias"].iter().any(|ending| name.ends_with(ending));
    name.ends_with(".running_mean") || of_generator || (name.starts_with("features.") && name.ends_with(".bias"))
}

/// The largest difference of a parameter after ten steps.
fn apart(scratch: &Scratch, name: &str, ours: &Store) -> f64 {
    let theirs = abbe_checkpoint::read(scratch.path(&format!("{name}_after.pth"))).unwrap();
    let theirs = abbe_checkpoint::state_dict_of(&theirs).unwrap();
    let names = ours.parameter_names().into_iter().zip(ours.parameters());
    let kept = names.filter(|(name, _)| !is_left_to_chance(name));
    let each = kept.map(|(name, parameter)| {
        let theirs = Tensor::from_slice(&theirs[&name].to_f32().unwrap()).view_as(&parameter);
        (parameter - theirs).abs().max().double_value(&[])
    });
    each.fold(0.0, f64::max)
}

fn agrees_with_pytorch(form: &str, text: &str, patch: i64) {
    let (scratch, experiment) = (Scratch::new(), experiment(text, patch));
    tch::manual_seed(1);
    let vgg = Features::new(abbe_models::vgg::Net::Vgg11, Device::Cpu);
    let of_vgg = abbe_models::vgg::Config { net: abbe_models::vgg::Net::Vgg11, classes: None };
    hand_over(&scratch, "vgg", &of_vgg.into(), vgg.store());
    let networks = Networks::new(&experiment, Device::Cpu).unwrap();
    let config = experiment.network("generator").unwrap();
    hand_over(&scratch, "generator", config, networks.trainees["generator"].model.store());
    let critic = networks.critic.as_ref().unwrap();
    hand_over(&scratch, "discriminator", &experiment.discriminator.unwrap().into(), critic.network.store());
    let batches = [noise(patch / 4), noise(patch)];
    let named = ["lr", "hr"].into_iter().zip(&batches).map(|(name, tensor)| (name.to_owned(), to_checkpoint(tensor)));
    save(&scratch, "batches", &named.collect());

    let mut trainer = Trainer::new(&experiment, networks, Some(vgg), Device::Cpu).unwrap();
    let ours = train(&mut trainer, &batches);
    let script = repository("tests/python/steps.py").canonicalize().unwrap();
    let run = format!("import runpy, sys; sys.argv = ['steps', '{form}']; runpy.run_path({script:?})");
    scratch.python(&run).ok();
    let theirs: Vec<Value> = serde_json::from_slice(&std::fs::read(scratch.path("losses.json")).unwrap()).unwrap();
    for (step, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let theirs = theirs.as_object().unwrap();
        assert_eq!(ours.raw.len(), theirs.len(), "step {step}");
        for (name, theirs) in theirs {
            let (ours, theirs) = (ours.raw[name].as_f64().unwrap(), theirs.as_f64().unwrap());
            assert!((ours - theirs).abs() <= 1e-4 * theirs.abs(), "{form}, step {step}, {name}: {ours} for {theirs}");
        }
    }
    let trainee = &trainer.networks.trainees["generator"];
    let average = trainee.ema.as_ref().unwrap().model();
    let critic = trainer.networks.critic.as_ref().unwrap();
    let stores =
        [("generator", trainee.model.store()), ("discriminator", critic.network.store()), ("average", average.store())];
    for (name, store) in stores {
        let apart = apart(&scratch, name, store);
        println!("{form}: {name} is at most {apart:.1e} from PyTorch's");
        assert!(apart < 1e-5, "{form}: {name} is {apart:e} from PyTorch's");
    }
}

#[test]
fn ten_steps_of_srgan_are_pytorchs() {
    agrees_with_pytorch("srgan", SRGAN, 32);
}

#[test]
fn ten_steps_of_esrgan_are_pytorchs() {
    agrees_with_pytorch("esrgan", ESRGAN, 128);
}
