//! HR pictures with their LR pictures, from a folder or two.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::degrade::{self, Planes, degrade};
use crate::image::{Conversion, Rgb8, read};
use crate::random::{Draws, Purpose};
use crate::resample::{Border, Method, Resampler};
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
    /// Made from the HR pictures by [`Method::bicubic`] in 8-bit passes: `lr = { bicubic = { border = "replicate" } }`.
    Bicubic {
        /// What lies beyond the edge.
        border: Border,
    },
    /// Made from the HR pictures by another kernel, in 8-bit passes:
    /// `lr = { resample = { kernel = "lanczos3", antialias = true, border = "mirror" } }`.
    Resample(Method),
    /// Read from a folder, where each file bears the name of its HR file, with or without an ending such as `x4`:
    /// `lr = { folder = "PATH" }`.
    Folder(PathBuf),
    /// Made by a degradation, of that name or in the TOML file at that path (see [`degrade::Config::open`]):
    /// `lr = { degrade = "real-esrgan" }`.
    ///
    /// In training each LR patch is made of its HR patch, another one at every step (see
    /// [`crate::patches::Sampler`]). Where whole pictures are judged, each has one LR picture, always the same:
    /// degraded with the seed 0, whatever the experiment's, so that runs can be compared.
    Degrade(String),
}

impl Lr {
    /// Whether each picture has one LR picture, which a store holds.
    pub(crate) fn is_stored(&self) -> bool {
        !matches!(self, Self::Degrade(_))
    }

    /// How whole HR pictures are reduced, if that is what makes the LR pictures.
    fn method(&self) -> Option<Method> {
        match self {
            Self::Bicubic { border } => Some(Method::bicubic(*border)),
            Self::Resample(method) => Some(*method),
            Self::Folder(_) | Self::Degrade(_) => None,
        }
    }

    /// The degradation that makes LR patches; none if LR pictures are made or read whole.
    ///
    /// Errors: those of [`degrade::Config::open`].
    pub fn degradation(&self, scale: usize) -> Result<Option<degrade::Config>, Error> {
        match self {
            Self::Degrade(name) => degrade::Config::open(name, scale).map(Some),
            Self::Bicubic { .. } | Self::Resample(_) | Self::Folder(_) => Ok(None),
        }
    }
}

/// The files of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The HR file's name without extension.
    pub name: String,
    /// The HR file.
    pub hr: PathBuf,
    /// The LR file, where LR pictures are read.
    pub lr: Option<PathBuf>,
}

/// The files of a source, in the order of their names.
///
/// Errors: a `scale` of 0, a folder that is none or is empty, an HR file without LR file or the reverse.
pub fn files(source: &Source, scale: usize) -> Result<Vec<Files>, Error> {
    if scale == 0 {
        return Err(Error::Setting { key: "scale", expected: "at least 1".into(), found: scale });
    }
    let hr_files = folder::hr_pictures(&source.hr)?;
    let mut lr_files = match &source.lr {
        Lr::Folder(folder) => folder::lr_of(&hr_files, &source.hr, folder, scale)?, // an entry for each HR name
        Lr::Bicubic { .. } | Lr::Resample(_) | Lr::Degrade(_) => BTreeMap::new(),
    };
    Ok(hr_files.into_iter().map(|(name, hr)| Files { lr: lr_files.remove(&name), name, hr }).collect())
}

impl Files {
    /// The HR picture, cropped to a multiple of the scale, and its LR picture, made or read; none if it is to be
    /// degraded.
    pub(crate) fn read(&self, source: &Source, scale: usize) -> Result<(Rgb8, Option<Rgb8>), Error> {
        let whole = read(&self.hr, source.conversion)?;
        let hr = crop_to_multiple(&whole, &self.hr, scale)?;
        let expected = (hr.height / scale, hr.width / scale);
        let lr = match (source.lr.method(), &self.lr) {
            (Some(method), _) => Resampler::to_size(hr.size(), expected, &method)?.rgb8(&hr)?,
            (_, None) => return Ok((hr, None)),
            (_, Some(path)) => read(path, source.conversion)?,
        };
        if let Some(path) = self.lr.as_ref().filter(|_| lr.size() != expected) {
            let (hr, path) = (self.hr.display().to_string(), path.display().to_string());
            return Err(Error::PairSize { hr, hr_size: whole.size(), lr: path, lr_size: lr.size(), scale, expected });
        }
        Ok((hr, Some(lr)))
    }
}

