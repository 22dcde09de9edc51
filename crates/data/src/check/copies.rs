//! Pictures that are there twice: identical, or one a rescaled, turned or cut copy of the other.
//!
//! Hashes propose where a picture may lie in another; there it is registered, and the differences between neighbouring values
//! of both decide. Across splits a picture is also looked for in parts of the other, down to half of each side; inside a
//! split only whole pictures are compared, because training sets are often cut into overlapping pieces.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::finding::lossy;
use super::hash::{Hash, Hasher, Window};
use super::register::{Pyramid, place};
use super::symmetry::Symmetry;
use super::thumb::Thumb;
use super::{Finding, Kind, Severity, Split, in_order};
use crate::image::Rgb8;

/// Bits of the hashes that may differ, of 63.
///
/// Measured on the 200 Berkeley test pictures, each turned, reduced by up to 2.5 and cut to a part of each side: of parts of
/// 0.9 to 1 199 are found, of 0.75 to 0.9 197, of 0.6 to 0.75 187, of 0.5 to 0.6 170. A larger number finds few more and
/// proposes twice as many for each bit.
const PROPOSED: u32 = 15;

/// How far the two directions' scales may be apart, as a logarithm.
const ASPECT: f64 = 0.2;

/// The correlation of edges from which on a picture is a copy.
///
/// Measured between 200 Berkeley training pictures and 205 others, their test pictures and Set5 (41,000 pairs): the one true
/// copy, Set5's woman, has 0.96, the next pair 0.20.
const COPY: f64 = 0.6;

/// What is kept of a picture to find its copies: about 20 kB.
pub(super) struct Features {
    /// Of its size and pixels as it is used: of a picture and its copy that is cropped to a multiple of the scale the same.
    exact: [u8; 32],
    /// None where there is nothing to recognise.
    thumb: Option<Thumb>,
    /// Of all windows of [`Window::all`].
    hashes: Vec<Hash>,
}

impl Features {
    /// Of a picture, and the part of it that is used.
    pub fn new(whole: &Rgb8, used: &Rgb8, windows: &[Window]) -> Self {
        let sides = [used.height, used.width].map(|side| (side as u64).to_le_bytes());
        let exact = Sha256::new().chain_update(sides.as_flattened()).chain_update(&used.pixels).finalize().into();
        let thumb = Thumb::new(whole).filter(|thumb| !thumb.is_flat());
        let hash = |thumb: &Thumb| {
            let hasher = Hasher::new(&thumb.levels()[0]);
            windows.iter().map(|window| hasher.hash(window)).collect()
        };
        Self { exact, hashes: thumb.as_ref().map_or(vec![], hash), thumb }
    }
}

/// A picture of a split.
pub(super) struct Seen {
    pub split: usize,
    pub file: PathBuf,
    pub features: Features,
}

/// What a file is a copy of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Original {
    /// The other's split.
    pub split: String,
    /// The other file.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// Whether all pixels are the same, once both are cropped to a multiple of the scale.
    pub identical: bool,
    /// Pixels of this file for one of the other's, along a line.
    pub scale: f64,
    /// Whether one must be turned or mirrored.
    pub turned: bool,
    /// Correlation of the values where both are, -1 to 1.
    pub correlation: f64,
    /// Correlation of the differences between neighbouring values, -1 to 1: what decides.
    pub edges: f64,
}

/// How well two pictures can be brought onto each other.
struct Match {
    identical: bool,
    /// Pixels of the first for one of the second's.
    scale: f64,
    turned: bool,
    correlation: f64,
    edges: f64,
}

