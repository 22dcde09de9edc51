//! Files to and from PyTorch. Needs PyTorch, and numpy beside it, which `cargo xtask test` installs.

use abbe_checkpoint::{StateDict, Tensor as Stored};
use abbe_models::{Choice, NETWORKS};
use tch::{Device, Kind, Tensor};

use crate::support::{EXPERIMENT, Scratch, repository, small_experiment};

/// The networks as a PyTorch user writes them.
fn networks() -> String {
    std::fs::read_to_string(repository("tests/python/networks.py")).unwrap()
}

/// The Python of the README: the network with its weights, then its optimiser.
fn readme_snippets() -> String {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let blocks = readme.split("```python\n").skip(1);
    blocks.map(|after| after.split_once("```").unwrap().0).collect()
}

fn stored(tensor: &Tensor) -> Stored {
    let shape: Vec<usize> = tensor.size().iter().map(|&side| side as usize).collect();
    Stored::from_f32(&shape, &Vec::<f32>::try_from(tensor.contiguous().view(-1)).unwrap())
}

fn save(scratch: &Scratch, name: &str, tensor: &Tensor) {
    let state = StateDict::from_iter([("x".to_owned(), stored(tensor))]);
    abbe_checkpoint::save_state_dict(scratch.path(name), &state, None).unwrap();
}

fn load(scratch: &Scratch, name: &str) -> Tensor {
    load_from(scratch, name, "x")
}

/// The tensor under a key of a file that Python saved.
pub fn load_from(scratch: &Scratch, name: &str, key: &str) -> Tensor {
    tensor(&load_all(scratch, name)[key])
}

/// Every tensor of a file that Python saved.
pub fn load_all(scratch: &Scratch, name: &str) -> StateDict {
    abbe_checkpoint::state_dict_of(&abbe_checkpoint::read(scratch.path(name)).unwrap()).unwrap()
}

/// A stored tensor of floating-point numbers.
pub fn tensor(stored: &Stored) -> Tensor {
    let shape: Vec<i64> = stored.shape().iter().map(|&side| side as i64).collect();
    Tensor::from_slice(&stored.to_f32().unwrap()).view(&shape[..])
}

/// The largest difference is below 1e-5 of the largest value.
pub fn assert_close(ours: &Tensor, theirs: &Tensor, what: &str) {
    let difference = (ours - theirs).abs().max().double_value(&[]) / theirs.abs().max().double_value(&[]);
    println!("{what}: {difference:.1e}");
    assert!(difference < 1e-5, "{what}: {difference:e}");
}

/// Each network's module as `abbe models NAME --python` prints it takes our file strictly, has its parameters in our order,
/// counts batches as ours does and computes the same.
#[test]
fn our_checkpoints_load_strictly_into_the_modules_that_we_print() {
    let scratch = Scratch::new();
    tch::manual_seed(5);
    let samples: Vec<_> = NETWORKS.iter().flat_map(|network| (network.samples)()).collect();
    let built: Vec<_> = samples.iter().map(|config| config.build(Device::Cpu).unwrap()).collect();
    let mut inputs = Vec::new();
    for ((config, built), i) in samples.iter().zip(&built).zip(0..) {
        let [channels, height, width] = config.input();
        let [height, width] = if config.scale().is_some() { [7, 10] } else { [height, width] };
        let x = Tensor::rand([2, channels, height, width], (Kind::Float, Device::Cpu));
        let _ = tch::no_grad(|| built.network().forward(&x, true)); // moves batch norm's statistics and counts a batch
        save(&scratch, &format!("x{i}.pth"), &x);
        let state = built.network().store().state_dict();
        abbe_checkpoint::save_state_dict(scratch.path(&format!("{i}.pth")), &state, None).unwrap();
        scratch.write(&format!("network{i}.py"), config.python());
        scratch.write(&format!("{i}.txt"), built.network().store().parameter_names().join("\n"));
        inputs.push(x);
    }
    let code = "
import torch
for i in range(COUNT):
    module = __import__(f'network{i}').model.eval()
    module.load_state_dict(torch.load(f'{i}.pth', weights_only=True), strict=True)
    names = [name for name, _ in module.named_parameters()] # an optimiser's state goes by their order
    assert names == open(f'{i}.txt').read().split(), names
    with torch.no_grad(): torch.save({'x': module(torch.load(f'x{i}.pth', weights_only=True)['x'])}, f'y{i}.pth')
";
    scratch
        .python(&format!("import sys; sys.path.insert(0, '.')\n{}", code.replace("COUNT", &samples.len().to_string())))
        .ok();
    for (((config, built), x), i) in samples.iter().zip(&built).zip(&inputs).zip(0..) {
        let ours = tch::no_grad(|| built.network().forward(x, false));
        assert_close(&ours, &load(&scratch, &format!("y{i}.pth")), &format!("{config:?}"));
    }
}

