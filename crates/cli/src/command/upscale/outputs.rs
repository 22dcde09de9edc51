//! Where results go: checked before any work begins.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use abbe_data::image::Format;
use abbe_run::check_writable;
use anyhow::{Result, bail, ensure};

use super::inputs::{Input, is_standard};
use crate::output::keep_apart;

/// How results are named and kept.
#[derive(clap::Args)]
pub struct OutputArguments {
    /// A picture file, a folder, or - for standard output
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// What is written into folders and to standard output; the ending of a file's name says it otherwise
    #[arg(long, value_name = "FORMAT", value_parser = ["png", "jpg", "webp", "tif"], default_value = "png")]
    format: String,
    /// Of JPEG [default: 95], and of WebP, which loses nothing unless this is given; PNG and TIFF lose nothing
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: Option<u8>,
    /// Names of files in a folder: {stem} of the input, {scale}, {model}
    #[arg(long, value_name = "PATTERN", default_value = "{stem}", value_parser = pattern)]
    name: String,
    /// Replace pictures that are there already
    #[arg(long, visible_alias = "force", conflicts_with = "resume")]
    overwrite: bool,
    /// Leave out pictures that are there already: each was written whole
    #[arg(long)]
    resume: bool,
}

/// A picture that is to be made.
#[derive(Debug)]
pub struct Job {
    /// The picture that is read.
    pub input: PathBuf,
    /// The file that is written; none for standard output.
    pub output: Option<PathBuf>,
    /// Its format.
    pub format: Format,
}

fn pattern(text: &str) -> Result<String> {
    let mut rest = text.to_owned();
    ["{stem}", "{scale}", "{model}"].iter().for_each(|part| rest = rest.replace(part, ""));
    ensure!(
        !rest.contains(['{', '}', '/']),
        "expected {{stem}}, {{scale}}, {{model}} and text without braces and slashes"
    );
    ensure!(text.contains("{stem}"), "expected {{stem}}, which tells the pictures apart");
    Ok(text.into())
}

impl OutputArguments {
    /// The results of `inputs`, of which those that are there already are left out with `--resume`; how many these are.
    /// `given` are the arguments that name the inputs; `scale` and `model` are for names.
    ///
    /// # Errors
    /// A result that would replace an input, another result or, unasked, what is there; a folder in which nothing can be
    /// written or from which is read; a file that is there and may not be written; a name whose ending is no format's.
    pub fn plan(&self, given: &[PathBuf], inputs: &[Input], scale: &str, model: &str) -> Result<(Vec<Job>, usize)> {
        let jobs = self.name(given, inputs, scale, model)?;
        let read: HashSet<_> = inputs.iter().filter_map(|input| input.path.canonicalize().ok()).collect();
        let mut seen: HashMap<&Path, &Path> = HashMap::new();
        for job in &jobs {
            let Some(output) = &job.output else { continue };
            if let Some(other) = seen.insert(output, &job.input) {
                let (other, input) = (other.display(), job.input.display());
                bail!("{other} and {input} would both become {}: rename one, or take them apart", output.display());
            }
            let replaced = output.canonicalize().is_ok_and(|output| read.contains(&output));
            ensure!(!replaced, "{} would be overwritten, and it is read too: name another place", output.display());
            keep_apart(&[&job.input], output, self.overwrite || self.resume)?;
        }
        let all = jobs.len();
        let is_left = |job: &Job| !(self.resume && job.output.as_ref().is_some_and(|output| output.exists()));
        let left: Vec<Job> = jobs.into_iter().filter(is_left).collect();
        let there = all - left.len();
        let mut folders = HashSet::new();
        let outputs = left.iter().filter_map(|job| job.output.as_deref());
        outputs.filter(|path| path.exists() || folders.insert(path.parent())).try_for_each(check_writable)?;
        Ok((left, there))
    }

    fn name(&self, given: &[PathBuf], inputs: &[Input], scale: &str, model: &str) -> Result<Vec<Job>> {
        let of_format = |path: &Path| Format::of(path, self.quality);
        let named = Path::new("picture").with_extension(&self.format);
        if is_standard(&self.output) {
            let [input] = inputs else { bail!("-o -: standard output is one picture, found {}", inputs.len()) };
            return Ok(vec![Job { input: input.path.clone(), output: None, format: of_format(&named)? }]);
        }
        if let ([given], [input]) = (given, inputs)
            && !given.is_dir()
            && !self.output.is_dir()
        {
            let format = of_format(&self.output)?;
            return Ok(vec![Job { input: input.path.clone(), output: Some(self.output.clone()), format }]);
        }
        let folder = &self.output;
        ensure!(!folder.is_file(), "-o {}: expected a folder for several pictures, found a file", folder.display());
        given.iter().try_for_each(|given| outside(folder, given))?;
        let format = of_format(&named)?;
        let job = |input: &Input| {
            let stem = input.below.file_stem().unwrap_or_default().to_string_lossy();
            let name = self.name.replace("{scale}", scale).replace("{model}", model).replace("{stem}", &stem);
            let output = folder.join(input.below.with_file_name(format!("{name}.{}", self.format)));
            Job { input: input.path.clone(), output: Some(output), format }
        };
        Ok(inputs.iter().map(job).collect())
    }
}

/// A folder of results must not lie in one that is read: they would be read again the next time.
fn outside(folder: &Path, given: &Path) -> Result<()> {
    let there = folder
        .ancestors()
        .find_map(|part| if part.as_os_str().is_empty() { Path::new(".") } else { part }.canonicalize().ok());
    let inside =
        given.is_dir() && there.is_some_and(|there| given.canonicalize().is_ok_and(|given| there.starts_with(given)));
    ensure!(
        !inside,
        "-o {} lies in {}, which is read: its pictures would be overwritten, or enlarged again the next time; name another place",
        folder.display(),
        given.display()
    );
    Ok(())
}
