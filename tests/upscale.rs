//! `abbe upscale` on pictures as their owners have them.

use std::path::Path;
use std::process::{Command, Stdio};

use abbe_data::image::{Format, Picture, Samples, encode, read_picture};
use abbe_models::{Card, Config, alexnet, build, rcan, srresnet, srvgg};
use tch::Device;

use crate::support::{ABBE, Finished, Scratch, program, scene};

/// Saves a small network with random weights under `name`.
fn network(scratch: &Scratch, name: &str, network: Config) {
    tch::manual_seed(5);
    let model = build(&network, Device::Cpu).unwrap();
    let card = Card { network, notices: Vec::new(), sources: Vec::new() };
    abbe_models::save(&scratch.path(name), model.as_ref(), &card).unwrap();
}

fn small(scale: i64) -> Config {
    srvgg::Config { convs: 2, channels: 6, ..srvgg::Config::general(scale) }.into()
}

/// A picture of 16 bits with opacity, profile and EXIF data: a disc on garbage that cannot be seen.
fn deep(height: usize, width: usize, channels: usize) -> Picture {
    let pixels = height * width;
    let samples = |count: usize, step: usize| (0..count).map(|i| (i * step) as u16).collect();
    let inside = |i: usize| ((i / width).abs_diff(height / 2).pow(2) + (i % width).abs_diff(width / 2).pow(2)) < 100;
    let alpha = (0..pixels).map(|i| if inside(i) { u16::MAX } else { 0 }).collect();
    let color = Samples::Sixteen(samples(pixels * channels, 7919));
    let mut picture = Picture::new(height, width, color, Some(Samples::Sixteen(alpha))).unwrap();
    let colors = if channels == 1 { b"GRAY" } else { b"RGB " };
    picture.icc = Some((0..16).chain(*colors).chain([7; 200]).collect());
    picture.exif = Some(exif(height as u16, width as u16));
    picture
}

/// EXIF data with the tags ImageWidth and ImageLength (TIFF 6.0), each a short number, and nothing else.
fn exif(height: u16, width: u16) -> Vec<u8> {
    let entry = |tag: u16, value: u16| {
        let value = [value.to_le_bytes(), [0; 2]].concat();
        [tag.to_le_bytes().as_slice(), &3u16.to_le_bytes(), &1u32.to_le_bytes(), &value].concat()
    };
    [b"II\x2a\0\x08\0\0\0\x02\0".as_slice(), &entry(0x0100, width), &entry(0x0101, height), &[0; 4]].concat()
}

fn write(scratch: &Scratch, name: &str, picture: &Picture) {
    let format = Format::of(Path::new(name), None).unwrap();
    scratch.write(name, encode(picture, format).unwrap().file);
}

fn sixteen(samples: &Samples) -> &[u16] {
    match samples {
        Samples::Sixteen(samples) => samples,
        Samples::Eight(_) => panic!("8 bits"),
    }
}

#[test]
fn a_picture_keeps_depth_opacity_profile_and_exif() {
    let scratch = Scratch::new();
    network(&scratch, "net.pth", small(2));
    for channels in [1, 3] {
        write(&scratch, "deep.png", &deep(40, 50, channels));
        for model in
            ["bicubic --scale 2", "lanczos --scale 2", "nearest --scale 2", "net.pth", "net.pth --alpha bicubic"]
        {
            let printed = scratch.abbe(&format!("upscale deep.png -o big.png --force --model {model}"));
            assert_eq!(printed.stderr, "", "{model}");
            assert_eq!(printed.ok(), "big.png 50x40 -> 100x80\n");
            let (before, after) =
                (read_picture(&scratch.path("deep.png")).unwrap(), read_picture(&scratch.path("big.png")).unwrap());
            assert_eq!((after.size(), after.channels()), ((80, 100), channels));
            assert_eq!(after.icc, before.icc);
            // The sizes, 80 and 100, are long numbers (type 4).
            let mut expected = exif(80, 100);
            (expected[12], expected[24]) = (4, 4);
            assert_eq!(after.exif.as_ref(), Some(&expected));
            let alpha = sixteen(after.alpha().unwrap());
            assert_eq!((alpha[0], alpha[40 * 100 + 50]), (0, u16::MAX), "{model}");
            assert!(model.starts_with("nearest") || alpha.iter().any(|&alpha| alpha != 0 && alpha != u16::MAX));
            sixteen(after.color());
        }
    }
}

