//! What phases say of their steps: what is trained and what stays, how fast, and that parts of a batch are the whole.

use abbe_models::Store;
use abbe_train::{At, Batch, Experiment, Networks, Numbers, Progress, Trainer};
use tch::{Device, Kind, Tensor};

pub const SRCNN: &str = "srcnn = { scale = 2, kernels = [3, 1, 3], channels = [4, 4] }";
/// Plain gradient descent: its steps are as long as the gradient.
const SGD: &str = "{ sgd = { lr = 1.0, momentum = 0.0 } }";
const ADAM: &str = "{ adam = { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8 } }";

/// The text of an experiment with these keys at its top, this network and these phases, which say what differs from the usual.
pub fn text(top: &str, network: &str, phases: &[&str]) -> String {
    let lr = "lr = { bicubic = { border = \"replicate\" } }, conversion = \"refuse\"";
    let mut text = format!(
        "name = \"tiny\"\nseed = 3\nscale = 2\ndata.train = {{ hr = \"train\", {lr} }}\ndata.test = {{ hr = \"test\", {lr} }}
data.patch = 16\ndata.batch = 4\ndata.patches_per_picture = 4\ndata.augment = false\ndata.workers = 1
networks = {{ g = {{ {network} }} }}\n{top}\n"
    );
    for (index, phase) in phases.iter().enumerate() {
        let usual = [
            ("length", "{ steps = 100 }"),
            ("schedule", "\"constant\""),
            ("optimizer", ADAM),
            ("loss", "{ pixel = { weight = 1.0, distance = \"l1\" } }"),
        ];
        let left_out = usual.iter().filter(|(key, _)| !phase.lines().any(|line| line.starts_with(key)));
        let added: String = left_out.map(|(key, value)| format!("{key} = {value}\n")).collect();
        let head = "[[phase]]\nnetwork = \"g\"\nclamp_output = false\nsave_epochs = []\n";
        text += &format!("{head}name = \"p{index}\"\n{added}{phase}\n");
    }
    text
}

pub fn experiment(top: &str, network: &str, phases: &[&str]) -> Experiment {
    Experiment::parse(&text(top, network, phases)).unwrap()
}

/// A trainer that is ready for the first phase.
pub fn trainer(experiment: &Experiment) -> Trainer<'_> {
    let networks = Networks::new(experiment, Device::Cpu).unwrap();
    let mut trainer = Trainer::new(experiment, networks, None, Device::Cpu, None).unwrap();
    trainer.begin_phase(0).unwrap();
    trainer
}

pub fn step(trainer: &mut Trainer, phase: usize, step: u64, batch: &Batch) -> anyhow::Result<Numbers> {
    let progress = Progress { step, steps: 100, scores: &[] };
    trainer.step(phase, At { progress, number: step }, batch)
}

/// Noise, of which LR is the mean over 2x2 pixels.
pub fn batch() -> Batch {
    let hr = Tensor::rand([4, 3, 16, 16], (Kind::Float, Device::Cpu));
    Batch::new(hr.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None), hr)
}

pub fn generator<'a>(trainer: &'a Trainer) -> &'a Store {
    trainer.networks.trainees["g"].model.store()
}

pub fn discriminator<'a>(trainer: &'a Trainer) -> &'a Store {
    trainer.networks.critic.as_ref().unwrap().network.store()
}

/// Copies of a network's parameters.
fn parameters(store: &Store) -> Vec<Tensor> {
    store.parameters().iter().map(|tensor| tensor.detach().copy()).collect()
}

/// Copies of all that is saved of a network.
pub fn tensors(store: &Store) -> Vec<Tensor> {
    parameters(store).into_iter().chain(store.buffers().iter().map(Tensor::copy)).collect()
}

/// The largest difference between two lists of tensors.
fn apart(a: &[Tensor], b: &[Tensor]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs().max().double_value(&[])).fold(0.0, f64::max)
}

