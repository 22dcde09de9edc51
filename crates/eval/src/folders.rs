//! Pictures that exist already, measured folder against folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use abbe_data::folder;
use abbe_data::image::{Conversion, Rgb8, read};
use abbe_data::pair::{self, Lr, Source};
use rayon::prelude::*;

use crate::{Error, Versions};

/// Where the versions of pictures lie. Files belong together by their names without extension.
#[derive(Clone, Copy, Debug)]
pub struct Folders<'a> {
    /// Restored pictures.
    pub sr: &'a Path,
    /// References.
    pub hr: &'a Path,
    /// What SR was made from, which `lr_psnr` needs; the names may have the usual endings, such as x4.
    pub lr: Option<&'a Path>,
    /// What to do with pictures that are not RGB with 8 bits per channel.
    pub conversion: Conversion,
    /// How many times larger HR is than LR.
    pub scale: usize,
}

/// One reference, with its LR picture if there is one.
struct Reference {
    name: String,
    hr: Rgb8,
    lr: Option<Rgb8>,
}

/// Does `work` for every picture of the folders, on all cores; the answers are in the order of the names. An HR picture whose
/// sides are no multiples of the scale is cropped at the bottom and right where SR has that size, as benchmarks do.
///
/// # Errors
/// A picture without partner, one that cannot be read, and those of `work`, the first by name.
pub fn for_each<T: Send, E: From<Error> + Send>(
    folders: &Folders,
    work: impl Fn(&str, &Versions) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let restored = restored(folders)?;
    let of = |reference: Result<Reference, Error>| with_restored(folders, &restored, reference, &work);
    let answers: Vec<Result<T, E>> = match folders.lr {
        Some(lr) => pairs(folders, lr)?.into_par_iter().map(|reference| of(Ok(reference))).collect(),
        None => {
            let pictures = folder::pictures(folders.hr).map_err(Error::from)?;
            pictures.into_par_iter().map(|picture| of(reference(folders, picture))).collect()
        }
    };
    answers.into_iter().collect()
}

/// The same without LR, one picture after the other on this thread.
///
/// # Errors
/// As [`for_each`].
pub fn in_turn<T, E: From<Error>>(
    folders: &Folders,
    work: impl Fn(&str, &Versions) -> Result<T, E>,
) -> Result<Vec<T>, E> {
    let restored = restored(folders)?;
    let pictures = folder::pictures(folders.hr).map_err(Error::from)?;
    pictures.into_iter().map(|picture| with_restored(folders, &restored, reference(folders, picture), &work)).collect()
}

fn restored(folders: &Folders) -> Result<BTreeMap<String, PathBuf>, Error> {
    check_partners(folders)?;
    Ok(folder::pictures(folders.sr)?)
}

fn reference(folders: &Folders, (name, path): (String, PathBuf)) -> Result<Reference, Error> {
    Ok(Reference { name, hr: read(&path, folders.conversion)?, lr: None })
}

fn with_restored<T, E: From<Error>>(
    folders: &Folders,
    restored: &BTreeMap<String, PathBuf>,
    reference: Result<Reference, Error>,
    work: impl Fn(&str, &Versions) -> Result<T, E>,
) -> Result<T, E> {
    let Reference { name, hr, lr } = reference?;
    let sr = read(&restored[&name], folders.conversion).map_err(Error::from)?;
    let hr = if sr.size() == hr.size() { hr } else { cropped(hr, sr.size(), folders.scale)? };
    work(&name, &Versions { sr: &sr, hr: &hr, lr: lr.as_ref() })
}

fn pairs(folders: &Folders, lr: &Path) -> Result<Vec<Reference>, Error> {
    let source = Source { hr: folders.hr.into(), lr: Lr::Folder(lr.into()), conversion: folders.conversion };
    let pairs = pair::load(&source, folders.scale)?;
    Ok(pairs.into_iter().map(|pair| Reference { name: pair.name, hr: pair.hr, lr: Some(pair.lr) }).collect())
}

fn check_partners(folders: &Folders) -> Result<(), Error> {
    let (sr, hr) = (folder::pictures(folders.sr)?, folder::pictures(folders.hr)?);
    for (here, there, folder) in [(&hr, &sr, folders.sr), (&sr, &hr, folders.hr)] {
        if let Some((_, picture)) = here.iter().find(|(name, _)| !there.contains_key(*name)) {
            return Err(Error::NoPartner { picture: picture.clone(), folder: folder.into() });
        }
    }
    Ok(())
}

/// HR without what is beyond multiples of the scale, if SR is that large; else as it is.
fn cropped(hr: Rgb8, sr: (usize, usize), scale: usize) -> Result<Rgb8, Error> {
    let scale = scale.max(1);
    let (height, width) = (hr.height / scale * scale, hr.width / scale * scale);
    if sr == (height, width) { Ok(hr.crop(0, 0, height, width)?) } else { Ok(hr) }
}

#[cfg(test)]
mod tests {
    use abbe_data::image::encode_png;
    use tempfile::TempDir;

    use super::*;

    fn folder_with(sizes: &[(&str, usize, usize)]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for &(name, height, width) in sizes {
            let picture = Rgb8::new(height, width, vec![9; 3 * height * width]).unwrap();
            std::fs::write(folder.path().join(name), encode_png(&picture).unwrap()).unwrap();
        }
        folder
    }

    /// A picture's name, the size of HR, and whether there is LR.
    type Found = (String, (usize, usize), bool);

    fn sizes(sr: &TempDir, hr: &TempDir, lr: Option<&TempDir>) -> Result<Vec<Found>, Error> {
        let lr = lr.map(TempDir::path);
        let folders = Folders { sr: sr.path(), hr: hr.path(), lr, conversion: Conversion::Refuse, scale: 4 };
        for_each(&folders, |name, versions| Ok((name.to_owned(), versions.hr.size(), versions.lr.is_some())))
    }

    #[test]
    fn files_belong_together_by_name_and_hr_is_cropped_to_the_scale() {
        let sr = folder_with(&[("b.png", 8, 8), ("a.png", 9, 10)]);
        let hr = folder_with(&[("a.png", 9, 10), ("b.png", 9, 11)]);
        let found = sizes(&sr, &hr, None).unwrap();
        assert_eq!(found, [("a".to_owned(), (9, 10), false), ("b".to_owned(), (8, 8), false)]);
        let (sr, lr) =
            (folder_with(&[("a.png", 8, 8), ("b.png", 8, 8)]), folder_with(&[("ax4.png", 2, 2), ("bx4.png", 2, 2)]));
        assert!(sizes(&sr, &hr, Some(&lr)).unwrap().iter().all(|(_, size, lr)| *size == (8, 8) && *lr));
    }

    #[test]
    fn a_picture_without_partner_is_named() {
        let (one, two) = (folder_with(&[("a.png", 8, 8)]), folder_with(&[("a.png", 8, 8), ("b.png", 8, 8)]));
        for (sr, hr) in [(&one, &two), (&two, &one)] {
            let error = sizes(sr, hr, None).unwrap_err().to_string();
            assert!(error.contains(&two.path().join("b.png").display().to_string()), "{error}");
            assert!(error.contains(&one.path().display().to_string()), "{error}");
        }
    }
}
