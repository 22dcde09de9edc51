//! Ranks that PyTorch's launcher starts. Needs PyTorch, as `python.rs` does.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use abbe_torch::{ProcessGroup, Reducer};
use abbe_train::loss::adversarial::{self, Form};
use abbe_train::loss::{Inputs, Judged, Judgement, Loss};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::resume::outcome;
use crate::support::{ABBE, EXPERIMENT, Finished, Scratch, program, small_experiment};

/// Under torchrun this test is each of the ranks; `TORCHELASTIC_RUN_ID` is what torchrun alone sets.
#[test]
fn torchrun_starts_ranks_that_find_each_other() {
    if std::env::var_os("TORCHELASTIC_RUN_ID").is_some() {
        let group = ProcessGroup::from_env(Device::Cpu, Duration::from_secs(120)).unwrap().unwrap();
        let sum = Tensor::from(group.rank() as i64 + 1);
        group.all_reduce_sum(std::slice::from_ref(&sum)).unwrap();
        println!("rank {} of {}: {}", group.rank(), group.size(), sum.int64_value(&[]));
        return;
    }
    let this = std::env::current_exe().unwrap();
    let name = "distributed::torchrun_starts_ranks_that_find_each_other";
    let code = format!(
        "from torch.distributed.run import main\n\
         main(['--standalone', '--nproc-per-node=2', '--no-python', {this:?}, '--exact', '{name}', '--nocapture'])"
    );
    let said = Scratch::new().python(&code).ok();
    // 1 + 2 = 3, on both.
    assert!(said.contains("rank 0 of 2: 3") && said.contains("rank 1 of 2: 3"), "{said}");
}

/// Starts `abbe train small.toml` with these arguments, as each of so many ranks.
fn start(scratch: &Scratch, arguments: &str, ranks: usize) -> Vec<Child> {
    let train = || {
        let mut command = program(ABBE);
        command.args(["train", "small.toml"]).args(arguments.split_whitespace()).current_dir(scratch.path(""));
        command.env("TORCH_HOME", ".");
        command
    };
    start_each(train, ranks)
}

