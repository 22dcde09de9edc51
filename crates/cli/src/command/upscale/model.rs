//! What enlarges the pictures, and how it is run.

use std::cell::OnceCell;
use std::path::Path;

use abbe_data::resample::{Border, Kernel, Method};
use abbe_eval::Upscaler;
use abbe_infer::{Alpha, Engine, LEAST_TILE, OVERLAP, PROGRAM, Tiling, fit, limit};
use abbe_models::SrModel;
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use tch::{Device, Kind};

use crate::method::{self, CheckpointArguments};

/// How a network is run.
#[derive(clap::Args)]
pub struct ModelArguments {
    /// A checkpoint, or bicubic, lanczos, nearest
    #[arg(long, value_name = "CKPT|NAME")]
    model: String,
    /// Side of tiles in pixels of the input; auto: by --memory; off: the whole picture at once
    #[arg(long, value_name = "auto|off|N", default_value = "auto", value_parser = tile)]
    tile: Tile,
    /// How far around a tile is seen by a network that sees farther than this
    #[arg(long, value_name = "PIXELS", default_value_t = OVERLAP)]
    overlap: usize,
    /// How many tiles go through the network together
    #[arg(long, default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    batch: usize,
    /// Memory for all that is made at once, which tiles are chosen for; less where the system sets a lower limit
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = memory)]
    memory: usize,
    /// Precision of the network's arithmetic; auto: f32 on a CPU, f16 on a GPU. Where a result is not finite, f32
    #[arg(long, value_enum, default_value = "auto")]
    precision: Precision,
    /// What enlarges the opacity of pixels
    #[arg(long, value_enum, default_value = "network")]
    alpha: AlphaArgument,
    /// The mean over the eight ways to turn and mirror a picture: better by a little, and eight times slower
    #[arg(long)]
    self_ensemble: bool,
    /// Set low frequencies of colours to those of the input
    #[arg(long)]
    color_match: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Precision {
    Auto,
    F32,
    Bf16,
    F16,
}

#[derive(Clone, Copy, ValueEnum)]
enum AlphaArgument {
    Network,
    Bicubic,
}

#[derive(Clone, Copy)]
enum Tile {
    Auto,
    Off,
    Side(usize),
}

fn tile(text: &str) -> Result<Tile> {
    match text {
        "auto" => Ok(Tile::Auto),
        "off" => Ok(Tile::Off),
        digits => match digits.parse() {
            Ok(side) if side >= LEAST_TILE => Ok(Tile::Side(side)),
            _ => bail!("expected auto, off, or a side of {LEAST_TILE} pixels or more"),
        },
    }
}

/// Bytes, as in 512MiB, 2GiB, 1.5GiB.
fn memory(text: &str) -> Result<usize> {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("GB", 1_000_000_000), ("MB", 1_000_000)];
    let found = units.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?.parse::<f64>().ok()?, *bytes)));
    match found {
        Some((count, bytes)) if count > 0.0 && count < 1e6 => Ok((count * bytes as f64) as usize),
        _ => bail!("expected a size such as 512MiB or 2GiB"),
    }
}

/// What enlarges pictures.
pub enum Model {
    /// Interpolation, which knows any size, by its name.
    Kernel(Kernel),
    /// A network, the name of its file, and the bytes that it takes for each pixel that it sees.
    Network(Box<dyn SrModel>, String, OnceCell<usize>),
}

/// Opens what `--model` names, and says what must be known of it if `tell`.
///
/// # Errors
/// Those of [`method::open`].
pub fn open(
    arguments: &ModelArguments,
    checkpoint: &CheckpointArguments,
    scale: Option<f64>,
    device: Device,
    tell: bool,
) -> Result<Model> {
    let kernel = match arguments.model.as_str() {
        "bicubic" => Some(Kernel::Bicubic),
        "lanczos" => Some(Kernel::Lanczos3),
        "nearest" => Some(Kernel::Nearest),
        _ => None,
    };
    if let Some(kernel) = kernel {
        checkpoint.choice(None, &["bicubic".into()])?;
        return Ok(Model::Kernel(kernel));
    }
    let network = |scale| -> Result<method::Method> {
        method::open(&arguments.model, &checkpoint.choice(scale, std::slice::from_ref(&arguments.model))?, device)
    };
    let whole = scale.filter(|scale| scale.fract() == 0.0).map(|scale| scale as usize);
    let opened = network(None).or_else(|error| match error.downcast_ref() {
        Some(abbe_models::Error::Ask { option: "--scale", .. }) if whole.is_some() => network(whole),
        _ => Err(error),
    })?;
    if tell {
        opened.notices.iter().for_each(|notice| eprintln!("notice: {notice}"));
    }
    let Upscaler::Network(network) = opened.upscaler else { bail!("{}: expected a network", arguments.model) };
    let name = Path::new(&arguments.model).file_stem().context("--model: expected a file")?;
    Ok(Model::Network(network, name.to_string_lossy().into_owned(), OnceCell::new()))
}

