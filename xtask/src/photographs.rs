//! Sample photographs from the scikit-image wheel, split into those to train on and those to test on.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::{python, setup};

/// Where the photographs lie, below the root: `train` and `test` in it.
pub const FOLDER: &str = "photographs";

const PACKAGE: &str = "scikit-image==0.26.0";

/// Measured: the wheel, and the six photographs kept of it.
const SIZE: &str = "14 MB to download, 2.4 MB kept";

struct Photograph {
    /// `train` or `test`: no photograph may be in both.
    split: &'static str,
    name: &'static str,
    sha256: &'static str,
    /// What it shows, whose it is, and under which terms.
    credit: &'static str,
}

/// All are RGB, 8 bits per channel.
const PHOTOGRAPHS: [Photograph; 6] = [
    Photograph {
        split: "train",
        name: "astronaut.png",
        sha256: "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        credit: "Eileen Collins. NASA. Public domain.",
    },
    Photograph {
        split: "test",
        name: "hubble_deep_field.jpg",
        sha256: "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
        credit: "Hubble eXtreme Deep Field. NASA. Public domain.",
    },
    Photograph {
        split: "test",
        name: "retina.jpg",
        sha256: "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
        credit: "Fundus of a left eye. Mikael Häggström, 2014, doi:10.15347/wjm/2014.008. CC0 1.0.",
    },
    Photograph {
        split: "train",
        name: "rocket.jpg",
        sha256: "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        credit: "Launch of DSCOVR on a Falcon 9. SpaceX. Public domain.",
    },
    Photograph {
        split: "test",
        name: "chelsea.png",
        sha256: "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        credit: "Chelsea the cat. Stefan van der Walt. CC0 1.0.",
    },
    Photograph {
        split: "train",
        name: "coffee.png",
        sha256: "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        credit: "Coffee cup, by courtesy of Pikolo Espresso Bar. Rachel Michetti. CC0 1.0.",
    },
];

/// Fetches the photographs when one is missing. One that was changed, or a picture that is not of the set, is an error:
/// results would no longer be those that the project states.
pub fn prepare(root: &Path) -> Result<()> {
    let folder = root.join(FOLDER);
    refuse_strangers(&folder)?;
    let mut missing = false;
    for photograph in &PHOTOGRAPHS {
        missing |= !photograph.is_intact(&folder.join(photograph.split))?;
    }
    if missing { fetch(root, &folder) } else { Ok(()) }
}

impl Photograph {
    /// Whether the photograph is in `dir`; an error when a file of its name has other contents.
    fn is_intact(&self, dir: &Path) -> Result<bool> {
        let path = dir.join(self.name);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            bytes => bytes.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let found = sha256(&bytes);
        ensure!(
            found == self.sha256,
            "{} is not the photograph of {PACKAGE}: its SHA-256 is {found}, expected {}. \
             Delete the file and run `cargo xtask setup`",
            path.display(),
            self.sha256
        );
        Ok(true)
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A picture left in `train` or `test` from elsewhere, or from an earlier split, would be trained or tested on unseen.
fn refuse_strangers(folder: &Path) -> Result<()> {
    for split in ["train", "test"] {
        let Ok(entries) = fs::read_dir(folder.join(split)) else { continue };
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let name = entry.file_name();
            let known = PHOTOGRAPHS.iter().any(|photograph| photograph.split == split && name == photograph.name);
            if !known && !name.to_string_lossy().starts_with('.') {
                bail!(
                    "{} is not one of the sample photographs to {split} on: move or delete it, \
                     and keep pictures of your own in another folder",
                    entry.path().display()
                );
            }
        }
    }
    Ok(())
}

fn fetch(root: &Path, folder: &Path) -> Result<()> {
    let python = python::find()?;
    println!("Fetching sample photographs into {}: {SIZE}", folder.display());
    setup::in_scratch(root, |scratch| {
        let wheel = scratch.join("wheel");
        // The wheel is only unpacked, never imported, so one for a fixed Python serves every Python.
        let arguments = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.11", PACKAGE];
        python.install(&arguments, &wheel, scratch)?;
        let pictures = wheel.join("skimage/data");
        for photograph in &PHOTOGRAPHS {
            ensure!(photograph.is_intact(&pictures)?, "{PACKAGE} does not carry {}", photograph.name);
            let dir = folder.join(photograph.split);
            fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
            setup::rename(&pictures.join(photograph.name), &dir.join(photograph.name))?;
        }
        let path = folder.join("LICENSES.txt");
        fs::write(&path, licences()).with_context(|| format!("cannot write {}", path.display()))
    })
}

fn licences() -> String {
    let lines = PHOTOGRAPHS.iter().map(|p| format!("{}/{}: {}\n", p.split, p.name, p.credit));
    format!(
        "Sample photographs, as {PACKAGE} carries them (https://scikit-image.org).\n\n{}",
        lines.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_photograph_is_both_trained_and_tested_on() {
        let count = |key: fn(&Photograph) -> &str| PHOTOGRAPHS.iter().map(key).collect::<HashSet<_>>().len();
        assert_eq!(count(|p| p.name), PHOTOGRAPHS.len());
        assert_eq!(count(|p| p.sha256), PHOTOGRAPHS.len());
        assert_eq!(PHOTOGRAPHS.iter().map(|p| p.split).collect::<HashSet<_>>(), HashSet::from(["train", "test"]));
    }

    #[test]
    fn sha256_matches_the_standards_example() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_changed_photograph_is_an_error_and_a_missing_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let photograph = &PHOTOGRAPHS[0];
        assert!(!photograph.is_intact(dir.path()).unwrap());
        fs::write(dir.path().join(photograph.name), "changed").unwrap();
        let error = photograph.is_intact(dir.path()).unwrap_err().to_string();
        assert!(error.contains(photograph.name) && error.contains(photograph.sha256), "{error}");
    }

    #[test]
    fn a_picture_in_the_wrong_split_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        refuse_strangers(folder.path()).unwrap();
        for split in ["train", "test"] {
            fs::create_dir(folder.path().join(split)).unwrap();
            fs::write(folder.path().join(split).join(".hidden"), "").unwrap();
        }
        for photograph in &PHOTOGRAPHS {
            fs::write(folder.path().join(photograph.split).join(photograph.name), "").unwrap();
        }
        refuse_strangers(folder.path()).unwrap();
        let tested = PHOTOGRAPHS.iter().find(|photograph| photograph.split == "test").unwrap();
        fs::write(folder.path().join("train").join(tested.name), "").unwrap();
        assert!(refuse_strangers(folder.path()).unwrap_err().to_string().contains(tested.name));
    }
}
