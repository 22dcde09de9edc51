//! RRDBNet, the generator of ESRGAN (Wang et al., arXiv 1809.00219) and of Real-ESRGAN (Wang et al., arXiv 2107.10833).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{
    Conv2d, ConvConfig, add, concatenated, cropped, leaky_relu, nearest, pad_to_multiple, pixel_unshuffle, scaled,
};
use crate::{Architecture, Built, Error, Keys, Layout, Network, Path, Python, SrModel, Store, require};

/// What decides an RRDBNet's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Enlargement: 1, 2, 4 or 8.
    pub scale: i64,
    /// Residual-in-residual dense blocks, 1..=64; 23 in the paper.
    pub blocks: i64,
    /// Channels between the blocks, 1..=256; 64 in the paper.
    pub channels: i64,
    /// Channels that each convolution of a dense block adds, 1..=128; 32 in the paper.
    pub growth: i64,
    /// Side of the squares of the picture that become one pixel each before the first convolution, 1, 2 or 4: with 1 none
    /// do, as in the paper. Real-ESRGAN has 2 for scale 2 and 4 for scale 1, so that there are always two doublings.
    pub unshuffle: i64,
    /// Channels of the picture: 3 for RGB, as in the paper, 1 for luma alone.
    pub colors: i64,
    /// Whether dense blocks have the residuals of ESRGAN+ (Rakotonirina and Rasoanaivo, arXiv 2001.08073); its noise while
    /// training is left out.
    pub plus: bool,
}

impl Config {
    /// The paper's network; for scale 1 and 2 Real-ESRGAN's, whose pixels are unshuffled first.
    pub const fn paper(scale: i64) -> Self {
        let unshuffle = if scale < 4 { 4 / scale } else { 1 };
        Config { scale, blocks: 23, channels: 64, growth: 32, unshuffle, colors: 3, plus: false }
    }

    /// How often the features are enlarged by 2.
    fn doublings(&self) -> i64 {
        i64::from((self.scale * self.unshuffle).ilog2())
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Wang et al., arXiv 1809.00219";
    // The paper's is not among them: its 350 convolutions take minutes to check, and their gradients vanish on the way.
    const SAMPLES: &'static [Self] = &[
        Config { scale: 4, blocks: 2, channels: 8, growth: 4, unshuffle: 1, colors: 3, plus: false },
        Config { scale: 2, blocks: 1, channels: 5, growth: 3, unshuffle: 2, colors: 1, plus: false },
        Config { scale: 1, blocks: 1, channels: 4, growth: 2, unshuffle: 4, colors: 3, plus: true },
        Config { scale: 8, blocks: 1, channels: 3, growth: 4, unshuffle: 1, colors: 3, plus: false },
        Config { scale: 2, blocks: 1, channels: 4, growth: 4, unshuffle: 1, colors: 3, plus: false },
        Config { scale: 1, blocks: 1, channels: 4, growth: 5, unshuffle: 1, colors: 1, plus: true },
    ];
    const USUAL: Self = Config::paper(4);
    const LAYOUTS: &'static [Layout<Self>] = &[
        Layout::own("basicsr", |keys, _| detect(keys, "body.{}.rdb1.", "conv_up")),
        Layout {
            obstacle: |config| match config {
                Config { plus: true, .. } => Some("ESRGAN+ has the names of `esrgan-old`"),
                Config { unshuffle: 2.., .. } => Some("it does not unshuffle pixels"),
                _ if !(1..=2).contains(&config.doublings()) => Some("it has scale 2 and 4 only"),
                _ => None,
            },
            ..Layout::renamed(
                "esrgan",
                |keys, _| detect(keys, "RRDB_trunk.{}.RDB1.", "upconv"),
                |_, name| ESRGAN.iter().fold(name.into(), |name, (from, to)| name.replace(from, to)),
            )
        },
        Layout::renamed("esrgan-old", |keys, _| detect_old(keys), old_name),
    ];
    const PYTHON: Python = Python { source: include_str!("../python/rrdbnet.py"), class: "RrdbNet" };

    fn validate(&self) -> Result<(), Error> {
        let Config { scale, blocks, channels, growth, unshuffle, colors, .. } = *self;
        require("rrdbnet.scale", "1, 2, 4 or 8", scale, [1, 2, 4, 8].contains(&scale))?;
        require("rrdbnet.blocks", "a number from 1 to 64", blocks, (1..=64).contains(&blocks))?;
        require("rrdbnet.channels", "a number from 1 to 256", channels, (1..=256).contains(&channels))?;
        require("rrdbnet.growth", "a number from 1 to 128", growth, (1..=128).contains(&growth))?;
        require("rrdbnet.unshuffle", "1, 2 or 4", unshuffle, [1, 2, 4].contains(&unshuffle))?;
        require("rrdbnet.colors", "1 or 3", colors, [1, 3].contains(&colors))
    }

    fn input(&self) -> [i64; 3] {
        [self.colors, 24, 24]
    }

    fn scale(&self) -> Option<i64> {
        Some(self.scale)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Sr(Box::new(RrdbNet::new(self, device)?)))
    }
}

