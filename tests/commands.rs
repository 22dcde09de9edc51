//! The commands, used as they are meant: what they print and write.

use std::process::Command;

use abbe_data::image::{Conversion, read};
use abbe_models::{Card, Config, NETWORKS, build, srcnn, summary};
use serde_json::Value;
use tch::Device;

use crate::support::{ABBE, EXPERIMENT, Finished, Scratch, repository, small_experiment};

#[test]
fn models_lists_every_network_and_shows_it() {
    let scratch = Scratch::new();
    let listed = scratch.abbe("models").ok();
    let json: Value = serde_json::from_str(&scratch.abbe("models --json").ok()).unwrap();
    let names: Vec<_> = listed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, json.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>());
    assert!(names.iter().all(|name| abbe_models::named(name).is_some()), "{listed}");
    assert!(NETWORKS.iter().all(|network| names.contains(&network.name)), "{listed}");
    // The usual networks run on their usual inputs; torchvision's others differ from them in numbers alone.
    for network in NETWORKS {
        let config = (network.usual)();
        let ([channels, height, width], built) = (config.input(), config.build(Device::Cpu).unwrap());
        let summary = summary(|xs| built.network().forward(xs, false), &[1, channels, height, width]);
        let counted: usize = built.network().store().parameters().iter().map(|tensor| tensor.numel()).sum();
        assert_eq!(summary.parameters(), counted, "{}", network.name);
    }
    let shown = scratch.abbe("models dcgan_generator").ok();
    assert!(shown.contains("ConvTranspose2d") && shown.contains("total"), "{shown}");
    // 138,357,544 parameters, 102,760,448 weights and 4,096 biases of them in the first dense layer.
    let vgg16: Value = serde_json::from_str(&scratch.abbe("models vgg16 --json").ok()).unwrap();
    assert_eq!(vgg16["parameters"], 138_357_544);
    let layers = vgg16["layers"].as_array().unwrap();
    assert!(layers.iter().any(|layer| layer["parameters"] == 102_760_448 + 4_096));
    let shape = |size: &str| {
        let json: Value = serde_json::from_str(&scratch.abbe(&format!("models srresnet --json {size}")).ok()).unwrap();
        json["layers"].as_array().unwrap().last().unwrap()["shape"].clone()
    };
    assert_eq!(shape("--size 10x12"), serde_json::json!([1, 3, 40, 48]));
    scratch.abbe("models resnext").fails_with(&["resnext", "srresnet", "vgg19"]);
    scratch.abbe("models vgg16 --size 10x10").fails_with(&["224x224"]);
}

#[test]
fn eval_takes_lr_folders_and_protocols_and_writes_tables() {
    let scratch = small_experiment();
    scratch.abbe("eval --model bicubic --hr test --out made").ok();
    for name in ["scene2", "scene3"] {
        let hr = read(&scratch.path(&format!("test/{name}.png")), Conversion::Refuse).unwrap();
        let hr = hr.crop(0, 0, 96, 128).unwrap();
        let lr = abbe_data::resample::bicubic(&hr, 24, 32, abbe_data::resample::Border::Replicate);
        scratch.picture(&format!("lr/{name}x4.png"), &lr);
    }
    scratch.abbe("eval --model bicubic --hr test --lr lr --out read").ok();
    assert_eq!(
        scratch.files("read"),
        ["csv", "json", "md", "tex", "txt"].map(|ending| format!("read/metrics.{ending}"))
    );
    let table = |folder: &str| std::fs::read_to_string(scratch.path(&format!("{folder}/metrics.csv"))).unwrap();
    assert_eq!(table("made"), table("read"));
    let printed = scratch.abbe("eval --model bicubic --hr test --protocol y-crop2 --protocol rgb-crop8").ok();
    assert!(printed.contains("psnr_y_crop2") && printed.contains("ssim_rgb_crop8"), "{printed}");
    scratch.abbe("eval --model bicubic --hr test --protocol y --protocol y-crop0").fails_with(&["given twice"]);
    scratch.abbe("eval --model bicubic --hr test --protocol lab").fails_with(&["`lab`", "-cropN"]);

    let source = "{ bicubic = { border = \"replicate\" } }, conversion = \"refuse\" }\npatch";
    let folder = "{ folder = \"lr\" }, conversion = \"refuse\" }\npatch";
    assert!(EXPERIMENT.contains(source));
    let published = EXPERIMENT.replacen("scale = 4\n", "scale = 4\npublished = \"report\"\n", 1);
    scratch.write("pairs.toml", published.replace(source, folder));
    scratch.abbe("train pairs.toml --out pairs").ok();
    let read = |file: &str| std::fs::read_to_string(scratch.path(&format!("pairs/{file}"))).unwrap();
    assert!(read("manifest.json").contains("read from lr"));
    assert!(read("metrics.md").contains("SRGAN (report; lpips\\_alex 0.265) | 17.15 | 0.270 to 0.295 |"));
    assert!(read("metrics.tex").contains("$17.15$ & 0.270 to 0.295 \\\\"));
    for file in ["metrics.txt", "metrics.md", "metrics.tex", "metrics.csv", "metrics.json"] {
        let text = read(file);
        assert!(text.contains("LPIPS was not measured: ") && text.contains("compares only if LR"), "{file}: {text}");
    }
}

