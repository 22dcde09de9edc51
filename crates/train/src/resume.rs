//! Points of a training from which it goes on as if it had never been cut off: everything that its next step depends on.
//! Patches are functions of the seed and the step, so of them a point holds the step alone.

use std::path::{Path, PathBuf};

use abbe_checkpoint::{Value, WriteOptions};
use abbe_models::Store;
use abbe_models::convert::{from_checkpoint, to_checkpoint};
use abbe_run::{BestRecord, TEMPORARY};
use abbe_torch::{generator_state, set_generator_state};
use anyhow::{Context, Result, bail, ensure};
use tch::{Device, Kind};

use crate::networks::{Critic, Trainee};
use crate::session::Session;
use crate::values::{Fields, dict, from_value, list, to_value};

/// The version of these files.
const FORMAT: i64 = 2;

/// What a training went on from.
#[derive(Debug)]
pub struct Resumed {
    /// The file.
    pub path: PathBuf,
    /// The phase that goes on; none where every phase is done.
    pub phase: Option<String>,
    /// Its step that comes next.
    pub step: u64,
    /// Seconds of training before it.
    pub seconds: f64,
    /// What differs from the training that was cut off, each with its key.
    pub changed: Vec<String>,
    /// What else is to be said, such as a newer point that could not be read.
    pub notices: Vec<String>,
}