/// What is transparent has no share in what is beside it: a red disc on green that cannot be seen stays red.
#[test]
fn edges_of_opacity_have_no_colour_of_what_is_transparent() {
    let scratch = Scratch::new();
    let model = deep(40, 50, 3);
    let alpha = sixteen(model.alpha().unwrap()).to_vec();
    let color = alpha.iter().flat_map(|&alpha| if alpha > 0 { [60_000, 0, 0] } else { [0, 50_000, 0] }).collect();
    let disc = Picture::new(40, 50, Samples::Sixteen(color), Some(Samples::Sixteen(alpha))).unwrap();
    write(&scratch, "disc.png", &disc);
    for kernel in ["bicubic", "lanczos"] {
        scratch.abbe(&format!("upscale disc.png -o big.png --force --scale 3 --model {kernel}")).ok();
        let big = read_picture(&scratch.path("big.png")).unwrap();
        let pixels = sixteen(big.color()).chunks_exact(3).zip(sixteen(big.alpha().unwrap()));
        let seen: Vec<_> = pixels.filter(|(_, alpha)| **alpha > 0).collect();
        assert!(seen.iter().any(|(_, alpha)| **alpha < u16::MAX / 2));
        assert!(seen.iter().all(|(rgb, _)| rgb[0].abs_diff(60_000) <= 1 && rgb[1] == 0 && rgb[2] == 0), "{kernel}");
    }
}

#[test]
fn every_number_of_16_bits_comes_through() {
    let scratch = Scratch::new();
    let ramp = Picture::new(256, 256, Samples::Sixteen((0..=u16::MAX).collect()), None).unwrap();
    for (input, output) in [("ramp.png", "out.png"), ("ramp.tif", "out.tif"), ("ramp.png", "out.tif")] {
        write(&scratch, input, &ramp);
        for kernel in ["bicubic", "lanczos", "nearest"] {
            scratch.abbe(&format!("upscale {input} -o {output} --scale 1 --model {kernel} --force")).ok();
            assert_eq!(read_picture(&scratch.path(output)).unwrap(), ramp, "{kernel} to {output}");
        }
    }
}

#[test]
fn tiles_cannot_be_seen_in_files() {
    let scratch = Scratch::new();
    let resnet = srresnet::Config { blocks: 2, channels: 8, bicubic_skip: true, ..srresnet::Config::paper(4) };
    network(&scratch, "net.pth", resnet.into());
    write(&scratch, "deep.png", &deep(45, 52, 3));
    let made = |options: &str| {
        scratch.abbe(&format!("upscale deep.png -o big.png --force --model net.pth {options}")).ok();
        let big = read_picture(&scratch.path("big.png")).unwrap();
        [sixteen(big.color()), sixteen(big.alpha().unwrap())].concat()
    };
    for common in ["--scale 3", "--self-ensemble --color-match --alpha bicubic"] {
        let whole = made(&format!("--tile off {common}"));
        for tiles in ["--tile 17 --batch 3", "--memory 1MiB"] {
            let tiled = made(&format!("{tiles} {common}"));
            // Where opacity is a few parts of 65,535, a colour is a quotient of small numbers: compared are opaque parts.
            let far = whole.iter().zip(&tiled).filter(|(a, b)| a.abs_diff(**b) > 1).count();
            assert!(far * 200 < whole.len(), "{far} of {} differ with {tiles} {common}", whole.len());
        }
    }
}

#[test]
fn a_network_that_sees_all_says_how_its_tiles_differ() {
    let scratch = Scratch::new();
    let config = rcan::Config { groups: 1, blocks: 1, channels: 8, reduction: 4, ..rcan::Config::paper(2) };
    network(&scratch, "rcan.pth", config.into());
    scratch.picture("scene.png", &scene(97, 230, 1));
    let tiled = scratch.abbe("upscale scene.png -o big.png --model rcan.pth --tile 32");
    for part in ["scene.png", "all of a picture", "saw 64", "of 255"] {
        assert!(tiled.stderr.contains(part), "{part} is not in: {}", tiled.stderr);
    }
    tiled.ok();
    let whole = scratch.abbe("upscale scene.png -o big.png --model rcan.pth --force");
    assert_eq!(whole.stderr, "");
    whole.ok();
}

