//! What `[validation]` of an experiment measures.

use abbe_data::image::{Rgb8, encode_png};
use abbe_data::pair::Pair;
use abbe_eval::{Better, Measures, Method, Metric, OpenLpips, Protocol, Versions};
use abbe_models::SrModel;
use abbe_models::lpips::Net;
use abbe_run::Shown;
use abbe_train::{Experiment, Measured, Validator};
use anyhow::{Context, Result, ensure};
use tch::Device;

use crate::measures::{check_judgeable, from_cache, metrics};
use crate::stop;

/// Pictures, and what is measured on them.
pub struct Validation<'a> {
    pairs: Vec<&'a Pair>,
    measures: Measures,
    columns: Vec<(String, &'static Metric)>,
    /// Position in `columns`.
    best: usize,
    notice: Option<String>,
    show: usize,
}

impl<'a> Validation<'a> {
    /// What the experiment says of validation, with `own`, the pictures of `data.validation`, or else with those of the test.
    ///
    /// # Errors
    /// A metric or protocol that is not known, a best one that is not measured, a picture that is not there or too small: by
    /// key.
    pub fn new(
        experiment: &Experiment,
        own: Option<&'a [Pair]>,
        test: &'a [Pair],
        device: Device,
    ) -> Result<Option<Self>> {
        let Some(config) = &experiment.validation else { return Ok(None) };
        let scale = experiment.scale;
        let protocols = config.protocols.iter().map(|name| Protocol::named(name, scale));
        let protocols = protocols.collect::<Result<_, _>>().context("validation.protocols")?;
        let (metrics, nets) = metrics(&config.metrics).context("validation.metrics")?;
        let lpips = lpips(&nets, device).context("validation.metrics")?;
        let measures = Measures { scale, protocols, metrics, lpips, notices: Vec::new() };
        let columns = measures.columns();
        let best = columns.iter().position(|(column, _)| *column == config.best).with_context(|| {
            let names = columns.iter().map(|(column, _)| column.as_str()).collect::<Vec<_>>().join(", ");
            format!("validation.best: `{}` is not measured: expected one of {names}", config.best)
        })?;
        let pairs = chosen(config.pictures.as_deref(), own.unwrap_or(test))?;
        check_judgeable(pairs.iter().copied(), &measures).context("validation")?;
        let on_test = pairs.iter().any(|pair| test.iter().any(|test| test.hr == pair.hr));
        let notice = notice(&config.best, on_test, &measures.lpips);
        Ok(Some(Self { pairs, measures, columns, best, notice, show: config.show }))
    }

    /// The same for the trainer.
    ///
    /// # Errors
    /// A picture that cannot be encoded.
    pub fn validator(&self) -> Result<Validator<'_>> {
        let pictures = self.pairs.iter().take(self.show);
        let references = pictures.flat_map(|pair| [shown(pair, "lr", &pair.lr), shown(pair, "hr", &pair.hr)]);
        Ok(Validator {
            best: self.columns[self.best].0.clone(),
            higher_is_better: self.columns[self.best].1.better == Better::Higher,
            notice: self.notice.clone(),
            references: references.collect::<Result<_>>()?,
            measure: Box::new(|model| self.measure(model)),
        })
    }

    fn measure(&self, model: &dyn SrModel) -> Result<Option<Measured>> {
        let (mut rows, mut pictures) = (Vec::new(), Vec::new());
        for pair in &self.pairs {
            if stop::requested() {
                return Ok(None);
            }
            let sr = abbe_infer::upscale(model, &pair.lr).with_context(|| pair.name.clone())?;
            let versions = Versions { sr: &sr, hr: &pair.hr, lr: Some(&pair.lr) };
            rows.push(self.measures.row(&pair.name, &versions)?);
            if pictures.len() < self.show {
                pictures.push(shown(pair, "sr", &sr)?);
            }
        }
        let means = Method { name: String::new(), rows }.mean(self.columns.len());
        let names = self.columns.iter().map(|(column, _)| column.clone());
        Ok(Some(Measured { values: names.zip(means).collect(), pictures }))
    }
}

/// The pictures of these names, in their order, or all.
fn chosen<'a>(names: Option<&[String]>, pairs: &'a [Pair]) -> Result<Vec<&'a Pair>> {
    let Some(names) = names else { return Ok(pairs.iter().collect()) };
    let find = |name: &String| {
        pairs.iter().find(|pair| pair.name == *name).with_context(|| {
            let there: Vec<&str> = pairs.iter().take(10).map(|pair| pair.name.as_str()).collect();
            let more = if pairs.len() > there.len() { ", ..." } else { "" };
            format!("validation.pictures: there is no `{name}`: expected names such as {}{more}", there.join(", "))
        })
    };
    names.iter().map(find).collect()
}

/// What whoever uses a checkpoint that was chosen by `best` must know, if anything: that it was chosen on test pictures, or
/// by LPIPS over other weights than the published ones.
fn notice(best: &str, on_test: bool, lpips: &[OpenLpips]) -> Option<String> {
    let on_test = on_test
        .then(|| format!("this checkpoint was chosen by {best} on test pictures: its numbers on them are too good"));
    let chosen_by = lpips.iter().filter(|lpips| lpips.column().name() == best);
    let of_weights = chosen_by.flat_map(OpenLpips::notices);
    let of_weights = of_weights.map(|notice| format!("this checkpoint was chosen by {best}: {notice}"));
    let notices: Vec<String> = on_test.into_iter().chain(of_weights).collect();
    (!notices.is_empty()).then(|| notices.join("; "))
}

/// LPIPS over each of these networks.
fn lpips(nets: &[Net], device: Device) -> Result<Vec<OpenLpips>> {
    let open = |&net: &Net| {
        let lpips = from_cache(net, device);
        let (name, weights) = (lpips.column().name(), &lpips.column().weights);
        ensure!(weights.is_ok(), "{name} cannot be measured: {}", weights.as_ref().err().map_or("", |why| why));
        Ok(lpips)
    };
    nets.iter().map(open).collect()
}

fn shown(pair: &Pair, version: &str, picture: &Rgb8) -> Result<Shown> {
    let (height, width) = picture.size();
    Ok(Shown { tag: format!("{}/{version}", pair.name), height, width, png: encode_png(picture)? })
}
