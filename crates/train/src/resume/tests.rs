//! Trainings that are cut off after each of their steps and in each of their validations, and go on.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use abbe_run::{LogRow, RunFolder, read_log};
use anyhow::bail;
use indexmap::IndexMap;
use tempfile::TempDir;

use super::*;
use crate::check::tests::{EXPERIMENT, in_folder};
use crate::{Measure, Measured, Validator, train};

/// Two phases of one network, each with an optimiser of its own kind, 7 steps in all, of which 4 are followed by a validation.
fn experiment(keep: usize) -> String {
    let (head, phase) = EXPERIMENT.split_once("[[phase]]").unwrap();
    let phase = phase.replace("clamp_output = true", "clamp_output = false");
    let adam = "{ adam = { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8 } }";
    let first = phase.replace("dead", "first").replace(adam, "{ sgd = { lr = 1e-2, momentum = 0.9 } }");
    let (first, second) = (first.replace("steps = 1", "steps = 3"), phase.replace("steps = 1", "steps = 4"));
    let head = head.replace(
        "[data]",
        &format!("ema = {{ b = {{ decay = 0.5 }} }}\nresume = {{ every = {{ steps = 2 }}, keep = {keep} }}\n[data]"),
    );
    let validation = "every = { steps = 2 }\nmetrics = [\"m\"]\nprotocols = [\"p\"]\nbest = \"m_p\"\nshow = 0";
    format!("{head}[validation]\n{validation}\n[[phase]]{first}[[phase]]{second}")
}

/// Where a training is cut off: after so many steps, or in so manieth a validation of this go at it, by Ctrl-C or by a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    Step(u32),
    Validation(u32),
    Failure(u32),
}

/// A go at the training: from its beginning or from where it was cut off, and to its end or a cut.
fn go(folder: &RunFolder, text: &str, cut: Option<Cut>) -> Result<Vec<BestRecord>> {
    let (stop, validations, mut steps) = (AtomicBool::new(false), Cell::new(0), 0);
    let measure: Measure = Box::new(|model| {
        validations.set(validations.get() + 1);
        if cut == Some(Cut::Failure(validations.get())) {
            bail!("no picture is there any more");
        }
        if cut == Some(Cut::Validation(validations.get())) {
            stop.store(true, Ordering::Relaxed);
            return Ok(None);
        }
        let sum = |tensor: &tch::Tensor| tensor.sum(Kind::Double).double_value(&[]);
        let values = IndexMap::from([("m_p".to_owned(), model.store().parameters().iter().map(sum).sum())]);
        Ok(Some(Measured { values, pictures: vec![] }))
    });
    let (best, notice, references) = ("m_p".to_owned(), None, vec![]);
    let validator = Validator { best, higher_is_better: true, notice, references, measure };
    in_folder(folder, text, Some(validator), &stop, |session| {
        if folder.resume().exists() {
            session.resume(false)?;
        }
        train(session, &mut |_| {
            steps += 1;
            stop.fetch_or(cut == Some(Cut::Step(steps)), Ordering::Relaxed);
        })?;
        Ok(session.best.clone())
    })
}

fn folder() -> (TempDir, RunFolder) {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path(), false).unwrap();
    (root, folder)
}

/// The rows of the log without what depends on the clock and the machine, and the bytes of all checkpoints.
fn left(folder: &RunFolder) -> (Vec<LogRow>, BTreeMap<PathBuf, Vec<u8>>) {
    let clean = |mut row: LogRow| {
        row.health.retain(|name, _| {
            !["patches_per_second", "waiting", "memory_gib", "gpu_memory_gib"].contains(&name.as_str())
        });
        LogRow { seconds: 0.0, ..row }
    };
    let rows = read_log(&folder.log()).unwrap().rows.into_iter().map(clean).collect();
    let named = |path: PathBuf| (PathBuf::from(path.file_name().unwrap()), std::fs::read(path).unwrap());
    (rows, files(&folder.checkpoints(), "").unwrap().into_iter().map(named).collect())
}

