//! An experiment file: everything that decides a run, complete in one TOML file. What may be left out is what then is not
//! there: a loss term, a bound on the gradient, a network that no phase needs. There are no hidden defaults.

mod named;
mod phase;
mod start;
mod validate;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use abbe_data::pair::{Pair, Source};
use abbe_data::patches::Sampler;
use abbe_models::{discriminator, vgg};
use anyhow::{Context, Result, ensure};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use phase::{DiscriminatorTraining, Length, Losses, Optimizer, Phase, Schedule};
pub use start::{Pretrained, Start};

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
    /// What is trained on, and what is judged on.
    pub data: Data,
    /// The networks by name; a phase says which it trains.
    pub networks: IndexMap<String, abbe_models::Config>,
    /// The discriminator, when a phase is adversarial.
    pub discriminator: Option<discriminator::Config>,
    /// The perceptual network, when a phase has a content loss.
    pub vgg: Option<Vgg>,
    /// What training begins with, where that is not random.
    pub start: Option<Start>,
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
    /// Threads that cut patches ahead of the trainer; the patches do not depend on their number.
    pub workers: usize,
}

/// The VGG network of the content loss.
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
    pub fn sampler(&self, pairs: Vec<Pair>) -> Result<Arc<Sampler>> {
        let Data { patch, augment, .. } = self.data;
        validate::save_epochs(self, pairs.len())?;
        Ok(Arc::new(Sampler::new(Arc::new(pairs), self.scale, patch, self.seed, augment).context("data.train")?))
    }

    /// Steps of one epoch over `pictures` training pictures; a last batch that is not full counts.
    pub fn steps_per_epoch(&self, pictures: usize) -> u64 {
        (pictures as u64 * self.data.patches_per_picture as u64).div_ceil(self.data.batch as u64)
    }

    /// Steps of the phase with this index.
    pub fn steps(&self, index: usize, pictures: usize) -> u64 {
        match self.phases[index].length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => epochs * self.steps_per_epoch(pictures),
        }
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
}