/// Gives one trainer the weights of another.
fn copy_weights(from: &Trainer, to: &Trainer) {
    generator(to).load_partial(&generator(from).state_dict()).unwrap();
    if from.networks.critic.is_some() {
        discriminator(to).load_partial(&discriminator(from).state_dict()).unwrap();
    }
}

#[test]
fn the_parts_of_a_batch_give_the_step_of_the_whole() {
    let against = |accumulate: usize| {
        let phase = format!(
            "accumulate = {accumulate}\noptimizer = {SGD}\ndiscriminator = {{ every = 1, optimizer = {SGD} }}
loss.pixel = {{ weight = 1.0, distance = \"mse\" }}\nloss.adversarial = {{ weight = 1.0, form = \"non_saturating\" }}"
        );
        experiment("discriminator = { unet = { colors = 3, channels = 2 } }", SRCNN, &[&phase])
    };
    let [whole, parts] = [1, 4].map(against);
    let [mut whole, mut parts] = [&whole, &parts].map(trainer);
    let batch = batch();
    // Spectral norm's vectors move a little each time that the network is asked, until they have found theirs.
    let critic = &whole.networks.critic.as_ref().unwrap().network;
    (0..300).for_each(|_| drop(tch::no_grad(|| critic.forward(&batch.hr, true))));
    copy_weights(&whole, &parts);
    let before = [generator(&whole), discriminator(&whole)].map(parameters);
    let [of_whole, of_parts] = [&mut whole, &mut parts].map(|trainer| step(trainer, 0, 0, &batch).unwrap());
    for (name, value) in &of_whole.raw {
        let (whole, parts) = (value.as_f64().unwrap(), of_parts.raw[name].as_f64().unwrap());
        assert!((whole - parts).abs() < 1e-5 * whole.abs(), "{name}: {whole} and {parts}");
    }
    let after = |trainer: &Trainer| [generator(trainer), discriminator(trainer)].map(parameters);
    for (name, ((before, whole), parts)) in
        ["generator", "discriminator"].iter().zip(before.iter().zip(after(&whole)).zip(after(&parts)))
    {
        let (moved, apart) = (apart(before, &whole), apart(&whole, &parts));
        assert!(moved > 1e-4 && apart < 1e-3 * moved, "{name} moved by {moved:e}, in parts {apart:e} from there");
    }
}

/// An adversarial phase whose discriminator is trained as `keys` say.
pub fn adversarial(keys: &str) -> String {
    let keys = if keys.is_empty() { String::new() } else { format!(", {keys}") };
    format!(
        "discriminator = {{ every = 1, optimizer = {ADAM}{keys} }}\nloss.pixel = {{ weight = 1.0, distance = \"l1\" }}
loss.adversarial = {{ weight = 1e-2, form = \"non_saturating\" }}"
    )
}

pub const SRGAN: &str = "discriminator = { srgan = { patch = 16, channels = 2 } }";
pub const BATCH_NORM: &str =
    "srresnet = { scale = 2, blocks = 1, channels = 4, norm = \"batch\", input = \"lr\", bicubic_skip = false }";

/// Whether a step changed the generator in any bit, its statistics too, and whether it changed the discriminator's weights.
fn moves(trainer: &mut Trainer, at: u64) -> (bool, bool) {
    let before = (tensors(generator(trainer)), parameters(discriminator(trainer)));
    step(trainer, 0, at, &batch()).unwrap();
    (before.0 != tensors(generator(trainer)), before.1 != parameters(discriminator(trainer)))
}

#[test]
fn who_is_trained_at_a_step_is_as_the_phase_says() {
    let phase = adversarial("pretrain = 2, generator_every = 3").replace("every = 1", "every = 2");
    let experiment = experiment(SRGAN, BATCH_NORM, &[&phase]);
    let mut trainer = trainer(&experiment);
    let moved: Vec<_> = (0..8).map(|at| moves(&mut trainer, at)).collect();
    // Alone at first; then the generator at 2, 5, and the discriminator at 2, 4, 6.
    let (generator, discriminator): (Vec<bool>, Vec<bool>) = moved.into_iter().unzip();
    assert_eq!(generator, [false, false, true, false, false, true, false, false]);
    assert_eq!(discriminator, [true, true, true, false, true, false, true, false]);
}

#[test]
fn a_discriminator_that_is_ahead_is_held_back() {
    for (when, is_held_back) in [
        ("{ accuracy = { below = 0.5 } }", None),
        ("{ loss = { above = 100.0, decay = 0.0 } }", Some(true)),
        ("{ loss = { above = 0.0, decay = 0.5 } }", Some(false)),
    ] {
        let experiment = experiment(SRGAN, SRCNN, &[&adversarial(&format!("when = {when}"))]);
        let mut trainer = trainer(&experiment);
        let before = parameters(discriminator(&trainer));
        let numbers = step(&mut trainer, 0, 0, &batch()).unwrap();
        let is_held_back = is_held_back.unwrap_or(numbers.health["right_discriminator"].as_f64().unwrap() >= 0.5);
        assert_eq!(numbers.health.contains_key("held_back_discriminator"), is_held_back, "{when}");
        assert_eq!(parameters(discriminator(&trainer)) == before, is_held_back, "{when}");
        assert!(numbers.raw.contains_key("discriminator") && numbers.discriminator.contains_key("real"));
    }
}

#[test]
fn what_is_frozen_stays_to_the_last_bit_whatever_it_was_before() {
    let phase = "optimizer = { adamw = { lr = 1e-2, betas = [0.9, 0.999], eps = 1e-8, weight_decay = 0.1 } }";
    let experiment = experiment("", SRCNN, &[phase, &format!("{phase}\nfreeze = [\"conv1.*\", \"*.bias\"]"), phase]);
    let mut trainer = trainer(&experiment);
    let names = generator(&trainer).parameter_names();
    for (phase, stays) in [(0, ["none", "none"]), (1, ["conv1.", ".bias"]), (2, ["none", "none"])] {
        trainer.begin_phase(phase).unwrap();
        let before = parameters(generator(&trainer));
        (0..3).for_each(|at| drop(step(&mut trainer, phase, at, &batch()).unwrap()));
        for ((name, before), after) in names.iter().zip(&before).zip(parameters(generator(&trainer))) {
            let is_frozen = stays.iter().any(|part| name.contains(part));
            assert_eq!(*before == after, is_frozen, "phase {phase}: {name}");
        }
    }
}

#[test]
fn a_group_may_be_frozen_as_a_whole() {
    for optimizer in [ADAM, SGD] {
        let phase = format!(
            "optimizer = {optimizer}\nfreeze = [\"conv1.*\"]\ngroups = [{{ names = [\"conv1.*\"], lr = 2.0 }}]"
        );
        let experiment = experiment("", SRCNN, &[&phase]);
        let mut trainer = trainer(&experiment);
        let before = parameters(generator(&trainer));
        step(&mut trainer, 0, 0, &batch()).unwrap();
        let after = parameters(generator(&trainer));
        for ((name, before), after) in generator(&trainer).parameter_names().iter().zip(&before).zip(&after) {
            assert_eq!(before == after, name.starts_with("conv1"), "{optimizer}: {name}");
        }
    }
}

#[test]
fn a_group_moves_by_its_factor() {
    let sgd = format!("optimizer = {SGD}");
    let slow =
        format!("{sgd}\ngroups = [{{ names = [\"conv2.*\"], lr = 0.125 }}, {{ names = [\"*.bias\"], lr = 2.0 }}]");
    let (plain, grouped) = (experiment("", SRCNN, &[&sgd]), experiment("", SRCNN, &[&slow]));
    let (mut plain, mut grouped) = (trainer(&plain), trainer(&grouped));
    copy_weights(&plain, &grouped);
    let before = parameters(generator(&plain));
    let batch = batch();
    for trainer in [&mut plain, &mut grouped] {
        step(trainer, 0, 0, &batch).unwrap();
    }
    let names = generator(&plain).parameter_names();
    let [plain, grouped] = [&plain, &grouped].map(|trainer| parameters(generator(trainer)));
    for (place, name) in names.iter().enumerate() {
        let factor = if name.starts_with("conv2") { 0.125 } else { 1.0 + f64::from(name.ends_with("bias")) };
        let expected = (&plain[place] - &before[place]) * factor;
        let apart = apart(&[&grouped[place] - &before[place]], &[expected.shallow_clone()]);
        assert!(apart < 1e-6, "{name}: {apart:e} from {factor} times the plain step");
    }
}

#[test]
fn patterns_that_match_nothing_are_refused_before_the_first_step() {
    for (keys, parts) in [
        ("freeze = [\"conv9.*\"]", ["phase `p1`: freeze", "`conv9.*` matches no parameter"]),
        ("groups = [{ names = [\"bias\"], lr = 0.5 }]", ["phase `p1`: groups", "`bias` matches no parameter"]),
        ("groups = [{ names = [\"*\"] }, { names = [\"conv1.*\"] }]", ["phase `p1`: groups: 1", "earlier groups"]),
        ("freeze = [\"*\"]", ["phase `p1`: freeze", "no parameter is left"]),
    ] {
        let experiment = experiment("", SRCNN, &["", keys]);
        let error = format!("{:#}", Networks::new(&experiment, Device::Cpu).err().unwrap());
        assert!(parts.iter().all(|part| error.contains(part)), "{keys}: {error}");
    }
}

#[test]
fn every_schedule_and_warm_up_is_the_rate_of_its_steps() {
    let half = 0.5f64.sqrt();
    let validation = "validation = { every = { steps = 1 }, metrics = [\"psnr\"], protocols = [\"rgb\"], best = \"psnr_rgb\", show = 0 }";
    for (keys, expected) in [
        ("warm_up = { steps = 4, from = 0.5, form = \"linear\" }", [0.5, 0.625, 0.75, 0.875, 1.0]),
        ("warm_up = { steps = 2, from = 0.0, form = \"cosine\" }", [0.0, 0.5, 1.0, 1.0, 1.0]),
        ("schedule = { linear = { to = 0.0 } }", [1.0, 0.75, 0.5, 0.25, 0.0]),
        // (1 + cos x) / 2 at a quarter, half and three quarters of pi.
        ("schedule = { cosine = { to = 0.0 } }", [1.0, (1.0 + half) / 2.0, 0.5, (1.0 - half) / 2.0, 0.0]),
        ("schedule = { restarts = { periods = [2, 98], weights = [1.0, 0.5], to = 0.0 } }", [1.0, 0.5, 0.5, 0.5, 0.5]),
        ("schedule = { multi_step = { at = [1, 3], factor = 0.5 } }", [1.0, 0.5, 0.5, 0.25, 0.25]),
        ("schedule = { plateau = { factor = 0.5, patience = 0, least = 2e-4 } }", [1.0, 1.0, 0.5, 0.25, 0.2]),
    ] {
        let experiment = experiment(validation, SRCNN, &[keys]);
        let (mut trainer, batch) = (trainer(&experiment), batch());
        for (at, expected) in (0..5).zip(expected) {
            let scores = &[30.0, 29.0, 28.0, 27.0][..at]; // only the first is a gain
            let progress = Progress { step: at as u64, steps: 4, scores };
            let found = trainer.step(0, At { progress, number: 0 }, &batch).unwrap().lr;
            let is_restart = keys.contains("periods") && at > 2; // a period of 98 steps falls slowly
            let near = if is_restart { 1e-3 } else { 1e-12 };
            assert!((found - 1e-3 * expected).abs() <= 1e-3 * near, "{keys}: {found} at step {at}");
        }
    }
}
