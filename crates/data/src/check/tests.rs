//! Sets of pictures with every fault, and the known case of leakage.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageBuffer, Luma, Rgb, Rgba};
use tempfile::TempDir;

use super::*;
use crate::image::{Conversion, Rgb8, encode_png};
use crate::pair::Lr;
use crate::resample::{Border, bicubic};

const MADE: Lr = Lr::Bicubic { border: Border::Replicate };

fn split(name: &str, hr: &Path, lr: Lr, training: bool) -> Split {
    Split { name: name.into(), source: Source { hr: hr.into(), lr, conversion: Conversion::Refuse }, training }
}

fn run(splits: Vec<Split>, patch: Option<usize>) -> Report {
    let settings = Settings { scale: 4, patch, judgeable: 19, batch: 4, workers: 1 };
    Check::new(splits, settings).unwrap().run(&|| ControlFlow::Continue(())).unwrap()
}

/// Something like a photograph: smooth, different for each seed, without repetition.
fn photograph(seed: u32, height: usize, width: usize) -> Rgb8 {
    let mut state = seed;
    let mut value = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let coarse = Rgb8::new(12, 12, (0..432).map(&mut value).collect()).unwrap();
    let fine = Rgb8::new(height / 4, width / 4, (0..3 * (height / 4) * (width / 4)).map(&mut value).collect()).unwrap();
    let [coarse, fine] = [coarse, fine].map(|picture| bicubic(&picture, height, width, Border::Mirror));
    let mixed = coarse.pixels.iter().zip(&fine.pixels).map(|(&a, &b)| (a / 4 * 3).saturating_add(b / 4));
    Rgb8::new(height, width, mixed.collect()).unwrap()
}

fn mirrored(picture: &Rgb8) -> Rgb8 {
    let rows = picture.pixels.chunks_exact(3 * picture.width);
    let pixels = rows.flat_map(|row| row.chunks_exact(3).rev().flatten()).copied().collect();
    Rgb8::new(picture.height, picture.width, pixels).unwrap()
}

/// A folder in which pictures are put one by one.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, picture: &Rgb8) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, encode_png(picture).unwrap()).unwrap();
        path
    }

    fn save(&self, name: &str, picture: impl Into<DynamicImage>) {
        picture.into().save(self.path().join(name)).unwrap();
    }

    fn lr(&self) -> Lr {
        Lr::Folder(self.path().into())
    }
}

/// What is found, in the report's order: severity, kind, file name.
fn found(report: &Report) -> Vec<(Severity, Kind, String)> {
    let name = |finding: &Finding| finding.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    report.findings.iter().map(|finding| (finding.severity, finding.kind, name(finding))).collect()
}

fn findings(expected: &[(Severity, Kind, &str)]) -> Vec<(Severity, Kind, String)> {
    expected.iter().map(|&(severity, kind, name)| (severity, kind, name.into())).collect()
}

use Severity::{Error as Fatal, Note, Warning};

#[test]
fn sound_pictures_are_found_sound() {
    let (hr, lr) = (Folder::new(), Folder::new());
    for seed in 0..3 {
        let picture = photograph(seed, 96, 120);
        lr.put(&format!("{seed}x4.png"), &bicubic(&picture, 24, 30, Border::Mirror));
        hr.put(&format!("{seed}.png"), &picture);
    }
    let report = run(vec![split("train", hr.path(), lr.lr(), true)], Some(96));
    assert_eq!(report.findings, []);
    assert!(!report.has_errors() && !report.has_warnings());
    let split = &report.splits[0];
    assert_eq!(
        (split.pictures, split.readable, split.smallest, split.largest),
        (3, 3, Some((96, 120)), Some((96, 120)))
    );
    let [made] = split.made[..] else { panic!("{:?}", split.made) };
    assert_eq!((made.pictures, made.identical, made.recipe.edge), (3, 1.0, Edge::Mirror));
    let loader = report.loader.unwrap();
    assert_eq!((loader.pictures, loader.patch, loader.batch, loader.workers), (3, 96, 4, 1));
    assert!(loader.patches_per_second > 0.0);
}

