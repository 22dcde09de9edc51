//! What a well-formed experiment file must also satisfy. Each message begins with the key.

use std::collections::HashSet;

use abbe_data::pair::Lr;
use abbe_models::{Config, critic};
use anyhow::{Context, Result, bail, ensure};

use super::optimizer::Group;
use super::{Data, Experiment, Length, Phase, Schedule, Validation};
use crate::clip::Clip;

/// Checks everything that can be checked before a picture is read.
pub(super) fn experiment(experiment: &Experiment) -> Result<()> {
    let Experiment { scale, ref data, .. } = *experiment;
    ensure!(
        is_file_name(&experiment.name),
        "name: expected letters, digits, `-`, `_` or `.`, found `{}`",
        experiment.name
    );
    ensure!([2, 3, 4, 8].contains(&scale), "scale: expected 2, 3, 4 or 8, found {scale}");
    patches(data, scale)?;
    experiment.patches()?.check()?;
    for (name, config) in &experiment.networks {
        network(config, scale).with_context(|| format!("networks.{name}"))?;
    }
    if let Some(config) = &experiment.discriminator {
        discriminator(config, data.patch as i64)?;
    }
    if let Some(start) = &experiment.start {
        start.validate(experiment).context("start")?;
    }
    ensure!(!experiment.phases.is_empty(), "phase: expected at least one [[phase]]");
    let mut names = HashSet::from(["bicubic", "lr", "hr"]);
    for (index, item) in experiment.phases.iter().enumerate() {
        phase(experiment, item).with_context(|| format!("phase {} (`{}`)", index + 1, item.name))?;
        ensure!(
            names.insert(&item.name),
            "phase {}: the name `{}` is taken: names of phases differ, and differ from bicubic, lr and hr",
            index + 1,
            item.name
        );
    }
    if let Some(config) = &experiment.validation {
        validation(config).context("validation")?;
        let without = experiment.phases.iter().find(|phase| !experiment.ema.contains_key(&phase.network));
        if let (true, Some(phase)) = (config.ema, without) {
            bail!(
                "validation.ema: phase `{}` trains `{}`, of which no average is kept: expected `ema.{1}`",
                phase.name,
                phase.network
            );
        }
    }
    experiment.non_finite.validate().context("non_finite")?;
    experiment.resume.map_or(Ok(()), |resume| resume.validate()).context("resume")?;
    for (name, ema) in &experiment.ema {
        experiment.network(name).context("ema")?;
        ema.validate().with_context(|| format!("ema.{name}"))?;
    }
    unused(experiment)
}

/// Metrics and protocols are known to those who measure.
fn validation(config: &Validation) -> Result<()> {
    config.every.validate().context("every")?;
    names("metrics", &config.metrics)?;
    names("protocols", &config.protocols)?;
    config.pictures.as_ref().map_or(Ok(()), |pictures| names("pictures", pictures))
}

fn names(key: &str, names: &[String]) -> Result<()> {
    ensure!(!names.is_empty(), "{key}: expected at least one name, found none");
    let twice = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
    ensure!(twice.is_none(), "{key}: `{}` is given twice", twice.map_or("", |(_, name)| name));
    Ok(())
}

/// How pictures are cut into patches and batches.
fn patches(data: &Data, scale: usize) -> Result<()> {
    ensure!(
        data.patch > 0 && data.patch.is_multiple_of(scale),
        "data.patch: expected a multiple of the scale {scale}, found {}",
        data.patch
    );
    for (key, value) in
        [("batch", data.batch), ("patches_per_picture", data.patches_per_picture), ("workers", data.workers)]
    {
        ensure!((1..=1_000_000).contains(&value), "data.{key}: expected 1 to 1000000, found {value}");
    }
    ensure!((0.0..=1e9).contains(&data.memory_gib), "data.memory_gib: expected 0 or more, found {}", data.memory_gib);
    let changed = data.jitter.is_some() || data.noise.is_some() || matches!(data.train.lr, Lr::Degrade(_));
    ensure!(
        !(data.on_device && changed),
        "data.on_device: patches with `jitter`, `noise` or degraded LR are made by the CPU: leave one of them out"
    );
    let bytes = 12 * data.batch as u128 * (data.patch as u128).pow(2); // 3 channels of 4 bytes
    ensure!(
        bytes <= 1 << 31,
        "data.batch: {batch} patches of {patch}x{patch} take {:.1} GiB a batch, expected at most 2: use fewer or smaller ones",
        bytes as f64 / (1u64 << 30) as f64,
        batch = data.batch,
        patch = data.patch,
    );
    Ok(())
}