/// Of each picture, for each split, the closest copy there. None if `after`, which is called after each picture, broke off.
///
/// Where one of the two is trained on and the other is not, the finding is on the training picture: it is the one to
/// remove. Otherwise it is on the later one.
pub(super) fn find(
    seen: &[Seen],
    splits: &[Split],
    windows: &[Window],
    after: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Option<Vec<Finding>> {
    let mut closest: BTreeMap<(usize, usize), Finding> = BTreeMap::new();
    for (first, second, found) in matches(seen, windows, after)?.iter().filter(|(.., found)| found.edges >= COPY) {
        let trained = |index: usize| splits[seen[index].split].training;
        let first_owns = trained(*first) && !trained(*second);
        let (owner, other) = if first_owns { (*first, *second) } else { (*second, *first) };
        let scale = if first_owns { found.scale } else { found.scale.recip() };
        let finding = finding(&seen[owner], &seen[other], splits, found, scale);
        let edges = |finding: &Finding| finding.copy_of.as_ref().map_or(0.0, |original| original.edges);
        let kept = closest.entry((owner, seen[other].split)).or_insert_with(|| finding.clone());
        if edges(kept) < edges(&finding) {
            *kept = finding;
        }
    }
    Some(closest.into_values().collect())
}

/// All pairs of pictures that could be registered, by their places in the list.
fn matches(
    seen: &[Seen],
    windows: &[Window],
    after: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Option<Vec<(usize, usize, Match)>> {
    let with = |&first: &usize| -> Vec<(usize, usize, Match)> {
        let later = first + 1..seen.len();
        let found = |second| Some((first, second, compare(&seen[first], &seen[second], windows)?));
        later.filter_map(found).collect()
    };
    let all: Vec<usize> = (0..seen.len()).collect();
    Some(in_order(&all, &with, after)?.into_iter().flatten().collect())
}

fn finding(owner: &Seen, other: &Seen, splits: &[Split], found: &Match, scale: f64) -> Finding {
    let (split, other_split) = (&splits[owner.split], &splits[other.split]);
    let leaks = split.training != other_split.training;
    let kind = if leaks { Kind::Leakage } else { Kind::Duplicate };
    let advice = if leaks { "it would be judged on what it was trained on: remove it" } else { "remove one of them" };
    let (path, other_path, other_name) = (owner.file.display(), other.file.display(), &other_split.name);
    let turned = if found.turned { ", turned or mirrored" } else { "" };
    let how = match found.identical {
        true => "the same pixels".into(),
        false => format!("{scale:.2} pixels per line for each there{turned}; edges correlate to {:.2}", found.edges),
    };
    let message = format!("{path}: shows what {other_path} ({other_name}) shows: {how}: {advice}");
    let original = Original {
        split: other_split.name.clone(),
        file: other.file.clone(),
        identical: found.identical,
        scale,
        turned: found.turned,
        correlation: found.correlation,
        edges: found.edges,
    };
    // Training refuses pictures that are judged on as they are.
    let stops = kind == Kind::Leakage && found.identical;
    let severity = if stops { Severity::Error } else { Severity::Warning };
    Finding { copy_of: Some(original), ..Finding::new(severity, kind, &split.name, &owner.file, message) }
}

/// Registers one picture in the other, where their hashes propose it.
fn compare(first: &Seen, second: &Seen, windows: &[Window]) -> Option<Match> {
    if first.features.exact == second.features.exact {
        return Some(Match { identical: true, scale: 1.0, turned: false, correlation: 1.0, edges: 1.0 });
    }
    let windows = if first.split == second.split { &windows[..1] } else { windows };
    let [inside, around] = [(first, second), (second, first)].map(|(a, b)| propose(&a.features, &b.features, windows));
    let distance = |proposal: &Option<Proposal>| proposal.as_ref().map_or(u32::MAX, |proposal| proposal.distance);
    let swapped = distance(&around) < distance(&inside);
    let (proposal, inner, outer) = if swapped { (around?, second, first) } else { (inside?, first, second) };
    let [inner, outer] = [inner, outer].map(|seen| seen.features.thumb.as_ref().map(Pyramid::new));
    let placed = place(&inner?.turned(proposal.symmetry), &outer?, &proposal.window)?;
    let scale = if swapped { placed.scale } else { placed.scale.recip() };
    let turned = proposal.symmetry != Symmetry::NONE;
    Some(Match { identical: false, scale, turned, correlation: placed.values, edges: placed.edges })
}

/// Where one picture may lie in another.
struct Proposal {
    distance: u32,
    window: Window,
    symmetry: Symmetry,
}

/// The window and symmetry whose hashes are closest, if they are close and leave the picture its shape.
fn propose(inner: &Features, outer: &Features, windows: &[Window]) -> Option<Proposal> {
    let (small, large) = (inner.thumb.as_ref()?, outer.thumb.as_ref()?);
    let whole = *inner.hashes.first()?;
    let aspect = |(height, width): (usize, usize)| (height as f64 / width as f64).ln();
    let mut best: Option<Proposal> = None;
    for symmetry in Symmetry::ALL {
        let hash = whole.turned(symmetry);
        let shape = aspect(symmetry.size(small.size)) - aspect(large.size);
        let shaped = windows.iter().zip(&outer.hashes).filter(|(window, _)| (window.aspect - shape).abs() < ASPECT);
        for (window, other) in shaped {
            let distance = hash.distance(*other);
            if distance <= PROPOSED && best.as_ref().is_none_or(|best| distance < best.distance) {
                best = Some(Proposal { distance, window: *window, symmetry });
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rayon::prelude::*;

    use super::*;
    use crate::folder::pictures;
    use crate::image::{Conversion, read};

    #[test]
    fn the_known_copy_stands_apart_from_all_other_pairs() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        if !data.exists() {
            return println!("skipped: {} is absent", data.display());
        }
        let windows = Window::all();
        let folders = [("bsds500/train", 0), ("leakage", 0), ("bsds500/test", 1), ("Set5/HR_x4", 1)];
        let files = folders.into_iter().flat_map(|(folder, split)| {
            pictures(&data.join(folder)).unwrap().into_values().map(move |file| (split, file))
        });
        let seen = |(split, file): (usize, PathBuf)| {
            let picture = read(&file, Conversion::Convert).unwrap();
            let features = Features::new(&picture, &picture, &windows);
            Seen { split, file, features }
        };
        let seen: Vec<Seen> = files.collect::<Vec<_>>().into_par_iter().map(seen).collect();
        let mut edges: Vec<f64> = matches(&seen, &windows, &|| ControlFlow::Continue(()))
            .unwrap()
            .iter()
            .map(|(.., found)| found.edges)
            .collect();
        edges.sort_by(|a, b| b.total_cmp(a));
        println!("{} pairs were registered; edges correlate to {:?}", edges.len(), &edges[..5]);
        assert!(edges[0] > 0.95 && edges[1] < 0.3, "{:?}", &edges[..5]);
    }
}
