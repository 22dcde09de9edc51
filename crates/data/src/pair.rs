//! HR pictures with their LR pictures, from a folder or two.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::image::{Conversion, Rgb8, read};
use crate::resample::{Border, bicubic};
use crate::{Error, folder};

/// An HR picture and its LR picture, smaller by the scale in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The HR file's name without extension.
    pub name: String,
    /// The HR picture, cropped at the bottom and right to a multiple of the scale.
    pub hr: Rgb8,
    /// The LR picture: `hr.height / scale` x `hr.width / scale`.
    pub lr: Rgb8,
}

/// Where pairs come from, as an experiment file says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The folder of HR pictures.
    pub hr: PathBuf,
    /// How the LR pictures come about.
    pub lr: Lr,
    /// What to do with pictures that are not RGB with 8 bits per channel.
    pub conversion: Conversion,
}

/// How the LR pictures come about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Lr {
    /// Made from the HR pictures by [`bicubic`]: `lr = { bicubic = { border = "replicate" } }`.
    Bicubic {
        /// What lies beyond the edge.
        border: Border,
    },
    /// Read from a folder, where each file bears the name of its HR file, with or without an ending such as `x4`:
    /// `lr = { folder = "PATH" }`.
    Folder(PathBuf),
}

/// Reads the pairs of a source, in the order of their names, whatever the number of threads.
///
/// Errors: a `scale` of 0, a folder that is none or is empty, an unreadable picture or one smaller than the scale, an
/// HR file without LR file or the reverse, sizes that do not fit the scale. Of several errors the first by name is
/// returned.
pub fn load(source: &Source, scale: usize) -> Result<Vec<Pair>, Error> {
    if scale == 0 {
        return Err(Error::Setting { key: "scale", expected: "at least 1".into(), found: scale });
    }
    let hr_files = folder::hr_pictures(&source.hr)?;
    let pairs: Vec<Result<Pair, Error>> = match &source.lr {
        Lr::Bicubic { border } => {
            let make = |(name, hr): (&String, &PathBuf)| make_pair(name, hr, *border, source.conversion, scale);
            hr_files.par_iter().map(make).collect()
        }
        Lr::Folder(folder) => {
            let lr_files = folder::lr_of(&hr_files, &source.hr, folder, scale)?; // an entry for each HR name
            let read = |(name, hr): (&String, &PathBuf)| read_pair(name, hr, &lr_files[name], source.conversion, scale);
            hr_files.par_iter().map(read).collect()
        }
    };
    pairs.into_iter().collect()
}

fn make_pair(name: &str, hr: &Path, border: Border, conversion: Conversion, scale: usize) -> Result<Pair, Error> {
    let hr = crop_to_multiple(&read(hr, conversion)?, hr, scale)?;
    let lr = bicubic(&hr, hr.height / scale, hr.width / scale, border);
    Ok(Pair { name: name.into(), hr, lr })
}

fn read_pair(name: &str, hr: &Path, lr: &Path, conversion: Conversion, scale: usize) -> Result<Pair, Error> {
    let (whole, small) = (read(hr, conversion)?, read(lr, conversion)?);
    let cropped = crop_to_multiple(&whole, hr, scale)?;
    let expected = (cropped.height / scale, cropped.width / scale);
    if small.size() != expected {
        let (hr, lr) = (hr.display().to_string(), lr.display().to_string());
        return Err(Error::PairSize { hr, hr_size: whole.size(), lr, lr_size: small.size(), scale, expected });
    }
    Ok(Pair { name: name.into(), hr: cropped, lr: small })
}

/// The upper left part whose sides are multiples of the scale (`modcrop` of the benchmarks' MATLAB scripts).
fn crop_to_multiple(hr: &Rgb8, path: &Path, scale: usize) -> Result<Rgb8, Error> {
    if hr.height < scale || hr.width < scale {
        return Err(Error::TooSmall {
            picture: path.display().to_string(),
            size: hr.size(),
            what: "scale",
            side: scale,
        });
    }
    hr.crop(0, 0, hr.height / scale * scale, hr.width / scale * scale)
}

/// How the LR pictures of a source come about, in words, for manifests and tables.
pub fn lr_description(source: &Source) -> String {
    match &source.lr {
        Lr::Bicubic { border } => {
            let border = if *border == Border::Replicate { "replicate" } else { "mirror" };
            format!("bicubic (as MATLAB's imresize: a = -0.5, antialiased), 8-bit passes, {border} border")
        }
        Lr::Folder(folder) => format!("read from {}", folder.display()),
    }
}

