//! What `[validation]` of an experiment measures.

use abbe_data::image::{Rgb8, encode_png};
use abbe_data::pair::Pair;
use abbe_eval::{Better, Method, Metric, Protocol, Row, Versions};
use abbe_models::SrModel;
use abbe_run::Shown;
use abbe_train::{Experiment, Measured, Validator};
use anyhow::{Context, Result};

use crate::stop;

/// Pictures, and what is measured on them.
pub struct Validation<'a> {
    pairs: Vec<&'a Pair>,
    protocols: Vec<Protocol>,
    metrics: Vec<&'static Metric>,
    /// Names of metrics under protocols, all metrics of the first protocol first.
    columns: Vec<String>,
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
    pub fn new(experiment: &Experiment, own: Option<&'a [Pair]>, test: &'a [Pair]) -> Result<Option<Self>> {
        let Some(config) = &experiment.validation else { return Ok(None) };
        let protocols = config.protocols.iter().map(|name| Protocol::named(name, experiment.scale));
        let protocols: Vec<_> = protocols.collect::<Result<_, _>>().context("validation.protocols")?;
        let metrics = config.metrics.iter().map(|name| Metric::named(name));
        let metrics: Vec<_> = metrics.collect::<Result<_, _>>().context("validation.metrics")?;
        let of = |protocol: &Protocol| Vec::from_iter(metrics.iter().map(|metric| protocol.column(metric.name)));
        let columns: Vec<String> = protocols.iter().flat_map(of).collect();
        let best = columns.iter().position(|column| *column == config.best).with_context(|| {
            let (best, columns) = (&config.best, columns.join(", "));
            format!("validation.best: `{best}` is not measured: expected one of {columns}")
        })?;
        let pairs = chosen(config.pictures.as_deref(), own.unwrap_or(test))?;
        check_sizes(&pairs, &protocols, &metrics)?;
        let notice = own.is_none().then(|| {
            format!("this checkpoint was chosen by {} on test pictures: its numbers on them are too good", config.best)
        });
        Ok(Some(Self { pairs, protocols, metrics, columns, best, notice, show: config.show }))
    }

    /// The same for the trainer.
    ///
    /// # Errors
    /// A picture that cannot be encoded.
    pub fn validator(&self) -> Result<Validator<'_>> {
        let pictures = self.pairs.iter().take(self.show);
        let references = pictures.flat_map(|pair| [shown(pair, "lr", &pair.lr), shown(pair, "hr", &pair.hr)]);
        Ok(Validator {
            best: self.columns[self.best].clone(),
            higher_is_better: self.metrics[self.best % self.metrics.len()].better == Better::Higher,
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
            rows.push(Row::measure(&pair.name, &versions, &self.protocols, &self.metrics)?);
            if pictures.len() < self.show {
                pictures.push(shown(pair, "sr", &sr)?);
            }
        }
        let means = Method { name: String::new(), rows }.mean(self.columns.len());
        Ok(Some(Measured { values: self.columns.iter().cloned().zip(means).collect(), pictures }))
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

fn check_sizes(pairs: &[&Pair], protocols: &[Protocol], metrics: &[&Metric]) -> Result<()> {
    for pair in pairs {
        let fits = protocols.iter().try_for_each(|protocol| abbe_eval::check(pair.hr.size(), protocol, metrics));
        fits.with_context(|| format!("validation: `{}`", pair.name))?;
    }
    Ok(())
}

fn shown(pair: &Pair, version: &str, picture: &Rgb8) -> Result<Shown> {
    let (height, width) = picture.size();
    Ok(Shown { tag: format!("{}/{version}", pair.name), height, width, png: encode_png(picture)? })
}
