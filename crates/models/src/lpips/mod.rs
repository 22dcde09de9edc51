//! LPIPS, the learned perceptual distance of two pictures, version 0.1 (Zhang et al., arXiv 1801.03924), as the Python package
//! lpips 0.1.4 computes it.
//!
//! Both pictures go through a network that was trained to classify; where their features differ, and how much each channel of
//! them counts, makes the distance. The linear weights that say so are part of the program; the network's are torchvision's.

mod distance;
mod net;
mod tile;

use std::path::Path;

use abbe_checkpoint::{StateDict, Value};
use abbe_torch::{channels_last, constant};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use self::distance::distance;
use self::net::Compared;
use self::tile::{Span, spans};
use crate::layer::{Sequential, without_first_values};
use crate::{Error, Store, promised};

pub use net::Net;

/// Which of the package's linear weights are part of the program.
pub const VERSION: &str = "0.1";

/// Colours from -1 to 1 less this ...
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
/// ... and divided by this are what the networks see.
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

/// The metric with its weights.
pub struct Lpips {
    net: Net,
    backbone: Backbone,
    device: Device,
    slices: Vec<Slice>,
    /// What whoever reads the values must know: which weights are not the published ones.
    pub notices: Vec<String>,
}

/// The file of the network's weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backbone {
    /// Its name, without the folder.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
}

/// The layers up to one that is compared, how much each channel of its output counts (`[C]`, float64), and the picture's pixels
/// for each of its own along a side.
struct Slice {
    layers: Sequential,
    weights: Tensor,
    stride: i64,
}

impl Lpips {
    /// Opens the metric with torchvision's weights of its network, the file [`Net::file`]; dense layers in the
    /// file are left aside. Without `linear`, a file like the package's, the linear weights are the published ones.
    ///
    /// # Errors
    /// [`Error::NoBackbone`] when there is no file `backbone`; [`Error::Weights`] with the file's name when one cannot be read or
    /// has not exactly the tensors that are needed.
    pub fn open(net: Net, backbone: &Path, linear: Option<&Path>, device: Device) -> Result<Self, Error> {
        if !backbone.is_file() {
            return Err(Error::NoBackbone { net, path: backbone.into() });
        }
        let features = in_file(backbone, || features(net, backbone, device))?;
        let published = weights(net, abbe_checkpoint::open_bytes(net.published())?.value, device)?;
        let read = |path| in_file(path, || weights(net, abbe_checkpoint::read(path)?, device));
        let own = linear.map(read).transpose()?.filter(|own| *own != published);
        let sha256 = abbe_checkpoint::sha256(backbone)?;
        let is_published = promised(net.file()).is_some_and(|digits| sha256.starts_with(digits));
        let others = [Some(backbone).filter(|_| !is_published), linear.filter(|_| own.is_some())];
        let notices = others.into_iter().flatten().map(|path| net.notice(path)).collect();
        let file = backbone.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let slices = sliced(net, features, own.unwrap_or(published));
        Ok(Lpips { net, backbone: Backbone { file, sha256 }, device, slices, notices })
    }

    /// Whose features are compared.
    pub fn net(&self) -> Net {
        self.net
    }

    /// Where the network's weights are from.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The distance of each picture of `xs` to that of `ys`, both `[N, 3, h, w]` RGB in [0, 1] on the metric's device: 0 for
    /// equal pictures, larger the less alike they look, seldom above 1. NaN for pictures with NaN.
    ///
    /// Pairs are computed one after the other, without gradients, and in tiles where a side is longer than 1,024 pixels, which
    /// changes nothing but the last digits. No maps are kept but those of the layers at work, so that pictures of any size take
    /// 1.5 GB over VGG-16, 0.6 over SqueezeNet and 0.3 over AlexNet.
    ///
    /// # Errors
    /// [`Error::Pictures`] for other shapes, unequal ones, and sides below [`Net::least`].
    pub fn distances(&self, xs: &Tensor, ys: &Tensor) -> Result<Vec<f64>, Error> {
        let least = self.net.least();
        match xs.size()[..] {
            [_, 3, height, width] if height.min(width) >= least && xs.size() == ys.size() => {}
            _ => return Err(Error::Pictures { net: self.net, least, found: [xs.size(), ys.size()] }),
        }
        let one = |i| self.distance([xs, ys].map(|pictures| pictures.narrow(0, i, 1)), tile::SIDE);
        Ok(tch::no_grad(|| (0..xs.size()[0]).map(one).collect()))
    }