/// SHA-256 of the pairs' names, sizes and pixels, in hexadecimal: equal for the same data in the same order, wherever
/// it lies.
///
/// It is taken over the SHA-256 of each pair: the lengths of its name (bytes) and sides (64 bits, little-endian), its
/// name, its pixels.
pub fn hash(pairs: &[Pair]) -> String {
    let digests: Vec<_> = pairs.par_iter().map(pair_digest).collect();
    let all = digests.iter().fold(Sha256::new(), |hasher, digest| hasher.chain_update(digest)).finalize();
    all.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pair_digest(pair: &Pair) -> impl AsRef<[u8]> + Send + use<> {
    let lengths = [pair.name.len(), pair.hr.height, pair.hr.width, pair.lr.height, pair.lr.width];
    let lengths: Vec<u8> = lengths.iter().flat_map(|&length| (length as u64).to_le_bytes()).collect();
    Sha256::new()
        .chain_update(lengths)
        .chain_update(&pair.name)
        .chain_update(&pair.hr.pixels)
        .chain_update(&pair.lr.pixels)
        .finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::encode_png;
    use std::fs;
    use tempfile::TempDir;

    fn picture(height: usize, width: usize) -> Rgb8 {
        Rgb8::new(height, width, (0..3 * height * width).map(|i| (i * i % 251) as u8).collect()).unwrap()
    }

    fn folder_with(sizes: &[(&str, usize, usize)]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for &(name, height, width) in sizes {
            fs::write(folder.path().join(name), encode_png(&picture(height, width)).unwrap()).unwrap();
        }
        folder
    }

    fn source(hr: &TempDir, lr: Lr) -> Source {
        Source { hr: hr.path().into(), lr, conversion: Conversion::Refuse }
    }

    const REPLICATE: Lr = Lr::Bicubic { border: Border::Replicate };

    #[test]
    fn lr_is_made_from_the_cropped_hr() {
        let hr = folder_with(&[("b.png", 9, 10), ("a.png", 4, 4)]);
        let pairs = load(&source(&hr, REPLICATE), 4).unwrap();
        assert_eq!(pairs.iter().map(|pair| pair.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let cropped = picture(9, 10).crop(0, 0, 8, 8).unwrap();
        assert_eq!(pairs[1], Pair { name: "b".into(), lr: bicubic(&cropped, 2, 2, Border::Replicate), hr: cropped });
    }

    #[test]
    fn lr_is_read_from_its_folder() {
        let (hr, lr) = (folder_with(&[("a.png", 9, 10)]), folder_with(&[("ax4.png", 2, 2)]));
        let pairs = load(&source(&hr, Lr::Folder(lr.path().into())), 4).unwrap();
        assert_eq!((pairs[0].hr.size(), &pairs[0].lr), ((8, 8), &picture(2, 2)));
    }

    #[test]
    fn sizes_that_do_not_fit_name_both_files() {
        let (hr, lr) = (folder_with(&[("a.png", 9, 10)]), folder_with(&[("a.png", 3, 2)]));
        let error = load(&source(&hr, Lr::Folder(lr.path().into())), 4).unwrap_err().to_string();
        let (hr, lr) = (hr.path().join("a.png"), lr.path().join("a.png"));
        let expected = format!(
            "{} is (9, 10) and {} is (3, 2) (height, width): at scale 4 the LR picture must be (2, 2)",
            hr.display(),
            lr.display()
        );
        assert!(error.starts_with(&expected), "{error}");
    }

    #[test]
    fn what_cannot_become_a_pair_is_an_error() {
        let hr = folder_with(&[("a.png", 3, 9), ("b.png", 1, 1)]);
        let error = load(&source(&hr, REPLICATE), 4).unwrap_err().to_string();
        assert!(error.contains("a.png: (3, 9) (height, width) is smaller than the scale, 4x4"), "{error}");
        assert!(
            load(&source(&hr, REPLICATE), 0)
                .unwrap_err()
                .to_string()
                .starts_with("scale: expected at least 1, found 0")
        );
        fs::write(hr.path().join("a.png"), "no picture").unwrap();
        assert!(matches!(load(&source(&hr, REPLICATE), 1), Err(Error::Decode { .. })));
    }

    #[test]
    fn hash_changes_with_name_size_and_pixels_only() {
        let pair = Pair { name: "a".into(), hr: picture(4, 8), lr: picture(1, 2) };
        let hash_of = |change: fn(&mut Pair)| {
            let mut changed = pair.clone();
            change(&mut changed);
            hash(&[changed])
        };
        assert_eq!(hash_of(|_| ()), hash(std::slice::from_ref(&pair)));
        assert_eq!(hash_of(|_| ()).len(), 64);
        assert_ne!(hash_of(|_| ()), hash_of(|pair| pair.name = "b".into()));
        assert_ne!(hash_of(|_| ()), hash_of(|pair| (pair.hr.height, pair.hr.width) = (8, 4)));
        assert_ne!(hash_of(|_| ()), hash_of(|pair| pair.lr.pixels[5] += 1));
    }

    #[test]
    fn a_source_is_written_as_toml_and_a_misspelt_key_is_named() {
        let text = "hr = \"photographs\"\nlr = { bicubic = { border = \"mirror\" } }\nconversion = \"convert\"\n";
        let source: Source = toml::from_str(text).unwrap();
        assert_eq!(source.lr, Lr::Bicubic { border: Border::Mirror });
        assert_eq!(
            lr_description(&source),
            "bicubic (as MATLAB's imresize: a = -0.5, antialiased), 8-bit passes, mirror border"
        );
        assert_eq!(toml::from_str::<Source>(&toml::to_string(&source).unwrap()).unwrap(), source);
        for (right, wrong) in
            [("conversion", "convertion"), ("border", "boarder"), ("bicubic", "cubic"), ("mirror", "miror")]
        {
            let error = toml::from_str::<Source>(&text.replace(right, wrong)).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
        let folder: Source = toml::from_str("hr = \"a\"\nlr = { folder = \"b\" }\nconversion = \"refuse\"").unwrap();
        assert_eq!(lr_description(&folder), "read from b");
    }
}