#[test]
fn formats_keep_what_they_can_and_the_rest_is_told() {
    let scratch = Scratch::new();
    write(&scratch, "deep.png", &deep(20, 30, 3));
    for (output, told) in [
        ("a.png", [].as_slice()),
        ("a.tif", &["EXIF"]),
        ("a.jpg", &["alpha", "16 bits"]),
        ("a.webp", &["16 bits"]),
        ("a.bmp", &["16 bits", "profile", "EXIF"]),
    ] {
        let ended = scratch.abbe(&format!("upscale deep.png -o {output} --model bicubic --size 45x --quality 80"));
        assert!(
            told.iter().all(|part| ended.stderr.contains(part)) && ended.stderr.is_empty() == told.is_empty(),
            "{output}: {}",
            ended.stderr
        );
        ended.ok();
        assert_eq!(read_picture(&scratch.path(output)).unwrap().size(), (30, 45));
    }
    let size = |options: &str| {
        scratch.abbe(&format!("upscale deep.png --model bicubic --force -o {options}")).ok();
        std::fs::metadata(scratch.path(options.split(' ').next().unwrap())).unwrap().len()
    };
    assert!(size("q.jpg --quality 20") < size("q.jpg"));
    assert!(size("q.webp --quality 20") < size("q.webp --quality 90"));
    assert!(size("q.webp --quality 90") < size("q.webp"));
}

#[test]
fn lossy_webp_keeps_opacity_profile_and_exif() {
    let scratch = Scratch::new();
    write(&scratch, "deep.png", &deep(40, 50, 3));
    let [exact, lossy] = ["exact.webp", "lossy.webp --quality 80"].map(|output| {
        scratch.abbe(&format!("upscale deep.png --model bicubic --scale 2 -o {output}")).ok();
        read_picture(&scratch.path(output.split(' ').next().unwrap())).unwrap()
    });
    assert_eq!((lossy.size(), lossy.alpha(), lossy.icc.as_ref()), (exact.size(), exact.alpha(), exact.icc.as_ref()));
    assert!(lossy.icc.is_some() && lossy.color() != exact.color());
    let mut expected = exif(80, 100);
    (expected[12], expected[24]) = (4, 4); // long numbers
    assert_eq!(lossy.exif, Some(expected));
}

#[test]
fn folders_keep_their_tree_and_a_bad_file_does_not_end_a_batch() {
    let scratch = Scratch::new();
    network(&scratch, "net.pth", small(2));
    scratch.picture("in/a.png", &scene(20, 31, 0));
    scratch.picture("in/deep/er/b.png", &scene(33, 20, 1));
    scratch.picture("in/deep/c.png", &scene(20, 20, 2));
    scratch.write("in/deep/torn.png", &std::fs::read(scratch.path("in/a.png")).unwrap()[..150]);
    scratch.write("in/deep/text.jpg", "no picture");
    scratch.write("in/notes.txt", "passed over");
    let options = "--model net.pth --name {model}_{stem}_x{scale} --format jpg --jobs 2";
    let ended = scratch.abbe(&format!("upscale in -o out {options}"));
    assert!(ended.stderr.contains("notes.txt"), "{}", ended.stderr);
    ended.fails_with(&["2 of 5 pictures", "in/deep/torn.png", "in/deep/text.jpg"]);
    let made = ["out/deep/er/net_b_x2.jpg", "out/deep/net_c_x2.jpg", "out/net_a_x2.jpg"];
    assert_eq!(scratch.files("out"), made);
    assert_eq!(read_picture(&scratch.path(made[0])).unwrap().size(), (66, 40));

    scratch.abbe(&format!("upscale in -o out {options}")).fails_with(&["is there already", "--overwrite"]);
    let first = std::fs::metadata(scratch.path(made[1])).unwrap().modified().unwrap();
    std::fs::remove_file(scratch.path(made[0])).unwrap();
    std::fs::remove_file(scratch.path("in/deep/torn.png")).unwrap();
    std::fs::remove_file(scratch.path("in/deep/text.jpg")).unwrap();
    let resumed = scratch.abbe(&format!("upscale in -o out {options} --resume"));
    assert!(resumed.stderr.contains("2 of 3 pictures are there already"), "{}", resumed.stderr);
    assert_eq!(resumed.ok(), "out/deep/er/net_b_x2.jpg 20x33 -> 40x66\n");
    assert_eq!(scratch.files("out"), made);
    assert_eq!(std::fs::metadata(scratch.path(made[1])).unwrap().modified().unwrap(), first);
}

