//! A split in a few lines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::examine::Examined;
use super::finding::lossy;
use super::{Finding, Fit, Recipe, Severity, Split};
use crate::pair::Lr;

/// What there is in a split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The split's name.
    pub name: String,
    /// The folder of HR pictures.
    #[serde(serialize_with = "lossy")]
    pub hr: PathBuf,
    /// Whether LR pictures are read from files.
    pub lr_files: bool,
    /// Whether it is trained on.
    pub training: bool,
    /// HR pictures that are there.
    pub pictures: usize,
    /// Those that can be read.
    pub readable: usize,
    /// Other files and folders beside the pictures, and hidden ones.
    pub others: usize,
    /// The least (height, width) of any HR picture.
    pub smallest: Option<(usize, usize)>,
    /// The greatest (height, width).
    pub largest: Option<(usize, usize)>,
    /// Pictures that are not RGB with 8 bits per channel, HR and LR, by what they are.
    pub converted: BTreeMap<String, usize>,
    /// How the LR pictures were made, the most frequent way first.
    pub made: Vec<Made>,
    /// LR pictures that were made by no known kernel.
    pub made_otherwise: usize,
    /// Findings that are errors.
    pub errors: usize,
    /// Findings that are warnings.
    pub warnings: usize,
}

/// LR pictures that were made in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Made {
    /// The way.
    pub recipe: Recipe,
    /// How many pictures.
    pub pictures: usize,
    /// The least share of identical values in any of them.
    pub identical: f64,
    /// The mean of their mean differences, in levels of 0..=255.
    pub mean: f64,
    /// The largest difference.
    pub max: u8,
}

impl Summary {
    pub(super) fn new((split, others): (&Split, usize)) -> Self {
        Self {
            name: split.name.clone(),
            hr: split.source.hr.clone(),
            lr_files: matches!(split.source.lr, Lr::Folder(_)),
            training: split.training,
            pictures: 0,
            readable: 0,
            others,
            smallest: None,
            largest: None,
            converted: BTreeMap::new(),
            made: vec![],
            made_otherwise: 0,
            errors: 0,
            warnings: 0,
        }
    }

    /// One more picture.
    pub(super) fn add(&mut self, examined: &Examined) {
        self.pictures += 1;
        for found in &examined.converted {
            *self.converted.entry((*found).into()).or_default() += 1;
        }
        if let Some((height, width)) = examined.size {
            self.readable += 1;
            let (least, most) = (self.smallest.unwrap_or((height, width)), self.largest.unwrap_or((height, width)));
            self.smallest = Some((least.0.min(height), least.1.min(width)));
            self.largest = Some((most.0.max(height), most.1.max(width)));
        }
        examined.fit.iter().for_each(|fit| self.add_fit(fit));
    }

    fn add_fit(&mut self, fit: &Fit) {
        let Fit { recipe, identical, mean, max, .. } = *fit;
        if !fit.is_known() {
            self.made_otherwise += 1;
            return;
        }
        match self.made.iter_mut().find(|made| made.recipe == recipe) {
            Some(made) => {
                made.mean = (made.mean * made.pictures as f64 + mean) / (made.pictures + 1) as f64;
                made.pictures += 1;
                made.identical = made.identical.min(identical);
                made.max = made.max.max(max);
            }
            None => self.made.push(Made { recipe, pictures: 1, identical, mean, max }),
        }
    }

    /// Counts the findings, once all are known, and puts the ways of making LR pictures in order.
    pub(super) fn count(&mut self, findings: &[Finding]) {
        let of = |severity| {
            findings.iter().filter(|finding| finding.split == self.name && finding.severity == severity).count()
        };
        (self.errors, self.warnings) = (of(Severity::Error), of(Severity::Warning));
        self.made.sort_by_key(|made| std::cmp::Reverse(made.pictures));
    }
}