/// Starts a command as each of so many ranks; as one process alone, without a word of ranks.
fn start_each(command: impl Fn() -> Command, ranks: usize) -> Vec<Child> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let start = |rank: usize| {
        let mut command = command();
        if ranks > 1 {
            let variables = [("RANK", rank.to_string()), ("WORLD_SIZE", ranks.to_string())];
            command.envs(variables).env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", &port);
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    (0..ranks).map(start).collect()
}

/// Waits for all ranks.
fn ended(ranks: Vec<Child>) -> Vec<Finished> {
    ranks.into_iter().map(|rank| rank.wait_with_output().unwrap().into()).collect()
}

fn train(scratch: &Scratch, arguments: &str, ranks: usize) {
    ended(start(scratch, arguments, ranks)).into_iter().for_each(|rank| drop(rank.ok()));
}

/// The small experiment with these keys, batch norm in its generator and some of its text replaced.
fn experiment(scratch: &Scratch, keys: &str, changes: &[(&str, &str)]) {
    let mut text = EXPERIMENT.replacen("\n[data]", &format!("{keys}\n[data]"), 1);
    for (from, to) in changes.iter().chain(&[("norm = \"none\"", "norm = \"batch\"")]) {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    scratch.write("small.toml", text);
}

fn rows(scratch: &Scratch, run: &str) -> Vec<Value> {
    let log = std::fs::read_to_string(scratch.path(&format!("{run}/log.jsonl"))).unwrap_or_default();
    log.split_inclusive('\n').filter_map(|line| serde_json::from_str(line).ok()).collect() // the last may be half-written
}

/// The largest difference of a tensor of a checkpoint, in relation to its largest value; statistics of batch norm and the
/// biases before one, whose gradient is nothing but rounding, are left aside.
fn apart(scratch: &Scratch, name: &str) -> f64 {
    let read = |run: &str| {
        let value = abbe_checkpoint::read(scratch.path(&format!("{run}/checkpoints/{name}.pth"))).unwrap();
        abbe_checkpoint::state_dict_of(&value).unwrap()
    };
    let (one, two) = (read("on_1"), read("on_2"));
    let chance = ["num_batches_tracked", ".conv1.bias", ".conv2.bias", "fuse.0.bias", "running_mean", "running_var"];
    let kept = one.iter().filter(|(name, _)| !chance.iter().any(|ending| name.ends_with(ending)));
    let each = kept.map(|(name, tensor)| {
        let [one, two] = [tensor, &two[name]].map(|tensor| tensor.to_f32().unwrap());
        // Biases begin at 0, and one activation that rounding puts on the other side of a kink moves them.
        let largest = one.iter().fold(1e-2f32, |most, value| most.max(value.abs()));
        f64::from(one.iter().zip(&two).fold(0f32, |most, (a, b)| most.max((a - b).abs())) / largest)
    });
    each.fold(0.0, f64::max)
}

/// What rows of two logs say under a key must agree: numbers by name.
fn agree(one: &Value, two: &Value, key: &str, within: f64) {
    let empty = serde_json::Map::new();
    let [of_one, of_two] = [one, two].map(|row| row[key].as_object().unwrap_or(&empty));
    assert!(of_one.keys().eq(of_two.keys()), "{key}: {one}\n{two}");
    for (name, value) in of_one {
        let (one, two) = (value.as_f64().unwrap(), of_two[name].as_f64().unwrap());
        assert!((one - two).abs() <= within * one.abs(), "{key}.{name}: {one} and {two}");
    }
}

/// Rows of pictures that have the logits `pictures w`; those of the second rank are unlike those of the first.
fn pictures(seed: f64) -> Tensor {
    let places = Tensor::arange(12, (Kind::Double, Device::Cpu));
    (&places * (1.0 + seed)).sin().view([4, 3]) + (&places * 0.3 - seed).view([4, 3])
}

/// What the generator (whose pictures are `fake`) or the discriminator pays for rows of pictures.
fn relative(form: Form, is_generator: bool, [real, fake]: &[Tensor; 2], ranks: Option<ProcessGroup>) -> Tensor {
    let config = adversarial::Config { weight: 1.0, form, relativistic_average: true };
    if !is_generator {
        return config.discriminator(real, fake, ranks.as_ref()).value;
    }
    let judged = |logits: Tensor| Judged { logits, features: Vec::new() };
    let judgement = Judgement { fake: judged(fake.shallow_clone()), real: Some(judged(real.detach())), ranks };
    config.value(&Inputs { judgement: Some(&judgement), ..Inputs::of_pictures(fake, real) }).unwrap()
}

/// As one of two ranks: weights w receive the gradient that they have in one process with the pictures of both.
fn relativistic_losses_as_a_rank(group: &ProcessGroup) {
    let forms = [Form::NonSaturating, Form::Saturating, Form::LeastSquares, Form::Hinge, Form::Wasserstein];
    let close = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]) < 1e-5 * b.abs().max().double_value(&[]);
    for (form, is_generator) in forms.into_iter().flat_map(|form| [(form, false), (form, true)]) {
        let w = || Tensor::from_slice(&[0.9f64, -0.4, 0.3]).set_requires_grad(true);
        let logits =
            |w: &Tensor, from: i64, rows: i64| [0.2, 0.7].map(|seed| pictures(seed).narrow(0, from, rows).mv(w));
        let whole = w();
        let loss = relative(form, is_generator, &logits(&whole, 0, 4), None);
        loss.backward();
        let of = |ranks: Option<ProcessGroup>| {
            let w = w();
            let own = relative(form, is_generator, &logits(&w, 2 * group.rank() as i64, 2), ranks);
            Reducer::new(group, &[w.shallow_clone()]).unwrap().backward(&own).unwrap();
            let mean = own.detach().copy();
            group.all_reduce_mean(std::slice::from_ref(&mean)).unwrap();
            close(&mean, &loss) && close(&w.grad(), &whole.grad())
        };
        assert!(of(Some(group.clone())), "{form:?}, generator: {is_generator}");
        assert_eq!(
            of(None),
            form == Form::Wasserstein,
            "{form:?}: with means of a rank's own, all but what is linear differs"
        );
    }
}

#[test]
fn relativistic_losses_of_two_ranks_are_those_of_one_process() {
    const RANK: &str = "ABBE_TEST_IS_A_RANK";
    if std::env::var_os(RANK).is_some() {
        let group = ProcessGroup::from_env(Device::Cpu, Duration::from_secs(120)).unwrap().unwrap();
        return relativistic_losses_as_a_rank(&group);
    }
    let this = std::env::current_exe().unwrap();
    let name = "distributed::relativistic_losses_of_two_ranks_are_those_of_one_process";
    let test = || {
        let mut command = program(this.to_str().unwrap());
        command.args(["--exact", name, "--nocapture"]).env(RANK, "1");
        command
    };
    ended(start_each(test, 2)).into_iter().for_each(|rank| assert!(rank.success, "{}", rank.stderr));
}

