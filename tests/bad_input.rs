//! What a user can get wrong: each ends with a message that names the file or key and what to do, and with status not 0.

use crate::support::{EXPERIMENT, Scratch, scene, small_experiment};

/// Trains the small experiment with one text replaced by another.
fn train_with(scratch: &Scratch, from: &str, to: &str) -> crate::support::Finished {
    assert!(EXPERIMENT.contains(from), "{from}");
    scratch.write("changed.toml", EXPERIMENT.replacen(from, to, 1));
    scratch.abbe("train changed.toml --out run")
}

#[test]
fn experiments() {
    let scratch = small_experiment();
    scratch.abbe("train nowhere.toml").fails_with(&["nowhere.toml"]);
    let cases: [(&str, &str, &[&str]); 24] = [
        ("scale = 4\n", "scale = 4\npublished = \"set6\"\n", &["published", "`set6`", "bsd100"]),
        ("scale = 4\n", "scale = 4\npublished = \"set5\"\n", &["published", "Set5 has 5 pictures", "2 were judged"]),
        ("batch = 2", "bach = 2", &["changed.toml", "bach", "batch"]),
        ("batch = 2", "batch = \"two\"", &["changed.toml", "batch", "two"]),
        ("batch = 2", "batch = 0", &["changed.toml", "data.batch", "expected 1 to 1000000", "0"]),
        ("patch = 32", "patch = 30", &["data.patch", "multiple of the scale 4", "30"]),
        ("pixel = { weight = 1.0", "pixel = { weight = -1.0", &["phase 1 (`srcnn`)", "pixel.weight", "-1"]),
        ("relu2_1 = 1.0", "relu9_9 = 1.0", &["phase 2 (`warm-up`)", "content.layers", "relu9_9", "relu5_2"]),
        ("scale = 4, kernels", "scale = 2, kernels", &["networks.baseline", "scale"]),
        ("channels = [16, 8] }", "channels = [16, 8], colors = 1 }", &["networks.baseline: colors", "RGB"]),
        ("blocks = 4", "blocks = 0", &["networks.generator", "srresnet.blocks", "0"]),
        ("network = \"baseline\"", "network = \"base\"", &["network", "`base`", "baseline, generator"]),
        ("every = 6", "every = 0", &["discriminator: every", "at least 1"]),
        ("form = \"non_saturating\"", "form = \"sharp\"", &["sharp", "non_saturating", "hinge"]),
        ("name = \"warm-up\"", "name = \"srcnn\"", &["phase 2", "srcnn"]),
        (
            "weights = { random = { seed = 0 } }",
            "weights = { file = \"vgg.pth\" }",
            &["vgg.pth", "abbe fetch vgg11", "random"],
        ),
        ("batch = 2", "batch = 1000000000", &["data.batch", "1000000000"]),
        ("batch = 2", "batch = 500000", &["data.batch", "GiB"]),
        ("length = { epochs = 2 }", "length = { steps = 0 }", &["phase 1 (`srcnn`)", "length"]),
        ("save_epochs = [1]", "save_epochs = [3]", &["srcnn", "save_epochs", "3 never comes"]),
        ("network = \"baseline\"", "network = \"generator\"", &["networks.baseline", "no phase trains it"]),
        ("to = 1e-4", "to = nan", &["schedule.cosine.to", "NaN"]),
        ("srgan]\npatch = 32", "srgan]\npatch = 64", &["discriminator.srgan.patch", "32", "64"]),
        ("[discriminator.srgan]", "[discriminator.srcnn]", &["srcnn", "srgan", "unet", "patchgan"]),
    ];
    for (from, to, parts) in cases {
        train_with(&scratch, from, to).fails_with(parts);
        assert!(!scratch.path("run").exists(), "a run was begun with {to}");
    }
}