/// BasicSR's names and those of the ESRGAN repository, one replacement after the other.
const ESRGAN: [(&str, &str); 5] = [
    ("conv_body", "trunk_conv"),
    ("body.", "RRDB_trunk."),
    (".rdb", ".RDB"),
    ("conv_up", "upconv"),
    ("conv_hr", "HRconv"),
];

/// The names from before ESRGAN's own repository had its today's: places in nested `Sequential`s.
fn old_name(config: &Config, name: &str) -> String {
    let (layer, kind) = name.rsplit_once('.').unwrap_or((name, ""));
    let after_doublings = 3 * config.doublings();
    let layer = match layer.split('.').collect::<Vec<_>>()[..] {
        ["conv_first"] => "model.0".into(),
        ["body", block, dense, "conv1x1"] => format!("model.1.sub.{block}.{}.conv1x1", dense.to_uppercase()),
        ["body", block, dense, conv] => format!("model.1.sub.{block}.{}.{conv}.0", dense.to_uppercase()),
        ["conv_body"] => format!("model.1.sub.{}", config.blocks),
        ["conv_hr"] => format!("model.{}", after_doublings + 2),
        ["conv_last"] => format!("model.{}", after_doublings + 4),
        _ => {
            let doubling: i64 = layer.trim_start_matches("conv_up").parse().unwrap_or_default();
            format!("model.{}", 3 * doubling)
        }
    };
    format!("{layer}.{kind}")
}

/// The two newer layouts: `dense` is the first dense block of block `{}`, `up` is followed by 1, 2, ...
fn detect(keys: &Keys, dense: &str, up: &str) -> Option<Result<Config, Error>> {
    let dense = |block: usize| dense.replace("{}", &block.to_string());
    let blocks = keys.count(|block| format!("{}conv1.weight", dense(block)));
    let doublings = keys.count(|i| format!("{up}{}.weight", i + 1));
    told(keys, ["conv_first", &format!("{}conv1", dense(0)), "conv_last"], blocks, doublings)
}

/// The oldest layout, in which three places make a doubling: the enlargement, its convolution, the rectifier.
fn detect_old(keys: &Keys) -> Option<Result<Config, Error>> {
    let dense = "model.1.sub.0.RDB1.conv1.0";
    let blocks = keys.count(|block| format!("model.1.sub.{block}.RDB1.conv1.0.weight"));
    let doublings = keys.count(|i| format!("model.{}.weight", 3 * (i + 1)));
    told(keys, ["model.0", dense, &format!("model.{}", 3 * doublings + 4)], blocks, doublings)
}

/// What the first convolution, that of the first dense block and the last convolution tell.
fn told(keys: &Keys, [first, dense, last]: [&str; 3], blocks: i64, doublings: i64) -> Option<Result<Config, Error>> {
    let weight = |layer| keys.shape::<4>(&format!("{layer}.weight"));
    let ([channels, c_in, ..], [growth, ..], [colors, ..]) = (weight(first)?, weight(dense)?, weight(last)?);
    let unshuffle = c_in.checked_div(colors)?.checked_isqrt()?;
    let scale = 2i64.checked_pow(doublings as u32)?.checked_div(unshuffle)?;
    let plus = keys.has(&format!("{}x1.weight", dense.trim_end_matches(".0"))); // conv1x1 beside conv1
    Some(Ok(Config { scale, blocks, channels, growth, unshuffle, colors, plus }))
}

/// The network. State-dict names: `conv_first`, `body.i.rdb{1,2,3}.conv{1..5}` (with `conv1x1` in ESRGAN+), `conv_body`,
/// `conv_up1`, `conv_up2`, ..., one per doubling, `conv_hr` and `conv_last`.
pub struct RrdbNet {
    config: Config,
    store: Store,
    conv_first: Conv2d,
    body: Vec<[DenseBlock; 3]>,
    conv_body: Conv2d,
    conv_up: Vec<Conv2d>,
    conv_hr: Conv2d,
    conv_last: Conv2d,
}

struct DenseBlock {
    conv1x1: Option<Conv2d>,
    convs: Vec<Conv2d>,
}

/// What residuals are multiplied by.
const RES_SCALE: f64 = 0.2;

