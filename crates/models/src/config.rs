//! The table of networks: a network is one file, and one row here.

use std::fmt;

use abbe_checkpoint::StateDict;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::layer::without_first_values;
use crate::{Architecture, Built, Error, Hints, Keys, Python, Sides, SrModel};

macro_rules! networks {
    ($($(#[$doc:meta])* $name:literal $variant:ident($module:ident),)*) => {
        /// A network's configuration, as written in experiment files and on checkpoints: its name, then its keys.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        pub enum Config {
            $($(#[$doc])* #[serde(rename = $name)] $variant(crate::$module::Config),)*
        }

        $(impl From<crate::$module::Config> for Config {
            fn from(config: crate::$module::Config) -> Self {
                Config::$variant(config)
            }
        })*

        impl Config {
            /// The network's name in experiment files.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Config::$variant(_) => $name,)*
                }
            }

            fn own(&self) -> &dyn Erased {
                match self {
                    $(Config::$variant(own) => own,)*
                }
            }
        }

        /// Every network, in the order in which they are looked for in a file: those with the most telling names first.
        pub const NETWORKS: &[NetworkInfo] = &[$(NetworkInfo::of::<crate::$module::Config>($name)),*];
    };
}

networks! {
    /// RCAN.
    "rcan" Rcan(rcan),
    /// EDSR.
    "edsr" Edsr(edsr),
    /// MSRResNet.
    "msrresnet" Msrresnet(msrresnet),
    /// RRDBNet, ESRGAN's generator.
    "rrdbnet" Rrdbnet(rrdbnet),
    /// SRResNet, SRGAN's generator.
    "srresnet" Srresnet(srresnet),
    /// FSRCNN.
    "fsrcnn" Fsrcnn(fsrcnn),
    /// SRCNN.
    "srcnn" Srcnn(srcnn),
    /// Real-ESRGAN's U-Net discriminator.
    "unet_discriminator" UnetDiscriminator(unet_discriminator),
    /// ESRGAN's discriminator.
    "vgg_style_discriminator" VggStyleDiscriminator(vgg_style_discriminator),
    /// SRGAN's discriminator.
    "discriminator" Discriminator(discriminator),
    /// SRGAN's discriminator for pictures of any size.
    "leftthomas_discriminator" LeftthomasDiscriminator(leftthomas_discriminator),
    /// DCGAN's generator.
    "dcgan_generator" DcganGenerator(dcgan_generator),
    /// DCGAN's discriminator.
    "dcgan_discriminator" DcganDiscriminator(dcgan_discriminator),
    /// DenseNet, as torchvision has it.
    "densenet" Densenet(densenet),
    /// ResNet, as torchvision has it.
    "resnet" Resnet(resnet),
    /// SqueezeNet, as torchvision has it.
    "squeezenet" Squeezenet(squeezenet),
    /// AlexNet, as torchvision has it.
    "alexnet" Alexnet(alexnet),
    /// VGG, as torchvision has it.
    "vgg" Vgg(vgg),
    /// SRVGGNetCompact, Real-ESRGAN's small network.
    "srvgg" Srvgg(srvgg),
}

/// A configuration with the name of the layout that a file is in.
pub(crate) type Candidate = (Config, &'static str);

/// A row of [`NETWORKS`].
pub struct NetworkInfo {
    /// Its name in experiment files.
    pub name: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
    /// The paper's configuration, or else the best known one.
    pub usual: fn() -> Config,
    /// Small configurations that differ in every key, for tests.
    pub samples: fn() -> Vec<Config>,
    /// Every configuration that keys and shapes allow, with its layout's name.
    pub(crate) detect: fn(&Keys, &Hints) -> Vec<Result<Candidate, Error>>,
}

impl NetworkInfo {
    const fn of<C: Architecture>(name: &'static str) -> Self {
        let samples = || C::SAMPLES.iter().map(|&config| config.into()).collect();
        NetworkInfo { name, paper: C::PAPER, usual: || C::USUAL.into(), samples, detect: detect::<C> }
    }
}

fn detect<C: Architecture>(keys: &Keys, hints: &Hints) -> Vec<Result<Candidate, Error>> {
    let found = C::LAYOUTS.iter().filter_map(|layout| Some(((layout.detect)(keys, hints)?, layout.name)));
    found.map(|(config, layout)| config.map(|config| (config.into(), layout))).collect()
}

impl Config {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first key whose value is out of range.
    pub fn validate(&self) -> Result<(), Error> {
        self.own().validate()
    }

    /// Output pixels per input pixel along each side; none for a network that does not enlarge pictures.
    pub fn scale(&self) -> Option<i64> {
        self.own().scale()
    }

    /// What of it a file may leave untold.
    pub fn hints(&self) -> Hints {
        let (activation, res_scale) = match self {
            Config::Srvgg(config) => (config.activation.untold(), None),
            Config::Edsr(config) => (None, Some(config.res_scale)),
            _ => (None, None),
        };
        Hints { scale: self.scale(), activation, res_scale }
    }

    /// A usual input: channels, height and width.
    pub fn input(&self) -> [i64; 3] {
        self.own().input()
    }

    /// The heights and widths that the network takes.
    pub fn sides(&self) -> Sides {
        self.own().sides()
    }

    /// The network on `device`, with PyTorch's first values: `tch::manual_seed` decides them.
    ///
    /// # Errors
    /// [`Error::Config`] when a value is out of range.
    pub fn build(&self, device: Device) -> Result<Built, Error> {
        self.own().build(device)
    }

    /// The names of the layouts in which its tensors can be found in files, ours first.
    pub fn layouts(&self) -> Vec<&'static str> {
        self.own().layouts()
    }

    /// How a layout names the network's tensors.
    ///
    /// # Errors
    /// [`Error::UnknownLayout`], which lists the valid names, and [`Error::Obstacle`] when the layout's project could not
    /// run this configuration.
    pub fn naming(&self, layout: &str) -> Result<Naming<'_>, Error> {
        let valid = self.layouts();
        let unknown = || Error::UnknownLayout { network: self.name(), layout: layout.into(), valid: valid.clone() };
        let index = valid.iter().position(|name| *name == layout).ok_or_else(unknown)?;
        match self.own().obstacle(index) {
            Some(reason) => Err(Error::Obstacle { layout: valid[index], reason }),
            None => Ok(Naming { config: self, layout: index }),
        }
    }

    /// Python code that builds this network as `model`, a PyTorch module whose `load_state_dict` takes its weights.
    pub fn python(&self) -> String {
        let Python { source, class } = self.own().python();
        format!("{source}\n\nmodel = {class}({})\n", self.own().arguments())
    }
}