/// Reads the pairs of a source, in the order of their names, whatever the number of threads.
///
/// Errors: those of [`files`], an unreadable picture or one smaller than the scale, sizes that do not fit the scale, a
/// degradation that fails. Of several errors the first by name is returned.
pub fn load(source: &Source, scale: usize) -> Result<Vec<Pair>, Error> {
    let degradation = source.lr.degradation(scale)?;
    let pair = |files: &Files| -> Result<Pair, Error> {
        let (hr, lr) = files.read(source, scale)?;
        let lr = match (lr, &degradation) {
            (None, Some(config)) => degraded(config, &hr, scale, &files.name)?,
            (None, None) => return Err(Error::NoLr { name: files.name.clone() }),
            (Some(lr), _) => lr,
        };
        Ok(Pair { name: files.name.clone(), hr, lr })
    };
    let pairs: Vec<_> = files(source, scale)?.par_iter().map(pair).collect();
    pairs.into_iter().collect()
}

/// The one LR picture of the picture of this name, whichever pictures are beside it; its step is one that no training
/// reaches.
fn degraded(config: &degrade::Config, hr: &Rgb8, scale: usize, name: &str) -> Result<Rgb8, Error> {
    let digest = Sha256::digest(name.as_bytes());
    let index = u64::from_le_bytes(std::array::from_fn(|i| digest[i]));
    let draws = Draws::new(0, Purpose::Degradation, u64::MAX, index);
    Ok(degrade(config, &Planes::from(hr), scale, draws)?.lr)
}

/// The upper left part whose sides are multiples of the scale (`modcrop` of the benchmarks' MATLAB scripts).
pub(crate) fn crop_to_multiple(hr: &Rgb8, path: &Path, scale: usize) -> Result<Rgb8, Error> {
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
            format!("bicubic (as MATLAB's imresize: a = -0.5, antialiased), 8-bit passes, {border} border")
        }
        Lr::Resample(Method { kernel, antialias, border }) => {
            let antialiased = if *antialias { "antialiased" } else { "not antialiased" };
            format!("{kernel} ({antialiased}), 8-bit passes, {border} border")
        }
        Lr::Folder(folder) => format!("read from {}", folder.display()),
        Lr::Degrade(name) => format!("degraded as {name} says: patches anew at every step, whole pictures once"),
    }
}

/// SHA-256 of the pairs' names, sizes and pixels, in hexadecimal: equal for the same data in the same order, wherever
/// it lies.
///
/// It is taken over the SHA-256 of each pair: the lengths of its name (bytes) and sides (64 bits, little-endian; 0 and 0
/// for a missing LR picture), its name, its pixels.
pub fn hash(pairs: &[Pair]) -> String {
    let digest_of =
        |pair: &Pair| digest(&pair.name, (pair.hr.size(), &pair.hr.pixels), Some((pair.lr.size(), &pair.lr.pixels)));
    hash_of(&pairs.par_iter().map(digest_of).collect::<Vec<_>>())
}

/// The hash of pairs whose own are `digests`.
pub(crate) fn hash_of(digests: &[Digest]) -> String {
    hexadecimal(&digests.iter().fold(Sha256::new(), |hasher, digest| hasher.chain_update(digest)).finalize().into())
}

/// SHA-256.
pub(crate) type Digest = [u8; 32];

type Picture<'a> = ((usize, usize), &'a [u8]);

/// The hash of one pair: sizes and pixels of its HR and LR pictures.
pub(crate) fn digest(name: &str, (hr_size, hr): Picture, lr: Option<Picture>) -> Digest {
    let (lr_size, lr) = lr.unwrap_or(((0, 0), &[]));
    let lengths = [name.len(), hr_size.0, hr_size.1, lr_size.0, lr_size.1];
    let lengths: Vec<u8> = lengths.iter().flat_map(|&length| (length as u64).to_le_bytes()).collect();
    Sha256::new().chain_update(lengths).chain_update(name).chain_update(hr).chain_update(lr).finalize().into()
}

pub(crate) fn hexadecimal(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::encode_png;
    use crate::resample::bicubic;
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
    fn lr_is_made_by_a_kernel_of_that_name() {
        let lr: Lr = toml::from_str("resample = { kernel = 'box', antialias = true, border = 'mirror' }").unwrap();
        let hr = folder_with(&[("a.png", 4, 4)]);
        let source = source(&hr, lr);
        assert_eq!(lr_description(&source), "box (antialiased), 8-bit passes, mirror border");
        // The mean of each 2 x 2 pixels, rounded after the mean of two rows and again after that of two columns.
        let at = |y: usize, x: usize| u32::from(picture(4, 4).pixels[3 * (4 * y + x)]);
        let half = |a: u32, b: u32| (a + b).div_ceil(2);
        let expected = half(half(at(0, 0), at(1, 0)), half(at(0, 1), at(1, 1)));
        assert_eq!(u32::from(load(&source, 2).unwrap()[0].lr.pixels[0]), expected);
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
