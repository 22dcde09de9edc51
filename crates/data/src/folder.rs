//! Folders of pictures: the files that count, and which LR file belongs to which HR file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::Error;

const EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff"];

/// What the names of LR pictures end in, at scale 4.
const LR_ENDINGS: [&str; 9] = ["", "x4", "_x4", "_LR", "_SRF_4_LR", "_LR4", "_LRx4", "x4m", "x4d"];

/// What is directly in a folder: nothing is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The picture files by name: the file name without extension, in which bytes that are no UTF-8 are written as
    /// `\xff`.
    pub pictures: BTreeMap<String, PathBuf>,
    /// Everything else, with what it is: `hidden`, `a folder`, `no picture by its extension`, `no regular file`.
    pub passed_over: BTreeMap<PathBuf, &'static str>,
}

/// Lists a folder. A picture file is told by its extension (png, jpg, jpeg, webp, bmp, tif, tiff, in small or capital
/// letters); links are followed.
///
/// Errors: [`Error::Folder`] unless it is a folder, [`Error::SameName`] for two pictures with one name, [`Error::Read`]
/// for a folder that cannot be read and for a picture file that is not there: a link to nothing or in a circle, or a
/// file that was deleted meanwhile.
pub fn list(folder: &Path) -> Result<Listing, Error> {
    let unreadable = |source| Error::Read { path: folder.into(), source };
    let unfit = |found| Error::Folder { path: folder.into(), found };
    match fs::metadata(folder) {
        Ok(metadata) if !metadata.is_dir() => return Err(unfit("a file")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(unfit("nothing")),
        other => other.map_err(unreadable)?,
    };
    let mut listing = Listing { pictures: BTreeMap::new(), passed_over: BTreeMap::new() };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if let Some(what) = no_picture(&path)? {
            listing.passed_over.insert(path, what);
        } else if let Some(first) = listing.pictures.insert(name(&path), path.clone()) {
            let (first, second) = if first < path { (first, path) } else { (path, first) };
            return Err(Error::SameName { first, second });
        }
    }
    Ok(listing)
}

/// What a [`list`] of the folder passes over, in words for a notice: `passed over in DIR: note.gif (no picture by its
/// extension) and 2 more`; none where everything is a picture, hidden, or a folder.
///
/// Errors: those of [`list`].
pub fn passed_over(folder: &Path) -> Result<Option<String>, Error> {
    let listing = list(folder)?;
    let mut files = listing.passed_over.iter().filter(|(_, what)| !["hidden", "a folder"].contains(what));
    let Some((first, what)) = files.next() else { return Ok(None) };
    let name = first.file_name().unwrap_or_default().to_string_lossy();
    let files = 1 + files.count();
    let others = if files == 1 { String::new() } else { format!(" and {} more", files - 1) };
    Ok(Some(format!("passed over in {}: {} ({what}){others}", folder.display(), name.escape_debug())))
}

/// The picture files of a [`list`], which are at least one: else [`Error::Folder`].
pub fn pictures(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let pictures = list(folder)?.pictures;
    if pictures.is_empty() {
        return Err(Error::Folder { path: folder.into(), found: "a folder without pictures" });
    }
    Ok(pictures)
}

/// The [`pictures`] of a folder without those that are versions of another one: `NAME_LR`, `NAME_LR4` and the like
/// beside `NAME_HR` (RealSR), `NAME_SRF_4_LR` and `NAME_SRF_4_bicubic` beside `NAME_SRF_4_HR` (SelfExSR's Set5, Set14,
/// BSD100, Urban100).
pub fn hr_pictures(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    pictures(folder).map(without_versions)
}

pub(crate) fn without_versions(all: BTreeMap<String, PathBuf>) -> BTreeMap<String, PathBuf> {
    let is_version = |name: &str| {
        name.rsplit_once('_').is_some_and(|(stem, version)| {
            let is_other = version.starts_with("LR") || version != "HR" && stem.contains("_SRF_");
            is_other && all.contains_key(&format!("{stem}_HR"))
        })
    };
    let hr = all.iter().filter(|(name, _)| !is_version(name));
    hr.map(|(name, path)| (name.clone(), path.clone())).collect()
}

/// What a path is, unless it is a picture file.
pub(crate) fn no_picture(path: &Path) -> Result<Option<&'static str>, Error> {
    if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
        return Ok(Some("hidden"));
    }
    if path.is_dir() {
        return Ok(Some("a folder"));
    }
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    if !EXTENSIONS.contains(&extension.as_str()) {
        return Ok(Some("no picture by its extension"));
    }
    let metadata = fs::metadata(path).map_err(|source| Error::Read { path: path.into(), source })?;
    Ok((!metadata.is_file()).then_some("no regular file"))
}