/// Batch norm over all ranks, a relativistic discriminator as ESRGAN's, a batch in parts, an average and a validation.
#[test]
fn two_ranks_train_as_one_process_with_all_of_the_batch() {
    let scratch = small_experiment();
    let keys = "synchronised_batch_norm = true\nema = { generator = { decay = 0.9 } }\n\
        validation = { every = { steps = 3 }, metrics = [\"psnr\"], protocols = [\"rgb\"], best = \"psnr_rgb\", show = 0 }\n";
    let adversarial = "adversarial = { weight = 1e-3, form = \"non_saturating\"";
    let unet = "[discriminator.unet]\ncolors = 3\nchannels = 4"; // batch norm magnifies rounding
    let changes = [
        ("batch = 2", "batch = 4"),
        ("clamp_output = false\nsave_epochs = [1]", "accumulate = 2\nclamp_output = false\nsave_epochs = [1]"),
        (adversarial, "adversarial = { weight = 1e-1, form = \"least_squares\", relativistic_average = true"),
        ("every = 6", "every = 1"),
        ("[discriminator.srgan]\npatch = 32\nchannels = 4", unet),
        ("length = { steps = 8 }", "length = { steps = 4 }"),
        // Where a slope jumps, at differences of 0 and at the bounds of a clamp, rounding decides on which side one is.
        ("distance = \"l1\"", "distance = \"mse\""),
        ("clamp_output = true", "clamp_output = false"),
        // Adam divides by the gradient's own size, and so makes steps of what is nothing but rounding.
        ("adam = { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8 }", "sgd = { lr = 1e-2, momentum = 0.9 }"),
        ("adam = { lr = 1e-4, betas = [0.9, 0.999], eps = 1e-8 }", "sgd = { lr = 1e-3, momentum = 0.9 }"),
    ];
    experiment(&scratch, keys, &changes);
    train(&scratch, "--out on_1", 1);
    train(&scratch, "--out on_2", 2);
    for name in ["srcnn_final", "warm-up_final", "srgan_final", "srgan_final_ema", "srgan_discriminator_final"] {
        let apart = apart(&scratch, name);
        println!("{name}: {apart:.1e}");
        assert!(apart < 1e-5, "{name} is {apart:e} from that of one process");
    }
    let (one, two) = (rows(&scratch, "on_1"), rows(&scratch, "on_2"));
    assert_eq!(one.len(), two.len());
    for (one, two) in one.iter().zip(&two) {
        agree(one, two, "raw", 1e-4);
        agree(one, two, "discriminator", 1e-4);
        agree(one, two, "validation", 1e-4);
    }
    assert!(two.iter().any(|row| row["validation"].get("psnr_rgb").is_some()));
}

/// Sends a signal, as torchrun does to all ranks on Ctrl-C.
fn signal(name: &str, rank: &Child) {
    Finished::of(Command::new("kill").args([name, &rank.id().to_string()])).ok();
}

/// Waits until the log of a run has so many rows of a phase.
fn wait_for(scratch: &Scratch, ranks: &mut [Child], phase: &str, count: usize) {
    while rows(scratch, "cut").iter().filter(|row| row["phase"] == phase).count() < count {
        assert!(ranks.iter_mut().all(|rank| rank.try_wait().unwrap().is_none()), "a rank ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What training depends on and only the first rank keeps: batch norm's statistics, by which SR is made at steps without a
/// generator and by the average that LDL compares with.
#[cfg(unix)]
#[test]
fn ranks_that_are_lost_or_stopped_go_on_to_the_last_bit() {
    let scratch = small_experiment();
    let keys = "ema = { generator = { decay = 0.9 } }\nresume = { every = { steps = 1 }, keep = 2 }\n";
    let changes = [
        ("length = { steps = 8 }", "length = { steps = 24 }"),
        ("every = 6", "every = 1, generator_every = 2"),
        ("adversarial = {", "ldl = { weight = 1.0 }\nadversarial = {"),
    ];
    experiment(&scratch, keys, &changes);
    train(&scratch, "--out whole", 2);

    let mut ranks = start(&scratch, "--out cut", 2);
    wait_for(&scratch, &mut ranks, "warm-up", 2);
    signal("-KILL", &ranks[1]);
    let [first, _] = ended(ranks).try_into().ok().unwrap();
    assert_eq!(first.status, Some(1));
    first.fails_with(&["rank 1 is lost"]);
    let manifest = std::fs::read_to_string(scratch.path("cut/manifest.json")).unwrap();
    assert!(manifest.contains("rank 1 is lost"), "{manifest}");

    let mut ranks = start(&scratch, "--out cut --resume", 2);
    wait_for(&scratch, &mut ranks, "srgan", 4);
    ranks.iter().for_each(|rank| signal("-INT", rank));
    for rank in ended(ranks) {
        assert_eq!(rank.status, Some(130), "{}", rank.stderr);
        rank.fails_with(&["stopped by Ctrl-C", "`--resume` goes on from here"]);
    }

    train(&scratch, "--out cut --resume", 2);
    let ((mut files, rows), (expected_files, expected_rows)) = (outcome(&scratch, "cut"), outcome(&scratch, "whole"));
    for (row, expected) in rows.iter().zip(&expected_rows) {
        assert_eq!(row, expected);
    }
    assert_eq!(rows.len(), expected_rows.len());
    files.retain(|name, _| !name.contains("interrupted"));
    assert!(files.keys().eq(expected_files.keys()), "{:?}", files.keys());
    for (name, bytes) in &files {
        assert!(*bytes == expected_files[name], "{name} differs");
    }
}

#[test]
fn what_ranks_need_is_said() {
    let scratch = small_experiment();
    let variables = [("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1")];
    scratch.abbe_with("train small.toml --out run", &variables).fails_with(&["MASTER_PORT"]);
    assert!(!scratch.path("run").exists());
}