impl Session<'_> {
    /// Goes on from the last point of the run folder that is whole.
    ///
    /// # Errors
    /// No point; one that is not of this experiment, with the differences (but for those that `allow_changes` lets pass:
    /// networks must fit in any case), and then nothing has changed but this session.
    pub fn resume(&mut self, allow_changes: bool) -> Result<Resumed> {
        let mut notices = Vec::new();
        for path in points(&self.setup.folder.resume())?.into_iter().rev() {
            match abbe_checkpoint::read(&path) {
                Ok(value) => {
                    let restored = self.restore(&value, allow_changes);
                    let changed = restored.with_context(|| format!("cannot go on from {}", path.display()))?;
                    if let Some(group) = &self.setup.group {
                        group.check_equal("the point to go on from", &self.next)?; // and wait until all have read it
                    }
                    if self.writes() {
                        self.settle(&path)?;
                    }
                    let (index, step) = self.next;
                    let phase = self.setup.experiment.phases.get(index).map(|phase| phase.name.clone());
                    return Ok(Resumed {
                        path: self.point(),
                        phase,
                        step,
                        seconds: self.seconds_before,
                        changed,
                        notices,
                    });
                }
                Err(error) => notices.push(format!("{}: {error}; the point before it is taken", path.display())),
            }
        }
        let said = notices.iter().map(|notice| format!("\n{notice}")).collect::<String>();
        bail!(
            "nothing to go on from in {}: expected a point that training keeps at the end of a phase, on Ctrl-C, when a \
             validation fails, and as often as [resume] of the experiment says{said}",
            self.setup.folder.resume().display()
        )
    }

    /// Keeps a point, and removes those that are older than the last ones that are wanted, and what an interruption left.
    ///
    /// # Errors
    /// A file that cannot be written; the points before it are still there then.
    pub(crate) fn save_resume_point(&self) -> Result<()> {
        let folder = self.setup.folder.resume();
        let value = self.to_value()?;
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        abbe_checkpoint::write(self.point(), &value, &WriteOptions::default())?;
        self.remove_interrupted()?; // training has come past them
        self.remove_old_points()
    }

    /// The file of the point where training is now; their names are in the order of the steps.
    fn point(&self) -> PathBuf {
        let (index, step) = self.next;
        let done: u64 = (0..index).map(|earlier| self.steps(earlier)).sum::<u64>() + step;
        self.setup.folder.resume().join(format!("step_{done:010}.pth"))
    }

    /// Leaves no point behind the one that was `used`: such are torn, or of steps that are about to be taken again. Under a
    /// changed experiment its own steps may count otherwise than when it was named.
    fn settle(&self, used: &Path) -> Result<()> {
        [self.setup.folder.resume(), self.setup.folder.checkpoints()]
            .iter()
            .try_for_each(|folder| remove_torn(folder))?;
        let own = self.point();
        let is_behind = |point: &PathBuf| point != used && (point.as_path() > used || *point >= own);
        for point in points(&self.setup.folder.resume())?.into_iter().filter(is_behind) {
            std::fs::remove_file(&point).with_context(|| format!("cannot remove {}", point.display()))?;
        }
        std::fs::rename(used, &own).with_context(|| format!("cannot rename {}", used.display()))?;
        self.remove_old_points() // a kill may have left one more
    }

    fn remove_old_points(&self) -> Result<()> {
        let keep = self.setup.experiment.resume.map_or(1, |resume| resume.keep);
        let points = points(&self.setup.folder.resume())?;
        for old in &points[..points.len().saturating_sub(keep)] {
            std::fs::remove_file(old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        Ok(())
    }

    fn to_value(&self) -> Result<Value> {
        let (experiment, networks) = (self.setup.experiment, &self.trainer.networks);
        let trainees = networks.trainees.iter().map(|(name, trainee)| (name.as_str(), trainee.to_value()));
        let whole = |number: u64| Value::Int(number as i64);
        Ok(dict([
            ("abbe_resume", Value::Int(FORMAT)),
            ("experiment", Value::Text(experiment.to_toml()?)),
            ("data", Value::Text(self.setup.data.clone())),
            ("vgg", self.setup.vgg.clone().map_or(Value::None, Value::Text)),
            ("precision", Value::Text(self.trainer.precision.name().into())),
            ("surroundings", to_value(&self.surroundings())?),
            ("phase", whole(self.next.0 as u64)),
            ("step", whole(self.next.1)),
            ("seconds", Value::Float(self.seconds())),
            ("scores", list(self.scores.iter().map(|score| Value::Float(*score)))),
            ("best", list(self.best.iter().map(best_to_value))),
            ("unfinished", to_value(&self.unfinished)?),
            ("watch", to_value(&self.watch)?),
            ("generators", generators(self.setup.device)?),
            ("networks", dict(trainees)),
            ("discriminator", networks.critic.as_ref().map_or(Value::None, Critic::to_value)),
        ]))
    }

    /// Takes the state of `value`, and tells what differs.
    fn restore(&mut self, value: &Value, allow_changes: bool) -> Result<Vec<String>> {
        let fields = Fields(value);
        ensure!(fields.whole("abbe_resume")? == FORMAT as u64, "it is of another version of Abbe");
        let mut changed = self.changes(&fields)?;
        let lines = changed.iter().map(|change| format!("\n  {change}")).collect::<String>();
        ensure!(
            changed.is_empty() || allow_changes,
            "the experiment is not the one that was cut off (it is kept in {}):{lines}\n\
             Put it back, or say `--allow-changes` to go on with the changes",
            self.setup.folder.experiment().display()
        );
        let index = fields.whole("phase")? as usize;
        let phases = self.setup.experiment.phases.len();
        ensure!(index <= phases, "it is in phase {} of {phases}", index + 1);
        self.next = (index, fields.whole("step")?);
        self.restore_networks(&fields)?;
        self.seconds_before = fields.number("seconds")?;
        self.scores =
            fields.items("scores")?.iter().map(|score| number(score).context("scores")).collect::<Result<_>>()?;
        self.best = fields.items("best")?.iter().map(best_of_value).collect::<Result<_>>().context("best")?;
        self.unfinished = from_value(fields.get("unfinished")?).context("unfinished")?;
        self.watch = from_value(fields.get("watch")?).context("watch")?;
        restore_generators(&Fields(fields.get("generators")?), self.setup.device).context("generators")?;
        changed.extend(self.changed_surroundings(&fields)?);
        Ok(changed)
    }

    /// Each network with the optimiser of the last phase that it was in.
    fn restore_networks(&mut self, fields: &Fields) -> Result<()> {
        let phases = &self.setup.experiment.phases;
        let (index, step) = self.next;
        // At its first step a phase has not begun: its optimisers are still those of the phases before it.
        let begun = &phases[..(index + usize::from(step > 0)).min(phases.len())];
        let saved = Fields(fields.get("networks")?);
        for (name, trainee) in &mut self.trainer.networks.trainees {
            if let Some(phase) = begun.iter().rfind(|phase| phase.network == *name) {
                trainee.begin(phase)?;
            }
            trainee.restore(&Fields(saved.get(name)?)).with_context(|| format!("networks.{name}"))?;
        }
        if let Some(critic) = &mut self.trainer.networks.critic {
            if let Some(phase) = begun.iter().rfind(|phase| phase.discriminator.is_some()) {
                critic.begin(phase)?;
            }
            critic.restore(&Fields(fields.get("discriminator")?)).context("discriminator")?;
        }
        Ok(())
    }
}

/// The points of a folder from the oldest to the newest.
fn points(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut points = files(folder, "step_")?;
    points.sort();
    Ok(points)
}

/// Removes what a kill left of files that were being written.
fn remove_torn(folder: &Path) -> Result<()> {
    for torn in files(folder, TEMPORARY)? {
        std::fs::remove_file(&torn).with_context(|| format!("cannot remove {}", torn.display()))?;
    }
    Ok(())
}

/// The files of a folder whose names begin so; none where there is no folder.
fn files(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let entries = entries.with_context(|| format!("cannot read {}", folder.display()))?;
    let begins = |entry: &&std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(prefix);
    Ok(entries.iter().filter(begins).map(std::fs::DirEntry::path).collect())
}

impl Trainee {
    fn to_value(&self) -> Value {
        dict([
            ("weights", of_store(self.model.store())),
            ("ema", self.ema.as_ref().map_or(Value::None, crate::ema::Ema::to_value)),
            ("descent", self.descent.to_value()),
        ])
    }

    fn restore(&mut self, fields: &Fields) -> Result<()> {
        into_store(self.model.store(), fields.get("weights")?)?;
        match (&mut self.ema, fields.get("ema")?) {
            (Some(ema), saved @ Value::OrderedDict(_)) => ema.restore(saved).context("ema")?,
            (Some(ema), _) => ema.begin_with(self.model.store())?, // it was added meanwhile
            (None, _) => {}
        }
        self.descent.restore(&Fields(fields.get("descent")?))
    }
}

impl Critic {
    fn to_value(&self) -> Value {
        dict([
            ("weights", of_store(self.network.store())),
            ("descent", self.descent.to_value()),
            ("mean_loss", self.mean_loss.map_or(Value::None, Value::Float)),
        ])
    }

    fn restore(&mut self, fields: &Fields) -> Result<()> {
        into_store(self.network.store(), fields.get("weights")?)?;
        self.mean_loss = number(fields.get("mean_loss")?);
        self.descent.restore(&Fields(fields.get("descent")?))
    }
}

fn of_store(store: &Store) -> Value {
    let entries = store.state_dict().into_iter().map(|(name, tensor)| (Value::Text(name), Value::Tensor(tensor)));
    Value::OrderedDict(entries.collect())
}

/// All tensors or none; they stay where they lie in memory, and in the order in which they lie there.
fn into_store(store: &Store, value: &Value) -> Result<()> {
    let state = abbe_checkpoint::state_dict_of(value)?;
    let report = store.compare(&state);
    ensure!(report.fits(), "the network is not the one that was trained:\n{report}");
    store.load_partial(&state)?;
    Ok(())
}

/// The states of libtorch's random numbers, bytes as whole numbers.
fn generators(device: Device) -> Result<Value> {
    let state =
        |device| -> Result<Value> { Ok(Value::Tensor(to_checkpoint(&generator_state(device)?.to_kind(Kind::Int64)))) };
    let gpu = if device.is_cuda() { state(device)? } else { Value::None };
    Ok(dict([("cpu", state(Device::Cpu)?), ("gpu", gpu)]))
}

fn restore_generators(fields: &Fields, device: Device) -> Result<()> {
    for (key, device, wanted) in [("cpu", Device::Cpu, true), ("gpu", device, device.is_cuda())] {
        if let (Value::Tensor(state), true) = (fields.get(key)?, wanted) {
            set_generator_state(device, &from_checkpoint(state, Kind::Int64)?.to_kind(Kind::Uint8))?;
        }
    }
    Ok(())
}

fn best_to_value(best: &BestRecord) -> Value {
    dict([
        ("phase", Value::Text(best.phase.clone())),
        ("metric", Value::Text(best.metric.clone())),
        ("value", Value::Float(best.value)),
        ("step", Value::Int(best.step as i64)),
    ])
}

fn best_of_value(value: &Value) -> Result<BestRecord> {
    let fields = Fields(value);
    let text = |key| Ok::<_, anyhow::Error>(fields.text(key)?.to_owned());
    Ok(BestRecord {
        phase: text("phase")?,
        metric: text("metric")?,
        value: fields.number("value")?,
        step: fields.whole("step")?,
    })
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