#[test]
fn what_is_no_picture_is_counted_and_the_rest_examined() {
    let folder = Folder::new();
    folder.put("good.png", &photograph(1, 64, 64));
    folder.put("one.png", &photograph(2, 4, 4).crop(0, 0, 1, 1).unwrap());
    folder.put("small.png", &photograph(3, 64, 40));
    folder.put("twin.png", &photograph(4, 64, 64));
    folder.save("twin.jpg", ImageBuffer::from_fn(64, 64, |x, y| Rgb([(x * 4) as u8, (y * 4) as u8, (x ^ y) as u8])));
    fs::write(folder.path().join("text.png"), "no picture").unwrap();
    fs::write(folder.path().join("notes.txt"), "").unwrap();
    let whole = fs::read(folder.path().join("good.png")).unwrap();
    fs::write(folder.path().join("cut.png"), &whole[..whole.len() / 2]).unwrap();
    let report = run(vec![split("train", folder.path(), MADE, true)], Some(48));
    let expected = [
        (Fatal, Kind::Unreadable, "cut.png"),
        (Fatal, Kind::Unreadable, "text.png"),
        (Fatal, Kind::SameName, "twin.png"),
        (Fatal, Kind::TooSmall, "one.png"),
        (Fatal, Kind::TooSmall, "small.png"),
    ];
    let mut found = found(&report);
    found.sort();
    assert_eq!(found, findings(&expected));
    assert!(report.has_errors());
    let split = &report.splits[0];
    assert_eq!((split.pictures, split.readable, split.others, split.errors), (6, 4, 1, 5));
    let message = &report.findings.iter().find(|finding| finding.file.ends_with("small.png")).unwrap().message;
    assert!(message.contains("small.png: (64, 40) (height, width) is smaller than the patch, 48x48"), "{message}");
}

#[test]
fn pixels_that_must_be_converted_are_errors_or_notes_as_asked() {
    let folder = Folder::new();
    folder.save("alpha.png", ImageBuffer::from_fn(32, 32, |x, y| Rgba([(x * 8) as u8, (y * 8) as u8, 0, 9])));
    folder.save("deep.png", ImageBuffer::from_fn(32, 32, |x, y| Rgb([(x * y * 60) as u16, (y * 2000) as u16, 0])));
    folder.save("grey.png", ImageBuffer::from_fn(32, 32, |x, y| Luma([(x * x + y) as u8])));
    let mut train = split("train", folder.path(), MADE, true);
    let names = ["alpha.png", "deep.png", "grey.png"];
    let report = run(vec![train.clone()], None);
    assert_eq!(found(&report), findings(&names.map(|name| (Fatal, Kind::Conversion, name))));
    let counts: Vec<(&str, usize)> =
        report.splits[0].converted.iter().map(|(found, count)| (found.as_str(), *count)).collect();
    assert_eq!(counts, [("16 bits per channel", 1), ("an alpha channel", 1), ("grey", 1)]);
    train.source.conversion = Conversion::Convert;
    let report = run(vec![train], None);
    assert_eq!(found(&report), findings(&names.map(|name| (Note, Kind::Conversion, name))));
    assert!(!report.has_errors() && !report.has_warnings());
}

