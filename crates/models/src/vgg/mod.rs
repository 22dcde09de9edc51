//! VGG-11, 13, 16 and 19, with and without batch norm, in torchvision's layout (Simonyan and Zisserman, arXiv 1409.1556).

mod features;
mod net;

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

pub use features::Features;
pub use net::Net;

use self::net::Op;
use crate::layer::{BatchNorm2d, Conv2d, Linear, Sequential, Step, adaptive_avg_pool, dropout, max_pool, relu};
use crate::{Architecture, Built, Error, Keys, Layout, Network, Path, Python, Sides, Store, require, torchvision};

/// What decides a VGG's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which network.
    pub net: Net,
    /// Scores, 1..=100,000; 1,000 in the paper. Without a number there are no dense layers: the convolutional part alone.
    pub classes: Option<i64>,
}

impl Config {
    /// The paper's network for the classes of ImageNet.
    pub const fn paper(net: Net) -> Self {
        Config { net, classes: Some(1000) }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Simonyan and Zisserman, arXiv 1409.1556";
    /// The dense layers' 124 million numbers are left out.
    const SAMPLES: &'static [Self] =
        &[Config { net: Net::Vgg13, classes: None }, Config { net: Net::Vgg11Bn, classes: None }];
    const USUAL: Self = Config::paper(Net::Vgg16);
    const LAYOUTS: &'static [Layout<Self>] = &[
        Layout::own("torchvision", |keys, _| detect(keys, "features")),
        Layout::renamed(
            "imagenet-example",
            |keys, _| detect(keys, "features.module"),
            |_, name| name.replacen("features.", "features.module.", 1),
        ),
    ];
    const PYTHON: Python = Python { source: include_str!("../../python/vgg.py"), class: "Vgg" };

    fn validate(&self) -> Result<(), Error> {
        let classes = self.classes.unwrap_or(1);
        require("vgg.classes", "a number from 1 to 100000, or none", classes, (1..=100_000).contains(&classes))
    }

    fn input(&self) -> [i64; 3] {
        torchvision::input(self.classes)
    }

    fn sides(&self) -> Sides {
        Sides::from(32)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(Vgg::new(self, device)?)))
    }
}

/// The number and the places of the convolutions tell the network.
fn detect(keys: &Keys, features: &str) -> Option<Result<Config, Error>> {
    let is_conv = |i: usize| keys.shape::<4>(&format!("{features}.{i}.weight")).is_some();
    let convolutions = |net: &Net| {
        let plan = net.plan().into_iter().enumerate();
        plan.filter(|(_, (_, op))| matches!(op, Op::Conv { .. })).map(|(i, _)| i).collect::<Vec<_>>()
    };
    let found: Vec<usize> = (0..Net::Vgg19Bn.plan().len()).filter(|&i| is_conv(i)).collect();
    let net = Net::ALL.into_iter().find(|net| convolutions(net) == found)?;
    let classes = match keys.shape("classifier.6.weight") {
        Some([classes, DENSE]) => Some(classes),
        None if !keys.has("classifier.0.weight") => None,
        _ => return None,
    };
    Some(Ok(Config { net, classes }))
}

/// The network. State-dict names: `features.i` (convolutions and batch norms), `classifier.{0, 3, 6}` (dense layers).
pub struct Vgg {
    config: Config,
    store: Store,
    features: Sequential,
    dense: Option<[Linear; 3]>,
}

/// Features of the first two dense layers.
const DENSE: i64 = 4096;
/// Side of the maps that the dense layers see.
const SIDE: i64 = 7;

impl Vgg {
    /// A network with torchvision's distributions of first values: He's normal over the fan out for convolutions, normal
    /// with deviation 0.01 for dense layers, biases 0.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        Ok(Vgg::of(config, device))
    }

    fn of(config: &Config, device: Device) -> Self {
        let store = Store::new(device);
        let features = features(&store.root() / "features", config.net);
        let p = &store.root() / "classifier";
        let dense = |classes| {
            [(0, 512 * SIDE * SIDE, DENSE), (3, DENSE, DENSE), (6, DENSE, classes)]
                .map(|(i, features_in, features_out)| Linear::new(&p / i, features_in, features_out).normal(0.01))
        };
        let dense = config.classes.map(dense);
        Vgg { config: *config, features, dense, store }
    }
}

