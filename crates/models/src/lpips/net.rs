use std::path::Path as FilePath;

use serde::{Deserialize, Serialize};

use crate::layer::Sequential;
use crate::squeezenet::Version;
use crate::{Path, alexnet, squeezenet, vgg};

/// The network whose features are compared; the names are those of the lpips package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Net {
    /// AlexNet: the package's choice for judging pictures, and the one that most papers report.
    Alex,
    /// VGG-16.
    Vgg,
    /// SqueezeNet 1.1.
    Squeeze,
}

/// A layer whose outputs are compared.
pub(super) struct Compared {
    /// Its index under torchvision's `features`.
    pub index: usize,
    /// The channels of its maps.
    pub channels: i64,
    /// The picture's pixels for each of its own along a side.
    pub stride: i64,
}

impl Net {
    /// All three.
    pub const ALL: [Net; 3] = [Net::Alex, Net::Vgg, Net::Squeeze];

    /// The package's name: `alex`, `vgg`, `squeeze`.
    pub const fn name(self) -> &'static str {
        match self {
            Net::Alex => "alex",
            Net::Vgg => "vgg",
            Net::Squeeze => "squeeze",
        }
    }

    /// torchvision's name of the network, under which `abbe fetch` gets its weights.
    pub const fn backbone(self) -> &'static str {
        match self {
            Net::Alex => "alexnet",
            Net::Vgg => vgg::Net::Vgg16.name(),
            Net::Squeeze => "squeezenet1_1",
        }
    }

    /// What torchvision calls its file of the network's ImageNet weights.
    pub const fn file(self) -> &'static str {
        match self {
            Net::Alex => "alexnet-owt-7be5be79.pth",
            Net::Vgg => vgg::Net::Vgg16.file(),
            Net::Squeeze => "squeezenet1_1-b8a52dc0.pth",
        }
    }

    /// What must be known of values that are taken with weights from a file other than the published one.
    pub(super) fn notice(self, path: &FilePath) -> String {
        format!(
            "lpips-{}: {} is not the published file of weights, so its values may not compare with those of others",
            self.name(),
            path.file_name().unwrap_or_default().display()
        )
    }

    /// The smallest side of a picture, in pixels, of which the deepest layer leaves something.
    pub const fn least(self) -> i64 {
        match self {
            Net::Alex => 31,
            Net::Vgg => 16,
            Net::Squeeze => 17,
        }
    }

    /// The layers whose outputs are compared, in the order in which they run.
    pub(super) fn compared(self) -> Vec<Compared> {
        let layers: &[_] = match self {
            Net::Alex => &[(1, 64, 4), (4, 192, 8), (7, 384, 16), (9, 256, 16), (11, 256, 16)],
            Net::Vgg => &[(3, 64, 1), (8, 128, 2), (15, 256, 4), (22, 512, 8), (29, 512, 16)],
            Net::Squeeze => {
                &[(1, 64, 2), (4, 128, 4), (7, 256, 8), (9, 384, 16), (10, 384, 16), (11, 512, 16), (12, 512, 16)]
            }
        };
        layers.iter().map(|&(index, channels, stride)| Compared { index, channels, stride }).collect()
    }

    /// torchvision's `features`.
    pub(super) fn features(self, p: Path) -> Sequential {
        match self {
            Net::Alex => alexnet::features(p),
            Net::Vgg => vgg::features(p, vgg::Net::Vgg16),
            Net::Squeeze => squeezenet::features(p, Version::V1_1),
        }
    }

    /// The package's file of linear weights, version 0.1.
    pub(super) const fn published(self) -> &'static [u8] {
        match self {
            Net::Alex => include_bytes!("../../weights/lpips-0.1/alex.pth"),
            Net::Vgg => include_bytes!("../../weights/lpips-0.1/vgg.pth"),
            Net::Squeeze => include_bytes!("../../weights/lpips-0.1/squeeze.pth"),
        }
    }
}
