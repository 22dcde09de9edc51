//! `abbe eval`

use std::path::{Path, PathBuf};

use abbe_data::image::Conversion;
use abbe_data::pair::{self, Lr, Pair, Source};
use abbe_data::resample::Border;
use abbe_eval::{Results, evaluate};
use abbe_hub::{Catalogue, Folders, Places, dataset};
use anyhow::{Context, Result, ensure};

use crate::device::DeviceArgument;
use crate::measures::{MeasureArguments, check_judgeable, of_other_lr, published};
use crate::method::CheckpointArguments;
use crate::{method, progress, stop, workflow};

/// Judge models on pictures: metrics of each picture and their means
///
/// Example: abbe eval --model bicubic --model runs/demo/checkpoints/srgan_final.pth --hr photographs/test
#[derive(clap::Args)]
pub struct Arguments {
    /// A checkpoint, or `bicubic`; may be given several times
    #[arg(long = "model", required = true, value_name = "CKPT|NAME")]
    models: Vec<String>,
    /// Folder of HR pictures
    #[arg(long, value_name = "DIR", required_unless_present = "data")]
    hr: Option<PathBuf>,
    /// Folder of LR pictures [default: made from HR by bicubic downscaling]
    #[arg(long, value_name = "DIR")]
    lr: Option<PathBuf>,
    /// A data set that `abbe fetch` brought here, with its own LR pictures where they were fetched at this scale
    #[arg(long, value_name = "NAME", conflicts_with_all = ["hr", "lr"])]
    data: Option<String>,
    /// How many times larger HR is than LR
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(2..=8))]
    scale: usize,
    #[command(flatten)]
    measures: MeasureArguments,
    /// Set beside the result what others published for these pictures: set5, set14, bsd100, urban100, div2k-valid, report
    /// [default: the name given to --data]
    #[arg(long, value_name = "SET", num_args = 0..=1)]
    published: Option<Option<String>>,
    /// Accept grey (made three channels), 16-bit (rounded) and transparent pictures (alpha is dropped)
    #[arg(long)]
    convert: bool,
    /// Also write metrics.csv, .json, .txt, .md and .tex there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    checkpoint: CheckpointArguments,
    #[command(flatten)]
    device: DeviceArgument,
}

impl Arguments {
    /// The folders that the options name.
    fn folders(&self) -> Result<Folders> {
        let Some(name) = &self.data else {
            let hr = self.hr.clone().context("expected --hr or --data")?;
            return Ok(Folders { hr, lr: self.lr.clone() });
        };
        let places = Places::from_env();
        let catalogue = Catalogue::with(places.catalogue.as_slice())?;
        Ok(dataset(&catalogue, &places, name, self.scale)?)
    }

    /// The set whose published results are asked for.
    fn published(&self) -> Result<Option<&str>> {
        let Some(named) = &self.published else { return Ok(None) };
        let set = named.as_deref().or(self.data.as_deref());
        ensure!(set.is_some(), "--published: name the set, as in --published set5, where --data does not");
        Ok(set)
    }
}

/// Judges the models.
///
/// # Errors
/// What is wrong with a model, a picture or the folder to write to; and what was not measured, once the rest is printed.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.device.find()?;
    let measures = arguments.measures.choice(arguments.scale, device)?;
    let published = published(arguments.published()?, arguments.scale, &measures.protocols)?;
    let conversion = if arguments.convert { Conversion::Convert } else { Conversion::Refuse };
    let folders = arguments.folders()?;
    let made = Lr::Bicubic { border: Border::Replicate };
    let source = Source { hr: folders.hr, lr: folders.lr.map_or(made, Lr::Folder), conversion };
    let names = method::names("--model", &arguments.models, Path::file_stem)?;
    let choice = arguments.checkpoint.choice(Some(arguments.scale), &arguments.models)?;
    let open = |model: &String| method::open(model, &choice, device);
    let models = arguments.models.iter().map(open).collect::<Result<Vec<_>>>()?;
    let pairs = pair::load(&source, arguments.scale)?;
    check_judgeable(&pairs, &measures)?;
    published.iter().try_for_each(|published| published.check(pairs.len()))?;
    let bar = progress::bar("evaluation", (pairs.len() * models.len()) as u64);
    let mut methods = Vec::new();
    for (name, model) in names.iter().zip(&models) {
        let keep = |_: &Pair, _: &_| -> Result<()> {
            bar.inc(1);
            stop::check()
        };
        methods.push(evaluate(name, &model.upscaler, &pairs, &measures, keep)?);
    }
    bar.finish_and_clear();
    let lr = pair::lr_description(&source);
    let said = |(name, model): (&String, &method::Method)| {
        let tiled = pairs.iter().find_map(|pair| model.upscaler.notice(&pair.lr));
        model.notices.iter().chain(&tiled).map(|notice| format!("{name}: {notice}")).collect::<Vec<_>>()
    };
    let notices = names.iter().zip(&models).flat_map(said);
    let notices = notices.chain(of_other_lr(published.as_ref(), Some(&source.lr))).collect();
    let results = Results { published, ..measures.results(lr, methods, notices) };
    if let Some(out) = &arguments.out {
        let path = |ending: &str| out.join(format!("metrics.{ending}"));
        workflow::write_tables(&results, path).context("the tables")?;
    }
    println!("{}", if arguments.json { results.to_json() } else { results.to_text() }.trim_end());
    Ok(results.complete()?)
}
