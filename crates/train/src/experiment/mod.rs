//! An experiment file: everything that decides a run, complete in one TOML file. What may be left out is what then is not
//! there: a loss term, a bound on the gradient, a network that no phase needs. There are no hidden defaults.

mod discriminator_training;
mod losses;
mod named;
pub(crate) mod optimizer;
mod phase;
mod policy;
mod precision;
pub(crate) mod schedule;
mod start;
mod validate;
mod validation;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use abbe_data::cache::{self, Room};
use abbe_data::jitter::Jitter;
use abbe_data::pair::Source;
use abbe_data::patches::{Sampler, Settings};
use abbe_data::store::Store;
use abbe_models::{critic, vgg};
use abbe_torch::MappedFile;
use anyhow::{Context, Result, ensure};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use discriminator_training::{DiscriminatorTraining, Throttle};
pub use losses::Losses;
pub use optimizer::{Group, OptimizerConfig};
pub use phase::{Begin, Length, Phase};
pub use policy::{NonFinite, Resume};
pub use precision::Precision;
pub use schedule::{Progress, Rise, Schedule, WarmUp};
pub use start::{Pretrained, Start};
pub use validation::Validation;

/// One experiment, as its file says it. A key that is missing, misspelt or of a wrong type is an error that names it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Names the run's folder.
    pub name: String,
    /// Decides initial weights, patches and augmentation.
    pub seed: u64,
    /// How many times larger HR is than LR: 2, 3, 4 or 8.
    pub scale: usize,
    /// The set whose published results stand beside the run's own, such as `set5` or `report`.
    pub published: Option<String>,
    /// What is trained on, and what is judged on.
    pub data: Data,
    /// The networks by name; a phase says which it trains.
    pub networks: IndexMap<String, abbe_models::Config>,
    /// The discriminator, when a phase is adversarial: `srgan`, `leftthomas`, `vgg_style`, `unet` or `patchgan` with its keys.
    pub discriminator: Option<critic::Config>,
    /// The perceptual network, when a phase has a content or style loss.
    pub vgg: Option<Vgg>,
    /// In what networks compute while they are trained; f32 where it is left out.
    #[serde(default)]
    pub precision: Precision,
    /// Whether every operation must give the same bits in every run. On a CPU with the same number of threads they do anyway;
    /// on a GPU some have no such form, which is an error, or are slower.
    #[serde(default)]
    pub deterministic: bool,
    /// Whether a GPU is given a step of a network as one CUDA graph, or its losses and gradients where the host must look at
    /// them before the update; where that cannot be, and on a CPU, it is given all one by one, with a notice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cuda_graphs: bool,
    /// Whether batch norm takes its statistics over the batches of all ranks that train together, as one process would.
    #[serde(default)]
    pub synchronised_batch_norm: bool,
    /// What is done about losses and gradients that are not finite; `"stop"` where it is left out.
    #[serde(default)]
    pub non_finite: NonFinite,
    /// Points from which training can go on, beside those at the end of each phase.
    pub resume: Option<Resume>,
    /// Networks by name of which an average over the steps is kept, beside the network itself.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub ema: IndexMap<String, crate::ema::Config>,
    /// What training begins with, where that is not random.
    pub start: Option<Start>,
    /// How whole pictures are looked at while training goes on.
    pub validation: Option<Validation>,
    /// What is done, in this order.
    #[serde(rename = "phase")]
    pub phases: Vec<Phase>,
}

/// Pictures, and how patches are cut from them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Pictures to train on.
    pub train: Source,
    /// Pictures to look at while training goes on, when they are none of the test's; see [`Experiment::validation`].
    pub validation: Option<Source>,
    /// Pictures to judge on; no training picture should be among them.
    pub test: Source,
    /// Side of an HR patch in pixels, a multiple of the scale.
    pub patch: usize,
    /// Patches per step.
    pub batch: usize,
    /// What an epoch is: this many patches for each training picture.
    pub patches_per_picture: usize,
    /// Whether a patch is turned and mirrored, one of eight ways.
    pub augment: bool,
    /// How the colours of a patch are changed, LR and HR alike.
    pub jitter: Option<Jitter>,
    /// Range of the standard deviation of Gaussian noise on LR patches, in 8-bit levels.
    pub noise: Option<[f64; 2]>,
    /// Threads that cut patches ahead of the trainer; the patches do not depend on their number.
    pub workers: usize,
    /// GiB of memory that the decoded training pictures may take, 3 bytes a pixel; if they need more, they are packed into
    /// a file and mapped from there. 8 where it is left out: half the memory of a usual machine, room for DIV2K (about 7).
    #[serde(default = "memory_gib")]
    pub memory_gib: f64,
    /// The folder for that file; if left out, `$XDG_CACHE_HOME/abbe`, else `~/.cache/abbe`.
    pub cache: Option<PathBuf>,
    /// Whether the decoded training pictures lie in the memory of the device, where patches are then cut without workers.
    #[serde(default)]
    pub on_device: bool,
}

