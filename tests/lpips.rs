//! LPIPS in tables, over a network with random weights in PyTorch's cache, and without weights.

use abbe_data::image::{Conversion, Format, Picture, Rgb8, Samples, encode, read};
use abbe_models::lpips::{Lpips, Net};
use serde_json::{Value, json};
use tch::Device;

use crate::support::{Scratch, scene};

const COLUMN: &str = "lpips_alex_v0.1";

/// HR pictures `a` and `b` of two sizes in `hr`, and others in `sr`.
fn pictures() -> Scratch {
    let scratch = Scratch::new();
    for (name, width, kind) in [("a", 52, 0), ("b", 44, 1)] {
        scratch.picture(&format!("hr/{name}.png"), &scene(40, width, kind));
        scratch.picture(&format!("sr/{name}.png"), &scene(40, width, kind + 2));
    }
    scratch
}

fn json_of(scratch: &Scratch, arguments: &str) -> Value {
    serde_json::from_str(&scratch.abbe(&format!("{arguments} --json")).ok()).unwrap()
}

#[test]
fn it_is_measured_once_with_its_convention() {
    let scratch = pictures();
    let weights = scratch.alexnet();
    let command = "score sr hr --protocol y-crop4 --protocol rgb --metrics psnr,lpips";
    let table = json_of(&scratch, command);
    let lpips = Lpips::open(Net::Alex, &weights, None, Device::Cpu).unwrap();
    for row in table["methods"][0]["pictures"].as_array().unwrap() {
        let [sr, hr] = ["sr", "hr"].map(|folder| {
            let file = format!("{folder}/{}.png", row["picture"].as_str().unwrap());
            read(&scratch.path(&file), Conversion::Refuse).unwrap()
        });
        let expected = abbe_infer::lpips(&lpips, &sr, &hr).unwrap();
        assert!(expected > 0.0 && (row[COLUMN].as_f64().unwrap() / expected - 1.0).abs() < 1e-6, "{row} {expected}");
        assert_eq!(row.as_object().unwrap().len(), 1 + 2 + 1); // psnr under both protocols
    }
    let convention = &table["lpips"][0];
    let sha256 = abbe_checkpoint::sha256(&weights).unwrap();
    assert_eq!(convention["weights"], json!({ "file": Net::Alex.file(), "sha256": sha256 }));
    assert_eq!([&convention["net"], &convention["version"], &convention["column"]], ["alex", "0.1", COLUMN]);
    assert_eq!((&convention["metric"]["better"], &table["missing"]), (&json!("lower"), &json!({})));
    assert!(table["notices"][0].as_str().unwrap().contains("not the published file"));

    let text = scratch.abbe(command).ok();
    assert!(text.matches(COLUMN).count() == 1 && text.contains("lower for lpips_alex"), "{text}");
    let same = json_of(&scratch, "eval --model bicubic --hr hr --metrics lpips");
    assert!(same["protocols"] == json!([]) && same["methods"][0]["mean"][COLUMN].as_f64().unwrap() > 0.0, "{same}");
}

#[test]
fn without_weights_the_rest_still_comes_and_it_is_said_why() {
    let scratch = pictures();
    let command = "score sr hr --protocol rgb --metrics psnr,lpips,lpips_squeeze --out out";
    let ended = scratch.abbe(command);
    let (line, columns) = (ended.stdout.lines().find(|line| line.starts_with("sr")), ["psnr_rgb", COLUMN]);
    assert!(line.is_some() && columns.iter().all(|column| ended.stdout.contains(column)), "{}", ended.stdout);
    let why = ["abbe fetch alexnet", "abbe fetch squeezenet1_1", "lpips_squeeze_v0.1: no weights", "hub/checkpoints"];
    assert!(why.iter().all(|why| ended.stdout.contains(why)), "{}", ended.stdout);
    ended.fails_with(&why);

    let file = |ending: &str| std::fs::read_to_string(scratch.path(&format!("out/metrics.{ending}"))).unwrap();
    let csv = file("csv");
    assert!(csv.lines().skip(1).all(|line| line.contains(",,\"lpips_alex_v0.1: no weights")), "{csv}");
    let table: Value = serde_json::from_str(&file("json")).unwrap();
    let row = &table["methods"][0]["pictures"][0];
    assert!(row["psnr_rgb"].as_f64().unwrap() > 0.0 && row[COLUMN] == Value::Null && row.get(COLUMN).is_some());
    assert!(table["missing"][COLUMN].as_str().unwrap().contains("abbe fetch alexnet"));
    assert_eq!(table["lpips"][0]["weights"], Value::Null);
    scratch.abbe("eval --model bicubic --hr hr --metrics ssim,lpips_vgg").fails_with(&["abbe fetch vgg16"]);
}

