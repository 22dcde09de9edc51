//! `abbe export`: networks in ONNX Runtime, in PyTorch, and what is refused.

use abbe_checkpoint::StateDict;
use abbe_export::{Facts, Format, Precision, export};
use abbe_models::{
    Built, Card, Config, NETWORKS, SrModel, convert, dcgan_generator, edsr, patchgan_discriminator, save, srcnn,
};
use abbe_models::{rrdbnet, srresnet};
use tch::{Device, Kind, Tensor};

use crate::support::{Scratch, repository};

/// Batches and sizes, some smaller than the squares that networks work on, none but one a multiple of them.
const SHAPES: [[i64; 3]; 3] = [[1, 7, 5], [2, 1, 3], [1, 8, 16]];

/// The network with values of any kind: biases, slopes and the numbers of batch norm are away from 0 and 1.
fn network(config: &Config) -> Option<Box<dyn SrModel>> {
    let Built::Sr(model) = config.build(Device::Cpu).unwrap() else { return None };
    tch::no_grad(|| {
        for mut parameter in model.store().parameters().into_iter().filter(|parameter| parameter.dim() == 1) {
            let _ = parameter.uniform_(0.1, 0.6);
        }
        let _ = model.forward(&picture(&*model, [2, 7, 5]), true); // moves the statistics of batch norm
    });
    Some(model)
}

fn picture(model: &dyn SrModel, [n, h, w]: [i64; 3]) -> Tensor {
    Tensor::rand([n, model.colors(), h, w], (Kind::Float, Device::Cpu))
}

/// Writes pictures, and what the network makes of them.
fn write_cases(scratch: &Scratch, name: &str, model: &dyn SrModel) {
    let cases = SHAPES.iter().enumerate().flat_map(|(number, shape)| {
        let lr = picture(model, *shape);
        let sr = tch::no_grad(|| model.forward(&lr, false));
        [("lr", lr), ("sr", sr)].map(|(name, tensor)| (format!("{name}{number}"), convert::to_checkpoint(&tensor)))
    });
    abbe_checkpoint::save_state_dict(scratch.path(&format!("{name}.pth")), &cases.collect::<StateDict>(), None)
        .unwrap();
}

fn write_exports(scratch: &Scratch, name: &str, config: &Config, precision: Precision) {
    let Some(model) = network(config) else { return };
    write_cases(scratch, name, &*model);
    let facts = Facts::new(config, &*model, Vec::new(), precision);
    for (format, ending) in [(Format::Onnx, "onnx"), (Format::TorchScript, "pt")] {
        let exported = export(&*model, &facts, format).unwrap_or_else(|error| panic!("{config}: {error}"));
        scratch.write(&format!("{name}.{ending}"), exported.bytes);
    }
}

/// Whether ONNX and its runtime are here for Python; says that a test is skipped, where not.
fn has_onnx(scratch: &Scratch) -> bool {
    let code = "import importlib.util as u; print(all(map(u.find_spec, ['onnx', 'onnxruntime'])))";
    let is_there = scratch.python(code).ok().trim() == "True";
    if !is_there {
        println!("skipped: Python has no onnx and onnxruntime, which `cargo xtask test` installs");
    }
    is_there
}

#[test]
fn other_programs_compute_what_the_networks_do() {
    let scratch = Scratch::new();
    if !has_onnx(&scratch) {
        return;
    }
    let samples: Vec<_> = NETWORKS.iter().flat_map(|network| (network.samples)()).collect();
    for (number, config) in samples.iter().enumerate() {
        write_exports(&scratch, &format!("{}{number}", config.name()), config, Precision::Float32);
    }
    let small = srresnet::Config { blocks: 1, channels: 8, ..srresnet::Config::paper(2) };
    let squares = rrdbnet::Config { scale: 2, blocks: 1, channels: 8, growth: 4, unshuffle: 2, colors: 3, plus: false };
    for (number, config) in [small.into(), squares.into()].iter().enumerate() {
        write_exports(&scratch, &format!("half{number}"), config, Precision::Float16);
    }
    let script = std::fs::read_to_string(repository("tests/python/export.py")).unwrap();
    let printed = scratch.python(&format!("import sys; sys.argv[1:] = ['.']\n{script}")).ok();
    print!("{printed}");
    let networks = samples.iter().filter(|config| config.scale().is_some()).count() + 2;
    assert_eq!(printed.lines().count(), networks * 2 * SHAPES.len());
}

/// A network with random weights as Abbe writes it.
fn write_network(scratch: &Scratch, name: &str, config: impl Into<Config>) {
    let network: Config = config.into();
    let card = Card { network, notices: vec!["trained for a test".into()], sources: Vec::new() };
    scratch.write(name, []); // with the folders above it
    save(&scratch.path(name), network.build(Device::Cpu).unwrap().network(), &card).unwrap();
}

/// The README's Python for exported networks: ONNX, then TorchScript.
fn readme_snippets() -> [String; 2] {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let snippets: Vec<_> =
        readme.split("```py\n").skip(1).map(|after| after.split_once("```").unwrap().0.to_owned()).collect();
    snippets.try_into().unwrap()
}