#[test]
fn the_readmes_snippets_load_what_training_wrote_and_python_sends_it_back() {
    let scratch = small_experiment();
    scratch.abbe("train small.toml --out runs/demo").ok();
    let code = readme_snippets();
    for file in ["srgan_final.pth", "srgan_final.state"] {
        assert!(code.contains(&format!("runs/demo/checkpoints/{file}")), "{code}");
    }
    let file = "runs/demo/checkpoints/srgan_final.pth";
    scratch.write("net.py", scratch.abbe(&format!("models {file} --python")).ok());
    let lr = Tensor::rand([1, 3, 20, 31], (Kind::Float, Device::Cpu));
    save(&scratch, "x.pth", &lr);
    let more = "
with torch.no_grad(): torch.save({'x': model(torch.load('x.pth', weights_only=True)['x'])}, 'y.pth')
torch.save(model.state_dict(), 'back.pth')
torch.save(model.state_dict(), 'old.pth', _use_new_zipfile_serialization=False)
torch.save({'params': model.half().state_dict()}, 'half.pth')
";
    scratch.python(&format!("{code}{more}")).ok();

    let ours = scratch.path("runs/demo/checkpoints/srgan_final.pth");
    let opened = abbe_models::open(&ours, &Choice::default(), Device::Cpu).unwrap();
    assert!(opened.notices[0].contains("RANDOM"), "{:?}", opened.notices);
    let model = opened.sr().unwrap();
    assert_close(&tch::no_grad(|| model.forward(&lr, false)), &load(&scratch, "y.pth"), "README");
    let table = |model: &str| {
        let like = "--like runs/demo/checkpoints/srgan_final.pth";
        let json = scratch.abbe(&format!("eval --model {model} {like} --hr test --json")).ok();
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["methods"][0]["mean"].clone()
    };
    let first = table("runs/demo/checkpoints/srgan_final.pth");
    assert_eq!(table("back.pth"), first);
    assert_eq!(table("old.pth"), first);
    let half = table("half.pth");
    let distance = half["psnr_y_crop4"].as_f64().unwrap() - first["psnr_y_crop4"].as_f64().unwrap();
    assert!(half != first && distance.abs() < 0.1, "{half} for {first}");
    scratch.abbe("eval --model back.pth --hr test").fails_with(&["back.pth", "--like"]);
    let other = "--like runs/demo/checkpoints/srcnn_final.pth";
    scratch.abbe(&format!("eval --model back.pth {other} --hr test")).fails_with(&["conv1.weight", "head.0.weight"]);
}

#[test]
fn training_takes_vgg_weights_from_a_legacy_torchvision_file() {
    let scratch = small_experiment();
    let code = format!(
        "{}\ntorch.manual_seed(0)\nstate = vgg11().state_dict()\n\
         state['classifier.0.weight'] = torch.zeros(2, 2)\n\
         import os; os.makedirs('hub/checkpoints')\n\
         torch.save(state, 'hub/checkpoints/vgg11-8a719046.pth', _use_new_zipfile_serialization=False)",
        networks()
    );
    scratch.python(&code).ok();
    let file = "hub/checkpoints/vgg11-8a719046.pth";
    let random = "weights = { random = { seed = 0 } }";
    scratch.write("file.toml", EXPERIMENT.replace(random, &format!("weights = {{ file = \"{file}\" }}")));
    let ended = scratch.abbe("train file.toml --out run");
    // Its name promises torchvision's bytes, which these are not; that is said, and the run goes on.
    assert!(ended.stderr.contains("8a719046"), "{}", ended.stderr);
    ended.ok();
    scratch.write("cache.toml", EXPERIMENT.replace(random, "weights = \"cache\""));
    scratch.abbe("train cache.toml --out cached").ok();
    for run in ["run", "cached"] {
        let manifest = std::fs::read_to_string(scratch.path(&format!("{run}/manifest.json"))).unwrap();
        assert!(manifest.contains(file) && !manifest.contains("RANDOM"), "{manifest}");
    }
    std::fs::remove_file(scratch.path(file)).unwrap();
    scratch.abbe("train cache.toml --out again").fails_with(&[file, "abbe fetch", "random"]);
}