/// The file's name without its extension. Names that differ stay different, whatever bytes they have.
pub(crate) fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().as_encoded_bytes();
    let written = |chunk: std::str::Utf8Chunk| {
        let invalid: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
        chunk.valid().to_string() + &invalid
    };
    stem.utf8_chunks().map(written).collect()
}

/// For each HR name its LR file in `lr_folder`, matched by name; see [`lr_names`]. If that folder has a folder for the
/// scale, such as `X4` (DIV2K), the LR files are in there. It may be the HR folder itself (RealSR, SelfExSR).
///
/// Errors: [`Error::MissingLr`] and [`Error::ExtraLr`], for the first name that has no partner, and those of
/// [`pictures`].
pub(crate) fn lr_of(
    hr: &BTreeMap<String, PathBuf>,
    hr_folder: &Path,
    lr_folder: &Path,
    scale: usize,
) -> Result<BTreeMap<String, PathBuf>, Error> {
    let lr_folder = &of_scale(lr_folder, scale);
    let mut left = pictures(lr_folder)?;
    left.retain(|name, path| hr.get(name) != Some(path));
    let mut matched = BTreeMap::new();
    for (name, path) in hr {
        let expected = lr_names(name, scale);
        let Some(lr) = expected.iter().find_map(|name| left.remove(name)) else {
            return Err(Error::MissingLr { hr: path.clone(), folder: lr_folder.into(), expected: expected.join(", ") });
        };
        matched.insert(name.clone(), lr);
    }
    match left.into_values().next() {
        Some(lr) if lr_folder != hr_folder => Err(Error::ExtraLr { lr, folder: hr_folder.into() }),
        _ => Ok(matched),
    }
}

/// The folder for the scale in an LR folder, if there is one.
pub(crate) fn of_scale(lr_folder: &Path, scale: usize) -> PathBuf {
    let of_scale = lr_folder.join(format!("X{scale}"));
    if of_scale.is_dir() { of_scale } else { lr_folder.into() }
}

