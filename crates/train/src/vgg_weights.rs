//! Where the weights of VGG come from: torchvision's file at a path or in PyTorch's cache, or, by explicit choice, chance.

use std::path::{Path, PathBuf};

use abbe_hub::Places;
use abbe_models::promised;
use abbe_models::vgg::{Features, Net};
use anyhow::{Context, Result, bail};
use tch::Device;

use crate::experiment::{Vgg, Weights};

/// A VGG with weights, and what is to be said of them.
pub struct OpenVgg {
    /// The network.
    pub features: Features,
    /// The file and its SHA-256, or the seed.
    pub origin: String,
    /// The same without the file's path: what its weights are, wherever they lie.
    pub identity: String,
    /// What every output of the run must say.
    pub notice: Option<String>,
}

/// Builds the VGG of an experiment with its weights.
///
/// # Errors
/// When the file is missing (with where to get it), or is not that network's.
pub fn open(vgg: &Vgg, device: Device) -> Result<OpenVgg> {
    let path = match &vgg.weights {
        Weights::Random { seed } => return Ok(random(vgg.net, *seed, device)),
        Weights::Cache => cache_path(vgg.net),
        Weights::File(path) => path.clone(),
    };
    if !path.is_file() {
        bail!(missing(vgg.net, &path));
    }
    let features = Features::new(vgg.net, device);
    let load = || -> Result<()> {
        let state = abbe_checkpoint::state_dict_of(&abbe_checkpoint::read(&path)?)?;
        Ok(features.load(&state)?)
    };
    load().with_context(|| format!("the weights of {} in {}", vgg.net.name(), path.display()))?;
    let sha256 = abbe_checkpoint::sha256(&path)?;
    let promise = path.file_name().and_then(|name| promised(name.to_str()?));
    let notice = promise.filter(|promise| !sha256.starts_with(promise)).map(|promise| {
        format!("{}: its name promises a SHA-256 of {promise}..., its bytes have {sha256}", path.display())
    });
    let identity = format!("SHA-256 {sha256}");
    Ok(OpenVgg { features, origin: format!("{} ({identity})", path.display()), identity, notice })
}

/// Where PyTorch's hub, and `abbe fetch`, keep torchvision's file of this network.
pub fn cache_path(net: Net) -> PathBuf {
    Places::from_env().torch.join(net.file())
}

fn random(net: Net, seed: u64, device: Device) -> OpenVgg {
    tch::manual_seed(seed as i64);
    let (features, name) = (Features::new(net, device), net.name());
    let origin = format!("random, seed {seed}");
    let notice = format!(
        "the loss is in features of {name} with RANDOM weights (seed {seed}), not ImageNet's: results do not compare with published SRGANs"
    );
    OpenVgg { features, identity: origin.clone(), origin, notice: Some(notice) }
}

fn missing(net: Net, path: &Path) -> String {
    let (file, net) = (net.file(), net.name());
    format!(
        "no weights of {net} at {path}\n\
         The loss needs torchvision's file {file}. Get it into PyTorch's cache with\n\
         \n    abbe fetch {net}\n\n\
         or say `weights = {{ file = \"PATH\" }}` under [vgg] for a copy elsewhere,\n\
         or `weights = {{ random = {{ seed = 0 }} }}` to train against random features (every output will say so).",
        path = path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_told_with_the_command_that_gets_it() {
        let vgg = Vgg { net: Net::Vgg19, weights: Weights::File("nowhere/vgg19.pth".into()) };
        let error = open(&vgg, Device::Cpu).err().unwrap().to_string();
        for part in ["nowhere/vgg19.pth", "vgg19-dcbb9e9d.pth", "abbe fetch vgg19", "random"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }

    #[test]
    fn every_file_can_be_fetched_by_the_networks_name() {
        let catalogue = abbe_hub::Catalogue::built_in().unwrap();
        for name in ["vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"] {
            let net: Net = serde_json::from_value(name.into()).unwrap();
            let (_, parts) = catalogue.find(net.name()).unwrap();
            assert!(matches!(&parts[0].form, abbe_hub::Form::Weights(file) if file == net.file()), "{name}");
        }
    }
}