fn memory_gib() -> f64 {
    8.0
}

impl Data {
    fn cache_folder(&self) -> PathBuf {
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let caches = || std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from);
        self.cache.clone().unwrap_or_else(|| caches().join("abbe"))
    }
}

/// The VGG network of the content and style losses.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vgg {
    /// Which of the family.
    pub net: vgg::Net,
    /// Where its weights come from.
    pub weights: Weights,
}

/// Where VGG weights come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Weights {
    /// torchvision's file, where PyTorch's hub keeps it: `$TORCH_HOME/hub/checkpoints`, else `~/.cache/torch/hub/checkpoints`.
    Cache,
    /// A torchvision checkpoint.
    File(PathBuf),
    /// Random numbers. The loss then compares random projections, not learnt features; every output says so.
    Random {
        /// Of the random numbers.
        seed: u64,
    },
}

impl Experiment {
    /// Reads and checks an experiment file.
    ///
    /// # Errors
    /// The file, the key, what was expected and what was found.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read the experiment {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in the experiment {}", path.display()))
    }

    /// Reads and checks the text of an experiment file; data sets that it names become their folders.
    ///
    /// # Errors
    /// The key, what was expected and what was found; a data set that was not fetched.
    pub fn parse(text: &str) -> Result<Self> {
        let mut table: toml::Table = toml::from_str(text)?;
        let experiment: Experiment = if named::is_in(&table) {
            named::resolve(&mut table)?;
            table.try_into()?
        } else {
            toml::from_str(text)? // whose errors point at the line
        };
        experiment.validate()?;
        Ok(experiment)
    }

    /// The experiment as a file again.
    ///
    /// # Errors
    /// When a value has no form in TOML, such as a path that is not text.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("the experiment cannot be written as TOML")
    }

    /// What cuts the patches of this experiment from its training pictures.
    ///
    /// # Errors
    /// No picture, one smaller than the patch, or an epoch of `save_epochs` that never comes with so many pictures.
    pub fn sampler(&self, pictures: Store) -> Result<Arc<Sampler>> {
        validate::lengths(self, pictures.entries().len())?;
        Ok(Arc::new(Sampler::new(Arc::new(pictures), self.patches()?).context("data.train")?))
    }

    /// How patches are cut and changed.
    fn patches(&self) -> Result<Settings> {
        let Data { patch, augment, jitter, noise, train, .. } = &self.data;
        Ok(Settings {
            scale: self.scale,
            patch: *patch,
            seed: self.seed,
            augment: *augment,
            jitter: jitter.clone(),
            degrade: train.lr.degradation(self.scale).context("data.train.lr")?,
            noise: *noise,
        })
    }

    /// The training pictures, decoded: in memory, or in a cache file if `data.memory_gib` is too little; then `report` is
    /// told so. Once `stop` is set no more are decoded.
    ///
    /// # Errors
    /// Those of [`abbe_data::cache::load`].
    pub fn training_pictures(&self, stop: &AtomicBool, report: &mut dyn FnMut(&str)) -> Result<Store> {
        let memory = (self.data.memory_gib * (1u64 << 30) as f64) as u64;
        let folder = &self.data.cache_folder();
        let room = Room { memory, folder, map: |path| Ok(Arc::new(MappedFile::open(path)?)), stop };
        cache::load(&self.data.train, self.scale, &room, report).context("data.train")
    }

    /// Steps of one epoch over `pictures` training pictures; a last batch that is not full counts.
    pub fn steps_per_epoch(&self, pictures: usize) -> u64 {
        (pictures as u64 * self.data.patches_per_picture as u64).div_ceil(self.data.batch as u64)
    }

    /// Steps of the phase with this index.
    pub fn steps(&self, index: usize, pictures: usize) -> u64 {
        self.steps_of(self.phases[index].length, pictures)
    }

    /// The same of any length.
    pub(crate) fn steps_of(&self, length: Length, pictures: usize) -> u64 {
        match length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => epochs * self.steps_per_epoch(pictures),
        }
    }

    /// What whoever runs it should know of how its keys go together.
    pub fn notices(&self) -> Vec<String> {
        self.phases.iter().filter_map(|phase| phase.notice(self)).collect()
    }

    fn validate(&self) -> Result<()> {
        validate::experiment(self)
    }

    /// The configuration of the network called `name`.
    ///
    /// # Errors
    /// When the experiment has no such network.
    pub fn network(&self, name: &str) -> Result<&abbe_models::Config> {
        let names = self.networks.keys().cloned().collect::<Vec<_>>().join(", ");
        let config = self.networks.get(name);
        ensure!(config.is_some(), "no network is called `{name}`; `networks` has: {names}");
        config.context("checked above")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_of_the_project_is_complete_and_comes_back_from_its_own_text() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
        assert!(files.len() >= 5);
        for path in files {
            let text = Experiment::read(&path).unwrap().to_toml().unwrap();
            assert_eq!(Experiment::parse(&text).unwrap().to_toml().unwrap(), text, "{}", path.display());
        }
    }

    #[test]
    fn an_epoch_is_every_patch_of_every_picture_and_its_last_batch_may_be_short() {
        let text = include_str!("../../../../experiments/report.toml");
        let experiment = Experiment::parse(text).unwrap();
        // 800 pictures of 16 patches in batches of 16: 800 steps; the report's 2 and 16 epochs are 1,600 and 12,800.
        assert_eq!(experiment.steps_per_epoch(800), 800);
        assert_eq!([0, 1, 2].map(|phase| experiment.steps(phase, 800)), [1_600, 1_600, 12_800]);
        // One picture of 16 patches and a batch of 16: one step; batches of 10 would need two.
        assert_eq!(experiment.steps_per_epoch(1), 1);
        let tens = Experiment::parse(&text.replace("batch = 16", "batch = 10")).unwrap();
        assert_eq!(tens.steps_per_epoch(1), 2);
    }

    #[test]
    fn what_is_done_to_patches_is_checked_before_a_picture_is_read() {
        let text = include_str!("../../../../experiments/report.toml");
        let with =
            |keys: &str| Experiment::parse(&text.replace("augment = false", &format!("augment = false\n{keys}")));
        let jitter = "jitter = { brightness = [0.8, 1.2], permute_channels = true }";
        let data = with(&format!("{jitter}\nnoise = [0.0, 5.0]\nmemory_gib = 0.5")).unwrap().data;
        assert_eq!((data.noise, data.memory_gib), (Some([0.0, 5.0]), 0.5));
        assert!(data.jitter.is_some_and(|jitter| jitter.permute_channels && jitter.hue.is_none()));
        let data = Experiment::parse(text).unwrap().data;
        assert_eq!((data.memory_gib, data.on_device, data.jitter), (8.0, false, None));
        for (keys, said) in [
            ("noise = [5.0, 0.0]", "data.noise: expected [low, high]"),
            ("jitter = { hue = [0.0, 0.6] }", "data.jitter.hue: expected [low, high]"),
            ("jitter = { contrasts = [0.0, 0.6] }", "contrasts"),
            ("memory_gib = -1.0", "data.memory_gib: expected 0 or more"),
            ("noise = [0.0, 5.0]\non_device = true", "data.on_device: patches with"),
        ] {
            let error = format!("{:#}", with(keys).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn lr_patches_may_come_from_a_degradation() {
        let text = include_str!("../../../../experiments/report.toml");
        let lr = |name: &str| {
            let lr = format!("lr = {{ degrade = \"{name}\" }}");
            Experiment::parse(&text.replacen("lr = { bicubic = { border = \"replicate\" } }", &lr, 1))
        };
        assert!(lr("real-esrgan").unwrap().patches().unwrap().degrade.is_some());
        let error = format!("{:#}", lr("unreal").unwrap_err());
        assert!(error.starts_with("data.train.lr: ") && error.contains("`unreal`"), "{error}");
    }
}