/// The names that data sets give to the LR picture of an HR picture: the same, or with the usual endings (here for
/// scale 4) `x4`, `_x4`, `x4m` and `x4d` (DIV2K's mild and difficult tracks), `_LR`, `_LR4`, `_LRx4` and `_SRF_4_LR`. Where
/// the HR picture is `NAME_HR` or `NAME_SRF_4_HR`, `NAME` is tried as well.
pub(crate) fn lr_names(hr: &str, scale: usize) -> Vec<String> {
    let plain = hr.strip_suffix(&format!("_SRF_{scale}_HR")).or_else(|| hr.strip_suffix("_HR"));
    let named = |stem| LR_ENDINGS.map(|ending| format!("{stem}{}", ending.replace('4', &scale.to_string())));
    [hr].into_iter().chain(plain).flat_map(named).collect()
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
        Ok(lr.into_values().map(|path| name_of(&path)).collect())
    }

    fn name_of(path: &Path) -> String {
        path.file_name().unwrap().to_string_lossy().into()
    }

    #[test]
    fn pictures_are_listed_by_name_and_the_rest_with_what_it_is() {
        let folder = folder_with(&["b.PNG", "a.jpeg", "c.tif", ".hidden.png", "notes.txt", "png"]);
        fs::create_dir(folder.path().join("sub.png")).unwrap();
        assert_eq!(pictures(folder.path()).unwrap().into_keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        let passed_over = list(folder.path()).unwrap().passed_over.into_iter();
        let passed_over: Vec<_> = passed_over.map(|(path, what)| (name_of(&path), what)).collect();
        let extension = "no picture by its extension";
        let expected =
            [(".hidden.png", "hidden"), ("notes.txt", extension), ("png", extension), ("sub.png", "a folder")];
        assert_eq!(passed_over, expected.map(|(name, what)| (name.to_string(), what)));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_those_that_lead_nowhere_are_an_error() {
        use std::os::unix::fs::symlink;
        let folder = folder_with(&["a.png"]);
        let [link, loops, nothing] = ["b.png", "c.png", "d.png"].map(|name| folder.path().join(name));
        symlink(folder.path().join("a.png"), &link).unwrap();
        assert_eq!(pictures(folder.path()).unwrap().into_keys().collect::<Vec<_>>(), ["a", "b"]);
        for (link, target) in [(&loops, &loops), (&nothing, &folder.path().join("absent"))] {
            symlink(target, link).unwrap();
            let error = pictures(folder.path()).unwrap_err();
            assert!(matches!(&error, Error::Read { path, .. } if path == link), "{error}");
            fs::remove_file(link).unwrap();
        }
        symlink(folder.path(), folder.path().join("folder")).unwrap();
        assert_eq!(passed_over(folder.path()).unwrap(), None);
        fs::write(folder.path().join("note.gif"), "").unwrap();
        let said = passed_over(folder.path()).unwrap().unwrap();
        assert!(said.ends_with(": note.gif (no picture by its extension)"), "{said}");
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert!(passed_over(folder.path()).unwrap().unwrap().ends_with(" and 1 more"));
        fs::remove_file(folder.path().join("note.gif")).unwrap();
        fs::remove_file(folder.path().join("notes.txt")).unwrap();
        assert_eq!(list(folder.path()).unwrap().passed_over.into_values().collect::<Vec<_>>(), ["a folder"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_read_is_an_error() {
        let folder = folder_with(&["a.png"]);
        let loops = folder.path().join("loop");
        std::os::unix::fs::symlink(&loops, &loops).unwrap();
        for path in [loops, folder.path().join("a.png/b")] {
            let error = pictures(&path).unwrap_err();
            assert!(matches!(&error, Error::Read { path: named, .. } if *named == path), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_utf_8_stay_apart() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder_with(&["\u{e4}.png"]);
        for name in [&b"\xff.png"[..], b"\xfe.png", b"a\xffb.png"] {
            fs::write(folder.path().join(OsStr::from_bytes(name)), "").unwrap();
        }
        let names: Vec<_> = pictures(folder.path()).unwrap().into_keys().collect();
        assert_eq!(names, [r"\xfe", r"\xff", r"a\xffb", "\u{e4}"]);
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
        let hr = ["a.png", "b.png", "c.png", "d.png", "e_SRF_4_HR.png", "f_HR.png", "g_HR.png", "h.png", "i.png"];
        let lr = [
            "a.jpg",
            "bx4.png",
            "c_x4.png",
            "d_LR.png",
            "e_SRF_4_LR.png",
            "f_LR4.png",
            "g_LRx4.png",
            "hx4m.png",
            "ix4d.png",
        ];
        assert_eq!(matched(&hr, &lr).unwrap(), lr);
        // A name that itself ends like an LR name keeps its own file.
        assert_eq!(matched(&["box.png", "boxx4.png"], &["box.png", "boxx4.png"]).unwrap(), ["box.png", "boxx4.png"]);
    }

    #[test]
    fn an_lr_folder_may_have_a_folder_for_each_scale() {
        let (hr_folder, lr_folder) = (folder_with(&["0001.png"]), TempDir::new().unwrap());
        let hr = pictures(hr_folder.path()).unwrap();
        for scale in [2, 3, 4, 8] {
            let of_scale = lr_folder.path().join(format!("X{scale}"));
            let file = of_scale.join(format!("0001x{scale}.png"));
            fs::create_dir(&of_scale).unwrap();
            fs::write(&file, "").unwrap();
            let lr = lr_of(&hr, hr_folder.path(), lr_folder.path(), scale).unwrap();
            assert_eq!(lr, BTreeMap::from([("0001".into(), file)]));
        }
    }

    #[test]
    fn hr_and_lr_files_may_share_a_folder() {
        let names = ["HR", "LR", "bicubic"].map(|version| format!("img_001_SRF_2_{version}.png"));
        let others = ["img_LR.png", "Canon_001_HR.png", "Canon_001_LR2.png", "cat_2.png", "cat_HR.png"];
        let mut files: Vec<&str> = names.iter().map(String::as_str).chain(others).collect();
        let folder = folder_with(&files);
        // `img_LR` and `cat_2` are versions of nothing.
        let hr = hr_pictures(folder.path()).unwrap();
        assert_eq!(hr.keys().collect::<Vec<_>>(), ["Canon_001_HR", "cat_2", "cat_HR", "img_001_SRF_2_HR", "img_LR"]);
        files.truncate(3);
        let folder = folder_with(&files);
        let hr = hr_pictures(folder.path()).unwrap();
        let lr = lr_of(&hr, folder.path(), folder.path(), 2).unwrap();
        assert_eq!(lr, BTreeMap::from([("img_001_SRF_2_HR".into(), folder.path().join(&names[1]))]));
    }

    #[test]
    fn missing_and_extra_lr_files_are_named() {
        let missing = matched(&["a.png", "b.png"], &["a.png"]).unwrap_err();
        let expected = "expected one of b, bx4, b_x4, b_LR, b_SRF_4_LR, b_LR4, b_LRx4, bx4m, bx4d";
        assert!(missing.contains("b.png: no LR picture in ") && missing.contains(expected), "{missing}");
        let extra = matched(&["a.png"], &["a.png", "b.png"]).unwrap_err();
        assert!(extra.contains("b.png: no HR picture in "), "{extra}");
        for (scale, other) in [(4, 2), (2, 4), (3, 8), (8, 3)] {
            let names = lr_names("a", scale);
            assert!(names.contains(&format!("ax{scale}")) && !names.contains(&format!("ax{other}")));
        }
    }
}