#[test]
fn a_training_that_is_cut_off_anywhere_is_the_same_in_the_end() {
    let text = experiment(2);
    let (_root, whole) = folder();
    let best = go(&whole, &text, None).unwrap();
    let (rows, files) = left(&whole);
    let validated: Vec<usize> = (0..rows.len()).filter(|row| !rows[*row].validation.is_empty()).collect();
    assert_eq!((rows.len(), validated), (7, vec![1, 2, 4, 6])); // after 2 steps of each phase, and its last
    let cuts = (1..=7).map(|step| [Some(Cut::Step(step)), None]);
    let cuts = cuts.chain((1..=4).flat_map(|n| [[Some(Cut::Validation(n)), None], [Some(Cut::Failure(n)), None]]));
    // The second go is cut off in the validation that it begins with.
    for cuts in cuts.chain([[Some(Cut::Validation(2)), Some(Cut::Failure(1))]]) {
        let (_root, folder) = folder();
        for cut in cuts.into_iter().flatten() {
            let error = format!("{:#}", go(&folder, &text, Some(cut)).unwrap_err());
            assert!(error.contains("_interrupted.pth"), "{cut:?}: {error}");
            assert!(left(&folder).1.keys().any(|name| name.to_string_lossy().contains("interrupted")));
        }
        assert_eq!(go(&folder, &text, None).unwrap(), best, "{cuts:?}");
        let (own_rows, own_files) = left(&folder);
        assert_eq!(own_rows, rows, "{cuts:?}");
        assert!(own_files.keys().eq(files.keys()), "{cuts:?}: {:?}", own_files.keys());
        let differs = own_files.iter().find(|(name, bytes)| files[*name] != **bytes);
        assert!(differs.is_none(), "{cuts:?}: {:?}", differs.map(|(name, _)| name));
    }
}

#[test]
fn a_step_whose_validation_was_repeated_is_logged_once_however_often_it_is_gone_on_with() {
    let text = experiment(1);
    let (_root, folder) = folder();
    go(&folder, &text, Some(Cut::Validation(1))).unwrap_err();
    let point = points(&folder.resume()).unwrap().pop().unwrap();
    let bytes = std::fs::read(&point).unwrap();
    assert_eq!(left(&folder).0.len(), 1);
    go(&folder, &text, Some(Cut::Step(1))).unwrap_err();
    let rows = left(&folder).0;
    // As if it had been killed when the row was written and the next point was not.
    std::fs::remove_dir_all(folder.resume()).unwrap();
    std::fs::create_dir(folder.resume()).unwrap();
    std::fs::write(&point, bytes).unwrap();
    go(&folder, &text, Some(Cut::Step(1))).unwrap_err();
    assert_eq!((left(&folder).0, rows.len()), (rows, 2));
}

#[test]
fn with_one_point_kept_a_torn_one_gives_way_to_what_is_before_it_or_is_named() {
    let text = experiment(1);
    let (_root, whole) = folder();
    let best = go(&whole, &text, None).unwrap();
    let (_root, folder) = folder();
    go(&folder, &text, Some(Cut::Step(3))).unwrap_err();
    let [older] = &points(&folder.resume()).unwrap()[..] else { panic!("more than one point") };
    let kept = std::fs::read(older).unwrap();
    go(&folder, &text, Some(Cut::Step(2))).unwrap_err();
    let [newest] = &points(&folder.resume()).unwrap()[..] else { panic!("more than one point") };
    let bytes = std::fs::read(newest).unwrap();
    std::fs::write(newest, &bytes[..bytes.len() / 2]).unwrap();
    let error = format!("{:#}", go(&folder, &text, None).unwrap_err());
    assert!(error.contains("nothing to go on from") && error.contains("step_0000000005.pth"), "{error}");
    // What a kill leaves between the new point and the removal of the old one.
    std::fs::write(older, kept).unwrap();
    assert_eq!(go(&folder, &text, None).unwrap(), best);
    assert!(left(&folder) == left(&whole));
    assert_eq!(points(&folder.resume()).unwrap().len(), 1);
}

#[test]
fn other_weights_of_vgg_are_another_training() {
    let text = experiment(1);
    let (_root, folder) = folder();
    go(&folder, &text, Some(Cut::Step(1))).unwrap_err();
    let stop = AtomicBool::new(false);
    in_folder(&folder, &text, None, &stop, |session| {
        session.setup.vgg = Some("SHA-256 other".into());
        let error = format!("{:#}", session.resume(false).unwrap_err());
        assert!(
            error.contains("weights of VGG: none before, SHA-256 other now") && error.contains("--allow-changes"),
            "{error}"
        );
        assert_eq!(session.resume(true).unwrap().changed, ["weights of VGG: none before, SHA-256 other now"]);
    });
}
