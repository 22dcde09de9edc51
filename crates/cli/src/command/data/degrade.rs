//! `abbe data degrade`

use std::path::{Path, PathBuf};

use abbe_data::degrade::{Config, Planes, degrade, preset};
use abbe_data::image::{Conversion, Rgb8, read};
use abbe_data::random::{Draws, Purpose};
use abbe_run::write_atomic;
use abbe_viz::{Example, degradations, save};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::output::{keep_apart, named};
use crate::{progress, stop};

/// Degrade pictures as for training on real photographs, and draw a sheet of what came out
///
/// For NAME.png it writes DIR/NAME.png, the sheet, and in DIR/NAME the target, the LR pictures and trace.json: every
/// number that was drawn.
///
/// Example: abbe data degrade photographs/train -o runs/degraded;
/// abbe data degrade --print real-esrgan > mine.toml
#[derive(clap::Args)]
pub struct Arguments {
    /// Pictures, or folders of pictures
    #[arg(required_unless_present = "print", value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// A folder
    #[arg(short, long, required_unless_present = "print", value_name = "DIR")]
    output: Option<PathBuf>,
    /// real-esrgan, first-order, bsrgan, or a file like those that --print prints
    #[arg(long, default_value = "real-esrgan", value_name = "NAME|FILE.toml")]
    preset: String,
    /// How many times smaller the LR pictures are
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=16))]
    scale: usize,
    /// LR pictures of each picture
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<u64>::new().range(1..=100))]
    count: u64,
    /// Another seed draws other degradations
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Accept grey (made three channels), 16-bit (rounded) and transparent pictures (alpha is dropped)
    #[arg(long)]
    convert: bool,
    /// Replace files that are there already
    #[arg(long)]
    overwrite: bool,
    /// Print what trace.json says of each picture
    #[arg(long)]
    json: bool,
    /// Print the file of a preset, to change it and name it with --preset
    #[arg(long, value_name = "NAME", conflicts_with_all = ["inputs", "output", "preset", "json"])]
    print: Option<String>,
}

/// Degrades the pictures, or prints a preset.
///
/// # Errors
/// What is wrong with the degradation, a picture or the place to write to. Files written before are whole.
pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(name) = &arguments.print {
        print!("{}", preset(name, arguments.scale)?);
        return Ok(());
    }
    let config = Config::open(&arguments.preset, arguments.scale)?;
    let work = named(&arguments.inputs, arguments.output.as_deref().unwrap_or(Path::new(".")))?;
    for (input, sheet) in &work {
        let files = Files::beside(sheet, arguments.count);
        files.all().try_for_each(|file| keep_apart(&[input], file, arguments.overwrite))?;
    }
    let bar = progress::bar("degrade", work.len() as u64);
    let mut traces = Vec::new();
    for (index, (input, sheet)) in (0..).zip(&work) {
        traces.push(one(arguments, &config, input, index, &Files::beside(sheet, arguments.count))?);
        bar.inc(1);
        if !arguments.json {
            bar.suspend(|| println!("{}", sheet.display()));
        }
    }
    bar.finish_and_clear();
    if arguments.json {
        println!("{:#}", Value::from(traces));
    }
    Ok(())
}

/// What is written for one picture.
struct Files {
    sheet: PathBuf,
    target: PathBuf,
    lr: Vec<PathBuf>,
    trace: PathBuf,
}

impl Files {
    fn beside(sheet: &Path, count: u64) -> Self {
        let file = |name: &str| sheet.with_extension("").join(name);
        let lr = (0..count).map(|i| file(&format!("lr_{i}.png"))).collect();
        Self { sheet: sheet.into(), target: file("target.png"), lr, trace: file("trace.json") }
    }

    fn all(&self) -> impl Iterator<Item = &Path> {
        [&self.sheet, &self.target, &self.trace].into_iter().chain(&self.lr).map(PathBuf::as_path)
    }
}

/// Degrades the picture that is number `index`, and returns its trace.
fn one(arguments: &Arguments, config: &Config, input: &Path, index: u64, files: &Files) -> Result<Value> {
    let hr = cropped(input, arguments)?;
    let planes = Planes::from(&hr);
    let (mut target, mut examples) = (hr.clone(), Vec::new());
    for step in 0..arguments.count {
        stop::check()?;
        let draws = Draws::new(arguments.seed, Purpose::Degradation, step, index);
        let degraded = degrade(config, &planes, arguments.scale, draws).with_context(|| arguments.preset.clone())?;
        target = degraded.target.to_rgb8()?; // each time the same
        examples.push(Example { lr: degraded.lr, trace: degraded.trace });
    }
    let Arguments { preset, scale, seed, .. } = arguments;
    let name = input.file_stem().unwrap_or_default().to_string_lossy();
    let heading = format!("{name}\ndegraded by {preset}, ×{scale}, seed {seed}");
    save(&degradations(&hr, &target, &examples, &heading)?, &files.sheet)?;
    save(&target, &files.target)?;
    let mut drawn = Vec::new();
    for (step, (example, file)) in (0..arguments.count).zip(examples.iter().zip(&files.lr)) {
        save(&example.lr, file)?;
        let file = file.display().to_string();
        drawn.push(json!({ "lr": file, "step": step, "index": index, "applied": example.trace }));
    }
    let [picture, target] = [input, &files.target].map(|path| path.display().to_string());
    let trace = json!({
        "picture": picture, "target": target, "preset": preset, "scale": scale, "seed": seed, "config": config,
        "examples": drawn,
    });
    write_atomic(&files.trace, format!("{trace:#}\n").as_bytes())?;
    Ok(trace)
}

/// The picture, without the last rows and columns that are no whole LR pixel.
fn cropped(input: &Path, arguments: &Arguments) -> Result<Rgb8> {
    let picture = read(input, if arguments.convert { Conversion::Convert } else { Conversion::Refuse })?;
    let [height, width] = [picture.height, picture.width].map(|side| side / arguments.scale * arguments.scale);
    ensure!(
        height > 0 && width > 0,
        "{}: {:?} (height, width) is smaller than the scale, {}; remove the picture or choose a smaller --scale",
        input.display(),
        picture.size(),
        arguments.scale
    );
    Ok(picture.crop(0, 0, height, width)?)
}
