//! `abbe inspect` and `abbe convert`, with files of Abbe's and of PyTorch's.

use abbe_models::{Card, Config, save, srcnn};
use serde_json::{Value, json};
use tch::Device;

use crate::support::{Finished, Scratch};

const NOTICE: &str = "trained against a test";

/// A small SRCNN for luma, x3, with random weights.
fn write_srcnn(scratch: &Scratch, name: &str, seed: i64) {
    tch::manual_seed(seed);
    let config = Config::from(srcnn::Config { scale: 3, kernels: [5, 3, 1], channels: [6, 5], colors: 1 });
    let card = Card { network: config, notices: vec![NOTICE.into()], sources: Vec::new() };
    save(&scratch.path(name), config.build(Device::Cpu).unwrap().network(), &card).unwrap();
}

fn json_of(finished: Finished) -> Value {
    serde_json::from_str(&finished.ok()).unwrap()
}

fn is_equal(scratch: &Scratch, files: &str) -> bool {
    json_of(scratch.abbe(&format!("inspect {files} --json")))["equal"] == true
}

#[test]
fn inspect_tells_what_a_file_is() {
    let scratch = Scratch::new();
    write_srcnn(&scratch, "ours.pth", 1);
    let text = scratch.abbe("inspect ours.pth --stats").ok();
    let digest = abbe_checkpoint::sha256(scratch.path("ours.pth")).unwrap();
    let config = "srcnn: scale 3, kernels [5,3,1], channels [6,5], colors 1";
    for part in ["zip", &digest, config, "yjn870", NOTICE, "conv2.weight", "[5, 6, 3, 3]", "6 tensors, 437"] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    let json = json_of(scratch.abbe("inspect ours.pth --json"));
    assert_eq!((&json["container"], &json["sha256"], &json["refused"]), (&json!("zip"), &json!(digest), &json!(null)));
    assert_eq!(json["network"]["config"]["srcnn"]["scale"], 3);
    // 6*25 + 6 + 5*6*9 + 5 + 5 + 1 numbers.
    assert_eq!((&json["numbers"], &json["tensors"][0]["shape"]), (&json!(437), &json!([6, 1, 5, 5])));
}

/// Files as Python leaves them: two averages, a training checkpoint, names that a terminal would obey, and one that runs a
/// command in Python.
const FOREIGN: &str = r#"
import os, torch
class Evil:
    def __reduce__(self): return os.system, ('touch PWNED',)
torch.manual_seed(0)
shapes = {'conv1': (6, 1, 5, 5), 'conv2': (5, 6, 3, 3), 'conv3': (1, 5, 1, 1)}
names = [(f'{name}.{kind}', shape if kind == 'weight' else shape[:1]) for name, shape in shapes.items() for kind in ['weight', 'bias']]
def srcnn(): return {name: torch.randn(shape) for name, shape in names}
torch.save({'params': srcnn(), 'params_ema': srcnn()}, 'two.pth')
torch.save({'epoch': 7, 'state_dict': {'module.' + k: v for k, v in srcnn().items()}, 'lr': [1e-4, float('nan')],
            'optimizer': {'state': {0: {'step': torch.tensor(3.0)}}, 'long': 'x' * 1000}}, 'training.pth')
torch.save({'red\x1b[31m': torch.tensor([1.0, float('inf'), 3.0, 8.0])}, 'odd.pth')
torch.save({'state_dict': srcnn(), 'args': Evil()}, 'evil.pth')
torch.save({'w': torch.tensor([1.0, 7e4]), 'n': torch.tensor(5)}, 'large.pth')
"#;

#[test]
fn inspect_tells_what_other_projects_files_hold_and_runs_nothing() {
    let scratch = Scratch::new();
    scratch.python(FOREIGN).ok();
    let two = scratch.abbe("inspect two.pth").ok();
    for part in ["params, params_ema", "under params_ema", "--scale", "params.conv1.weight"] {
        assert!(two.contains(part), "`{part}` is not in:\n{two}");
    }
    let training = scratch.abbe("inspect training.pth --scale 2").ok();
    for part in ["srcnn: scale 2", "after module.", "under state_dict", "epoch", "optimizer.state.0.step", "xxx..."] {
        assert!(training.contains(part), "`{part}` is not in:\n{training}");
    }
    let odd = scratch.abbe("inspect odd.pth --stats").ok();
    // Of 1, 3 and 8 the mean is 4; one number of four is infinite.
    for part in ["red\\u{1b}[31m", "4.000e0", "1 tensor holds numbers that are not finite: red", "no network"] {
        assert!(odd.contains(part), "`{part}` is not in:\n{odd}");
    }
    let evil = scratch.abbe("inspect evil.pth");
    for part in ["zip", "sha256", "posix.system", "state_dict.conv1.weight"] {
        assert!(evil.stdout.contains(part), "`{part}` is not in:\n{}", evil.stdout);
    }
    evil.fails_with(&["evil.pth", "posix.system"]);
    let evil = scratch.abbe("inspect evil.pth --json");
    assert_eq!((evil.status, evil.stderr.contains("posix")), (Some(1), true));
    assert_eq!(serde_json::from_str::<Value>(&evil.stdout).unwrap()["opaque"], json!(["posix.system"]));
    scratch.abbe("convert evil.pth good.pth").fails_with(&["evil.pth", "posix.system"]);
    assert!(!scratch.path("PWNED").exists() && !scratch.path("good.pth").exists());

    let pair = scratch.abbe("inspect two.pth two.pth --key params --other-key params_ema").ok();
    assert!(pair.contains("largest difference") && pair.contains("different: 0 tensors equal"), "{pair}");
    assert!(is_equal(&scratch, "two.pth two.pth") && !is_equal(&scratch, "two.pth odd.pth"));
    let odd = scratch.abbe("inspect two.pth odd.pth").ok();
    assert!(odd.contains("only in the first: conv1.bias") && odd.contains("red\\u{1b}"), "{odd}");
}

