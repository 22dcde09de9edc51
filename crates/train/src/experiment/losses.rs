//! The losses that a phase may have.

use anyhow::{Context, Result, ensure};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Experiment, Phase};
use crate::loss::{
    Feature, Loss, adversarial, content, feature_matching, focal_frequency, frequency, histogram, ldl, pixel, ssim,
    style, total_variation,
};

/// The generator's loss terms; one that is absent is not computed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    /// Distance of the pixels.
    pub pixel: Option<pixel::Config>,
    /// Distance of VGG features.
    pub content: Option<content::Config>,
    /// Distance of the Gram matrices of VGG features.
    pub style: Option<style::Config>,
    /// Distance of the colours' histograms.
    pub histogram: Option<histogram::Config>,
    /// Differences of neighbouring pixels.
    pub total_variation: Option<total_variation::Config>,
    /// Distance of the Fourier transforms.
    pub frequency: Option<frequency::Config>,
    /// The same squared, large differences counting more.
    pub focal_frequency: Option<focal_frequency::Config>,
    /// 1 - SSIM.
    pub ssim: Option<ssim::Config>,
    /// Differences from HR where they look like artefacts.
    pub ldl: Option<ldl::Config>,
    /// Distance in the discriminator's layers.
    pub feature_matching: Option<feature_matching::Config>,
    /// What the discriminator says.
    pub adversarial: Option<adversarial::Config>,
}

fn row<L: Loss>(config: &Option<L>) -> Option<&dyn Loss> {
    config.as_ref().map(|config| config as &dyn Loss)
}

impl Losses {
    /// Those that are computed without a discriminator, in the order of the sum.
    pub fn of_pictures(&self) -> impl Iterator<Item = &dyn Loss> {
        let rows = [
            row(&self.content),
            row(&self.style),
            row(&self.pixel),
            row(&self.histogram),
            row(&self.total_variation),
            row(&self.frequency),
            row(&self.focal_frequency),
            row(&self.ssim),
            row(&self.ldl),
        ];
        rows.into_iter().flatten()
    }

    /// Those by way of the discriminator.
    pub fn of_judgement(&self) -> impl Iterator<Item = &dyn Loss> {
        [row(&self.feature_matching), row(&self.adversarial)].into_iter().flatten()
    }

    /// Whether one of these needs to know what the discriminator makes of HR, too.
    pub fn compares_judgements(&self) -> bool {
        self.feature_matching.is_some() || self.adversarial.is_some_and(|config| config.relativistic_average)
    }

    /// The layers of VGG that are compared and their weights, by the name of the loss.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (&'static str, &IndexMap<String, f64>)> {
        let content = self.content.as_ref().map(|config| ("content", &config.layers));
        let style = self.style.as_ref().map(|config| ("style", &config.layers));
        content.into_iter().chain(style)
    }

    /// What VGG is asked for, for all of them together.
    pub fn features(&self) -> impl Iterator<Item = Feature<'_>> {
        let content = self.content.iter().map(|config| (&config.layers, config.imagenet_normalization));
        let style = self.style.iter().map(|config| (&config.layers, config.imagenet_normalization));
        content
            .chain(style)
            .flat_map(|(layers, normalized)| layers.keys().map(move |layer| (layer.as_str(), normalized)))
    }

    /// Checks every number, and that what the losses need is there.
    pub(super) fn validate(&self, experiment: &Experiment, phase: &Phase) -> Result<()> {
        let all = || self.of_pictures().chain(self.of_judgement());
        for loss in all() {
            let (name, weight) = (loss.name(), loss.weight());
            ensure!(weight >= 0.0 && weight.is_finite(), "{name}.weight: expected 0 or more, found {weight}");
            loss.validate().context(name)?;
        }
        ensure!(all().any(|loss| loss.weight() > 0.0), "expected a term with a weight above 0");
        self.layers().try_for_each(|(name, layers)| vgg_layers(experiment, name, layers))?;
        let (least, patch) = (ssim::WINDOW, experiment.data.patch);
        ensure!(
            self.ssim.is_none() || patch >= least,
            "ssim: expected a data.patch of at least {least}, found {patch}"
        );
        ensure!(
            self.ldl.is_none() || experiment.ema.contains_key(&phase.network),
            "ldl: it compares with the averaged network: expected `ema.{}`",
            phase.network
        );
        ensure!(
            self.feature_matching.is_none() || self.adversarial.is_some(),
            "feature_matching: the phase has no `loss.adversarial`, so it trains no discriminator whose layers could be compared"
        );
        Ok(())
    }
}