#[test]
fn pictures() {
    let scratch = small_experiment();
    train_with(&scratch, "hr = \"train\"", "hr = \"nowhere\"").fails_with(&["data.train", "nowhere"]);
    std::fs::create_dir(scratch.path("empty")).unwrap();
    train_with(&scratch, "hr = \"train\"", "hr = \"empty\"").fails_with(&["data.train", "empty"]);
    train_with(&scratch, "hr = \"train\"", "hr = \"test\"").fails_with(&["scene2", "also a training picture"]);

    scratch.picture("slim/slim.png", &scene(18, 60, 1));
    train_with(&scratch, "hr = \"test\"", "hr = \"slim\"").fails_with(&["data.test", "slim", "16x60", "19x19"]);
    scratch.picture("small/tiny.png", &scene(20, 60, 1));
    train_with(&scratch, "hr = \"train\"", "hr = \"small\"").fails_with(&["tiny", "20", "32"]);
    scratch.write("broken/torn.png", &std::fs::read(scratch.path("train/scene0.png")).unwrap()[..200]);
    train_with(&scratch, "hr = \"train\"", "hr = \"broken\"").fails_with(&["broken/torn.png"]);
    for (name, file) in NOT_RGB8 {
        scratch.write(&format!("odd/{name}"), file);
        train_with(&scratch, "hr = \"train\"", "hr = \"odd\"").fails_with(&[name, "conversion"]);
        scratch.abbe(&format!("upscale odd/{name} -o out.png --model bicubic --overwrite")).ok();
        std::fs::remove_file(scratch.path(&format!("odd/{name}"))).unwrap();
    }

    scratch.picture("lr/scene0.png", &scene(24, 32, 0));
    scratch.picture("lr/scene1.png", &scene(24, 31, 1));
    let pair = "lr = { folder = \"lr\" }";
    train_with(&scratch, "lr = { bicubic = { border = \"replicate\" } }", pair)
        .fails_with(&["scene1", "(24, 31)", "(24, 32)"]);
    std::fs::remove_file(scratch.path("lr/scene1.png")).unwrap();
    train_with(&scratch, "lr = { bicubic = { border = \"replicate\" } }", pair).fails_with(&["scene1", "lr"]);
    assert!(!scratch.path("run").exists());
}

/// One pixel of grey, of RGB with alpha, and of 16-bit RGB, as PNG files.
const NOT_RGB8: [(&str, &[u8]); 3] = [
    ("grey.png", include_bytes!("pictures/grey.png")),
    ("alpha.png", include_bytes!("pictures/alpha.png")),
    ("deep.png", include_bytes!("pictures/deep.png")),
];

#[test]
fn checkpoints() {
    let scratch = small_experiment();
    scratch.write("text.pth", "these are no weights");
    scratch.abbe("inspect text.pth").fails_with(&["text.pth"]);
    scratch.abbe("inspect nowhere.pth").fails_with(&["nowhere.pth"]);
    scratch.abbe("upscale train/scene0.png -o big.png --model text.pth").fails_with(&["text.pth"]);
    scratch.python("import torch; torch.save({'conv.weight': torch.zeros(3, 3)}, 'other.pth')").ok();
    scratch.abbe("eval --model other.pth --hr test").fails_with(&["other.pth", "--like"]);
    assert!(!scratch.path("big.png").exists());
}