#[test]
fn the_readmes_commands_write_what_its_python_loads() {
    let scratch = Scratch::new();
    let config = srresnet::Config { blocks: 1, channels: 8, ..srresnet::Config::paper(2) };
    write_network(&scratch, "runs/demo/checkpoints/srgan_final.pth", config);
    let told = scratch.abbe("export runs/demo/checkpoints/srgan_final.pth -o srgan.onnx");
    assert!(told.stderr.contains("notice: trained for a test"), "{}", told.stderr);
    let told = told.ok();
    for part in
        ["operator set 17", "[batch, 3, height, width]", "2*width", "it was not run", "\"blocks\":1", "trained for"]
    {
        assert!(told.contains(part), "`{part}` is not in:\n{told}");
    }
    let told = scratch.abbe("export runs/demo/checkpoints/srgan_final.pth -o srgan.pt").ok();
    assert!(told.contains("read back and run") && told.contains("abbe.json"), "{told}");
    let json = scratch.abbe("export runs/demo/checkpoints/srgan_final.pth -o half --to onnx --half --json").ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let bytes = |name: &str| std::fs::metadata(scratch.path(name)).unwrap().len();
    assert_eq!((&json["bytes"], &json["metadata"]["precision"]), (&bytes("half").into(), &"float16".into()));
    assert!(bytes("half") < bytes("srgan.onnx") * 6 / 10);
    if !has_onnx(&scratch) {
        return;
    }
    let [onnx, script] = readme_snippets();
    let code = format!(
        "import numpy, torch
lr = numpy.random.rand(1, 3, 9, 14).astype(numpy.float32)
{onnx}
theirs, lr = torch.from_numpy(sr), torch.from_numpy(lr)
{script}
assert sr.shape == (1, 3, 18, 28) and (sr - theirs).abs().max() < 1e-4
facts = session.get_modelmeta().custom_metadata_map
assert (facts['scale'], facts['colors'], facts['range']) == ('2', 'RGB', '[0.0,1.0]'), facts
# Without a device there is no place for a number of another one.
nowhere = torch.jit.load('srgan.pt', map_location='meta')
assert nowhere(lr.to('meta')).shape == sr.shape
assert network.double()(lr).dtype == torch.float32 and network(lr.double()).dtype == torch.float64
import sys; sys.path.insert(0, '.')
from net import model
model.load_state_dict(torch.jit.load('srgan.pt').state_dict(), strict=True)"
    );
    let printed = scratch.abbe("models runs/demo/checkpoints/srgan_final.pth --python").ok();
    scratch.write("net.py", printed);
    scratch.python(&code).ok();
}

#[test]
fn what_cannot_be_exported_is_refused_and_leaves_nothing() {
    let scratch = Scratch::new();
    let small = srcnn::Config { kernels: [3, 1, 3], channels: [3, 2], ..srcnn::Config::paper(2) };
    write_network(&scratch, "ours.pth", small);
    write_network(&scratch, "critic.pth", patchgan_discriminator::Config { colors: 3, channels: 4, layers: 1 });
    write_network(&scratch, "noise.pth", dcgan_generator::Config { latent: 3, channels: 1, colors: 3 });
    write_network(&scratch, "edsr.pth", edsr::Config { blocks: 1, channels: 4, ..edsr::Config::baseline(2) });
    scratch.abbe("export ours.pth -o script.pt").ok();
    let large = abbe_checkpoint::Tensor::from_f32(&[2], &[1e5, f32::NAN]);
    let state = |names: &[&str]| names.iter().map(|name| (name.to_string(), large.clone())).collect::<StateDict>();
    abbe_checkpoint::save_state_dict(scratch.path("other.pth"), &state(&["w", "x"]), None).unwrap();
    scratch.write("there.onnx", "mine");
    scratch.write("text.pth", "these are no weights");
    std::fs::create_dir(scratch.path("folder")).unwrap();
    let files = scratch.files(".");
    let cases: [(&str, &[&str]); 16] = [
        ("nowhere.pth -o a.onnx", &["nowhere.pth"]),
        ("text.pth -o a.onnx", &["text.pth", "not a checkpoint"]),
        ("other.pth -o a.onnx", &["other.pth", "no network that Abbe knows", "w, x"]),
        ("script.pt -o a.onnx", &["script.pt", "TorchScript", "torch.jit.load"]),
        ("critic.pth -o a.onnx", &["critic.pth", "patchgan_discriminator does not enlarge pictures"]),
        ("noise.pth -o a.pt", &["noise.pth", "dcgan_generator does not enlarge pictures"]),
        ("ours.pth -o a.pth", &["abbe convert ours.pth a.pth"]),
        ("ours.pth -o a.safetensors", &["abbe convert ours.pth a.safetensors"]),
        ("ours.pth -o a.engine", &["a.engine", ".onnx", ".pt", "--to"]),
        ("ours.pth -o a.onnx --to torchscript", &["a.onnx", "TorchScript", "--to"]),
        ("ours.pth -o a --to tflite", &["onnx or torchscript", "abbe convert"]),
        ("ours.pth -o ours.pth --to onnx --force", &["ours.pth", "overwritten"]),
        ("ours.pth -o there.onnx", &["there.onnx is there already", "--overwrite"]),
        ("ours.pth -o folder --to onnx --force", &["folder is a folder", "name a file"]),
        ("ours.pth -o text.pth/a.onnx", &["text.pth/a.onnx"]),
        ("edsr.pth -o a.onnx --scale 3", &["--scale 3", "enlarges 2 times"]),
    ];
    for (arguments, parts) in cases {
        scratch.abbe(&format!("export {arguments}")).fails_with(parts);
        assert_eq!(scratch.files("."), files, "{arguments}");
    }
    assert_eq!(std::fs::read(scratch.path("there.onnx")).unwrap(), b"mine");
    scratch.abbe("export ours.pth -o there.onnx --force").ok();
    assert!(std::fs::read(scratch.path("there.onnx")).unwrap().len() > 1000);
}
