use abbe_checkpoint::StateDict;
use tch::{Device, Tensor};

use super::{Config, Net, Vgg};
use crate::{Error, Network, Store};

/// The convolutional part, frozen; batch norm normalises by its statistics.
pub struct Features(Vgg);

impl Features {
    /// A network with torchvision's random first values: He's normal over the fan out, biases 0. libtorch's generator
    /// decides them.
    pub fn new(net: Net, device: Device) -> Self {
        let vgg = Vgg::of(&Config { net, classes: None }, device);
        vgg.store.freeze();
        Features(vgg)
    }

    /// The outputs of `layers`, in the order asked for, of pictures `[N, 3, h, w]`; nothing deeper than the deepest is run.
    ///
    /// torchvision's weights expect ImageNet normalisation: (x - mean) / std of x in [0, 1], left to the caller. Each pool
    /// halves h and w, rounded down.
    ///
    /// # Errors
    /// [`Error::UnknownLayer`] for a name that this network lacks, [`Error::TooSmall`] when a pool would leave nothing.
    pub fn forward(&self, xs: &Tensor, layers: &[&str]) -> Result<Vec<Tensor>, Error> {
        let wanted = layers.iter().map(|layer| self.net().position(layer)).collect::<Result<Vec<_>, _>>()?;
        self.check_size(xs, wanted.iter().max().copied())?;
        Ok(self.0.features.outputs(xs, &wanted, false))
    }

    fn check_size(&self, xs: &Tensor, deepest: Option<usize>) -> Result<(), Error> {
        let Some(deepest) = deepest else { return Ok(()) };
        let names = &self.net().layers()[..=deepest];
        let least = 1 << names.iter().filter(|name| name.starts_with("pool")).count();
        match xs.size()[..] {
            [_, _, height, width] if height.min(width) < least => {
                let (net, layer) = (self.net().name(), names[deepest].clone());
                Err(Error::TooSmall { net, layer, least, height, width })
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
        self.store().load(&features.map(|(name, tensor)| (name.clone(), tensor.clone())).collect())?;
        Ok(())
    }

    /// Which network this is.
    pub fn net(&self) -> Net {
        self.0.config.net
    }

    /// The named tensors.
    pub fn store(&self) -> &Store {
        self.0.store()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
