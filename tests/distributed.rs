//! Ranks that PyTorch's launcher starts. Needs PyTorch, as `python.rs` does.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use abbe_torch::ProcessGroup;
use tch::{Device, Tensor};

use crate::support::{ABBE, EXPERIMENT, Scratch, program, small_experiment};

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

/// The small experiment with `keys`, its batch shared out to so many ranks; the folder of the run.
fn train_on(scratch: &Scratch, keys: &str, ranks: usize) -> String {
    let text = EXPERIMENT.replacen("\n[data]", &format!("{keys}\n[data]"), 1).replace("batch = 2", "batch = 4");
    // Adam divides by the gradient's own size, and so makes steps of what is nothing but rounding.
    let adam = "adam = { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8 }";
    let text = text.replace("norm = \"none\"", "norm = \"batch\"").replace(adam, "sgd = { lr = 1e-2, momentum = 0.9 }");
    let text = text.replace(&adam.replace("1e-3", "1e-4"), "sgd = { lr = 1e-3, momentum = 0.9 }");
    assert!(!text.contains("adam"));
    scratch.write("small.toml", text);
    let out = format!("on_{ranks}");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let start = |rank: usize| {
        let mut command = program(ABBE);
        command.args(["train", "small.toml", "--out", &out]).current_dir(scratch.path("")).env("TORCH_HOME", ".");
        if ranks > 1 {
            let variables = [("RANK", rank.to_string()), ("WORLD_SIZE", ranks.to_string())];
            command.envs(variables).env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", &port);
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let started: Vec<_> = (0..ranks).map(start).collect();
    for rank in started {
        let ended = rank.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    out
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
        let largest = one.iter().fold(1e-3f32, |most, value| most.max(value.abs())); // biases begin at 0
        f64::from(one.iter().zip(&two).fold(0f32, |most, (a, b)| most.max((a - b).abs())) / largest)
    });
    each.fold(0.0, f64::max)
}

#[test]
fn two_ranks_train_as_one_process_with_all_of_the_batch() {
    let scratch = small_experiment();
    let keys = "synchronised_batch_norm = true\nema = { generator = { decay = 0.9 } }\n";
    train_on(&scratch, keys, 1);
    train_on(&scratch, keys, 2);
    for name in ["srcnn_final", "warm-up_final", "srgan_final", "srgan_final_ema"] {
        let apart = apart(&scratch, name);
        println!("{name}: {apart:.1e}");
        assert!(apart < 1e-5, "{name} is {apart:e} from that of one process");
    }
    let rows = |run: &str| std::fs::read_to_string(scratch.path(&format!("{run}/log.jsonl"))).unwrap().lines().count();
    assert_eq!(rows("on_2"), rows("on_1"));
}

#[test]
fn what_ranks_need_is_said() {
    let scratch = small_experiment();
    let variables = [("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1")];
    scratch.abbe_with("train small.toml --out run", &variables).fails_with(&["MASTER_PORT"]);
    assert!(!scratch.path("run").exists());
}