#[test]
fn convert_writes_what_python_and_abbe_read() {
    let scratch = Scratch::new();
    scratch.python(FOREIGN).ok();
    write_srcnn(&scratch, "ours.pth", 1);
    write_srcnn(&scratch, "theirs.pth", 2);
    for conversion in [
        "ours.pth legacy.pth --to legacy",
        "legacy.pth middle.safetensors --scale 3",
        "middle.safetensors back.pth",
        "ours.pth half.safetensors --half",
        "half.safetensors float.pth --float",
        "ours.pth bf16.pth --bf16 --wrap params_ema",
        "ours.pth named.pth --layout lornatang",
        "named.pth again.pth --layout yjn870",
        "ours.pth mixed.pth --mix theirs.pth --alpha 0.25",
        "two.pth plain.pth --key params --scale 4",
        "training.pth stripped.pth --scale 4",
        "odd.pth odd.safetensors",
    ] {
        scratch.abbe(&format!("convert {conversion}")).ok();
    }
    for same in ["ours.pth legacy.pth", "ours.pth middle.safetensors", "ours.pth back.pth", "ours.pth again.pth"] {
        assert!(is_equal(&scratch, same), "{same}");
    }
    let network = |file: &str| json_of(scratch.abbe(&format!("inspect {file} --json")))["network"].clone();
    for file in ["back.pth", "half.safetensors", "bf16.pth", "mixed.pth"] {
        assert_eq!(network(file)["config"], network("ours.pth")["config"], "{file}");
    }
    assert_eq!(network("named.pth")["layout"], "lornatang");
    let mixed = scratch.abbe("inspect mixed.pth").ok();
    for part in [NOTICE, "0.75 of ours.pth", "0.25 of theirs.pth"] {
        assert!(mixed.contains(part), "`{part}` is not in:\n{mixed}");
    }
    let check = "
import torch
from safetensors.torch import load_file
load = lambda name: torch.load(name, weights_only=True)
ours = load('ours.pth')
def same(other, convert=lambda t: t): assert list(other) == list(ours) and all(torch.equal(convert(ours[k]), other[k]) for k in ours)
same(load('legacy.pth')); same(load('back.pth'))
middle = load_file('middle.safetensors'); same({k: middle[k] for k in ours})
half = load_file('half.safetensors'); same({k: half[k] for k in ours}, lambda t: t.half())
same(load('float.pth'), lambda t: t.half().float())
assert list(load('bf16.pth')) == ['params_ema']
same(load('bf16.pth')['params_ema'], lambda t: t.bfloat16())
assert list(load('named.pth'))[2:] == ['map.0.weight', 'map.0.bias', 'reconstruction.weight', 'reconstruction.bias']
theirs, mixed = load('theirs.pth'), load('mixed.pth')
assert all(torch.allclose(0.75 * ours[k] + 0.25 * theirs[k], mixed[k], rtol=0, atol=1e-7) for k in ours)
two, plain = load('two.pth')['params'], load('plain.pth')
assert all(torch.equal(two[k], plain[k]) for k in two)
assert list(load('stripped.pth')) == list(ours)
";
    scratch.python(check).ok();
}