impl RrdbNet {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let Config { colors, channels, unshuffle, .. } = *config;
        let same = |name: &str, c_in, c_out| Conv2d::same(&p / name, c_in, c_out, 3);
        let conv_first = same("conv_first", colors * unshuffle * unshuffle, channels);
        let block = |i| [1, 2, 3].map(|k| DenseBlock::new(&p / "body" / i / format!("rdb{k}"), config));
        let body = (0..config.blocks).map(block).collect();
        let conv_body = same("conv_body", channels, channels);
        let conv_up = (1..=config.doublings()).map(|i| same(&format!("conv_up{i}"), channels, channels)).collect();
        let conv_hr = same("conv_hr", channels, channels);
        let conv_last = same("conv_last", channels, colors);
        Ok(RrdbNet { config: *config, conv_first, body, conv_body, conv_up, conv_hr, conv_last, store })
    }
}

impl Network for RrdbNet {
    fn forward(&self, lr: &Tensor, _train: bool) -> Tensor {
        let Config { scale, unshuffle, .. } = self.config;
        let xs = pixel_unshuffle(&pad_to_multiple(lr, unshuffle), unshuffle); // [N, colors * unshuffle^2, ..]
        let first = self.conv_first.forward(&xs); // [N, channels, ..]
        let body = self.body.iter().fold(first.shallow_clone(), |xs, block| forward(block, &xs));
        let body = add(&self.conv_body.forward(&body), &first);
        let enlarge = |xs: Tensor, conv: &Conv2d| leaky_relu(&conv.forward(&nearest(&xs, 2)), SLOPE);
        let wide = self.conv_up.iter().fold(body, enlarge);
        let sr = self.conv_last.forward(&leaky_relu(&self.conv_hr.forward(&wide), SLOPE));
        cropped(&sr, lr, scale) // [N, colors, h * scale, w * scale]
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

/// Slope of the rectifiers below zero.
const SLOPE: f64 = 0.2;

/// A residual-in-residual dense block.
fn forward(block: &[DenseBlock; 3], xs: &Tensor) -> Tensor {
    add(&scaled(&block.iter().fold(xs.shallow_clone(), |xs, dense| dense.forward(&xs)), RES_SCALE), xs)
}

impl DenseBlock {
    fn new(p: Path, config: &Config) -> Self {
        let Config { channels, growth, plus, .. } = *config;
        let shortcut = ConvConfig { c_in: channels, c_out: growth, kernel: 1, stride: 1, padding: 0, bias: false };
        let conv1x1 = plus.then(|| Conv2d::new(&p / "conv1x1", shortcut));
        let conv = |k| {
            let c_out = if k == 5 { channels } else { growth };
            Conv2d::same(&p / format!("conv{k}"), channels + (k - 1) * growth, c_out, 3)
        };
        DenseBlock { conv1x1, convs: (1..=5i64).map(conv).collect() }
    }

    /// Each convolution sees the block's input and what all convolutions before it gave. ESRGAN+ adds the input, by a 1x1
    /// convolution, to what the second gives, and that to what the fourth gives.
    fn forward(&self, xs: &Tensor) -> Tensor {
        let [inner @ .., last] = self.convs.as_slice() else { return xs.shallow_clone() };
        let mut features = vec![xs.shallow_clone()];
        for (conv, k) in inner.iter().zip(1..) {
            let ys = leaky_relu(&conv.forward(&concatenated(&features)), SLOPE);
            features.push(match &self.conv1x1 {
                Some(conv1x1) if k == 2 => add(&ys, &conv1x1.forward(xs)),
                Some(_) if k == 4 => add(&ys, &features[2]),
                _ => ys,
            });
        }
        add(&scaled(&last.forward(&concatenated(&features)), RES_SCALE), xs)
    }
}

impl SrModel for RrdbNet {
    fn scale(&self) -> i64 {
        self.config.scale
    }

    /// Counted backwards and to the right from each output pixel of an unshuffled one, which covers `unshuffle` LR pixels:
    /// two 3x3 convolutions; each doubling adds 1 and halves; five convolutions per dense block, and two around the body.
    fn radius(&self) -> i64 {
        let Config { scale, blocks, unshuffle, .. } = self.config;
        let reach = |x: i64| {
            let before_doubling = (0..self.config.doublings()).fold(x + 2, |x, _| (x + 1) / 2);
            let cells = before_doubling + 15 * blocks + 2;
            cells * unshuffle + unshuffle - 1 - x / scale
        };
        (0..scale * unshuffle).map(reach).max().unwrap_or_default()
    }

    fn multiple(&self) -> i64 {
        self.config.unshuffle
    }

    fn colors(&self) -> i64 {
        self.config.colors
    }
}
