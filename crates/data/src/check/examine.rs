//! What one picture is, and what is wrong with it.

use std::path::Path;

use super::copies::Features;
use super::hash::Window;
use super::kernel::{self, Fit};
use super::listing::Item;
use super::{Finding, Kind, Settings, Severity, Split};
use crate::Error;
use crate::image::{Conversion, Rgb8, is_animated, read};
use crate::pair::crop_to_multiple;

/// What was found out about one picture and its LR picture.
pub(super) struct Examined {
    /// The HR picture's (height, width), if it could be read.
    pub size: Option<(usize, usize)>,
    pub features: Option<Features>,
    /// Where the LR picture is read from a file, and has the right size.
    pub fit: Option<Fit>,
    /// What each of the two is, if it is not RGB with 8 bits per channel.
    pub converted: Vec<&'static str>,
    pub findings: Vec<Finding>,
}

impl Examined {
    pub fn new(item: &Item, split: &Split, settings: &Settings, windows: &[Window]) -> Self {
        let mut examined = Self { size: None, features: None, fit: None, converted: vec![], findings: vec![] };
        let hr = examined.read_hr(&item.hr, split, settings.scale, windows);
        let lr = item.lr.as_deref().and_then(|lr| Some((lr, examined.read(lr, split)?)));
        let Some(hr) = hr else { return examined };
        if let Some(finding) = too_small(&hr, &item.hr, split, settings) {
            examined.findings.push(finding);
        } else if let Some((path, lr)) = lr {
            examined.check_lr((&item.hr, &hr), (path, &lr), split, settings.scale);
        }
        examined
    }

    /// The HR picture as it is used: cropped to a multiple of the scale.
    fn read_hr(&mut self, path: &Path, split: &Split, scale: usize, windows: &[Window]) -> Option<Rgb8> {
        let whole = self.read(path, split)?;
        self.size = Some(whole.size());
        let hr = crop_to_multiple(&whole, path, scale).map_err(|error| self.refuse(path, split, &error)).ok()?;
        self.features = Some(Features::new(&whole, &hr, windows));
        Some(hr)
    }

    /// The picture as 8-bit RGB, converted if it must be.
    fn read(&mut self, path: &Path, split: &Split) -> Option<Rgb8> {
        let picture = match read(path, Conversion::Refuse) {
            Err(Error::Conversion { found, .. }) => {
                self.converted.push(found);
                self.findings.push(conversion(path, split, found));
                read(path, Conversion::Convert)
            }
            other => other,
        };
        if is_animated(path).unwrap_or(false) {
            let message =
                format!("{}: has several pictures: the first counts, the others are left out", path.display());
            self.findings.push(Finding::new(Severity::Note, Kind::Animation, &split.name, path, message));
        }
        picture.map_err(|error| self.refuse(path, split, &error)).ok()
    }

    fn check_lr(&mut self, (hr_path, hr): (&Path, &Rgb8), (lr_path, lr): (&Path, &Rgb8), split: &Split, scale: usize) {
        let expected = (hr.height / scale, hr.width / scale);
        if lr.size() != expected {
            let [hr_name, lr_name] = [hr_path, lr_path].map(|path| path.display().to_string());
            let hr_size = self.size.unwrap_or(hr.size());
            let error = Error::PairSize { hr: hr_name, hr_size, lr: lr_name, lr_size: lr.size(), scale, expected };
            return self.refuse(lr_path, split, &error);
        }
        self.fit = kernel::find(hr, lr, scale);
        let found = self.fit.as_ref().and_then(|fit| fit_finding(lr_path, hr_path, split, fit));
        self.findings.extend(found);
    }

    fn refuse(&mut self, path: &Path, split: &Split, error: &Error) {
        self.findings.push(Finding::error(&split.name, path, error));
    }
}

/// What is to be said of a picture that is trained on and holds no patch, or that is judged on and too small for it.
fn too_small(hr: &Rgb8, path: &Path, split: &Split, settings: &Settings) -> Option<Finding> {
    let (picture, size, least) = (path.display().to_string(), hr.size(), hr.height.min(hr.width));
    if split.training {
        let side = settings.patch.filter(|&patch| least < patch)?;
        return Some(Finding::error(&split.name, path, &Error::TooSmall { picture, size, what: "patch", side }));
    }
    let side = settings.judgeable;
    let message = format!(
        "{picture}: {size:?} (height, width), cropped to a multiple of the scale, is too small to be judged, which takes \
         {side}x{side}; remove the picture"
    );
    (least < side).then(|| Finding::new(Severity::Error, Kind::TooSmall, &split.name, path, message))
}

fn conversion(path: &Path, split: &Split, found: &'static str) -> Finding {
    let error = Finding::error(&split.name, path, &Error::Conversion { path: path.into(), found });
    match split.source.conversion {
        Conversion::Refuse => error,
        _ => {
            let message = format!("{}: {found}: converted on reading, as asked", path.display());
            Finding { severity: Severity::Note, message, ..error }
        }
    }
}

/// What is to be said of an LR picture that was not made in a known way, or lies beside its place.
fn fit_finding(lr: &Path, hr: &Path, split: &Split, fit: &Fit) -> Option<Finding> {
    let (path, hr) = (lr.display(), hr.display());
    let closest = format!("{} (mean difference {:.2}, largest {})", fit.recipe, fit.mean, fit.max);
    let (severity, kind, message) = if fit.is_other_picture() {
        let message = format!(
            "{path}: does not show what {hr} shows (correlation {:.2}): give the HR picture its own LR picture",
            fit.correlation
        );
        (Severity::Error, Kind::OtherPicture, message)
    } else if fit.is_shifted() {
        let [row, column] = fit.recipe.shift;
        let message = format!(
            "{path}: each pixel shows a place ({row:+}, {column:+}) HR pixels (down, right) of where it should; \
             closest: {closest}: make it again, or a network learns to shift"
        );
        (Severity::Warning, Kind::Shift, message)
    } else if !fit.is_known() {
        let message = format!("{path}: made from {hr} by no known kernel; closest: {closest}: compressed or degraded?");
        (Severity::Warning, Kind::Kernel, message)
    } else {
        return None;
    };
    Some(Finding { fit: Some(*fit), ..Finding::new(severity, kind, &split.name, lr, message) })
}