/// Bytes that a pixel is taken to need on a GPU, and for pictures that are too small for it to matter: as with 64 channels at
/// x4. Where memory runs out, tiles become smaller.
const USUAL: usize = 16 << 10;
/// Pixels of a picture that is too small.
const FEW: usize = 128 * 128;

/// Bytes that a network takes for each pixel that it sees; kept in `known`, for it is run to know.
pub fn bytes_per_pixel(network: &dyn SrModel, known: &OnceCell<usize>, pixels: usize) -> usize {
    match network.store().device() {
        Device::Cpu if pixels > FEW => *known.get_or_init(|| abbe_infer::bytes_per_pixel(network)),
        _ => USUAL,
    }
}

impl Model {
    /// How many times a picture becomes larger where nothing else is said.
    pub fn scale(&self) -> usize {
        match self {
            Model::Kernel(_) => 4,
            Model::Network(network, ..) => network.scale() as usize,
        }
    }

    /// What it is called in the names of files.
    pub fn name(&self) -> String {
        match self {
            Model::Kernel(Kernel::Lanczos3) => "lanczos".into(),
            Model::Kernel(kernel) => kernel.to_string(),
            Model::Network(_, name, _) => name.clone(),
        }
    }
}

impl ModelArguments {
    /// The network as the options have it run.
    pub fn engine<'a>(&self, network: &'a dyn SrModel) -> Engine<'a> {
        let kind = match (self.precision, network.store().device()) {
            (Precision::F32, _) | (Precision::Auto, Device::Cpu) => Kind::Float,
            (Precision::Bf16, _) => Kind::BFloat16,
            (Precision::F16 | Precision::Auto, _) => Kind::Half,
        };
        let engine = Engine::fast(network, kind);
        if self.self_ensemble { engine.ensembled() } else { engine }
    }

    /// How a picture of `size` with so many `planes` is cut, `held` bytes of memory being needed for it otherwise, and so many
    /// pictures being made at once; what must be known of that.
    ///
    /// # Errors
    /// A tile's side that the network cannot take.
    pub fn tiling(
        &self,
        engine: &Engine,
        bytes: usize,
        (size, planes): ((usize, usize), usize),
        held: usize,
        at_once: usize,
    ) -> Result<(Tiling, Option<String>)> {
        let alpha = match self.alpha {
            AlphaArgument::Network => Alpha::Network,
            AlphaArgument::Bicubic => Alpha::Bicubic,
        };
        let mut notice = None;
        let (side, overlap) = match self.tile {
            Tile::Off => (size.0.max(size.1), engine.radius),
            Tile::Side(side) => {
                let multiple = engine.multiple;
                ensure!(side >= multiple, "--tile {side}: this network takes tiles of {multiple} pixels or more");
                (side, engine.overlap(self.overlap))
            }
            Tile::Auto => {
                let memory = share(self.memory.min(limit(engine.device).unwrap_or(usize::MAX)), at_once);
                let left = memory.saturating_sub(held);
                let cut = fit(engine, bytes * self.batch, (size, planes), left, self.overlap);
                let (takes, allowed) = ((cut.bytes + held).div_ceil(1 << 20), memory >> 20);
                notice = (takes > allowed).then(|| {
                    let fewer = if at_once > 1 { format!(" each of {at_once} --jobs") } else { String::new() };
                    format!("takes about {takes} MiB of memory with the smallest tiles, more than the {allowed} MiB that --memory or the system allows{fewer}")
                });
                (cut.side, cut.overlap)
            }
        };
        Ok((Tiling { side, overlap, batch: self.batch, alpha, match_colors: self.color_match }, notice))
    }
}

/// What each of so many pictures made at once may take of `memory`: all of what the program takes by itself, which they have in
/// common, and an equal part of the rest.
fn share(memory: usize, at_once: usize) -> usize {
    memory.min(PROGRAM) + memory.saturating_sub(PROGRAM) / at_once
}

/// How a kernel resamples: as MATLAB's imresize, beyond the edge mirrored.
pub fn resampling(kernel: Kernel) -> Method {
    Method { kernel, antialias: true, border: Border::Mirror }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_made_at_once_share_what_the_program_leaves() {
        for (memory, at_once, each) in [
            (PROGRAM + 900, 1, PROGRAM + 900),
            (PROGRAM + 900, 3, PROGRAM + 300),
            (PROGRAM - 1, 1, PROGRAM - 1),
            (PROGRAM - 1, 4, PROGRAM - 1),
        ] {
            assert_eq!(share(memory, at_once), each);
        }
    }

    #[test]
    fn sizes_of_memory_have_units() {
        assert_eq!(
            [memory("2GiB").unwrap(), memory("1.5MiB").unwrap(), memory("3MB").unwrap()],
            [2 << 30, 3 << 19, 3_000_000]
        );
        for wrong in ["2", "2G", "GiB", "-1GiB", "0GiB", "nanGiB"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }
}
