//! The options `--protocol`, `--metrics` and `--lpips-weights`.

use std::path::PathBuf;

use abbe_data::pair::{Lr, Pair};
use abbe_eval::{LpipsColumn, Measures, Metric, OpenLpips, Protocol, Published};
use abbe_hub::Places;
use abbe_models::lpips::{Lpips, Net};
use anyhow::{Context, Result, bail, ensure};
use tch::Device;

/// What is measured, and how.
#[derive(clap::Args)]
pub struct MeasureArguments {
    /// y, y-grey, rgb, basicsr-y, basicsr-rgb, report, ntire or pyiqa, with -cropN for a border of N pixels, or a TOML file
    /// of settings; may be given several times [default: y-crop<scale> and rgb]
    #[arg(long = "protocol", value_name = "P")]
    protocols: Vec<String>,
    /// psnr, ssim, ssim_matlab, ssim_torchmetrics, ssim_skimage, ssim_pyiqa, ms_ssim, gmsd, vifp, haarpsi, fsim, fsimc, mdsi,
    /// lr_psnr; niqe, of SR alone; lpips (lpips_alex), lpips_vgg, lpips_squeeze, of the whole picture under no protocol
    #[arg(long, value_name = "M,...", value_delimiter = ',', default_value = "psnr,ssim")]
    metrics: Vec<String>,
    /// The ImageNet weights of LPIPS's network [default: torchvision's file in PyTorch's cache, where `abbe fetch alexnet`
    /// brings it]
    #[arg(long, value_name = "FILE")]
    lpips_weights: Option<PathBuf>,
}

impl MeasureArguments {
    /// What to measure of pictures enlarged `scale` times; LPIPS computes on `device`. Without its weights its column stays
    /// empty, unless the options name their file.
    ///
    /// # Errors
    /// A name that is not known or given twice; protocols where no metric follows one; a file of weights that does not open, or that no network or several ask for.
    pub fn choice(&self, scale: usize, device: Device) -> Result<Measures> {
        let (metrics, nets) = metrics(&self.metrics).context("--metrics")?;
        let protocols = self.protocols(scale)?;
        if let (true, Some(protocol)) = (metrics.is_empty(), protocols.first()) {
            bail!(
                "--protocol {}: none of --metrics follows a protocol: name one that does, as psnr, or leave it out",
                protocol.name
            );
        }
        let protocols = if metrics.is_empty() || !protocols.is_empty() { protocols } else { usual_protocols(scale)? };
        Ok(Measures { scale, protocols, metrics, lpips: self.lpips(&nets, device)?, notices: Vec::new() })
    }

    /// Those that are named.
    fn protocols(&self, scale: usize) -> Result<Vec<Protocol>> {
        let mut protocols = Vec::new();
        for name in &self.protocols {
            let protocol = Protocol::named(name, scale)?;
            ensure!(!protocols.contains(&protocol), "--protocol {name}: given twice");
            protocols.push(protocol);
        }
        Ok(protocols)
    }

    fn lpips(&self, nets: &[Net], device: Device) -> Result<Vec<OpenLpips>> {
        match (&self.lpips_weights, nets) {
            (None, nets) => Ok(nets.iter().map(|&net| announced(from_cache(net, device))).collect()),
            (Some(path), &[net]) => Ok(vec![OpenLpips::new(net, Ok(Lpips::open(net, path, None, device)?))]),
            (Some(path), nets) => bail!(
                "--lpips-weights {}: one network's weights, and --metrics asks for {} of them: name one of lpips_alex, \
                 lpips_vgg and lpips_squeeze",
                path.display(),
                nets.len()
            ),
        }
    }
}

/// The metrics of these names: those that follow a protocol, and the networks of LPIPS, which follows none.
///
/// # Errors
/// A name that is not known, a metric that is given twice.
pub fn metrics(names: &[String]) -> Result<(Vec<&'static Metric>, Vec<Net>)> {
    let mut metrics = Vec::new();
    for name in names {
        let metric = Metric::named(name)?;
        ensure!(!metrics.contains(&metric), "{name}: given twice");
        metrics.push(metric);
    }
    let nets = metrics.iter().filter_map(|metric| metric.net()).collect();
    metrics.retain(|metric| metric.net().is_none());
    Ok((metrics, nets))
}

/// Says at once what will be missing in the end.
fn announced(lpips: OpenLpips) -> OpenLpips {
    if let Err(why) = &lpips.column().weights {
        eprintln!("notice: {} will be empty: {why}", lpips.column().name());
    }
    lpips
}

