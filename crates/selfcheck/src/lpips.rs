//! LPIPS over its three networks, with weights of the formula and the published linear ones, against the lpips package.

use abbe_checkpoint::{StateDict, save_state_dict};
use abbe_models::lpips::{Lpips, Net};
use abbe_models::squeezenet::Version;
use abbe_models::vgg::{self, Features};
use abbe_models::{Config, alexnet, squeezenet};
use anyhow::Result;
use tch::{Device, Tensor};

use crate::check::{Check, Unit};
use crate::checkpoint::folder;
use crate::golden::difference;
use crate::hashed::{INPUT, fill, hashed};

const REFERENCE: &str = "lpips 0.1.4 in float64";

pub fn checks(device: Device) -> Vec<Check> {
    let check = |net: Net| {
        let compute = move || difference(&distance(net, device)?, &format!("lpips.{}", net.name()));
        Check::new("lpips", net.name(), REFERENCE, Unit::Relative, compute).on(device, 1e-5)
    };
    Net::ALL.map(check).into()
}

fn distance(net: Net, device: Device) -> Result<Tensor> {
    let folder = folder()?;
    let path = folder.path().join(net.file());
    save_state_dict(&path, &backbone(net)?, None)?;
    let lpips = Lpips::open(net, &path, None, device)?;
    let [x, y] = [0, 1].map(|salt| hashed(&[1, 3, 64, 72], INPUT + salt, 1.0, device) + 0.5);
    Ok(Tensor::from_slice(&lpips.distances(&x, &y)?))
}

/// The network's weights, of the formula.
fn backbone(net: Net) -> Result<StateDict> {
    let config: Config = match net {
        Net::Alex => alexnet::Config { classes: None }.into(),
        Net::Squeeze => squeezenet::Config { version: Version::V1_1, classes: 1 }.into(),
        Net::Vgg => {
            let features = Features::new(vgg::Net::Vgg16, Device::Cpu);
            fill(features.store())?;
            return Ok(features.store().state_dict());
        }
    };
    let built = config.build(Device::Cpu)?;
    fill(built.network().store())?;
    Ok(built.network().store().state_dict())
}
