//! SRCNN: three convolutions on the bicubic-upscaled picture (Dong et al., arXiv 1501.00092).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, relu};
use crate::{Error, SrModel, Store, bicubic, require};

/// What decides an SRCNN's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Enlargement: 2, 3, 4 or 8.
    pub scale: i64,
    /// Sides of the three kernels, odd, 1..=31: 9-1-5 or 9-5-5 in the paper.
    pub kernels: [i64; 3],
    /// Channels after the first and the second convolution, 1..=256: 64 and 32 in the paper.
    pub channels: [i64; 2],
}

impl Config {
    /// The paper's base network, 9-1-5.
    pub const fn paper(scale: i64) -> Self {
        Config { scale, kernels: [9, 1, 5], channels: [64, 32] }
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first key whose value is out of range.
    pub fn validate(&self) -> Result<(), Error> {
        require("srcnn.scale", "2, 3, 4 or 8", self.scale, [2, 3, 4, 8].contains(&self.scale))?;
        for kernel in self.kernels {
            require(
                "srcnn.kernels",
                "odd numbers from 1 to 31",
                kernel,
                (1..=31).contains(&kernel) && kernel % 2 == 1,
            )?;
        }
        for channels in self.channels {
            require("srcnn.channels", "numbers from 1 to 256", channels, (1..=256).contains(&channels))?;
        }
        Ok(())
    }
}

/// The network; RGB in and out, where the paper has Y alone.
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
    /// Those of [`Config::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let (kernels, [c1, c2]) = (config.kernels, config.channels);
        let conv1 = Conv2d::same(&p / "conv1", 3, c1, kernels[0]);
        let conv2 = Conv2d::same(&p / "conv2", c1, c2, kernels[1]);
        let conv3 = Conv2d::same(&p / "conv3", c2, 3, kernels[2]);
        Ok(Srcnn { config: *config, conv1, conv2, conv3, store })
    }
}

impl SrModel for Srcnn {
    fn forward(&self, lr: &Tensor, _train: bool) -> Tensor {
        let xs = bicubic::upscale(lr, self.config.scale);
        let xs = relu(&self.conv1.forward(&xs)); // patches to features
        let xs = relu(&self.conv2.forward(&xs)); // LR features to HR features
        self.conv3.forward(&xs) // reconstruction
    }

    fn scale(&self) -> i64 {
        self.config.scale
    }

    fn radius(&self) -> i64 {
        let reach: i64 = self.config.kernels.iter().map(|kernel| kernel / 2).sum(); // HR pixels
        (reach as u64).div_ceil(self.config.scale as u64) as i64 + bicubic::RADIUS
    }

    fn store(&self) -> &Store {
        &self.store
    }
}
