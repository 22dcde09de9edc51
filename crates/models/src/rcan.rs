//! RCAN: residual groups with channel attention (Zhang et al., arXiv 1807.02758).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{
    ChannelAttention, Conv2d, Upsample, add, centred, continue_to_multiple, cropped, pixel_unshuffle, relu, uncentred,
};
use crate::{Architecture, Built, Error, Layout, Network, Path, Python, SrModel, Store, require};

mod layouts;

/// What decides an RCAN's shape. It works on values of 0 to 255 less the mean colour of DIV2K, and adds residuals whole
/// (`res_scale` 1), as the paper's code does; that is BasicSR's default too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Enlargement: 2, 3, 4 or 8; 1 with `unshuffle` 4.
    pub scale: i64,
    /// Residual groups, 1..=32; 10 in the paper.
    pub groups: i64,
    /// Blocks of each group, 1..=64; 20 in the paper.
    pub blocks: i64,
    /// Channels of every hidden layer, 1..=512; 64 in the paper.
    pub channels: i64,
    /// How many times fewer channels the attention has between its two layers, 1..=channels; 16 in the paper.
    pub reduction: i64,
    /// Side of the squares of pixels that become channels of one before the network: 1 for none, as in the paper, or
    /// 4 / scale, after which the picture is enlarged by 4 (traiNNer's form for scale 1 and 2).
    #[serde(default = "none")]
    pub unshuffle: i64,
}

fn none() -> i64 {
    1
}

impl Config {
    /// The paper's network.
    pub const fn paper(scale: i64) -> Self {
        Config { scale, groups: 10, blocks: 20, channels: 64, reduction: 16, unshuffle: 1 }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Zhang et al., arXiv 1807.02758";
    const SAMPLES: &'static [Self] = &[
        Config { groups: 2, blocks: 4, channels: 6, reduction: 3, ..Config::paper(4) },
        Config { scale: 3, groups: 2, blocks: 1, channels: 7, reduction: 2, unshuffle: 1 },
        Config { scale: 2, groups: 1, blocks: 2, channels: 8, reduction: 2, unshuffle: 2 },
        Config { scale: 1, groups: 2, blocks: 3, channels: 5, reduction: 1, unshuffle: 4 },
    ];
    const USUAL: Self = Config::paper(4);
    const LAYOUTS: &'static [Layout<Self>] = &layouts::ALL;
    const PYTHON: Python = Python { source: include_str!("../python/rcan.py"), class: "Rcan" };

    fn validate(&self) -> Result<(), Error> {
        let Config { scale, groups, blocks, channels, reduction, unshuffle } = *self;
        require("rcan.scale", "1, 2, 3, 4 or 8", scale, [1, 2, 3, 4, 8].contains(&scale))?;
        require("rcan.groups", "a number from 1 to 32", groups, (1..=32).contains(&groups))?;
        require("rcan.blocks", "a number from 1 to 64", blocks, (1..=64).contains(&blocks))?;
        require("rcan.channels", "a number from 1 to 512", channels, (1..=512).contains(&channels))?;
        require("rcan.reduction", "a number from 1 to channels", reduction, (1..=channels).contains(&reduction))?;
        let fits = if unshuffle == 1 { scale > 1 } else { [2, 4].contains(&unshuffle) && unshuffle * scale == 4 };
        require("rcan.unshuffle", "1 (scale above 1), or 4 / scale", unshuffle, fits)
    }

    fn input(&self) -> [i64; 3] {
        [3, 24, 24]
    }

    fn scale(&self) -> Option<i64> {
        Some(self.scale)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Sr(Box::new(Rcan::new(self, device)?)))
    }
}

/// The network, with BasicSR's names: `conv_first`, `body.g.residual_group.b.rcab.{0, 2}` (convolutions),
/// `body.g.residual_group.b.rcab.3.attention.{1, 3}` (1x1 convolutions), `body.g.conv`, `conv_after_body`,
/// `upsample.{0, 2, ..}`, `conv_last`.
pub struct Rcan {
    config: Config,
    store: Store,
    conv_first: Conv2d,
    body: Vec<Group>,
    conv_after_body: Conv2d,
    upsample: Upsample,
    conv_last: Conv2d,
}

struct Group {
    blocks: Vec<Block>,
    conv: Conv2d,
}

struct Block {
    convs: [Conv2d; 2],
    attention: ChannelAttention,
}

impl Rcan {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let Config { scale, groups, channels: c, unshuffle, .. } = *config;
        let conv_first = Conv2d::same(&p / "conv_first", 3 * unshuffle * unshuffle, c, 3);
        let body = (0..groups).map(|i| Group::new(&p / "body" / i, config)).collect();
        let conv_after_body = Conv2d::same(&p / "conv_after_body", c, c, 3);
        let upsample = Upsample::new(&p / "upsample", c, scale * unshuffle);
        let conv_last = Conv2d::same(&p / "conv_last", c, 3, 3);
        Ok(Rcan { config: *config, conv_first, body, conv_after_body, upsample, conv_last, store })
    }
}

impl Network for Rcan {
    /// With `unshuffle`, a picture whose sides are not its multiples is continued with its last row and column, and what
    /// comes of that is cut off.
    fn forward(&self, lr: &Tensor, _train: bool) -> Tensor {
        let Config { scale, unshuffle, .. } = self.config;
        let xs = pixel_unshuffle(&continue_to_multiple(&centred(lr), unshuffle), unshuffle);
        let first = self.conv_first.forward(&xs); // [N, channels, h / unshuffle, w / unshuffle]
        let body = self.body.iter().fold(first.shallow_clone(), |xs, group| group.forward(&xs));
        let wide = self.upsample.forward(&add(&self.conv_after_body.forward(&body), &first));
        cropped(&uncentred(&self.conv_last.forward(&wide)), lr, scale)
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

impl SrModel for Rcan {
    fn scale(&self) -> i64 {
        self.config.scale
    }

    /// Its attention takes the mean over the whole picture.
    fn radius(&self) -> i64 {
        i64::MAX
    }
}

impl Group {
    fn new(p: Path, config: &Config) -> Self {
        let blocks = (0..config.blocks).map(|i| Block::new(&p / "residual_group" / i / "rcab", config)).collect();
        Group { blocks, conv: Conv2d::same(&p / "conv", config.channels, config.channels, 3) }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        let ys = self.blocks.iter().fold(xs.shallow_clone(), |xs, block| block.forward(&xs));
        add(xs, &self.conv.forward(&ys))
    }
}

impl Block {
    fn new(p: Path, config: &Config) -> Self {
        let Config { channels: c, reduction, .. } = *config;
        let convs = [0, 2].map(|i| Conv2d::same(&p / i, c, c, 3));
        Block { convs, attention: ChannelAttention::new(&p / 3 / "attention", c, c / reduction) }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        let [first, second] = &self.convs;
        add(xs, &self.attention.forward(&second.forward(&relu(&first.forward(xs)))))
    }
}