    /// The sum over the layers of their mean distances.
    fn distance(&self, pictures: [Tensor; 2], side: i64) -> f64 {
        let size = pictures[0].size();
        let mut sums = vec![(0.0, 0); self.slices.len()];
        for rows in &spans(size[2], side) {
            for columns in &spans(size[3], side) {
                let seen = pictures.each_ref().map(|picture| columns.seen(&rows.seen(picture, 2), 3));
                for (sum, (distance, pixels)) in sums.iter_mut().zip(self.tile(seen, rows, columns)) {
                    *sum = (sum.0 + distance, sum.1 + pixels);
                }
            }
        }
        sums.into_iter().map(|(distance, pixels)| distance / pixels as f64).sum()
    }

    /// Each layer's distance within a tile, and its pixels there. Both pictures go through the layers in step, so that their
    /// maps can be dropped on the way.
    fn tile(&self, seen: [Tensor; 2], rows: &Span, columns: &Span) -> Vec<(f64, i64)> {
        let mut maps = seen.map(|picture| channels_last(&normalised(&picture)));
        let compare = |slice: &Slice| {
            maps = maps.each_ref().map(|maps| slice.layers.forward(maps, false));
            let [xs, ys] = maps.each_ref().map(|maps| columns.core(&rows.core(maps, 2, slice.stride), 3, slice.stride));
            distance(&xs, &ys, &slice.weights)
        };
        self.slices.iter().map(compare).collect()
    }
}

fn in_file<T>(path: &Path, load: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    load().map_err(|source| Error::Weights { path: path.into(), source: Box::new(source) })
}

fn features(net: Net, path: &Path, device: Device) -> Result<Sequential, Error> {
    let state = abbe_checkpoint::state_dict_of(&abbe_checkpoint::read(path)?)?;
    let convolutions: StateDict = state.into_iter().filter(|(name, _)| !name.starts_with("classifier.")).collect();
    let store = Store::new(device);
    let features = without_first_values(|| net.features(&store.root() / "features"));
    store.load(&convolutions)?;
    store.freeze();
    Ok(features)
}

/// The package's `lin0.model.1.weight`, ..., of shape `[1, C, 1, 1]`, for each layer that is compared.
fn weights(net: Net, saved: Value, device: Device) -> Result<Vec<Tensor>, Error> {
    let store = Store::new(device);
    let weight = |(k, layer): (usize, Compared)| {
        let values = Tensor::zeros([1, layer.channels, 1, 1], (Kind::Float, device));
        (&store.root() / format!("lin{k}") / "model" / 1).parameter("weight", values)
    };
    let weights: Vec<Tensor> = net.compared().into_iter().enumerate().map(weight).collect();
    store.load(&abbe_checkpoint::state_dict_of(&saved)?)?;
    Ok(weights.iter().map(|weight| weight.detach().view(-1).to_kind(Kind::Double)).collect())
}

fn sliced(net: Net, features: Sequential, weights: Vec<Tensor>) -> Vec<Slice> {
    let (mut layers, mut done) = (features.0.into_iter(), 0);
    let mut slice = |(layer, weights): (Compared, Tensor)| {
        let steps = layers.by_ref().take(layer.index + 1 - done).collect();
        done = layer.index + 1;
        Slice { layers: Sequential(steps), weights, stride: layer.stride }
    };
    net.compared().into_iter().zip(weights).map(&mut slice).collect()
}

/// Colours of [0, 1] as the networks see them.
fn normalised(pictures: &Tensor) -> Tensor {
    let [shift, scale] = [SHIFT, SCALE]
        .map(|colours| constant(&colours.map(f64::from), &[1, 3, 1, 1], (Kind::Float, pictures.device())));
    (pictures * 2.0 - 1.0 - shift) / scale
}

#[cfg(test)]
mod tests;