fn vgg_layers(experiment: &Experiment, name: &str, layers: &IndexMap<String, f64>) -> Result<()> {
    let vgg = experiment.vgg.as_ref();
    let vgg = vgg.with_context(|| format!("{name}: the experiment has no [vgg] to take features from"))?;
    ensure!(!layers.is_empty(), "{name}.layers: expected at least one layer, such as {{ relu5_4 = 1.0 }}");
    for (layer, &weight) in layers {
        vgg.net.position(layer).with_context(|| format!("{name}.layers"))?;
        ensure!(weight > 0.0 && weight.is_finite(), "{name}.layers.{layer}: expected a weight above 0, found {weight}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use abbe_models::vgg::{Features, Net};
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::loss::{Inputs, Judged, Judgement, Perception};

    /// Every loss; the test below fails when one is missing.
    const ALL: &str = r#"
pixel = { weight = 1.0, distance = { charbonnier = { eps = 1e-3 } } }
content = { weight = 1.0, distance = "l1", layers = { conv1_1 = 0.5, relu2_1 = 1.0 }, imagenet_normalization = true }
style = { weight = 1.0, distance = "mse", layers = { relu2_1 = 1.0 }, imagenet_normalization = true }
histogram = { weight = 1.0, bins = 16, bandwidth = 0.05 }
total_variation = { weight = 1.0 }
frequency = { weight = 1.0 }
focal_frequency = { weight = 1.0, alpha = 1.0 }
ssim = { weight = 1.0, channel = "y" }
ldl = { weight = 1.0 }
feature_matching = { weight = 1.0, distance = { huber = { delta = 1.0 } } }
adversarial = { weight = 1.0, form = "hinge", relativistic_average = true }
"#;

    fn all() -> Losses {
        toml::from_str(ALL).unwrap()
    }

    #[test]
    fn every_loss_is_in_the_table_under_its_key() {
        let keys = serde_json::to_value(Losses::default()).unwrap();
        let mut keys: Vec<&str> = keys.as_object().unwrap().keys().map(String::as_str).collect();
        let losses = all();
        let mut names: Vec<&str> = losses.of_pictures().chain(losses.of_judgement()).map(Loss::name).collect();
        keys.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, keys);
    }

    #[test]
    fn every_loss_is_finite_and_reaches_sr() {
        tch::manual_seed(0);
        let noise = || Tensor::rand([2, 3, 16, 16], (Kind::Float, Device::Cpu));
        let (sr, hr, vgg) = (noise().set_requires_grad(true), noise(), Features::new(Net::Vgg11, Device::Cpu));
        let judged = |pictures: &Tensor| Judged {
            logits: pictures.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Float),
            features: vec![pictures.square()],
        };
        let judgement = Judgement { fake: judged(&sr), real: Some(judged(&hr)), ranks: None };
        let average = hr.copy();
        let losses = all();
        let vgg = Perception::new(&vgg, Kind::Float, losses.features(), [&sr, &hr]).unwrap();
        let inputs =
            Inputs { sr: &sr, hr: &hr, sr_average: Some(&average), vgg: Some(&vgg), judgement: Some(&judgement) };
        for loss in losses.of_pictures().chain(losses.of_judgement()) {
            let term = loss.term(&inputs).unwrap();
            let gradient = Tensor::run_backward(&[&term.value], &[&sr], true, false).remove(0);
            let (value, largest) = (term.value.double_value(&[]), gradient.abs().max().double_value(&[]));
            assert!(value.is_finite() && value > 0.0, "{}: {value}", loss.name());
            assert!(largest.is_finite() && largest > 0.0, "{}: a gradient of {largest}", loss.name());
        }
    }

    /// What is said of the project's SRGAN when the first of the two texts becomes the second.
    fn said(from: &str, to: &str) -> String {
        let text = include_str!("../../../../experiments/srgan-paper.toml");
        assert!(text.contains(from), "{from}");
        Experiment::parse(&text.replace(from, to)).map_or_else(|error| format!("{error:#}"), |_| "fine".into())
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let cases = [
            ("pixel = { weight = -1.0, distance = \"l1\" }", "pixel.weight: expected 0 or more, found -1"),
            ("pixel = { weight = inf, distance = \"l1\" }", "pixel.weight"),
            ("pixel = { weight = 1.0, distance = { charbonnier = { eps = 0.0 } } }", "pixel: distance.charbonnier.eps"),
            ("pixel = { weight = 1.0, distance = { huber = { delta = nan } } }", "pixel: distance.huber.delta"),
            ("pixel = { weight = 1.0, distance = { huber = { delta = 1.0, eps = 1.0 } } }", "eps"),
            ("pixel = { weight = 0.0, distance = \"l1\" }", "expected a term with a weight above 0"),
            ("histogram = { weight = 1.0, bins = 1, bandwidth = 0.02 }", "histogram: bins: expected 2 to 256, found 1"),
            ("histogram = { weight = 1.0, bins = 64, bandwidth = 0.0 }", "histogram: bandwidth"),
            ("total_variation = { weight = nan }", "total_variation.weight"),
            ("frequency = { weight = -0.1 }", "frequency.weight"),
            ("focal_frequency = { weight = 1.0, alpha = 11.0 }", "focal_frequency: alpha: expected 0 to 10, found 11"),
            ("ssim = { weight = -1.0, channel = \"y\" }", "ssim.weight"),
            ("ssim = { weight = 1.0, channel = \"cb\" }", "cb"),
            ("style = { weight = 1.0, distance = \"l1\", layers = {}, imagenet_normalization = true }", "style.layers"),
            (
                "style = { weight = 1.0, distance = \"l1\", layers = { relu9_9 = 1.0 }, imagenet_normalization = true }",
                "style.layers: ",
            ),
            (
                "style = { weight = 1.0, distance = \"l1\", layers = { conv5_4 = inf }, imagenet_normalization = true }",
                "style.layers.conv5_4: expected a weight above 0",
            ),
        ];
        let pixel = "pixel = { weight = 1.0, distance = \"mse\" }";
        for (to, part) in cases {
            let said = said(pixel, to);
            assert!(said.contains(part), "{to}: {said}");
        }
    }

    #[test]
    fn what_a_loss_needs_must_be_there() {
        let text = include_str!("../../../../experiments/srcnn.toml");
        let pixel = "pixel = { weight = 1.0, distance = \"mse\" }";
        let patch = "patch = 96";
        assert!(text.contains(pixel) && text.contains(patch));
        let said = |losses: &str, side: &str| {
            let parsed = Experiment::parse(&text.replace(pixel, losses).replace(patch, side));
            parsed.map_or_else(|error| format!("{error:#}"), |_| "fine".into())
        };
        let style =
            "style = { weight = 1.0, distance = \"l1\", layers = { relu1_1 = 1.0 }, imagenet_normalization = true }";
        assert!(said(style, patch).contains("loss: style: the experiment has no [vgg]"));
        let ssim = "ssim = { weight = 1.0, channel = \"rgb\" }";
        assert_eq!(said(ssim, "patch = 12"), "fine");
        assert!(said(ssim, "patch = 8").contains("loss: ssim: expected a data.patch of at least 11, found 8"));
        let ldl = "ldl = { weight = 1.0 }";
        assert!(said(ldl, patch).contains("loss: ldl: it compares with the averaged network: expected `ema.srcnn`"));
        let matching = "feature_matching = { weight = 1.0, distance = \"l1\" }";
        assert!(said(matching, patch).contains("loss: feature_matching: the phase has no `loss.adversarial`"));
        let adversarial = "adversarial = { weight = 1.0, form = \"hinge\" }";
        assert!(said(adversarial, patch).contains("loss.adversarial: the phase has no `discriminator`"));
    }
}
