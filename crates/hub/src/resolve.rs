//! From the name of a data set to its folders.

use std::path::PathBuf;

use crate::{Catalogue, Error, Places};

/// Where the pictures of a data set are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// The folder of HR pictures.
    pub hr: PathBuf,
    /// The folder of LR pictures at the scale that was asked for; absent where none was fetched.
    pub lr: Option<PathBuf>,
}

/// The folders of the data set `name` at `scale`.
///
/// # Errors
/// A name that is not in the catalogue, or is that of weights; HR pictures that were not fetched.
pub fn dataset(catalogue: &Catalogue, places: &Places, name: &str, scale: usize) -> Result<Folders, Error> {
    let (dataset, _) = catalogue.find(name)?;
    let hr = dataset.hr.as_ref().ok_or_else(|| Error::NoPictures { name: name.into() })?;
    let hr = places.data.join(hr);
    if !hr.is_dir() {
        return Err(Error::NotFetched { name: name.into(), folder: hr });
    }
    let lr = dataset.lr.get(&format!("x{scale}")).map(|folder| places.data.join(folder));
    Ok(Folders { hr, lr: lr.filter(|folder| folder.is_dir()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_folders_once_they_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let places = Places { data: data.clone(), ..Places::of(&|_| None) };
        let catalogue = Catalogue::built_in().unwrap();
        let find = |name: &str, scale| dataset(&catalogue, &places, name, scale);
        let missing = find("div2k", 4).unwrap_err().to_string();
        assert!(missing.contains("abbe fetch div2k") && missing.contains("DIV2K_train_HR"), "{missing}");
        std::fs::create_dir_all(data.join("DIV2K_train_HR")).unwrap();
        std::fs::create_dir_all(data.join("DIV2K_train_LR_bicubic/X4")).unwrap();
        let (hr, lr) = (data.join("DIV2K_train_HR"), data.join("DIV2K_train_LR_bicubic/X4"));
        assert_eq!(find("div2k", 4).unwrap(), Folders { hr: hr.clone(), lr: Some(lr) });
        assert_eq!(find("div2k", 2).unwrap(), Folders { hr: hr.clone(), lr: None }); // not fetched
        assert_eq!(find("div2k", 8).unwrap(), Folders { hr, lr: None }); // there is none
        assert!(find("vgg19", 4).unwrap_err().to_string().contains("weights"));
        assert!(matches!(find("div3k", 4), Err(Error::Unknown { .. })));
    }
}