#[test]
fn weights_that_are_none_are_told_with_what_is_wrong() {
    let scratch = pictures();
    let cached = format!("hub/checkpoints/{}", Net::Alex.file());
    scratch.write(&cached, "no checkpoint");
    let ended = scratch.abbe("score sr hr --metrics psnr,lpips");
    assert!(ended.stdout.contains("psnr_rgb"), "{}", ended.stdout);
    // the file, and after it what is wrong with it
    let (_, wrong) = ended.stderr.split_once(&cached).unwrap();
    assert!(wrong.trim().len() > 10, "{}", ended.stderr);
    ended.fails_with(&["lpips_alex_v0.1: the weights of lpips in"]);

    std::fs::rename(scratch.alexnet(), scratch.path("mine.pth")).unwrap();
    let named = json_of(&scratch, "score sr hr --metrics lpips --lpips-weights mine.pth");
    assert_eq!(named["lpips"][0]["weights"]["file"], "mine.pth");
    for (metrics, parts) in [
        ("lpips --lpips-weights none.pth", ["none.pth", "abbe fetch alexnet"]),
        ("lpips_vgg --lpips-weights mine.pth", ["mine.pth", "features."]),
        ("lpips,lpips_vgg --lpips-weights mine.pth", ["mine.pth", "asks for 2"]),
        ("psnr --lpips-weights mine.pth", ["mine.pth", "asks for 0"]),
    ] {
        scratch.abbe(&format!("score sr hr --metrics {metrics}")).fails_with(&parts);
    }
}

#[test]
fn pictures_that_it_cannot_take_are_named() {
    let scratch = pictures();
    scratch.alexnet();
    scratch.abbe("score sr hr --metrics lpips,psnr,lpips_alex").fails_with(&["lpips_alex: given twice"]);
    for (options, parts) in [
        ("--protocol nonsense", ["`nonsense`", "y-grey"]),
        ("--protocol rgb", ["--protocol rgb", "none of --metrics"]),
        ("--published set5", ["Set5 at x4 without a metric that follows a protocol", "y-crop4"]),
    ] {
        scratch.abbe(&format!("score sr hr --metrics lpips {options}")).fails_with(&parts);
    }
    for (name, height) in [("a", 39), ("b", 30)] {
        scratch.picture(&format!("{name}/{name}.png"), &scene(height, 44, 0));
        scratch.picture(&format!("{name}_hr/{name}.png"), &scene(height.max(30) / 10 * 10, 44, 0));
    }
    scratch.abbe("score a a_hr --metrics lpips").fails_with(&["a: sr is 39x44 and hr is 30x44"]);
    scratch.abbe("score b b_hr --metrics lpips").fails_with(&["b: lpips-alex", "31 or more"]);
    let whole = "eval --model bicubic --scale 2 --hr b_hr --metrics lpips";
    scratch.abbe(whole).fails_with(&["`b`", "30x44", "31x31"]);
}

#[test]
fn one_channel_is_made_three_where_that_is_asked_for() {
    let scratch = pictures();
    scratch.alexnet();
    let rgb = |folder: &str, value: &dyn Fn(usize) -> u8| {
        let pixels = (0..40 * 44).flat_map(|at| [value(at); 3]).collect();
        scratch.picture(&format!("{folder}/g.png"), &Rgb8::new(40, 44, pixels).unwrap());
    };
    let grey = |folder: &str, value: &dyn Fn(usize) -> u8| {
        let picture = Picture::new(40, 44, Samples::Eight((0..40 * 44).map(value).collect()), None).unwrap();
        scratch.write(&format!("{folder}/g.png"), encode(&picture, Format::Png).unwrap().file);
    };
    let (sr, hr) = (|at: usize| (at % 44 * 5) as u8, |at: usize| (at / 44 * 6) as u8);
    rgb("rgb", &sr);
    rgb("rgb_hr", &hr);
    grey("grey", &sr);
    grey("grey_hr", &hr);
    scratch.abbe("score grey grey_hr --metrics lpips").fails_with(&["g.png", "grey"]);
    let value = |command: &str| json_of(&scratch, command)["methods"][0]["mean"][COLUMN].as_f64().unwrap();
    let expected = value("score rgb rgb_hr --metrics lpips");
    assert!(expected > 0.0);
    assert_eq!(value("score grey grey_hr --metrics lpips --convert"), expected);
}
