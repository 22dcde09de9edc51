//! RCAN as BasicSR and as the paper's code name its tensors.

use super::Config;
use crate::layer::{Upsample, mean_shift_constants};
use crate::{Error, Hints, Keys, Layout};

pub(super) const ALL: [Layout<Config>; 2] = [
    Layout::own("basicsr", basicsr),
    Layout { constants: |_| mean_shift_constants(), ..Layout::renamed("yulunzhang", yulunzhang, to_yulunzhang) },
];

fn basicsr(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let groups = keys.count(|g| format!("body.{g}.conv.weight"));
    let blocks = keys.count(|b| format!("body.0.residual_group.{b}.rcab.0.weight"));
    let attention = "body.0.residual_group.0.rcab.3.attention.1.weight";
    detected(keys, [groups, blocks], [attention, "conv_first.weight", "upsample"])
}

fn yulunzhang(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let groups = keys.count(|g| format!("body.{g}.body.0.body.0.weight"));
    let blocks = keys.count(|b| format!("body.0.body.{b}.body.0.weight"));
    let head = if keys.has("head.1.weight") { "head.1.weight" } else { "head.0.weight" };
    detected(keys, [groups, blocks], ["body.0.body.0.body.3.conv_du.0.weight", head, "tail.0"])
}

/// `names` are those of the attention's first layer, the first convolution and the enlargement.
fn detected(keys: &Keys, [groups, blocks]: [i64; 2], names: [&str; 3]) -> Option<Result<Config, Error>> {
    let [attention, first, upsample] = names;
    let [squeezed, channels, ..] = keys.shape::<4>(attention)?;
    let [_, c_in, ..] = keys.shape::<4>(first)?;
    let unshuffle = (c_in / 3).checked_isqrt()?;
    let scale = Upsample::scale_of(keys, upsample)?.checked_div(unshuffle)?;
    let reduction = channels.checked_div(squeezed)?;
    Some(Ok(Config { scale, groups, blocks, channels, reduction, unshuffle }))
}

/// Groups and blocks are all called `body`, and the convolution after them is the body's last entry; with pixel unshuffle,
/// which has the number 0, the first convolution has the number 1.
fn to_yulunzhang(config: &Config, name: &str) -> String {
    let head = i64::from(config.unshuffle > 1);
    match *name.split('.').collect::<Vec<_>>() {
        ["conv_first", end] => format!("head.{head}.{end}"),
        ["body", g, "conv", end] => format!("body.{g}.body.{}.{end}", config.blocks),
        ["body", g, _, b, _, "3", _, "1", end] => format!("body.{g}.body.{b}.body.3.conv_du.0.{end}"),
        ["body", g, _, b, _, "3", _, _, end] => format!("body.{g}.body.{b}.body.3.conv_du.2.{end}"),
        ["body", g, _, b, _, i, end] => format!("body.{g}.body.{b}.body.{i}.{end}"),
        ["conv_after_body", end] => format!("body.{}.{end}", config.groups),
        ["upsample", i, end] => format!("tail.0.{i}.{end}"),
        _ => name.replace("conv_last", "tail.1"),
    }
}
