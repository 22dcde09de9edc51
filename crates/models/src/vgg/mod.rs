//! VGG-11, 13, 16 and 19 in torchvision's layout (Simonyan and Zisserman, arXiv 1409.1556), every layer addressable by name.

use std::collections::BTreeMap;

use abbe_checkpoint::StateDict;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, Linear, max_pool, relu};
use crate::{Error, Store};

/// Which of the four networks; the number counts its layers with weights, three dense ones among them.
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
}

/// Channels in each of the five stages; a stage ends with a max pool.
const CHANNELS: [i64; 5] = [64, 128, 256, 512, 512];

impl Net {
    /// All four.
    pub const ALL: [Net; 4] = [Net::Vgg11, Net::Vgg13, Net::Vgg16, Net::Vgg19];

    /// Convolutions in each of the five stages.
    pub const fn convolutions(self) -> [usize; 5] {
        match self {
            Net::Vgg11 => [1, 1, 2, 2, 2],
            Net::Vgg13 => [2, 2, 2, 2, 2],
            Net::Vgg16 => [2, 2, 3, 3, 3],
            Net::Vgg19 => [2, 2, 4, 4, 4],
        }
    }

    /// torchvision's name: `vgg19`.
    pub const fn name(self) -> &'static str {
        match self {
            Net::Vgg11 => "vgg11",
            Net::Vgg13 => "vgg13",
            Net::Vgg16 => "vgg16",
            Net::Vgg19 => "vgg19",
        }
    }

    /// The names of all layers in the order in which they run: `conv1_1`, `relu1_1`, .., `pool1`, `conv2_1`, .., `pool5`.
    /// The position of a name is torchvision's index under `features`.
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

    fn plan(self) -> Vec<(String, Op)> {
        let mut plan = Vec::new();
        let mut c_in = 3;
        for (stage, (count, c_out)) in (1..).zip(self.convolutions().into_iter().zip(CHANNELS)) {
            for i in 1..=count {
                plan.push((format!("conv{stage}_{i}"), Op::Conv { c_in, c_out }));
                plan.push((format!("relu{stage}_{i}"), Op::Relu));
                c_in = c_out;
            }
            plan.push((format!("pool{stage}"), Op::Pool));
        }
        plan
    }
}

enum Op {
    Conv { c_in: i64, c_out: i64 },
    Relu,
    Pool,
}

enum Step {
    Conv(Conv2d),
    Relu,
    Pool,
}

/// The convolutional part, frozen.
pub struct Features {
    net: Net,
    store: Store,
    steps: Vec<Step>,
}

impl Features {
    /// A network with torchvision's random first values: He's normal over the fan out, biases 0. libtorch's generator
    /// decides them.
    pub fn new(net: Net, device: Device) -> Self {
        let store = Store::new(device);
        let p = &store.root() / "features";
        let step = |(i, (_, op))| match op {
            Op::Conv { c_in, c_out } => Step::Conv(he_normal(Conv2d::same(&p / i, c_in, c_out, 3))),
            Op::Relu => Step::Relu,
            Op::Pool => Step::Pool,
        };
        let steps = net.plan().into_iter().enumerate().map(step).collect();
        store.freeze();
        Features { net, steps, store }
    }

    /// The outputs of `layers`, in the order asked for, of pictures `[N, 3, h, w]`; nothing deeper than the deepest is run.
    ///
    /// torchvision's weights expect ImageNet normalisation: (x - mean) / std of x in [0, 1], left to the caller. Each pool
    /// halves h and w, rounded down.
    ///
    /// # Errors
    /// [`Error::UnknownLayer`] for a name that this network lacks, [`Error::TooSmall`] when a pool would leave nothing.
    pub fn forward(&self, xs: &Tensor, layers: &[&str]) -> Result<Vec<Tensor>, Error> {
        let wanted = layers.iter().map(|layer| self.net.position(layer)).collect::<Result<Vec<_>, _>>()?;
        let depth = wanted.iter().max().map_or(0, |deepest| deepest + 1);
        let steps = &self.steps[..depth];
        self.check_size(xs, steps)?;
        let mut xs = xs.shallow_clone();
        let mut kept = BTreeMap::new();
        for (i, step) in steps.iter().enumerate() {
            xs = step.forward(&xs);
            if wanted.contains(&i) {
                kept.insert(i, xs.shallow_clone());
            }
        }
        Ok(wanted.iter().map(|i| kept[i].shallow_clone()).collect())
    }

    fn check_size(&self, xs: &Tensor, steps: &[Step]) -> Result<(), Error> {
        let least = 1 << steps.iter().filter(|step| matches!(step, Step::Pool)).count();
        match xs.size()[..] {
            [_, _, height, width] if height.min(width) < least => {
                let layer = self.net.layers().swap_remove(steps.len() - 1);
                Err(Error::TooSmall { net: self.net.name(), layer, least, height, width })
            }
            _ => Ok(()),
        }
    }

    /// Loads torchvision's state dict of this network. The dense layers' tensors (`classifier.*`) are left aside, since
    /// there is nothing here that they belong to; every other name must fit.
    ///
    /// # Errors
    /// [`Error::Load`] with every difference; nothing is changed then.
    pub fn load(&self, state: &StateDict) -> Result<(), Error> {
        let features = state.iter().filter(|(name, _)| !name.starts_with("classifier."));
        self.store.load(&features.map(|(name, tensor)| (name.clone(), tensor.clone())).collect())?;
        Ok(())
    }

    /// Which network this is.
    pub fn net(&self) -> Net {
        self.net
    }

