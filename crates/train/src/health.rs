//! What looks wrong in a training that goes on: a discriminator that has won, a generator that says the same to everything.

use std::collections::VecDeque;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::numbers::Numbers;

/// Updates of the discriminator that are looked back on.
const WINDOW: usize = 100;
/// A discriminator that is right in so much of its answers all along leaves the generator little to learn from.
const WON: f64 = 0.99;
/// Below this part of HR's variance SR has lost what pictures differ in.
const FLAT: f64 = 0.05;
/// Every so many steps SR and HR are compared.
const EVERY: u64 = 50;
/// The name of what that gives.
const CONTRAST: &str = "contrast";

/// The names of steps that were not taken, and of their sums, before that of the network.
const SKIPPED: &str = "skipped_";
const ALL_SKIPPED: &str = "all_skipped_";

/// Watches a phase. Each warning comes once, and again when what it warns of had gone and came back.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    right: VecDeque<f64>,
    flat: u32,
    won: bool,
    collapsed: bool,
    /// Steps that were not taken, by the name of their network.
    skipped: IndexMap<String, u64>,
}

impl Watch {
    /// What is to be said after a step. Its numbers get the steps that each network was spared so far.
    pub(crate) fn look(&mut self, numbers: &mut Numbers) -> Vec<String> {
        for name in numbers.health.keys().filter_map(|name| name.strip_prefix(SKIPPED)) {
            *self.skipped.entry(name.to_owned()).or_default() += 1;
        }
        let totals = self.skipped.iter().map(|(name, steps)| (format!("{ALL_SKIPPED}{name}"), (*steps).into()));
        numbers.health.extend(totals);
        let of = |name: &str| numbers.health.get(name).and_then(serde_json::Value::as_f64);
        let won = of("right_discriminator").and_then(|right| self.discriminator(right));
        won.into_iter().chain(of(CONTRAST).and_then(|contrast| self.generator(contrast))).collect()
    }

    fn discriminator(&mut self, right: f64) -> Option<String> {
        self.right.push_back(right);
        if self.right.len() > WINDOW {
            self.right.pop_front();
        }
        let mean = self.right.iter().sum::<f64>() / self.right.len() as f64;
        let before = std::mem::replace(&mut self.won, self.right.len() == WINDOW && mean >= WON);
        (self.won && !before).then(|| {
            format!(
                "the discriminator was right in {:.1} % of its last {WINDOW} updates: it is saturated, and the generator \
                 learns little from it; train it less (`discriminator.every`, `when`)",
                100.0 * mean
            )
        })
    }

    fn generator(&mut self, contrast: f64) -> Option<String> {
        self.flat = if contrast < FLAT { self.flat + 1 } else { 0 };
        let before = std::mem::replace(&mut self.collapsed, self.flat >= 3); // one batch may be of sky
        (self.collapsed && !before).then(|| {
            format!(
                "the variance of SR is {:.1} % of HR's: the generator has collapsed to almost the same output everywhere",
                100.0 * contrast
            )
        })
    }
}

/// Notes the variance of SR over that of HR, `[N, 3, H, W]` each, after the steps on which they are compared. It is that of
/// each channel, their mean: in one colour everywhere the channels differ, and nothing else does.
pub(crate) fn note_contrast(step: u64, sr: &Tensor, hr: &Tensor, numbers: &mut Numbers) {
    if step.is_multiple_of(EVERY) {
        let variance = |pictures: &Tensor| pictures.var_dim([0i64, 2, 3].as_slice(), false, false).mean(Kind::Float);
        let [sr, hr] = [sr, hr].map(|pictures| variance(pictures).double_value(&[]));
        numbers.health.insert(CONTRAST.into(), abbe_run::json_number(sr / hr));
    }
}

/// Memory in use in bytes: of this process, on Linux; none elsewhere.
pub(crate) fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(watch: &mut Watch, name: &str, number: f64) -> usize {
        let mut numbers = Numbers::default();
        numbers.health.insert(name.into(), number.into());
        watch.look(&mut numbers).len()
    }

    #[test]
    fn a_discriminator_that_is_always_right_is_told_of_once() {
        let mut watch = Watch::default();
        let mut told = |right: f64| (0..300).filter(|_| after(&mut watch, "right_discriminator", right) > 0).collect();
        let (first, none, again): (Vec<usize>, Vec<usize>, Vec<usize>) = (told(1.0), told(0.9), told(1.0));
        assert_eq!((first, none, again.len()), (vec![WINDOW - 1], vec![], 1));
    }

    #[test]
    fn a_flat_output_is_told_of_when_it_stays() {
        let mut watch = Watch::default();
        let mut told = |contrast: f64| after(&mut watch, CONTRAST, contrast);
        assert_eq!([0.01, 0.01, 0.5, 0.01, 0.01, 0.01, 0.01].map(&mut told), [0, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn steps_that_were_not_taken_are_counted_by_network() {
        let mut watch = Watch::default();
        let mut after = |skipped: &[&str]| {
            let mut numbers = Numbers::default();
            numbers.health.extend(skipped.iter().map(|name| (format!("{SKIPPED}{name}"), 1.into())));
            watch.look(&mut numbers);
            ["all_skipped_g", "all_skipped_d"].map(|name| numbers.health.get(name).and_then(serde_json::Value::as_u64))
        };
        assert_eq!(after(&[]), [None, None]);
        assert_eq!(after(&["g", "d"]), [Some(1), Some(1)]);
        assert_eq!(after(&["g"]), [Some(2), Some(1)]);
        assert_eq!(after(&[]), [Some(2), Some(1)]);
    }

    #[test]
    fn contrast_is_a_ratio_of_variances() {
        // Half 0 and half 1: the mean is 1/2, each is 1/2 from it, a variance of 1/4; half as far, a quarter of it.
        let hr = Tensor::from_slice(&[0.0f32, 1.0, 1.0, 0.0]).view([1, 1, 2, 2]).expand([1, 3, 2, 2], false);
        let mut numbers = Numbers::default();
        note_contrast(1, &hr, &hr, &mut numbers);
        assert!(numbers.health.is_empty());
        note_contrast(EVERY, &(&hr / 2.0), &hr, &mut numbers);
        assert_eq!(numbers.health[CONTRAST].as_f64(), Some(0.25));
        let red = Tensor::from_slice(&[1.0f32, 0.0, 0.0]).view([1, 3, 1, 1]).expand([1, 3, 2, 2], false);
        note_contrast(EVERY, &red, &hr, &mut numbers);
        assert_eq!(numbers.health[CONTRAST].as_f64(), Some(0.0));
    }
}
