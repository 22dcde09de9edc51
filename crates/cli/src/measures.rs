//! The options `--protocol` and `--metrics`.

use abbe_eval::{Metric, Protocol, Published};
use anyhow::{Result, ensure};

/// What is measured, and how.
#[derive(clap::Args)]
pub struct MeasureArguments {
    /// y, y-grey, rgb, basicsr-y, basicsr-rgb, report, ntire or pyiqa, with -cropN for a border of N pixels, or a TOML file
    /// of settings; may be given several times [default: y-crop<scale> and rgb]
    #[arg(long = "protocol", value_name = "P")]
    protocols: Vec<String>,
    /// psnr, ssim, ssim_matlab, ssim_torchmetrics, ssim_skimage, ssim_pyiqa, ms_ssim, gmsd, vifp, haarpsi, fsim, fsimc, mdsi,
    /// lr_psnr
    #[arg(long, value_name = "M,...", value_delimiter = ',', default_value = "psnr,ssim")]
    metrics: Vec<String>,
}

impl MeasureArguments {
    /// The protocols for pictures enlarged `scale` times, and the metrics.
    ///
    /// # Errors
    /// A name that is not known or given twice.
    pub fn choice(&self, scale: usize) -> Result<(Vec<Protocol>, Vec<&'static Metric>)> {
        let mut protocols = Vec::new();
        for name in &self.protocols {
            let protocol = Protocol::named(name, scale)?;
            ensure!(!protocols.contains(&protocol), "--protocol {name}: given twice");
            protocols.push(protocol);
        }
        if protocols.is_empty() {
            protocols = usual_protocols(scale)?;
        }
        let mut metrics = Vec::new();
        for name in &self.metrics {
            let metric = Metric::named(name)?;
            ensure!(!metrics.contains(&metric), "--metrics {name}: given twice");
            metrics.push(metric);
        }
        Ok((protocols, metrics))
    }
}

/// How pictures are judged unless something else is asked for: Y with the scale as border, and RGB whole.
///
/// # Errors
/// None: the names are known.
pub fn usual_protocols(scale: usize) -> Result<Vec<Protocol>> {
    Ok(vec![Protocol::named(&format!("y-crop{scale}"), scale)?, Protocol::named("rgb", scale)?])
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