#[test]
fn score_measures_folders_under_several_protocols() {
    let scratch = small_experiment();
    for name in ["scene2", "scene3"] {
        let hr = read(&scratch.path(&format!("test/{name}.png")), Conversion::Refuse).unwrap();
        let brighter = hr.pixels.iter().map(|value| value.saturating_add(5)).collect();
        scratch.picture(&format!("sr/{name}.png"), &abbe_data::image::Rgb8 { pixels: brighter, ..hr.clone() });
        scratch.picture(&format!("same/{name}.png"), &hr);
    }
    let measures = "--protocol y-crop4 --protocol ntire --metrics psnr,gmsd";
    let text = scratch.abbe(&format!("score sr same test {measures} --out out")).ok();
    for part in ["y-crop4: ", "ntire: ", "psnr_y_crop4", "gmsd_ntire", "same - sr", "inf*"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json: Value =
        serde_json::from_str(&scratch.abbe(&format!("score sr same test {measures} --json")).ok()).unwrap();
    assert_eq!((&json["protocols"][1]["border"], &json["metrics"][1]["better"]), (&10.into(), &"lower".into()));
    assert_eq!(json["methods"][1]["pictures"][0]["gmsd_ntire"], 0.0);
    let registered = scratch.abbe("score sr test --register").ok();
    assert!(registered.contains("sr scene2: shift +0.00 +0.00, gain"), "{registered}");
    scratch.abbe("score sr test --metrics lr_psnr").fails_with(&["scene2", "lr_psnr needs the LR pictures"]);
    scratch.abbe("score sr sr test").fails_with(&["SR_DIR sr: given twice"]);
    scratch.abbe("score sr test --metrics mse").fails_with(&["`mse`", "haarpsi"]);
    scratch.abbe("score sr test --protocol lab").fails_with(&["`lab`", "basicsr-y"]);
    scratch.picture("sr/extra.png", &abbe_data::image::Rgb8 { height: 20, width: 20, pixels: vec![0; 1200] });
    scratch.abbe("score sr test").fails_with(&["extra.png", "no picture of this name"]);
    scratch.picture("test/extra.png", &abbe_data::image::Rgb8 { height: 20, width: 24, pixels: vec![0; 1440] });
    scratch.abbe("score sr test").fails_with(&["extra", "20x20", "20x24"]);
}

#[test]
fn published_results_stand_beside_a_table_that_was_taken_alike() {
    let scratch = small_experiment();
    let shown = scratch.abbe("eval --model bicubic --hr test --published report --out tables");
    assert!(shown.stderr.contains("under y-crop4: there are results at x4 under report"), "{}", shown.stderr);
    let text = shown.ok();
    assert!(text.contains("as published, not measured here:\n") && text.contains("17.15"), "{text}");
    assert!(!text.contains("compare"), "{text}");
    let json: Value =
        serde_json::from_str(&std::fs::read_to_string(scratch.path("tables/metrics.json")).unwrap()).unwrap();
    assert_eq!(json["published"]["sources"][0]["rows"][1]["values"]["psnr"], "17.15");
    assert_eq!(json["published"]["sources"][0]["protocol"], "rgb");
    let asked = |options: &str| scratch.abbe(&format!("eval --model bicubic --hr test {options}"));
    asked("--published").fails_with(&["--published set5"]);
    asked("--published set6").fails_with(&["`set6`", "urban100"]);
    asked("--published set5").fails_with(&["Set5 has 5 pictures", "2 were judged"]);
    asked("--published set5 --protocol ntire").fails_with(&["under ntire", "x4 under y-crop4 or rgb-crop4"]);
    asked("--published set5 --scale 8").fails_with(&["at x8", "x3 under y-crop3"]);
    scratch.abbe("score test test --published set5").fails_with(&["Set5 has 5 pictures"]);
}

#[test]
fn upscale_takes_folders_and_inspect_lists_tensors() {
    let scratch = small_experiment();
    scratch.abbe("train small.toml --out run").ok();
    let model = "--model run/checkpoints/srgan_final.pth";
    let ended = scratch.abbe(&format!("upscale test train/scene0.png -o big {model}"));
    assert!(ended.stderr.contains("RANDOM"), "the weights' notice is not in: {}", ended.stderr);
    ended.ok();
    scratch.abbe(&format!("upscale test -o big {model}")).fails_with(&["big/scene2.png", "--overwrite"]);
    scratch.abbe(&format!("upscale test/scene2.png -o big {model} --overwrite")).ok();
    assert_eq!(scratch.files("big"), ["big/scene0.png", "big/scene2.png", "big/scene3.png"]);
    assert_eq!(read(&scratch.path("big/scene0.png"), Conversion::Refuse).unwrap().size(), (4 * 97, 4 * 130));

    let listed = scratch.abbe("inspect run/checkpoints/srgan_final.pth").ok();
    assert!(listed.contains("head.0.weight") && listed.contains("float32   [32, 3, 9, 9]"), "{listed}");
    assert!(listed.contains("srresnet") && listed.contains("RANDOM"), "{listed}");
    let srcnn = scratch.abbe("inspect run/checkpoints/srcnn_final.pth").ok();
    assert!(srcnn.contains("srcnn") && !srcnn.contains("RANDOM"), "SRCNN never saw VGG:\n{srcnn}");
    let json: Value =
        serde_json::from_str(&scratch.abbe("inspect run/checkpoints/srgan_final.pth --json").ok()).unwrap();
    assert_eq!(json["tensors"][0]["shape"], serde_json::json!([32, 3, 9, 9]));

    let grid = scratch.path("run/figures/grid_scene2.png");
    let first = std::fs::read(&grid).unwrap();
    std::fs::remove_dir_all(scratch.path("run/figures")).unwrap();
    scratch.abbe("figures run").ok();
    assert_eq!(std::fs::read(&grid).unwrap(), first);
    scratch.abbe("train small.toml --out run --overwrite").ok();
}

/// With weights of 1 an SRCNN of 1x1 kernels leaves luma as bicubic made it, so it must be judged as bicubic is, but for the
/// rounding and the border of the method of that name.
#[test]
fn a_network_of_luma_enlarges_colour_pictures() {
    let scratch = small_experiment();
    let network = Config::Srcnn(srcnn::Config { scale: 4, kernels: [1; 3], channels: [1; 2], colors: 1 });
    let model = build(&network, Device::Cpu).unwrap();
    for mut parameter in model.store().parameters() {
        let value = if parameter.dim() == 4 { 1.0 } else { 0.0 };
        let _ = tch::no_grad(|| parameter.fill_(value));
    }
    abbe_models::save(
        &scratch.path("luma.pth"),
        model.as_ref(),
        &Card { network, notices: Vec::new(), sources: Vec::new() },
    )
    .unwrap();
    let json = scratch.abbe("eval --model luma.pth --model bicubic --hr test --json").ok();
    let table: Value = serde_json::from_str(&json).unwrap();
    for metric in ["psnr_y_crop4", "psnr_rgb"] {
        let [luma, bicubic] = [0, 1].map(|i| table["methods"][i]["mean"][metric].as_f64().unwrap());
        assert!((luma - bicubic).abs() < 0.1, "{metric}: {luma} for {bicubic}");
    }
    scratch.abbe("upscale test/scene2.png -o big.png --model luma.pth").ok();
    assert_eq!(read(&scratch.path("big.png"), Conversion::Refuse).unwrap().size(), (4 * 97, 4 * 130));
}

/// The main job on real photographs takes minutes, so it is run where minutes are there: when CI says so.
#[test]
fn the_demonstration_beats_bicubic() {
    if std::env::var_os("CI").is_none() {
        println!("skipped: the demonstration takes 4 minutes and runs when CI is set");
        return;
    }
    let scratch = Scratch::new();
    std::os::unix::fs::symlink(repository("photographs"), scratch.path("photographs")).unwrap();
    // With every processor: it goes on long after the other tests.
    let mut demo = Command::new(ABBE);
    Finished::of(demo.arg("demo").current_dir(scratch.path(".")).env("TORCH_HOME", ".")).ok();
    let table: Value = serde_json::from_slice(&std::fs::read(scratch.path("runs/demo/metrics.json")).unwrap()).unwrap();
    let psnr = |name: &str| {
        let methods = table["methods"].as_array().unwrap();
        methods.iter().find(|method| method["name"] == name).unwrap()["mean"]["psnr_y_crop4"].as_f64().unwrap()
    };
    println!("bicubic {:.2} dB, warm-up {:.2} dB", psnr("bicubic"), psnr("warm-up"));
    assert!(psnr("warm-up") >= psnr("bicubic") + 0.3);
}