/// The name, then the keys with their values: `srcnn: scale 4, kernels [9,1,5], ...`.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:", self.name())?;
        let config = serde_json::to_value(self).unwrap_or_default();
        let keys = config.get(self.name()).and_then(|keys| keys.as_object()).into_iter().flatten();
        for ((key, value), comma) in keys.zip(std::iter::once("").chain(std::iter::repeat(","))) {
            match value {
                serde_json::Value::String(text) => write!(f, "{comma} {key} {text}")?,
                value => write!(f, "{comma} {key} {value}")?,
            }
        }
        Ok(())
    }
}

/// The network that `config` describes, which must be one that enlarges pictures.
///
/// # Errors
/// [`Error::Config`] when a value is out of range, [`Error::NotSr`] for a network of another kind.
pub fn build(config: &Config, device: Device) -> Result<Box<dyn SrModel>, Error> {
    match config.build(device)? {
        Built::Sr(model) => Ok(model),
        Built::Other(_) => Err(Error::NotSr { network: config.name() }),
    }
}

/// A second network with copies of all tensors of `first`, which `config` has built; libtorch's generator stays as it is.
///
/// # Errors
/// As those of [`build`].
pub fn copy(config: &Config, first: &dyn SrModel) -> Result<Box<dyn SrModel>, Error> {
    let second = without_first_values(|| build(config, first.store().device()))?;
    second.store().copy(first.store());
    Ok(second)
}

/// The names that a layout gives to the tensors of one network.
pub struct Naming<'a> {
    config: &'a Config,
    layout: usize,
}

impl Naming<'_> {
    /// The file's name of a tensor of ours.
    pub fn rename(&self, name: &str) -> String {
        self.config.own().rename(self.layout, name)
    }

    /// Tensors that the file has and the network lacks.
    pub fn constants(&self) -> StateDict {
        self.config.own().constants(self.layout)
    }
}

/// [`Architecture`] without its associated constants, so that the table can be used without knowing which network it is.
trait Erased {
    fn validate(&self) -> Result<(), Error>;
    fn scale(&self) -> Option<i64>;
    fn input(&self) -> [i64; 3];
    fn sides(&self) -> Sides;
    fn build(&self, device: Device) -> Result<Built, Error>;
    fn layouts(&self) -> Vec<&'static str>;
    fn rename(&self, layout: usize, name: &str) -> String;
    fn constants(&self, layout: usize) -> StateDict;
    fn obstacle(&self, layout: usize) -> Option<&'static str>;
    fn python(&self) -> Python;
    fn arguments(&self) -> String;
}

impl<C: Architecture> Erased for C {
    fn validate(&self) -> Result<(), Error> {
        Architecture::validate(self)
    }

    fn scale(&self) -> Option<i64> {
        Architecture::scale(self)
    }

    fn input(&self) -> [i64; 3] {
        Architecture::input(self)
    }

    fn sides(&self) -> Sides {
        Architecture::sides(self)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Architecture::build(self, device)
    }

    fn layouts(&self) -> Vec<&'static str> {
        C::LAYOUTS.iter().map(|layout| layout.name).collect()
    }

    fn rename(&self, layout: usize, name: &str) -> String {
        (C::LAYOUTS[layout].rename)(self, name)
    }

    fn constants(&self, layout: usize) -> StateDict {
        (C::LAYOUTS[layout].constants)(self)
    }

    fn obstacle(&self, layout: usize) -> Option<&'static str> {
        (C::LAYOUTS[layout].obstacle)(self)
    }

    fn python(&self) -> Python {
        C::PYTHON
    }

    fn arguments(&self) -> String {
        python_arguments(&serde_json::to_value(self).unwrap_or_default())
    }
}

/// A configuration as keyword arguments.
fn python_arguments(config: &serde_json::Value) -> String {
    let keys = config.as_object().into_iter().flatten();
    keys.map(|(key, value)| format!("{key}={}", python_literal(value))).collect::<Vec<_>>().join(", ")
}

/// JSON's literals are Python's but for three words, which no text of a configuration is.
fn python_literal(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "None".into(),
        serde_json::Value::Bool(true) => "True".into(),
        serde_json::Value::Bool(false) => "False".into(),
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(python_literal).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_one_line() {
        let config = Config::from(crate::srcnn::Config::paper(4));
        assert_eq!(config.to_string(), "srcnn: scale 4, kernels [9,1,5], channels [64,32], colors 3");
    }

    #[test]
    fn a_configuration_becomes_keyword_arguments() {
        let config = serde_json::json!({ "scale": 4, "norm": "batch", "skip": true, "kernels": [9, 1], "x": 0.5 });
        assert_eq!(python_arguments(&config), r#"scale=4, norm="batch", skip=True, kernels=[9, 1], x=0.5"#);
    }
}