#[test]
fn conversions() {
    let scratch = Scratch::new();
    let code = "import torch; torch.save({'w': torch.tensor([7e4]), 'n': torch.tensor(5)}, 'a.pth')
torch.save({'w': torch.zeros(2), 'n': torch.tensor(5)}, 'b.pth'); torch.save([1, 2], 'list.pth')";
    scratch.python(code).ok();
    std::fs::create_dir(scratch.path("folder")).unwrap();
    let cases: [(&str, &[&str]); 17] = [
        ("a.pth folder --overwrite", &["folder is a folder or a device", "name a file"]),
        ("a.pth a.pth --overwrite", &["a.pth", "overwritten"]),
        ("a.pth b.pth --mix b.pth --alpha 0.5 --overwrite", &["b.pth", "overwritten"]),
        ("a.pth b.pth", &["b.pth is there already", "--overwrite"]),
        ("a.pth out.pth --to tar", &["zip, legacy or safetensors"]),
        ("a.pth out.pth --half --float", &["--half", "--float"]),
        ("a.pth out.pth --half", &["w: 1 numbers would become infinite in float16", "7e4", "bfloat16"]),
        ("a.pth out.pth --layout basicsr", &["--layout", "no network", "w, n"]),
        ("a.pth out.pth --like nowhere.pth", &["not recognised", "nowhere.pth"]),
        ("a.pth out.pth --key params", &["params", "\"w\" (a tensor)"]),
        ("a.pth out.pth --mix b.pth", &["--alpha"]),
        ("a.pth out.pth --alpha 0.5", &["--mix"]),
        ("a.pth out.pth --mix b.pth --alpha 1.5", &["1.5", "from 0 to 1"]),
        ("a.pth out.pth --mix b.pth --alpha 0.5", &["w: float32 [1] in the first, float32 [2] in the second"]),
        ("a.pth out.safetensors --wrap params", &["params", "choose zip"]),
        ("list.pth out.pth", &["list.pth", "no state dict", "a list"]),
        ("nowhere.pth out.pth", &["nowhere.pth"]),
    ];
    for (arguments, parts) in cases {
        scratch.abbe(&format!("convert {arguments}")).fails_with(parts);
        assert_eq!(scratch.files("."), ["a.pth", "b.pth", "list.pth"], "{arguments}");
    }
    scratch.abbe("inspect a.pth list.pth").fails_with(&["list.pth", "no state dict"]);
    scratch.abbe("inspect a.pth b.pth --stats").fails_with(&["--stats"]);
    scratch.abbe("inspect a.pth --other-key params").fails_with(&["OTHER"]);
    scratch.abbe("models a.pth --python").fails_with(&["a.pth", "no network"]);
    scratch.abbe("models --python").fails_with(&["NAME"]);
    scratch.abbe("models --size 8x8").fails_with(&["NAME"]);
    // What would have no effect is not taken in silence.
    scratch.abbe("models srcnn --scale 3").fails_with(&["--scale", "for a checkpoint"]);
    scratch.abbe("upscale a.png -o b.png --model bicubic --partial").fails_with(&["--partial", "bicubic is not"]);
}

#[test]
fn devices_and_folders() {
    let scratch = small_experiment();
    scratch.abbe("train small.toml --device tpu").fails_with(&["tpu", "cuda:N"]);
    scratch.abbe("train small.toml --device cuda:99").fails_with(&["cuda:99"]);
    scratch.write("thesis/chapter.tex", "mine");
    scratch.abbe("train small.toml --out thesis --overwrite").fails_with(&["thesis", "--out"]);
    assert_eq!(scratch.files("thesis"), ["thesis/chapter.tex"]);
    scratch.abbe("figures thesis").fails_with(&["thesis", "experiment.toml"]);
    scratch.abbe("demo").fails_with(&["photographs", "cargo xtask setup"]);
    scratch.abbe("upscale train test -o small.toml --model bicubic").fails_with(&["small.toml"]);
    scratch
        .abbe("upscale train/scene0.png -o train/scene0.png --model bicubic")
        .fails_with(&["scene0.png", "overwritten"]);
    scratch.abbe("upscale train -o train --model bicubic").fails_with(&["overwritten"]);
    scratch.abbe("upscale train/scene0.png -o big.gif --model bicubic").fails_with(&["big.gif", "png"]);
}

#[test]
fn a_loss_that_is_not_finite_names_its_step_and_term() {
    let scratch = small_experiment();
    // Each step moves every weight by 1e30, so that the outputs soon leave the range of float32.
    train_with(&scratch, "lr = 1e-3, betas", "lr = 1e30, betas").fails_with(&["phase `srcnn`", "step", "`pixel`"]);
    let manifest = std::fs::read_to_string(scratch.path("run/manifest.json")).unwrap();
    assert!(manifest.contains("stopped: ") && manifest.contains("`pixel`"), "{manifest}");
    assert!(!scratch.path("run/checkpoints/srcnn_final.pth").exists());
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_half_written_file() {
    let scratch = small_experiment();
    // A limit on the size of files stands in for the full disk: the write that passes it fails in the same way.
    let command = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} upscale train/scene0.png -o out/big.png --model bicubic",
        crate::support::ABBE
    );
    let ended = crate::support::Finished::of(
        std::process::Command::new("bash").args(["-c", &command]).current_dir(scratch.path(".")),
    );
    ended.fails_with(&["out/big.png"]);
    assert!(scratch.files("out").is_empty());
}
