use abbe_models::{Config, SrModel};
use serde::Serialize;

use crate::Precision;

/// What one must know of a network to use it, as it stands in the file: ONNX has each as an entry of `metadata_props`,
/// TorchScript all in its file `abbe.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// The version of Abbe that wrote the file.
    pub abbe: String,
    /// The network's name.
    pub architecture: &'static str,
    /// What decides its shape.
    pub hyperparameters: serde_json::Value,
    /// Output pixels per input pixel along each side.
    pub scale: i64,
    /// Channels of pictures.
    pub channels: i64,
    /// What the channels are, in their order.
    pub colors: &'static str,
    /// What the numbers of pictures lie in; those of the output may pass it a little.
    pub range: [f32; 2],
    /// The order of a batch's axes.
    pub layout: &'static str,
    /// What it computes with.
    pub precision: Precision,
    /// LR pixels that tiles of a picture must overlap on each side to leave no trace; none where the whole picture counts.
    pub tile_overlap: Option<i64>,
    /// What the first row and column of a tile must be multiples of.
    pub tile_multiple: i64,
    /// What whoever uses the weights must know.
    pub notices: Vec<String>,
}

impl Facts {
    /// Those of a network that `config` has built, with what its checkpoint says of it.
    pub fn new(config: &Config, model: &dyn SrModel, notices: Vec<String>, precision: Precision) -> Self {
        let mut config_value = serde_json::to_value(config).unwrap_or_default();
        Facts {
            abbe: env!("CARGO_PKG_VERSION").into(),
            architecture: config.name(),
            hyperparameters: config_value[config.name()].take(),
            scale: model.scale(),
            channels: model.colors(),
            colors: if model.colors() == 1 { "Y of ITU-R BT.601 in studio range" } else { "RGB" },
            range: [0.0, 1.0],
            layout: "NCHW",
            precision,
            tile_overlap: Some(model.radius()).filter(|radius| *radius < i64::MAX),
            tile_multiple: model.multiple(),
            notices,
        }
    }

    /// Each by its name: text as it is, all else as JSON.
    pub fn entries(&self) -> Vec<(String, String)> {
        let value = serde_json::to_value(self).unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    /// A sentence for people.
    pub(crate) fn sentence(&self) -> String {
        let Facts { architecture, scale, channels, colors, abbe, .. } = self;
        format!(
            "{architecture} enlarges pictures {scale} times: lr [N, {channels}, height, width] with {colors} in [0, 1] to sr \
             [N, {channels}, {scale} * height, {scale} * width]. Written by Abbe {abbe}."
        )
    }
}

#[cfg(test)]
mod tests {
    use abbe_models::{build, rcan, srcnn};
    use tch::Device;

    use super::*;

    fn facts(config: Config) -> Facts {
        Facts::new(&config, &*build(&config, Device::Cpu).unwrap(), vec!["mind".into()], Precision::Float16)
    }

    #[test]
    fn entries_are_text_or_json() {
        let entries = facts(srcnn::Config { colors: 1, ..srcnn::Config::paper(3) }.into()).entries();
        let entry = |name: &str| entries.iter().find(|(other, _)| other == name).unwrap().1.as_str();
        assert_eq!((entry("architecture"), entry("scale"), entry("range")), ("srcnn", "3", "[0.0,1.0]"));
        assert_eq!(entry("hyperparameters"), r#"{"scale":3,"kernels":[9,1,5],"channels":[64,32],"colors":1}"#);
        assert_eq!((entry("precision"), entry("notices")), ("float16", r#"["mind"]"#));
        assert!(entry("colors").starts_with('Y'));
        // 4 + 0 + 2 HR pixels are 2 LR pixels, and bicubic interpolation sees 2.
        assert_eq!(entry("tile_overlap"), "4");
    }

    #[test]
    fn a_network_that_sees_everything_has_no_overlap() {
        assert_eq!(
            facts(Config::from(rcan::Config { groups: 1, blocks: 1, ..rcan::Config::paper(2) })).tile_overlap,
            None
        );
    }
}
