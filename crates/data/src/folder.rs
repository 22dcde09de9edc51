//! Folders of pictures: the files that count, and which LR file belongs to which HR file.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::Error;

const EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff"];

/// The picture files directly in a folder, in the order of their names (file names without extension).
///
/// A picture file is told by its extension (png, jpg, jpeg, webp, bmp, tif, tiff, small or capital letters). Hidden
/// files and sub-folders are passed over. Errors: [`Error::Folder`] unless it is a folder with at least one picture,
/// [`Error::SameName`] for two pictures with one name, [`Error::Read`].
pub fn pictures(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let unreadable = |source| Error::Read { path: folder.into(), source };
    let unfit = |found| Error::Folder { path: folder.into(), found };
    match fs::metadata(folder) {
        Ok(metadata) if !metadata.is_dir() => return Err(unfit("a file")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(unfit("nothing")),
        other => other.map_err(unreadable)?,
    };
    let mut pictures = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = picture_name(&path) else { continue };
        if let Some(first) = pictures.insert(name, path.clone()) {
            let (first, second) = if first < path { (first, path) } else { (path, first) };
            return Err(Error::SameName { first, second });
        }
    }
    if pictures.is_empty() { Err(unfit("a folder without pictures")) } else { Ok(pictures) }
}

/// The file's name without its extension, if it is a picture file and not hidden.
pub(crate) fn picture_name(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let name = path.file_stem()?.to_string_lossy().into_owned();
    (EXTENSIONS.contains(&extension.as_str()) && !name.starts_with('.') && path.is_file()).then_some(name)
}

/// For each HR name its LR file in `lr_folder`, matched by name; see [`lr_names`].
///
/// Errors: [`Error::MissingLr`] and [`Error::ExtraLr`], for the first name that has no partner, and those of
/// [`pictures`].
pub(crate) fn lr_of(
    hr: &BTreeMap<String, PathBuf>,
    hr_folder: &Path,
    lr_folder: &Path,
    scale: usize,
) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut left = pictures(lr_folder)?;
    let mut matched = BTreeMap::new();
    for (name, path) in hr {
        let expected = lr_names(name, scale);
        let Some(lr) = expected.iter().find_map(|name| left.remove(name)) else {
            return Err(Error::MissingLr { hr: path.clone(), folder: lr_folder.into(), expected: expected.join(", ") });
        };
        matched.insert(name.clone(), lr);
    }
    match left.into_values().next() {
        Some(lr) => Err(Error::ExtraLr { lr, folder: hr_folder.into() }),
        None => Ok(matched),
    }
}

/// The names that data sets give to the LR picture of an HR picture: the same, or with the usual endings (here for
/// scale 4) `x4`, `_x4`, `_LR`, and `NAME_SRF_4_LR` where the HR picture is `NAME_SRF_4_HR` (or `NAME`).
pub(crate) fn lr_names(hr: &str, scale: usize) -> [String; 5] {
    let plain = hr.strip_suffix(&format!("_SRF_{scale}_HR")).unwrap_or(hr);
    [
        hr.into(),
        format!("{hr}x{scale}"),
        format!("{hr}_x{scale}"),
        format!("{hr}_LR"),
        format!("{plain}_SRF_{scale}_LR"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn folder_with(files: &[&str]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for file in files {
            fs::write(folder.path().join(file), "").unwrap();
        }
        folder
    }

    fn matched(hr_files: &[&str], lr_files: &[&str]) -> Result<Vec<String>, String> {
        let (hr_folder, lr_folder) = (folder_with(hr_files), folder_with(lr_files));
        let hr = pictures(hr_folder.path()).unwrap();
        let lr = lr_of(&hr, hr_folder.path(), lr_folder.path(), 4).map_err(|error| error.to_string())?;
        Ok(lr.into_values().map(|path| path.file_name().unwrap().to_string_lossy().into()).collect())
    }

    #[test]
    fn pictures_are_listed_by_name() {
        let folder = folder_with(&["b.PNG", "a.jpeg", "c.tif", ".hidden.png", "notes.txt", "png"]);
        fs::create_dir(folder.path().join("sub.png")).unwrap();
        assert_eq!(pictures(folder.path()).unwrap().into_keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_path_that_is_no_folder_of_pictures_says_what_is_there() {
        let folder = folder_with(&["a.txt"]);
        for (path, found) in [("", "a folder without pictures"), ("absent", "nothing"), ("a.txt", "a file")] {
            let path = folder.path().join(path);
            let error = pictures(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("{}: expected a folder", path.display())), "{error}");
            assert!(error.contains(&format!("found {found};")), "{error}");
        }
    }

    #[test]
    fn two_pictures_of_one_name_are_an_error() {
        let error = pictures(folder_with(&["a.png", "a.jpg"]).path()).unwrap_err().to_string();
        assert!(error.contains("a.jpg and ") && error.contains("a.png share one name"), "{error}");
    }

    #[test]
    fn lr_files_are_matched_by_name_and_ending() {
        let hr = ["a.png", "b.png", "c.png", "d.png", "e_SRF_4_HR.png"];
        let lr = ["a.jpg", "bx4.png", "c_x4.png", "d_LR.png", "e_SRF_4_LR.png"];
        assert_eq!(matched(&hr, &lr).unwrap(), lr);
        // A name that itself ends like an LR name keeps its own file.
        assert_eq!(matched(&["box.png", "boxx4.png"], &["box.png", "boxx4.png"]).unwrap(), ["box.png", "boxx4.png"]);
    }

    #[test]
    fn missing_and_extra_lr_files_are_named() {
        let missing = matched(&["a.png", "b.png"], &["a.png"]).unwrap_err();
        assert!(
            missing.contains("b.png: no LR picture in ") && missing.contains("b, bx4, b_x4, b_LR, b_SRF_4_LR"),
            "{missing}"
        );
        let extra = matched(&["a.png"], &["a.png", "b.png"]).unwrap_err();
        assert!(extra.contains("b.png: no HR picture in "), "{extra}");
        assert!(matched(&["a.png"], &["ax2.png"]).is_err());
    }
}