/// A network must make RGB pictures of the experiment's scale.
fn network(config: &Config, scale: usize) -> Result<()> {
    config.validate()?;
    let Some(own) = config.scale() else { bail!("{} does not enlarge pictures", config.name()) };
    let [colors, ..] = config.input();
    ensure!(
        colors == 3,
        "colors: expected 3, found {colors}: training is on RGB patches; networks of luma alone can be evaluated and used"
    );
    ensure!(own == scale as i64, "its scale is {own}, the experiment's is {scale}");
    Ok(())
}

/// A discriminator must take RGB patches of this side.
fn discriminator(config: &critic::Config, patch: i64) -> Result<()> {
    let (name, config) = (config.name(), Config::from(*config));
    config.validate().with_context(|| format!("discriminator.{name}"))?;
    let ([colors, ..], sides) = (config.input(), config.sides());
    ensure!(colors == 3, "discriminator.{name}.colors: expected 3, training is on RGB patches, found {colors}");
    ensure!(
        sides.contains(patch) || sides.least < sides.most,
        "discriminator.{name}.patch: expected {patch}, the HR patch of `data.patch`, found {}",
        sides.least
    );
    ensure!(sides.contains(patch), "data.patch: discriminator.{name} takes {sides}, found {patch}");
    Ok(())
}

/// What is described and never used is most likely a slip.
fn unused(experiment: &Experiment) -> Result<()> {
    let any = |uses: fn(&Phase) -> bool| experiment.phases.iter().any(uses);
    for name in experiment.networks.keys() {
        let trained = experiment.phases.iter().any(|phase| &phase.network == name);
        ensure!(trained, "networks.{name}: no phase trains it");
    }
    let adversarial = any(|phase| phase.loss.adversarial.is_some());
    ensure!(experiment.discriminator.is_none() || adversarial, "discriminator: no phase has an adversarial loss");
    let features = any(|phase| phase.loss.layers().next().is_some());
    ensure!(experiment.vgg.is_none() || features, "vgg: no phase has a content or style loss");
    let validated = experiment.validation.is_some();
    ensure!(
        experiment.data.validation.is_none() || validated,
        "data.validation: there is no [validation] that uses it"
    );
    Ok(())
}

/// What depends on the number of training pictures: nothing may lie behind the end of a phase, nor end before it.
pub(super) fn lengths(experiment: &Experiment, pictures: usize) -> Result<()> {
    for (index, phase) in experiment.phases.iter().enumerate() {
        let steps = experiment.steps(index, pictures);
        within(phase, steps).with_context(|| format!("phase `{}`", phase.name))?;
        let epochs = steps / experiment.steps_per_epoch(pictures).max(1);
        for epoch in &phase.save_epochs {
            ensure!(
                (1..=epochs).contains(epoch),
                "phase `{}`: save_epochs: {epoch} never comes; with {pictures} pictures the phase has {epochs} whole epochs",
                phase.name
            );
        }
    }
    Ok(())
}

/// Behind its last period a rate would rise again, and a change of it that never comes is most likely a slip; with nothing
/// behind its pretraining a phase would train no generator.
fn within(phase: &Phase, steps: u64) -> Result<()> {
    phase.schedule.lasts(steps)?;
    phase.warm_up.map_or(Ok(()), |warm_up| warm_up.ends(steps))?;
    let Some(training) = &phase.discriminator else { return Ok(()) };
    training.schedule.lasts(steps).context("discriminator")?;
    training.leaves_steps(steps).context("discriminator")
}