/// torchvision's `features`.
pub(crate) fn features(p: Path, net: Net) -> Sequential {
    let step = |(i, (_, op))| match op {
        Op::Conv { c_in, c_out } => Step::Conv(Conv2d::same(&p / i, c_in, c_out, 3).he_fan_out()),
        Op::BatchNorm { channels } => Step::BatchNorm(BatchNorm2d::new(&p / i, channels)),
        Op::Relu => Step::Plain(relu),
        Op::Pool => Step::Plain(max_pool),
    };
    Sequential(net.plan().into_iter().enumerate().map(step).collect())
}

impl Network for Vgg {
    /// Pictures `[N, 3, h, w]` of at least 32x32, normalised by ImageNet's mean and deviation, to scores `[N, classes]`; to
    /// maps `[N, 512, h / 32, w / 32]` when there are no dense layers.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        let maps = self.features.forward(pictures, train);
        let Some([first, second, third]) = &self.dense else { return maps };
        let xs = adaptive_avg_pool(&maps, SIDE).flatten(1, -1);
        let xs = dropout(&relu(&first.forward(&xs)), train);
        let xs = dropout(&relu(&second.forward(&xs)), train);
        third.forward(&xs)
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

#[cfg(test)]
mod tests {
    use abbe_checkpoint::{StateDict, Tensor as Saved};

    use super::*;
    use crate::summary::{Summary, summary};

    #[test]
    fn places_of_convolutions_tell_the_network_and_the_last_dense_layer_the_classes() {
        let tensor = |shape: &[usize]| Saved::from_f32(shape, &vec![0.0; shape.iter().product()]);
        for net in Net::ALL {
            let plan = net.plan().into_iter().enumerate();
            let convs = plan.filter(|(_, (_, op))| matches!(op, Op::Conv { .. }));
            let mut state: StateDict =
                convs.map(|(i, _)| (format!("features.{i}.weight"), tensor(&[1, 1, 1, 1]))).collect();
            let told = |state: &StateDict| detect(&Keys(state), "features").map(Result::unwrap);
            assert_eq!(told(&state), Some(Config { net, classes: None }));
            state.insert("classifier.0.weight".into(), tensor(&[1, 1]));
            assert_eq!(told(&state), None, "{net:?} with a part of its dense layers");
            state.insert("classifier.6.weight".into(), tensor(&[7, 4096]));
            assert_eq!(told(&state), Some(Config { net, classes: Some(7) }));
        }
    }

    /// The lecture's table of VGG-16: rows without activations, outputs and weights (it leaves the biases out).
    #[test]
    fn vgg16_is_the_table_of_the_lecture() {
        let table = vgg16();
        let rows: Vec<_> = table.layers.iter().filter(|layer| layer.kind != "ReLU").collect();
        let weights =
            |row: usize| rows[row].parameters - if rows[row].parameters > 0 { rows[row].shape[1] as usize } else { 0 };
        let expected: [(usize, usize); 21] = [
            (224 * 224 * 64, 1_728),
            (224 * 224 * 64, 36_864),
            (112 * 112 * 64, 0),
            (112 * 112 * 128, 73_728),
            (112 * 112 * 128, 147_456),
            (56 * 56 * 128, 0),
            (56 * 56 * 256, 294_912),
            (56 * 56 * 256, 589_824),
            (56 * 56 * 256, 589_824),
            (28 * 28 * 256, 0),
            (28 * 28 * 512, 1_179_648),
            (28 * 28 * 512, 2_359_296),
            (28 * 28 * 512, 2_359_296),
            (14 * 14 * 512, 0),
            (14 * 14 * 512, 2_359_296),
            (14 * 14 * 512, 2_359_296),
            (14 * 14 * 512, 2_359_296),
            (7 * 7 * 512, 0),
            (4096, 102_760_448),
            (4096, 16_777_216),
            (1000, 4_096_000),
        ];
        assert_eq!(rows.len(), expected.len());
        for (row, (outputs, parameters)) in expected.into_iter().enumerate() {
            assert_eq!((rows[row].memory(), weights(row)), (4 * outputs, parameters), "row {row}: {:?}", rows[row]);
        }
        // Weights 138,344,128 and 13,416 biases (4,224 of convolutions, 9,192 of dense layers).
        assert_eq!(table.parameters(), 138_357_544);
        // Each weight of a convolution works once per output pixel: 15,346,630,656, and the dense layers' 123,633,664 once.
        assert_eq!(table.multiply_adds(), 15_470_264_320);
    }

    fn vgg16() -> Summary {
        let net = Vgg::new(&Config::paper(Net::Vgg16), Device::Cpu).unwrap();
        summary(|xs| net.forward(xs, false), &[1, 3, 224, 224])
    }
}
