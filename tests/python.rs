//! Files to and from PyTorch. Needs the PyTorch that `cargo xtask setup` installs.

use abbe_checkpoint::{StateDict, Tensor as Stored};
use abbe_models::{Config, build, discriminator, srcnn, srresnet};
use tch::{Device, Kind, Tensor};

use crate::support::{EXPERIMENT, Scratch, repository, small_experiment};

/// The networks as a PyTorch user writes them.
fn networks() -> String {
    std::fs::read_to_string(repository("tests/python/networks.py")).unwrap()
}

/// The code block of the README that begins with `import torch`.
fn readme_snippet() -> String {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let (_, after) = readme.split_once("```python\n").unwrap();
    after.split_once("```").unwrap().0.to_owned()
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
    let state = abbe_checkpoint::state_dict_of(&abbe_checkpoint::read(scratch.path(name)).unwrap()).unwrap();
    let shape: Vec<i64> = state["x"].shape().iter().map(|&side| side as i64).collect();
    Tensor::from_slice(&state["x"].to_f32().unwrap()).view(&shape[..])
}

fn assert_close(ours: &Tensor, theirs: &Tensor, what: &str) {
    let difference = (ours - theirs).abs().max().double_value(&[]) / theirs.abs().max().double_value(&[]);
    println!("{what}: {difference:.1e}");
    assert!(difference < 1e-5, "{what}: {difference:e}");
}

/// `state = torch.load(...)` strictly into `module`, which is run on x.pth; the result comes back in y.pth.
fn run_in_pytorch(scratch: &Scratch, file: &str, module: &str) -> Tensor {
    let code = format!(
        "{}\nmodule = {module}.eval()\n\
         module.load_state_dict(torch.load('{file}', weights_only=True), strict=True)\n\
         with torch.no_grad(): y = module(torch.load('x.pth', weights_only=True)['x'])\n\
         torch.save({{'x': y}}, 'y.pth')",
        networks()
    );
    scratch.python(&code).ok();
    load(scratch, "y.pth")
}

#[test]
fn our_checkpoints_load_strictly_into_plain_pytorch_and_compute_the_same() {
    let scratch = Scratch::new();
    tch::manual_seed(5);
    let cases = [
        (
            Config::Srcnn(srcnn::Config { scale: 4, kernels: [9, 1, 5], channels: [8, 4] }),
            "Srcnn([9, 1, 5], [8, 4], 4)",
        ),
        (srresnet_config(srresnet::Norm::None, srresnet::Input::Lr, true), "SrResNet(2, 8, norm=False, skip=True)"),
        (srresnet_config(srresnet::Norm::Batch, srresnet::Input::Lr, false), "SrResNet(2, 8)"),
        (srresnet_config(srresnet::Norm::Batch, srresnet::Input::Bicubic, false), "SrResNet(2, 8, bicubic_input=True)"),
    ];
    let lr = Tensor::rand([2, 3, 9, 14], (Kind::Float, Device::Cpu));
    save(&scratch, "x.pth", &lr);
    for (config, module) in cases {
        let model = build(&config, Device::Cpu).unwrap();
        let _ = model.forward(&lr, true); // moves batch norm's statistics and counts a batch
        abbe_checkpoint::save_state_dict(scratch.path("ours.pth"), &model.store().state_dict(), None).unwrap();
        let theirs = run_in_pytorch(&scratch, "ours.pth", module);
        assert_close(&tch::no_grad(|| model.forward(&lr, false)), &theirs, module);
    }
}

fn srresnet_config(norm: srresnet::Norm, input: srresnet::Input, bicubic_skip: bool) -> Config {
    Config::Srresnet(srresnet::Config { scale: 4, blocks: 2, channels: 8, norm, input, bicubic_skip })
}

#[test]
fn the_discriminator_travels_with_its_statistics() {
    let scratch = Scratch::new();
    tch::manual_seed(6);
    let network =
        discriminator::Discriminator::new(&discriminator::Config { patch: 32, channels: 4 }, Device::Cpu).unwrap();
    let hr = Tensor::rand([2, 3, 32, 32], (Kind::Float, Device::Cpu));
    save(&scratch, "x.pth", &hr);
    let _ = network.forward(&hr, true);
    abbe_checkpoint::save_state_dict(scratch.path("ours.pth"), &network.store().state_dict(), None).unwrap();
    let theirs = run_in_pytorch(&scratch, "ours.pth", "Discriminator(32, 4)");
    assert_close(&tch::no_grad(|| network.forward(&hr, false)), &theirs, "discriminator");
    let counted = scratch
        .python("import torch; print(torch.load('ours.pth', weights_only=True)['features.3.num_batches_tracked'])");
    assert_eq!(counted.ok().trim(), "tensor(1)");
}

#[test]
fn the_readmes_snippet_loads_what_training_wrote_and_python_sends_it_back() {
    let scratch = small_experiment();
    scratch.abbe("train small.toml --out runs/demo").ok();
    let code = readme_snippet();
    assert!(code.contains("runs/demo/checkpoints/srgan_final.pth"), "{code}");
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
    let (model, card) = abbe_models::open(&ours, None, Device::Cpu).unwrap();
    assert!(card.notices[0].contains("RANDOM"), "{card:?}");
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
    scratch.abbe("train cache.toml --out again").fails_with(&[file, "curl", "random"]);
}
