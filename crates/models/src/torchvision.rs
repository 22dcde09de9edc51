//! Networks by the names of torchvision's functions that make them.

use crate::resnet::Kind;
use crate::squeezenet::Version;
use crate::vgg::Net;
use crate::{Config, NETWORKS, alexnet, densenet, resnet, squeezenet, vgg};

/// torchvision's classifiers of the 1,000 classes of ImageNet: the name of each and its configuration.
pub const TORCHVISION: [(&str, Config); 22] = [
    ("alexnet", Config::Alexnet(alexnet::Config::paper())),
    ("densenet121", Config::Densenet(densenet::Config::paper(32, [6, 12, 24, 16]))),
    ("densenet161", Config::Densenet(densenet::Config::paper(48, [6, 12, 36, 24]))),
    ("densenet169", Config::Densenet(densenet::Config::paper(32, [6, 12, 32, 32]))),
    ("densenet201", Config::Densenet(densenet::Config::paper(32, [6, 12, 48, 32]))),
    ("resnet18", Config::Resnet(resnet::Config::paper(Kind::Basic, [2, 2, 2, 2]))),
    ("resnet34", Config::Resnet(resnet::Config::paper(Kind::Basic, [3, 4, 6, 3]))),
    ("resnet50", Config::Resnet(resnet::Config::paper(Kind::Bottleneck, [3, 4, 6, 3]))),
    ("resnet101", Config::Resnet(resnet::Config::paper(Kind::Bottleneck, [3, 4, 23, 3]))),
    ("resnet152", Config::Resnet(resnet::Config::paper(Kind::Bottleneck, [3, 8, 36, 3]))),
    ("wide_resnet50_2", Config::Resnet(wide([3, 4, 6, 3]))),
    ("wide_resnet101_2", Config::Resnet(wide([3, 4, 23, 3]))),
    ("squeezenet1_0", Config::Squeezenet(squeezenet::Config::paper(Version::V1_0))),
    ("squeezenet1_1", Config::Squeezenet(squeezenet::Config::paper(Version::V1_1))),
    vgg(Net::Vgg11),
    vgg(Net::Vgg13),
    vgg(Net::Vgg16),
    vgg(Net::Vgg19),
    vgg(Net::Vgg11Bn),
    vgg(Net::Vgg13Bn),
    vgg(Net::Vgg16Bn),
    vgg(Net::Vgg19Bn),
];

const fn wide(blocks: [i64; 4]) -> resnet::Config {
    resnet::Config { width: 128, ..resnet::Config::paper(Kind::Bottleneck, blocks) }
}

const fn vgg(net: Net) -> (&'static str, Config) {
    (net.name(), Config::Vgg(vgg::Config::paper(net)))
}

/// The configuration that a name stands for: one of [`TORCHVISION`], or the usual one of a network of [`NETWORKS`].
pub fn named(name: &str) -> Option<Config> {
    let known = TORCHVISION.into_iter().find(|(known, _)| *known == name).map(|(_, config)| config);
    let usual = || NETWORKS.iter().find(|network| network.name == name).map(|network| (network.usual)());
    known.or_else(usual)
}

/// A usual input of a classifier: ImageNet's for its 1,000 classes, else a small picture, which each of them takes.
pub(crate) const fn input(classes: Option<i64>) -> [i64; 3] {
    match classes {
        Some(1000) => [3, 224, 224],
        _ => [3, 64, 64],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_torchvisions_networks_and_for_papers() {
        assert_eq!(named("vgg16"), Some(Config::Vgg(vgg::Config::paper(Net::Vgg16))));
        assert_eq!(named("alexnet"), Some(Config::Alexnet(alexnet::Config::paper())));
        assert_eq!(named("resnet"), named("resnet18"));
        assert_eq!(named("rcan"), Some(Config::Rcan(crate::rcan::Config::paper(4))));
        assert_eq!(named("vgg17"), None);
        assert!(TORCHVISION.iter().all(|(_, config)| config.input() == [3, 224, 224]));
        assert!(TORCHVISION.iter().all(|(_, config)| config.validate().is_ok()));
    }
}
