//! SRCNN: three convolutions on the bicubic-upscaled picture (Dong et al., arXiv 1501.00092).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, relu};
use crate::{Architecture, Built, Error, Hints, Keys, Layout, Network, Python, SrModel, Store, bicubic, require};

/// What decides an SRCNN's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Enlargement: 2, 3, 4 or 8.
    pub scale: i64,
    /// Sides of the three kernels, odd, 1..=31: 9-1-5 or 9-5-5 in the paper.
    pub kernels: [i64; 3],
    /// Channels after the first and the second convolution, 1..=256: 64 and 32 in the paper.
    pub channels: [i64; 2],
    /// Channels of the picture: 3 for RGB, 1 for luma alone, as in the paper.
    #[serde(default = "rgb")]
    pub colors: i64,
}

/// Checkpoints written before there was a choice are of RGB.
fn rgb() -> i64 {
    3
}

impl Config {
    /// The paper's base network, 9-1-5, for RGB.
    pub const fn paper(scale: i64) -> Self {
        Config { scale, kernels: [9, 1, 5], channels: [64, 32], colors: 3 }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Dong et al., arXiv 1501.00092";
    const SAMPLES: &'static [Self] = &[
        Config::paper(4),
        Config { scale: 3, kernels: [5, 3, 1], channels: [6, 5], colors: 1 },
        Config { scale: 2, kernels: [9, 5, 5], channels: [8, 4], colors: 3 },
    ];
    const USUAL: Self = Config::paper(4);
    const LAYOUTS: &'static [Layout<Self>] = &[
        Layout::own("yjn870", |keys, hints| detect(keys, hints, YJN870)),
        Layout::renamed(
            "lornatang",
            |keys, hints| detect(keys, hints, LORNATANG),
            |_, name| YJN870.iter().zip(LORNATANG).fold(name.into(), |name, (from, to)| name.replace(from, to)),
        ),
    ];
    const PYTHON: Python = Python { source: include_str!("../python/srcnn.py"), class: "Srcnn" };

    fn validate(&self) -> Result<(), Error> {
        require("srcnn.scale", "2, 3, 4 or 8", self.scale, [2, 3, 4, 8].contains(&self.scale))?;
        for kernel in self.kernels {
            let is_fit = (1..=31).contains(&kernel) && kernel % 2 == 1;
            require("srcnn.kernels", "odd numbers from 1 to 31", kernel, is_fit)?;
        }
        for channels in self.channels {
            require("srcnn.channels", "numbers from 1 to 256", channels, (1..=256).contains(&channels))?;
        }
        require("srcnn.colors", "1 or 3", self.colors, [1, 3].contains(&self.colors))
    }

    fn input(&self) -> [i64; 3] {
        [self.colors, 24, 24]
    }

    fn scale(&self) -> Option<i64> {
        Some(self.scale)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Sr(Box::new(Srcnn::new(self, device)?)))
    }
}

/// The three convolutions as two projects name them.
const YJN870: [&str; 3] = ["conv1", "conv2", "conv3"];
const LORNATANG: [&str; 3] = ["features.0", "map.0", "reconstruction"];

/// Six tensors, which tell everything but the scale: the network works on a picture that is enlarged already.
fn detect(keys: &Keys, hints: &Hints, names: [&str; 3]) -> Option<Result<Config, Error>> {
    let [first, second, third] = names.map(|name| keys.shape::<4>(&format!("{name}.weight")));
    let ([c1, colors, k1, _], [c2, _, k2, _], [_, _, k3, _]) = (first?, second?, third?);
    let config = |scale| Config { scale, kernels: [k1, k2, k3], channels: [c1, c2], colors };
    (keys.0.len() == 6).then(|| hints.scale("SRCNN").map(config))
}

/// The network. State-dict names: `conv1`, `conv2`, `conv3`.
pub struct Srcnn {
    config: Config,
    store: Store,
    conv1: Conv2d,
    conv2: Conv2d,
    conv3: Conv2d,
}

impl Srcnn {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let Config { kernels, channels: [c1, c2], colors, .. } = *config;
        let conv1 = Conv2d::same(&p / "conv1", colors, c1, kernels[0]);
        let conv2 = Conv2d::same(&p / "conv2", c1, c2, kernels[1]);
        let conv3 = Conv2d::same(&p / "conv3", c2, colors, kernels[2]);
        Ok(Srcnn { config: *config, conv1, conv2, conv3, store })
    }
}

impl Network for Srcnn {
    fn forward(&self, lr: &Tensor, _train: bool) -> Tensor {
        let xs = bicubic::upscale(lr, self.config.scale);
        let xs = relu(&self.conv1.forward(&xs)); // patches to features
        let xs = relu(&self.conv2.forward(&xs)); // LR features to HR features
        self.conv3.forward(&xs) // reconstruction
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

impl SrModel for Srcnn {
    fn scale(&self) -> i64 {
        self.config.scale
    }

    fn radius(&self) -> i64 {
        let reach: i64 = self.config.kernels.iter().map(|kernel| kernel / 2).sum(); // HR pixels
        (reach as u64).div_ceil(self.config.scale as u64) as i64 + bicubic::RADIUS
    }

    fn colors(&self) -> i64 {
        self.config.colors
    }
}
