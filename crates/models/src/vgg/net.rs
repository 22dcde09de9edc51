use serde::{Deserialize, Serialize};

use crate::Error;

/// Which of the eight networks; the number counts the layers with weights, three dense ones among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Net {
    /// 8 convolutions.
    Vgg11,
    /// 10 convolutions.
    Vgg13,
    /// 13 convolutions.
    Vgg16,
    /// 16 convolutions.
    Vgg19,
    /// 8 convolutions, each with batch norm.
    Vgg11Bn,
    /// 10 convolutions, each with batch norm.
    Vgg13Bn,
    /// 13 convolutions, each with batch norm.
    Vgg16Bn,
    /// 16 convolutions, each with batch norm.
    Vgg19Bn,
}

/// Channels in each of the five stages; a stage ends with a max pool.
const CHANNELS: [i64; 5] = [64, 128, 256, 512, 512];

/// A layer of the convolutional part.
pub(super) enum Op {
    Conv { c_in: i64, c_out: i64 },
    BatchNorm { channels: i64 },
    Relu,
    Pool,
}

impl Net {
    /// All eight, those without batch norm first.
    pub const ALL: [Net; 8] =
        [Net::Vgg11, Net::Vgg13, Net::Vgg16, Net::Vgg19, Net::Vgg11Bn, Net::Vgg13Bn, Net::Vgg16Bn, Net::Vgg19Bn];

    /// Convolutions in each of the five stages.
    pub const fn convolutions(self) -> [usize; 5] {
        match self {
            Net::Vgg11 | Net::Vgg11Bn => [1, 1, 2, 2, 2],
            Net::Vgg13 | Net::Vgg13Bn => [2, 2, 2, 2, 2],
            Net::Vgg16 | Net::Vgg16Bn => [2, 2, 3, 3, 3],
            Net::Vgg19 | Net::Vgg19Bn => [2, 2, 4, 4, 4],
        }
    }

    /// Whether batch norm follows each convolution.
    pub const fn batch_norm(self) -> bool {
        matches!(self, Net::Vgg11Bn | Net::Vgg13Bn | Net::Vgg16Bn | Net::Vgg19Bn)
    }

    /// torchvision's name: `vgg19`, `vgg19_bn`.
    pub const fn name(self) -> &'static str {
        match self {
            Net::Vgg11 => "vgg11",
            Net::Vgg13 => "vgg13",
            Net::Vgg16 => "vgg16",
            Net::Vgg19 => "vgg19",
            Net::Vgg11Bn => "vgg11_bn",
            Net::Vgg13Bn => "vgg13_bn",
            Net::Vgg16Bn => "vgg16_bn",
            Net::Vgg19Bn => "vgg19_bn",
        }
    }

    /// What torchvision calls its file of this network's ImageNet weights.
    pub const fn file(self) -> &'static str {
        match self {
            Net::Vgg11 => "vgg11-8a719046.pth",
            Net::Vgg13 => "vgg13-19584684.pth",
            Net::Vgg16 => "vgg16-397923af.pth",
            Net::Vgg19 => "vgg19-dcbb9e9d.pth",
            Net::Vgg11Bn => "vgg11_bn-6002323d.pth",
            Net::Vgg13Bn => "vgg13_bn-abd245e5.pth",
            Net::Vgg16Bn => "vgg16_bn-6c64b313.pth",
            Net::Vgg19Bn => "vgg19_bn-c79401a0.pth",
        }
    }

    /// The names of all layers in the order in which they run: `conv1_1`, (`bn1_1`,) `relu1_1`, .., `pool1`, `conv2_1`, ..,
    /// `pool5`. The position of a name is torchvision's index under `features`.
    pub fn layers(self) -> Vec<String> {
        self.plan().into_iter().map(|(name, _)| name).collect()
    }

    /// The position of a layer.
    ///
    /// # Errors
    /// [`Error::UnknownLayer`], which lists the valid names.
    pub fn position(self, layer: &str) -> Result<usize, Error> {
        let names = self.layers();
        let found = names.iter().position(|name| name == layer);
        found.ok_or_else(|| Error::UnknownLayer { net: self.name(), layer: layer.to_string(), valid: names })
    }

    pub(super) fn plan(self) -> Vec<(String, Op)> {
        let mut plan = Vec::new();
        let mut c_in = 3;
        for (stage, (count, c_out)) in (1..).zip(self.convolutions().into_iter().zip(CHANNELS)) {
            for i in 1..=count {
                plan.push((format!("conv{stage}_{i}"), Op::Conv { c_in, c_out }));
                if self.batch_norm() {
                    plan.push((format!("bn{stage}_{i}"), Op::BatchNorm { channels: c_out }));
                }
                plan.push((format!("relu{stage}_{i}"), Op::Relu));
                c_in = c_out;
            }
            plan.push((format!("pool{stage}"), Op::Pool));
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_have_torchvisions_positions() {
        // From the list of convolution indices in torchvision's vgg19: 0 2 | 5 7 | 10 12 14 16 | 19 21 23 25 | 28 30 32 34.
        for (layer, position) in
            [("conv1_1", 0), ("pool1", 4), ("conv3_4", 16), ("conv5_1", 28), ("relu5_4", 35), ("pool5", 36)]
        {
            assert_eq!(Net::Vgg19.position(layer).unwrap(), position, "{layer}");
        }
        assert_eq!(Net::Vgg11.position("conv5_2").unwrap(), 18);
        // vgg13_bn: 0 3 | 7 10 | 14 17 | 21 24 | 28 31.
        for (layer, position) in [("bn1_1", 1), ("conv2_1", 7), ("relu4_2", 26), ("conv5_2", 31), ("pool5", 34)] {
            assert_eq!(Net::Vgg13Bn.position(layer).unwrap(), position, "{layer}");
        }
        let error = Net::Vgg16.position("relu5_4").unwrap_err().to_string();
        assert!(error.contains("vgg16") && error.contains("relu5_4") && error.contains("relu5_3, pool5"), "{error}");
    }
}