#[test]
fn patterns_and_standard_input_and_output() {
    let scratch = Scratch::new();
    scratch.picture("in/a1.png", &scene(10, 12, 0));
    scratch.picture("in/a2.png", &scene(10, 12, 1));
    scratch.picture("in/b.png", &scene(10, 12, 2));
    scratch.abbe("upscale in/a*.png -o out --model nearest --scale 2").ok();
    assert_eq!(scratch.files("out"), ["out/a1.png", "out/a2.png"]);
    scratch.abbe("upscale in/c*.png -o out --model nearest").fails_with(&["in/c*.png", "no picture matches"]);

    let piped = program(ABBE)
        .args("upscale - -o - --model nearest --scale 2 --format tif".split_whitespace())
        .stdin(std::fs::File::open(scratch.path("in/a1.png")).unwrap())
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
    scratch.write("piped.tif", piped.stdout);
    let [piped, file] = ["piped.tif", "out/a1.png"].map(|name| read_picture(&scratch.path(name)).unwrap().into_rgb8());
    assert_eq!(piped, file);
}

#[test]
fn what_can_be_known_is_said_before_any_work() {
    let scratch = Scratch::new();
    network(&scratch, "net.pth", small(2));
    another_kind(&scratch, "judge.pth");
    scratch.picture("in/a.png", &scene(20, 31, 0));
    scratch.picture("in/b.png", &scene(20, 31, 1));
    scratch.picture("other/a.png", &scene(20, 31, 1));
    let wide = Picture::new(1, 9000, Samples::Eight(vec![0; 9000]), None).unwrap();
    write(&scratch, "wide.png", &wide);
    scratch.write("file", "");
    let cases: [(&str, &[&str]); 25] = [
        ("in/a.png -o out.png --model judge.pth", &["judge.pth", "alexnet"]),
        ("in/a.png -o out.png --model net.pth --tile 8", &["--tile", "auto, off", "16"]),
        ("in/a.png -o out.png --model net.pth --memory 2", &["--memory", "2GiB"]),
        ("in/a.png -o out.png --model net.pth --precision f8", &["f8", "bf16"]),
        ("in/a.png -o out.gif --model net.pth", &["out.gif", "png, jpg"]),
        ("in/a.png -o file/out.png --model net.pth", &["file/out.png"]),
        ("in/a.png in/b.png -o file --model net.pth", &["file", "a folder"]),
        ("in -o in/out --model net.pth", &["in/out", "lies in in"]),
        (". -o out --model net.pth", &["-o out lies in ."]),
        ("in -o in --model net.pth", &["overwritten"]),
        ("in/a.png -o in/a.png --model net.pth --force", &["overwritten"]),
        ("in/a.png other/a.png -o out --model net.pth", &["would both become out/a.png"]),
        ("other/a.png in/b.png -o in --model net.pth", &["in/a.png is there already"]),
        ("other/a.png in/a.png in/b.png -o in --model net.pth --force", &["in/a.png"]),
        ("nowhere.png -o out.png --model net.pth", &["nowhere.png"]),
        ("file -o out.png --model net.pth", &["file", "whole picture"]),
        ("in/a.png -o out.png --model net.pth --size 10", &["--size", "1920x"]),
        ("in/a.png -o out.png --model net.pth --size 10x --scale 2", &["--size", "--scale"]),
        ("in/a.png -o out.png --model net.pth --scale 17", &["--scale", "up to 16"]),
        ("in/a.png -o out --model net.pth --name {stem}/{x}", &["--name", "{stem}"]),
        ("in/a.png in/b.png -o - --model net.pth", &["standard output is one picture"]),
        ("wide.png -o out.webp --model net.pth", &["wide.png", "WebP", "16383"]),
        ("wide.png -o out.webp --model bicubic --scale 2 --quality 80", &["wide.png", "WebP", "16383"]),
        ("wide.png -o out.jpg --model bicubic --scale 8", &["wide.png", "JPEG", "65535"]),
        ("wide.png -o out.tif --model bicubic --size 99999999x", &["too large"]),
    ];
    let before = scratch.files(".");
    for (arguments, parts) in cases {
        scratch.abbe(&format!("upscale {arguments}")).fails_with(parts);
        assert_eq!(scratch.files("."), before, "{arguments}");
    }
}