#[test]
fn convert_says_what_it_leaves_out_and_what_it_costs() {
    let scratch = Scratch::new();
    scratch.python(FOREIGN).ok();
    write_srcnn(&scratch, "ours.pth", 1);
    let says = |conversion: &str, parts: &[&str]| {
        let ended = scratch.abbe(&format!("convert {conversion} --overwrite"));
        for part in parts {
            assert!(ended.stderr.contains(part), "`{part}` is not in:\n{}", ended.stderr);
        }
        ended.ok();
    };
    says("two.pth out.pth --scale 2", &["params_ema", "also has params"]);
    says("training.pth out.pth --scale 2", &["`module.`", "left out: epoch, lr, optimizer"]);
    scratch.abbe("convert ours.pth new.pth --scale 2").fails_with(&["--scale 2", "3 times"]);
    says("two.pth out.pth", &["without saying", "--scale"]);
    says("ours.pth out.pth --half", &["6 tensors", "float16", "of 437 numbers were rounded"]);
    says("out.pth back.pth --float", &["float32, without a change"]);
    says("ours.pth out.pth --to legacy", &["no place"]);
    scratch.abbe("convert ours.pth out.onnx").fails_with(&["out.onnx", ".safetensors", "--to"]);
    scratch.abbe("convert ours.pth out.pth --overwrite --wrap a.b").fails_with(&["--wrap", "without dots"]);
    says("ours.pth out.safetensors --to zip", &["ends in .safetensors"]);
    says("odd.pth out.pth", &["1 tensor holds numbers that are not finite: red"]);
    says("large.pth out.pth --bf16", &["1 tensor ", "bfloat16"]);
}

#[test]
fn the_printed_module_says_what_to_do_for_files_in_other_names() {
    let scratch = Scratch::new();
    write_srcnn(&scratch, "ours.pth", 1);
    scratch.abbe("convert ours.pth theirs.pth --layout lornatang --wrap params_ema").ok();
    let printed = scratch.abbe("models theirs.pth --scale 3 --python");
    for part in ["layout lornatang, under `params_ema`", "abbe convert theirs.pth out.pth --layout yjn870"] {
        assert!(printed.stderr.contains(part) && printed.stdout.contains(part), "`{part}`: {}", printed.stderr);
    }
    scratch.write("net.py", printed.ok());
    scratch.abbe("convert theirs.pth out.pth --layout yjn870").ok();
    let load = "
import sys; sys.path.insert(0, '.')
import torch
from net import model
model.load_state_dict(torch.load('out.pth', weights_only=True))
";
    scratch.python(load).ok();
    let own = scratch.abbe("models ours.pth --python");
    assert!(own.stderr.is_empty() && !own.stdout.starts_with('#'), "{}", own.stderr);
}

#[test]
fn files_of_one_network_are_compared_and_mixed_in_the_same_names() {
    let scratch = Scratch::new();
    scratch.python(FOREIGN).ok();
    write_srcnn(&scratch, "ours.pth", 1);
    scratch.abbe("convert ours.pth theirs.pth --layout lornatang").ok();
    let pair = scratch.abbe("inspect theirs.pth ours.pth").ok();
    assert!(
        pair.contains("equal: bit for bit, 6 tensors") && pair.contains("compared in Abbe's names of srcnn"),
        "{pair}"
    );
    let pair = scratch.abbe("inspect training.pth two.pth").ok();
    assert!(
        pair.contains("`module.` in the first") && pair.contains("0 tensors equal, 6 tensors with other"),
        "{pair}"
    );
    scratch.abbe("convert theirs.pth mixed.pth --mix ours.pth --alpha 0.5").ok();
    assert!(is_equal(&scratch, "mixed.pth theirs.pth"));
    assert_eq!(json_of(scratch.abbe("inspect mixed.pth --json"))["network"]["layout"], "lornatang");
    scratch.abbe("convert ours.pth half.pth --half").ok();
    let mixed = scratch.abbe("convert ours.pth no.pth --mix half.pth --alpha 0.5");
    mixed.fails_with(&["types differ: float32 and float16", "--half"]);
    let mixed = scratch.abbe("convert two.pth no.pth --mix odd.pth --alpha 0.5");
    assert!(mixed.stderr.lines().count() <= 5, "{}", mixed.stderr);
    mixed.fails_with(&["6 names only in the first: conv1.weight", "1 names only in the second: red\\u{1b}"]);
}

#[test]
fn a_key_chooses_one_of_the_networks_that_share_a_state_dict() {
    let scratch = Scratch::new();
    scratch.python(FOREIGN).ok();
    let together = "
import torch
srcnn = torch.load('two.pth', weights_only=True)['params']
both = {**{'netG.' + k: v for k, v in srcnn.items()}, 'netD.w': torch.zeros(1)}
torch.save({'epoch': 1, 'state_dict': both}, 'lightning.ckpt')
";
    scratch.python(together).ok();
    let whole = scratch.abbe("inspect lightning.ckpt").ok();
    assert!(whole.contains("start with netG. and netD.: choose one with --key netG"), "{whole}");
    scratch.abbe("convert lightning.ckpt out.pth --key netG --scale 2").ok();
    scratch.abbe("convert two.pth plain.pth --key params --scale 2").ok();
    assert!(is_equal(&scratch, "out.pth plain.pth"));
}
