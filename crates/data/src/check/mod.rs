//! Looks at every picture of training and evaluation sets before they are used: what cannot be read or does not fit, what is
//! there twice or is both trained and judged on, and how LR pictures were made.
//!
//! Nothing is changed and nothing breaks off at the first fault: each becomes a [`Finding`].

mod copies;
mod examine;
mod finding;
mod hash;
mod kernel;
mod listing;
mod register;
mod stencil;
mod summary;
mod symmetry;
mod throughput;
mod thumb;

use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use crate::Error;
use crate::pair::{Lr, Source};

pub use copies::Original;
use copies::Seen;
use examine::Examined;
pub use finding::{Finding, Kind, Severity};
use hash::Window;
pub use kernel::Fit;
use listing::{Item, Listing};
pub use stencil::{Edge, Recipe, Rounding, Shape};
pub use summary::{Made, Summary};
pub use throughput::Throughput;

/// Pictures that are used together.
#[derive(Debug, Clone)]
pub struct Split {
    /// What it is called: `train`, `test`, the benchmark's name.
    pub name: String,
    /// Where the pictures are.
    pub source: Source,
    /// Whether it is trained on; otherwise it is judged on.
    pub training: bool,
}

/// How the pictures will be used.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// HR size over LR size, at least 1.
    pub scale: usize,
    /// Side of the HR patches that are cut from training pictures, a multiple of the scale.
    pub patch: Option<usize>,
    /// Shortest side, in HR pixels, that a picture must have to be judged on, once it is cropped to a multiple of the scale.
    pub judgeable: usize,
    /// Patches in a batch.
    pub batch: usize,
    /// Threads of the loader.
    pub workers: usize,
}

/// What there is, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// One for each split.
    pub splits: Vec<Summary>,
    /// The graver ones first; of one kind in the order of splits and files.
    pub findings: Vec<Finding>,
    /// The loader's speed, if there is a training picture that holds a patch. With LR patches from a degradation, which takes
    /// most of the time then, it is not measured.
    pub loader: Option<Throughput>,
}

impl Report {
    /// Whether something would break training or evaluation.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Whether something is doubtful.
    pub fn has_warnings(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Warning)
    }
}

/// The files of some splits, to be examined.
#[derive(Debug)]
pub struct Check {
    splits: Vec<Split>,
    settings: Settings,
    listing: Listing,
}

impl Check {
    /// Lists the files. A folder that cannot be listed becomes a finding.
    ///
    /// [`Error::Setting`] for a scale, batch or number of workers of 0, and a patch that is no multiple of the scale.
    pub fn new(mut splits: Vec<Split>, settings: Settings) -> Result<Self, Error> {
        let Settings { scale, patch, batch, workers, .. } = settings;
        for (key, found) in [("scale", scale), ("batch", batch), ("workers", workers)] {
            if found == 0 {
                return Err(Error::Setting { key, expected: "at least 1".into(), found });
            }
        }
        if let Some(found) = patch.filter(|patch| *patch == 0 || !patch.is_multiple_of(scale)) {
            return Err(Error::Setting { key: "patch", expected: format!("a multiple of the scale ({scale})"), found });
        }
        for index in 1..splits.len() {
            if splits[..index].iter().any(|split| split.name == splits[index].name) {
                splits[index].name = format!("{} ({})", splits[index].name, index + 1);
            }
        }
        let listing = Listing::new(&splits, scale);
        Ok(Self { splits, settings, listing })
    }

    /// How often [`Check::run`] calls `after` at most: each HR picture is examined, and compared if it can be used.
    pub fn steps(&self) -> usize {
        2 * self.listing.items.len()
    }

    /// Examines every picture, one on each processor at a time, then compares them with each other. `after` is called after
    /// each picture that was examined, and each that was compared with those behind it, and may break off; then there is no
    /// report.
    pub fn run(self, after: &(dyn Fn() -> ControlFlow<()> + Sync)) -> Option<Report> {
        let Self { splits, settings, listing } = self;
        let windows = Window::all();
        let examine = |item: &Item| Examined::new(item, &splits[item.split], &settings, &windows);
        let examined = in_order(&listing.items, &examine, after)?;
        let is_timed = |split: &Split| split.training && !matches!(split.source.lr, Lr::Degrade(_));
        let sizes = listing.items.iter().zip(&examined).filter(|(item, _)| is_timed(&splits[item.split]));
        let sizes = sizes.filter_map(|(item, examined)| Some((item.hr.as_path(), examined.size?)));
        let loader = throughput::measure(sizes, &settings).unwrap_or(None); // the findings are what was asked for
        let mut findings = listing.findings;
        let mut summaries: Vec<Summary> = splits.iter().zip(listing.others).map(Summary::new).collect();
        let mut seen = Vec::new();
        for (item, mut examined) in listing.items.into_iter().zip(examined) {
            summaries[item.split].add(&examined);
            findings.append(&mut examined.findings);
            seen.extend(examined.features.map(|features| Seen { split: item.split, file: item.hr, features }));
        }
        findings.extend(copies::find(&seen, &splits, &windows, after)?);
        findings.sort_by_key(|finding| (finding.severity, finding.kind));
        summaries.iter_mut().for_each(|summary| summary.count(&findings));
        Some(Report { splits: summaries, findings, loader })
    }
}

/// `work` of each item, as many at a time as there are processors: on threads of their own, because one of a shared pool
/// that waits for help with a picture would begin the next. None if `after` broke off.
fn in_order<T: Sync, R: Send>(
    items: &[T],
    work: &(dyn Fn(&T) -> R + Sync),
    after: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Option<Vec<R>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = items.get(index)
        {
            done.push((index, work(item)));
            if after().is_break() {
                next.store(items.len(), Ordering::Relaxed);
            }
        }
        done
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let count = thread::available_parallelism().map_or(1, |count| count.get());
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    (done.len() == items.len()).then(|| done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests;
