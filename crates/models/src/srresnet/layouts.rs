//! SRResNet as three projects name its tensors.

use super::{Config, Output};
use crate::{Error, Hints, Keys, Layout};

pub(super) const ALL: [Layout<Config>; 3] = [
    Layout::own("abbe", abbe),
    Layout {
        obstacle: |config| {
            let same = *config == Config { conv_bias: true, output: Output::Tanh, ..plain(config) };
            (!same).then_some("its network has batch norm, biases and the output (tanh + 1) / 2, and sees LR alone")
        },
        ..Layout::renamed("leftthomas", leftthomas, to_leftthomas)
    },
    Layout {
        obstacle: |config| {
            let same = *config == Config { conv_bias: false, output: Output::Clamp, ..plain(config) };
            (!same).then_some("its network has batch norm, no biases before it and a clamped output, and sees LR alone")
        },
        ..Layout::renamed("lornatang", lornatang, |_, name| to_lornatang(name))
    },
];

/// The paper's network of this size.
fn plain(config: &Config) -> Config {
    Config { blocks: config.blocks, channels: config.channels, ..Config::paper(config.scale) }
}

/// Not everything can be told.
fn abbe(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    (keys.has("head.0.weight") && keys.has("body.0.prelu.weight")).then_some(Err(Error::Ask {
        network: "SRResNet of Abbe's",
        what: "what is done to its output, and whether the bicubic-upscaled picture is added",
        option: "--like and a checkpoint of Abbe's with the same network",
    }))
}

fn leftthomas(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let [channels, ..] = keys.shape::<4>("block1.0.weight")?;
    let blocks = keys.count(|i| format!("block{}.conv1.weight", i + 2));
    let doublings = keys.count(|i| format!("block{}.{i}.conv.weight", blocks + 3));
    let size = Config { blocks, channels, ..Config::paper(scale(doublings)) };
    (blocks > 0).then_some(Ok(Config { output: Output::Tanh, ..size }))
}

fn lornatang(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let [channels, ..] = keys.shape::<4>("conv1.0.weight")?;
    let blocks = keys.count(|i| format!("trunk.{i}.rcb.0.weight"));
    let doublings = keys.count(|i| format!("upsampling.{i}.upsample_block.0.weight"));
    let size = Config { blocks, channels, ..Config::paper(scale(doublings)) };
    (blocks > 0).then_some(Ok(Config { conv_bias: false, output: Output::Clamp, ..size }))
}

/// A file may have any number of doublings; the configuration's check refuses a scale that is too large.
fn scale(doublings: i64) -> i64 {
    2i64.saturating_pow(doublings as u32)
}

/// Its blocks are numbered through: head, body, fuse, then all of the upsampling with the tail.
fn to_leftthomas(config: &Config, name: &str) -> String {
    let (part, rest) = name.split_once('.').unwrap_or((name, ""));
    let last = config.blocks + 3;
    match part {
        "head" => format!("block1.{rest}"),
        "body" => {
            let (i, rest) = rest.split_once('.').unwrap_or((rest, ""));
            format!("block{}.{rest}", i.parse::<i64>().unwrap_or(0) + 2)
        }
        "fuse" => format!("block{}.{rest}", last - 1),
        "upsample" => format!("block{last}.{rest}"),
        _ => format!("block{last}.{}.{rest}", config.doublings()),
    }
}

fn to_lornatang(name: &str) -> String {
    match *name.split('.').collect::<Vec<_>>() {
        ["head", i, end] => format!("conv1.{i}.{end}"),
        ["body", i, layer, end] => {
            let place = ["conv1", "bn1", "prelu", "conv2", "bn2"].iter().position(|other| *other == layer);
            format!("trunk.{i}.rcb.{}.{end}", place.unwrap_or(0))
        }
        ["fuse", i, end] => format!("conv2.{i}.{end}"),
        ["upsample", i, "conv", end] => format!("upsampling.{i}.upsample_block.0.{end}"),
        ["upsample", i, _, end] => format!("upsampling.{i}.upsample_block.2.{end}"),
        _ => name.replace("tail", "conv3"),
    }
}