#[test]
fn pairs_that_do_not_fit_are_told_one_by_one() {
    let (hr, lr) = (Folder::new(), Folder::new());
    let photographs: Vec<Rgb8> = (0..8).map(|seed| photograph(seed, 80, 80)).collect();
    let reduced = |index: usize| bicubic(&photographs[index], 20, 20, Border::Replicate);
    for (name, picture) in ["alone1", "alone2", "good", "other", "shifted", "noisy", "wide"].iter().zip(&photographs) {
        hr.put(&format!("{name}.png"), picture);
    }
    lr.put("extra1.png", &reduced(0));
    lr.put("extra2.png", &reduced(1));
    lr.put("good.png", &reduced(2));
    lr.put("other.png", &reduced(7));
    lr.put("shifted.png", &crate::resample::nearest(&photographs[4].crop(0, 0, 1, 1).unwrap(), 20));
    let first = (0..400).flat_map(|i| photographs[4].pixels[3 * (i / 20 * 4 * 80 + i % 20 * 4)..][..3].to_vec());
    lr.put("shifted.png", &Rgb8::new(20, 20, first.collect()).unwrap());
    let noisy =
        reduced(5).pixels.iter().enumerate().map(|(i, value)| value.saturating_add((i * i % 19) as u8)).collect();
    lr.put("noisy.png", &Rgb8::new(20, 20, noisy).unwrap());
    lr.put("wide.png", &bicubic(&photographs[6], 20, 21, Border::Replicate));
    let report = run(vec![split("train", hr.path(), lr.lr(), true)], None);
    let expected = [
        (Fatal, Kind::MissingLr, "alone1.png"),
        (Fatal, Kind::MissingLr, "alone2.png"),
        (Fatal, Kind::ExtraLr, "extra1.png"),
        (Fatal, Kind::ExtraLr, "extra2.png"),
        (Fatal, Kind::Size, "wide.png"),
        (Fatal, Kind::OtherPicture, "other.png"),
        (Warning, Kind::Shift, "shifted.png"),
        (Warning, Kind::Kernel, "noisy.png"),
    ];
    assert_eq!(found(&report), findings(&expected), "{:#?}", report.findings);
    assert_eq!((report.splits[0].errors, report.splits[0].warnings), (6, 2));
}

#[test]
fn copies_are_found_inside_a_split_and_across() {
    let (train, test) = (Folder::new(), Folder::new());
    let photographs: Vec<Rgb8> = (0..6).map(|seed| photograph(seed, 240, 320)).collect();
    photographs.iter().enumerate().for_each(|(i, picture)| {
        train.put(&format!("{i}.png"), picture);
    });
    train.put("again.png", &photographs[0]);
    train.put("mirrored.png", &mirrored(&photographs[1]));
    // As in the known case: reduced by 1.39, and three columns cut off at the left.
    let woman = bicubic(&photographs[2].crop(0, 4, 240, 316).unwrap(), 173, 227, Border::Replicate);
    test.put("woman.png", &woman);
    test.put("part.png", &mirrored(&photographs[3].crop(60, 30, 160, 200).unwrap()));
    test.put("other.png", &photograph(9, 200, 200));
    let report = run(vec![split("train", train.path(), MADE, true), split("test", test.path(), MADE, false)], None);
    let expected = [
        (Warning, Kind::Leakage, "2.png"),
        (Warning, Kind::Leakage, "3.png"),
        (Warning, Kind::Duplicate, "again.png"),
        (Warning, Kind::Duplicate, "mirrored.png"),
    ];
    assert_eq!(found(&report), findings(&expected), "{:#?}", report.findings);
    let copies: Vec<&Original> = report.findings.iter().filter_map(|finding| finding.copy_of.as_ref()).collect();
    assert!((copies[0].scale - 1.39).abs() < 0.01 && !copies[0].turned && copies[0].file.ends_with("woman.png"));
    assert!((copies[1].scale - 1.0).abs() < 0.01 && copies[1].turned && copies[1].file.ends_with("part.png"));
    assert_eq!((copies[2].identical, copies[3].identical, copies[3].turned), (true, false, true));
    assert!(!report.has_errors());
}

#[test]
fn a_picture_and_its_copy_cropped_to_the_scale_are_the_same() {
    let (train, test) = (Folder::new(), Folder::new());
    let whole = photograph(1, 84, 100).crop(0, 0, 82, 99).unwrap();
    train.put("whole.png", &whole);
    test.put("cropped.png", &whole.crop(0, 0, 80, 96).unwrap());
    let report = run(vec![split("train", train.path(), MADE, true), split("test", test.path(), MADE, false)], None);
    assert_eq!(found(&report), findings(&[(Fatal, Kind::Leakage, "whole.png")]));
    assert!(report.findings[0].copy_of.as_ref().unwrap().identical);
}