/// What the system refuses is asked of it before any work: to replace a file that is protected, even by who may do all, and
/// to make one in a folder.
#[cfg(target_os = "linux")]
#[test]
fn a_protected_target_is_refused_before_any_work() {
    let scratch = Scratch::new();
    scratch.picture("a.png", &scene(20, 31, 0));
    scratch.picture("out/a.png", &scene(20, 31, 1));
    // A picture that cannot be decoded: its own message comes first where work begins before the target is looked at.
    scratch.write("torn.png", &std::fs::read(scratch.path("a.png")).unwrap()[..150]);
    for target in ["out/a.png", "out"] {
        let protect = |flag: &str| {
            let ended = program("chattr").arg(flag).arg(scratch.path(target)).output();
            ended.is_ok_and(|ended| ended.status.success())
        };
        if !protect("+i") {
            println!("skipped: needs the rights of root, chattr, and a file system that knows it");
            return;
        }
        let ended = scratch.abbe("upscale torn.png -o out/a.png --model nearest --overwrite");
        assert!(protect("-i"));
        assert!(!ended.stderr.contains("torn.png"), "{}", ended.stderr);
        ended.fails_with(&["cannot write out/a.png", "permissions"]);
        assert_eq!(scratch.files("out"), ["out/a.png"]);
    }
    let long = "a".repeat(300);
    scratch.abbe(&format!("upscale torn.png -o {long}.png --model nearest")).fails_with(&["cannot write aaa"]);
}

/// Saves a network that enlarges nothing.
fn another_kind(scratch: &Scratch, name: &str) {
    let network: Config = alexnet::Config { classes: None }.into();
    let built = network.build(Device::Cpu).unwrap();
    let card = Card { network, notices: Vec::new(), sources: Vec::new() };
    abbe_models::save(&scratch.path(name), built.network(), &card).unwrap();
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_whole_files() {
    let scratch = Scratch::new();
    network(&scratch, "net.pth", srresnet::Config { blocks: 8, channels: 64, ..srresnet::Config::paper(4) }.into());
    scratch.picture("in/a.png", &scene(16, 16, 0));
    scratch.picture("in/b.png", &scene(2000, 2000, 1));
    let command = format!("upscale {0}/in -o {0}/out --tile 64 --model {0}/net.pth", scratch.path(".").display());
    let mut running =
        program(ABBE).args(command.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The first line is printed when the first picture is written; the second picture would take minutes.
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(running.stdout.as_mut().unwrap()), &mut line).unwrap();
    assert!(line.contains("a.png"), "{line}");
    Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert_eq!(scratch.files("out"), ["out/a.png"]);
}

/// A picture whose numbers take 458 MiB as floats, and those of its result 1030 MiB.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded() {
    let scratch = Scratch::new();
    let tall = Picture::new(20_000, 6_000, Samples::Eight(vec![120; 120_000_000]), None).unwrap();
    write(&scratch, "tall.png", &tall);
    drop(tall);
    for output in ["big.png", "big.tif"] {
        let command =
            format!("ulimit -v {LIMIT_KIB}; exec {ABBE} upscale tall.png -o {output} --model bicubic --scale 1.5");
        let mut bash = program("bash");
        Finished::of(bash.args(["-c", &command]).current_dir(scratch.path("."))).ok();
        std::fs::remove_file(scratch.path(output)).unwrap();
    }
}

/// Addresses that the program may use: 1 GiB, most of which are libtorch's before any work.
#[cfg(target_os = "linux")]
const LIMIT_KIB: usize = 1 << 20;
