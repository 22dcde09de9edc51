//! Which networks of an experiment begin with weights from files, and with an optimiser's state.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Experiment;

/// What training begins with, where that is not random. Networks that are not named begin with random weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// By their names in `networks`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub networks: IndexMap<String, Pretrained>,
    /// Of the experiment's discriminator.
    pub discriminator: Option<Pretrained>,
}

/// Where a network's first weights come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pretrained {
    /// A checkpoint of the network, Abbe's or PyTorch's. Of one that has averaged weights too, the plain ones are
    /// taken: they are those that the optimiser moved.
    pub checkpoint: PathBuf,
    /// Whether tensors that do not fit are left random (and a notice says so) instead of refused.
    pub partial: bool,
    /// The state of the Adam that trained it: BasicSR's `.state`, which Abbe writes too, or `optimizer.state_dict()` by
    /// itself. Absent: Adam begins anew.
    pub optimizer: Option<PathBuf>,
}

impl Start {
    /// Every file that it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let all = self.networks.values().chain(&self.discriminator);
        all.flat_map(|from| [Some(&from.checkpoint), from.optimizer.as_ref()]).flatten().map(PathBuf::as_path)
    }

    /// Checks what can be checked before a file is read.
    pub(super) fn validate(&self, experiment: &Experiment) -> Result<()> {
        ensure!(!self.networks.is_empty() || self.discriminator.is_some(), "expected `networks` or `discriminator`");
        for (name, pretrained) in &self.networks {
            experiment.network(name).context("networks")?;
            pretrained.validate().with_context(|| format!("networks.{name}"))?;
        }
        if let Some(pretrained) = &self.discriminator {
            ensure!(experiment.discriminator.is_some(), "discriminator: the experiment has no [discriminator]");
            pretrained.validate().context("discriminator")?;
        }
        Ok(())
    }
}

impl Pretrained {
    fn validate(&self) -> Result<()> {
        ensure!(
            !self.partial || self.optimizer.is_none(),
            "optimizer: its state is of the whole network: leave it out, or say `partial = false`"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of an experiment with this table.
    fn said(start: &str) -> String {
        let text = include_str!("../../../../experiments/srcnn.toml").replacen(
            "[data]",
            &format!("[start]\n{start}\n\n[data]"),
            1,
        );
        Experiment::parse(&text).map_or_else(|error| format!("{error:#}"), |_| "fine".into())
    }

    #[test]
    fn what_it_names_must_be_there_and_its_keys_must_agree() {
        let from = |keys: &str| format!("{{ checkpoint = \"a.pth\", {keys} }}");
        let name = |keys: &str| said(&format!("networks.srcnn = {}", from(keys)));
        assert_eq!(name("partial = false, optimizer = \"a.state\""), "fine");
        assert_eq!(name("partial = true"), "fine");
        assert!(name("partial = true, optimizer = \"a.state\"").contains("start: networks.srcnn: optimizer: "));
        assert!(name("part = true").contains("partial"));
        assert!(
            said(&format!("networks.other = {}", from("partial = true")))
                .contains("start: networks: no network is called `other`")
        );
        assert!(
            said(&format!("discriminator = {}", from("partial = true")))
                .contains("start: discriminator: the experiment has no")
        );
        assert!(said("").contains("start: expected `networks` or `discriminator`"));
    }
}