#[test]
fn folders_that_are_none_are_findings() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("empty")).unwrap();
    folder.put("a.png", &photograph(1, 32, 32));
    let file = folder.path().join("a.png");
    let (absent, empty) = (folder.path().join("absent"), folder.path().join("empty"));
    let report = run(
        vec![
            split("absent", &absent, MADE, true),
            split("file", &file, MADE, false),
            split("train", folder.path(), Lr::Folder(empty), false),
        ],
        None,
    );
    let expected = [(Fatal, Kind::Folder, "absent"), (Fatal, Kind::Folder, "a.png"), (Fatal, Kind::Folder, "empty")];
    assert_eq!(found(&report), findings(&expected), "{:#?}", report.findings);
    assert_eq!(report.loader, None);
}

#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_and_names_that_are_no_text_do_no_harm() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    let loops = folder.path().join("loop.png");
    std::os::unix::fs::symlink(&loops, &loops).unwrap();
    let bytes = std::ffi::OsStr::from_bytes(b"\xff\n.png");
    fs::write(folder.path().join(bytes), encode_png(&photograph(1, 32, 32)).unwrap()).unwrap();
    let report = run(vec![split("train", folder.path(), MADE, true)], None);
    assert_eq!(found(&report), findings(&[(Fatal, Kind::Unreadable, "loop.png")]));
    assert_eq!((report.splits[0].readable, report.splits[0].others), (1, 0));
}

#[test]
fn a_picture_that_vanishes_before_it_is_read_is_a_finding() {
    let folder = Folder::new();
    folder.put("here.png", &photograph(1, 32, 32));
    let gone = folder.put("gone.png", &photograph(2, 32, 32));
    let settings = Settings { scale: 4, patch: None, judgeable: 19, batch: 4, workers: 1 };
    let check = Check::new(vec![split("train", folder.path(), MADE, true)], settings).unwrap();
    fs::remove_file(gone).unwrap();
    let report = check.run(&|| ControlFlow::Continue(())).unwrap();
    assert_eq!(found(&report), findings(&[(Fatal, Kind::Unreadable, "gone.png")]));
    assert_eq!(report.splits[0].readable, 1);
}

#[test]
fn a_check_can_be_broken_off_and_its_settings_must_fit() {
    let folder = Folder::new();
    folder.put("a.png", &photograph(1, 32, 32));
    let settings = Settings { scale: 4, patch: None, judgeable: 19, batch: 4, workers: 1 };
    let check = |settings| Check::new(vec![split("train", folder.path(), MADE, true)], settings);
    (0..40)
        .for_each(|i| fs::copy(folder.path().join("a.png"), folder.path().join(format!("{i}.png"))).map(drop).unwrap());
    assert_eq!(check(settings).unwrap().steps(), 82);
    // While pictures are examined, and while they are compared.
    for last in [1, 42] {
        let calls = AtomicUsize::new(0);
        let is_last = || calls.fetch_add(1, Ordering::Relaxed) + 1 >= last;
        let after = || if is_last() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        assert_eq!(check(settings).unwrap().run(&after), None);
    }
    let calls = AtomicUsize::new(0);
    let after = || {
        calls.fetch_add(1, Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    assert!(check(settings).unwrap().run(&after).is_some());
    assert_eq!(calls.into_inner(), 82);
    let refused = |settings| check(settings).unwrap_err().to_string();
    assert!(refused(Settings { scale: 0, ..settings }).starts_with("scale: expected at least 1"));
    assert!(
        refused(Settings { patch: Some(30), ..settings }).starts_with("patch: expected a multiple of the scale (4)")
    );
}

#[test]
fn set5s_woman_is_the_only_copy_among_the_berkeley_pictures() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.exists() {
        return println!("skipped: {} is absent", data.display());
    }
    let report = run(
        vec![
            split("train", &data.join("bsds500/train"), MADE, true),
            split("apart", &data.join("leakage"), MADE, true),
            split("test", &data.join("bsds500/test"), MADE, false),
            split("Set5", &data.join("Set5/HR_x4"), MADE, false),
        ],
        None,
    );
    assert_eq!(found(&report), findings(&[(Warning, Kind::Leakage, "302003.jpg")]));
    let copy = report.findings[0].copy_of.as_ref().unwrap();
    assert!((copy.scale - 1.39).abs() < 0.005 && copy.file.ends_with("woman.png") && copy.edges > 0.95, "{copy:?}");
}