    /// The named tensors.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl Step {
    fn forward(&self, xs: &Tensor) -> Tensor {
        match self {
            Step::Conv(conv) => conv.forward(xs),
            Step::Relu => relu(xs),
            Step::Pool => max_pool(xs),
        }
    }
}

/// He et al., arXiv 1502.01852: variance 2 / fan_out, so that what flows back keeps its scale.
fn he_normal(mut conv: Conv2d) -> Conv2d {
    let [c_out, _, k1, k2] = conv.weight.size()[..] else { unreachable!("a convolution's weight has four axes") };
    tch::no_grad(|| {
        let _ = conv.weight.normal_(0.0, (2.0 / (c_out * k1 * k2) as f64).sqrt());
        let _ = conv.bias.as_mut().map(Tensor::zero_);
    });
    conv
}

/// The whole network with its three dense layers, as the paper's tables count it. Its weights are random.
pub struct Classifier {
    features: Features,
    dense: [Linear; 3],
}

impl Classifier {
    /// torchvision's names: `features.*` and `classifier.{0, 3, 6}`.
    pub fn new(net: Net, device: Device) -> Self {
        let features = Features::new(net, device);
        let p = &features.store.root() / "classifier";
        let dense = [(0, 512 * 7 * 7, 4096), (3, 4096, 4096), (6, 4096, 1000)];
        let dense = dense.map(|(i, features_in, features_out)| Linear::new(&p / i, features_in, features_out));
        Classifier { features, dense }
    }

    /// Pictures `[N, 3, 224, 224]` to scores `[N, 1000]`, without the dropout of training.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        let maps = self.features.steps.iter().fold(xs.shallow_clone(), |xs, step| step.forward(&xs)); // [N, 512, 7, 7]
        let [first, second, third] = &self.dense;
        third.forward(&relu(&second.forward(&relu(&first.forward(&maps.flatten(1, -1))))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{Summary, summary};

    #[test]
    fn layers_have_torchvisions_positions() {
        // From the list of convolution indices in torchvision's vgg19: 0 2 | 5 7 | 10 12 14 16 | 19 21 23 25 | 28 30 32 34.
        for (layer, position) in
            [("conv1_1", 0), ("pool1", 4), ("conv3_4", 16), ("conv5_1", 28), ("relu5_4", 35), ("pool5", 36)]
        {
            assert_eq!(Net::Vgg19.position(layer).unwrap(), position, "{layer}");
        }
        assert_eq!(Net::Vgg11.position("conv5_2").unwrap(), 18);
        let error = Net::Vgg16.position("relu5_4").unwrap_err().to_string();
        assert!(error.contains("vgg16") && error.contains("relu5_4") && error.contains("relu5_3, pool5"), "{error}");
    }

    #[test]
    fn keys_are_torchvisions() {
        let names = Features::new(Net::Vgg13, Device::Cpu).store().names();
        let indices = [0, 2, 5, 7, 10, 12, 15, 17, 20, 22];
        let expected = indices.iter().flat_map(|i| [format!("features.{i}.weight"), format!("features.{i}.bias")]);
        assert!(names.into_iter().eq(expected));
    }

    #[test]
    fn activations_keep_their_scale_and_outputs_come_as_asked() {
        let features = Features::new(Net::Vgg11, Device::Cpu);
        let xs = Tensor::randn([1, 3, 32, 32], (tch::Kind::Float, Device::Cpu));
        let outputs = features.forward(&xs, &["relu5_2", "conv1_1"]).unwrap();
        assert_eq!(outputs[0].size(), [1, 512, 2, 2]);
        assert_eq!(outputs[1].size(), [1, 64, 32, 32]);
        let scale = outputs[0].square().mean(tch::Kind::Float).sqrt().double_value(&[]);
        assert!((0.02..2.0).contains(&scale), "{scale}");
        assert!(!outputs[0].requires_grad());
    }

    #[test]
    fn a_picture_that_the_pools_would_shrink_to_nothing_is_refused() {
        // relu5_2 lies behind four pools: 15 / 2 / 2 / 2 / 2 = 0.
        let features = Features::new(Net::Vgg11, Device::Cpu);
        let picture = |side| Tensor::zeros([1, 3, 16, side], (tch::Kind::Float, Device::Cpu));
        let error = features.forward(&picture(15), &["conv1_1", "relu5_2"]).unwrap_err().to_string();
        assert!(error.contains("relu5_2") && error.contains("16x16") && error.contains("16x15"), "{error}");
        assert!(features.forward(&picture(16), &["relu5_2"]).is_ok());
    }

    #[test]
    fn a_state_dict_with_dense_layers_loads_and_one_of_another_network_does_not() {
        let (from, to) = (Features::new(Net::Vgg11, Device::Cpu), Features::new(Net::Vgg11, Device::Cpu));
        let mut state = from.store().state_dict();
        let bias = state.iter().next_back().map(|(_, tensor)| tensor.clone()).unwrap();
        state.insert("classifier.6.bias".to_string(), bias);
        to.load(&state).unwrap();
        let xs = Tensor::ones([1, 3, 8, 8], (tch::Kind::Float, Device::Cpu));
        let output = |features: &Features| features.forward(&xs, &["relu3_2"]).unwrap().remove(0);
        assert!(output(&from).equal(&output(&to)));
        assert!(matches!(Features::new(Net::Vgg13, Device::Cpu).load(&state), Err(Error::Load(_))));
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
        let net = Classifier::new(Net::Vgg16, Device::Cpu);
        summary(|xs| net.forward(xs), &[1, 3, 224, 224])
    }
}