fn phase(experiment: &Experiment, phase: &Phase) -> Result<()> {
    ensure!(is_file_name(&phase.name), "name: expected letters, digits, `-`, `_` or `.`, found `{}`", phase.name);
    experiment.network(&phase.network).context("network")?;
    phase.length.validate().context("length")?;
    if let Length::Steps(steps) = phase.length {
        within(phase, steps)?;
    }
    phase.check_begin(experiment)?;
    descent(experiment, phase)?;
    phase.loss.validate(experiment, phase).context("loss")?;
    match (&phase.loss.adversarial, &phase.discriminator) {
        (Some(adversarial), Some(training)) => {
            ensure!(experiment.discriminator.is_some(), "loss.adversarial: the experiment has no [discriminator]");
            plateau(experiment, &training.schedule).context("discriminator")?;
            training.validate(*adversarial).context("discriminator")
        }
        (None, None) => Ok(()),
        (Some(_), None) => {
            anyhow::bail!("loss.adversarial: the phase has no `discriminator` that says how it is trained")
        }
        (None, Some(_)) => {
            anyhow::bail!("discriminator: the phase has no `loss.adversarial`, so it would train for nothing")
        }
    }
}

/// How the phase's network goes down its gradient.
fn descent(experiment: &Experiment, phase: &Phase) -> Result<()> {
    phase.optimizer.validate().context("optimizer")?;
    phase.groups.iter().try_for_each(Group::validate).context("groups")?;
    phase.schedule.validate(phase.optimizer.lr())?;
    plateau(experiment, &phase.schedule)?;
    phase.warm_up.map_or(Ok(()), |warm_up| warm_up.validate())?;
    phase.clip.as_ref().map_or(Ok(()), Clip::validate).context("clip")?;
    let (parts, batch) = (phase.accumulate, experiment.data.batch);
    ensure!(
        parts > 0 && batch.is_multiple_of(parts),
        "accumulate: expected a divisor of data.batch, {batch}, found {parts}"
    );
    Ok(())
}

fn plateau(experiment: &Experiment, schedule: &Schedule) -> Result<()> {
    let watches = matches!(schedule, Schedule::Plateau { .. });
    ensure!(
        !watches || experiment.validation.is_some(),
        "schedule.plateau: there is no [validation] that it could watch"
    );
    Ok(())
}

fn is_file_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discriminator_takes_the_patches_that_are_cut() {
        let text = include_str!("../../../../experiments/srgan-paper.toml");
        let own = "[discriminator.srgan]\npatch = 96\nchannels = 64";
        assert!(text.contains(own) && text.contains("patch = 96"));
        let said = |discriminator: &str, patch: &str| {
            let text = text.replace(own, &format!("[discriminator]\n{discriminator}"));
            let parsed = Experiment::parse(&text.replace("patch = 96", &format!("patch = {patch}")));
            parsed.map_or_else(|error| format!("{error:#}"), |_| "fine".into())
        };
        let unet = "unet = { colors = 3, channels = 64 }";
        let patchgan = "patchgan = { colors = 3, channels = 64, layers = 3 }";
        for (discriminator, patch, expected) in [
            (unet, "96", "fine"),
            (patchgan, "24", "fine"),
            ("leftthomas = { channels = 64 }", "20", "fine"),
            (unet, "100", "data.patch: discriminator.unet takes sides that are multiples of 8, found 100"),
            (patchgan, "20", "data.patch: discriminator.patchgan takes sides of 24 or more, found 20"),
            ("srgan = { patch = 48, channels = 64 }", "96", "discriminator.srgan.patch: expected 96, the HR patch"),
            (
                "vgg_style = { patch = 128, colors = 3, channels = 64 }",
                "256",
                "discriminator.vgg_style.patch: expected 256",
            ),
            ("unet = { colors = 1, channels = 64 }", "96", "discriminator.unet.colors: expected 3"),
            ("unet = { colors = 3, channels = 0 }", "96", "discriminator.unet: unet_discriminator.channels: expected"),
            ("srcnn = { scale = 4 }", "96", "unknown variant `srcnn`"),
        ] {
            let said = said(discriminator, patch);
            assert!(said.contains(expected), "{discriminator} with patches of {patch}: {said}");
        }
    }
}