/// LPIPS over `net` with its weights from PyTorch's cache, or with the reason why there are none.
pub fn from_cache(net: Net, device: Device) -> OpenLpips {
    let path = Places::from_env().torch.join(net.file());
    OpenLpips::new(net, Lpips::open(net, &path, None, device))
}

/// How pictures are judged unless something else is asked for: PSNR and SSIM by the usual protocols, and LPIPS over AlexNet
/// if its weights are here and every picture is large enough for it. If not, it is said why, at once and in the table.
///
/// # Errors
/// None: the names are known.
pub fn usual(scale: usize, pictures: &[Pair], device: Device) -> Result<Measures> {
    let lpips = from_cache(Net::Alex, device);
    let least = Net::Alex.least() as usize;
    let small = pictures.iter().find(|pair| pair.hr.height.min(pair.hr.width) < least);
    let why = lpips.column().weights.as_ref().err().cloned();
    let why = why.or_else(|| Some(format!("`{}` has a side shorter than {least} pixels", small?.name)));
    let notices = Vec::from_iter(why.map(|why| format!("LPIPS was not measured: {why}")));
    notices.iter().for_each(|notice| eprintln!("notice: {notice}"));
    let lpips = if notices.is_empty() { vec![lpips] } else { Vec::new() };
    Ok(Measures { scale, protocols: usual_protocols(scale)?, metrics: Metric::usual(), lpips, notices })
}

/// Y with the scale as border, and RGB whole.
fn usual_protocols(scale: usize) -> Result<Vec<Protocol>> {
    Ok(vec![Protocol::named(&format!("y-crop{scale}"), scale)?, Protocol::named("rgb", scale)?])
}

/// Whether every picture is large enough for what is measured; otherwise it would be noticed only after training.
///
/// # Errors
/// The first picture that is not.
pub fn check_judgeable<'a>(pictures: impl IntoIterator<Item = &'a Pair>, measures: &Measures) -> Result<()> {
    for Pair { name, hr, .. } in pictures {
        let mut protocols = measures.protocols.iter();
        let fits = protocols.try_for_each(|protocol| abbe_eval::check(hr.size(), protocol, &measures.metrics));
        fits.with_context(|| format!("`{name}`"))?;
        let measured = measures.lpips.iter().map(OpenLpips::column).filter(|column| column.weights.is_ok());
        for metric in measured.map(LpipsColumn::metric) {
            let (height, width) = hr.size();
            let (least, metric) = (metric.least, metric.name);
            ensure!(
                height.min(width) >= least,
                "`{name}`: the picture is {height}x{width} (height x width), and {metric} needs at least {least}x{least}"
            );
        }
    }
    Ok(())
}

/// Shortest side of a picture that can be judged as usual, in pixels.
///
/// # Errors
/// None: the names are known.
pub fn least_judgeable(scale: usize) -> Result<usize> {
    let protocols = usual_protocols(scale)?;
    let metrics = Metric::usual();
    let fits = |side| protocols.iter().all(|protocol| abbe_eval::check((side, side), protocol, &metrics).is_ok());
    Ok((0..).take_while(|&side| !fits(side)).count())
}

/// What was published for the pictures of `set`, if one is named. Protocols for which there is nothing are named on stderr, with
/// those that would match.
///
/// # Errors
/// A set that is not known; one for which there is nothing under any of the protocols.
pub fn published(set: Option<&str>, scale: usize, protocols: &[Protocol]) -> Result<Option<Published>> {
    let Some(set) = set else { return Ok(None) };
    let published = Published::find(set, scale, protocols)?;
    for protocol in protocols {
        if let Err(nothing) = Published::find(set, scale, std::slice::from_ref(protocol)) {
            eprintln!("notice: {nothing}");
        }
    }
    Ok(Some(published))
}

/// What must be said beside published rows, whose LR is bicubic, where `lr` is not, or not known to be.
pub fn of_other_lr(published: Option<&Published>, lr: Option<&Lr>) -> Option<String> {
    let set = &published?.set;
    match lr {
        Some(Lr::Bicubic { .. }) => None,
        Some(Lr::Folder(_)) | None => Some(format!(
            "what was published for {set} is of LR by bicubic downscaling: it compares only if LR was made so here too"
        )),
        Some(_) => Some(format!("what was published for {set} is of LR by bicubic downscaling, and does not compare")),
    }
}
