//! The perception-distortion plane (Blau and Michaeli, CVPR 2018): fidelity against perceived quality.

use anyhow::{Result, ensure};

use crate::chart::{Body, Chart};
use crate::header::Entry;
use crate::look::Look;
use crate::plot::{Curve, Plot};

/// A run or method in the plane.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// Mean PSNR in dB; higher is better.
    pub psnr: f64,
    /// Mean LPIPS; lower is better.
    pub lpips: f64,
}

/// PSNR to the right against LPIPS upwards, one mark per run; the best lie at the lower right. `metrics` names the two
/// with their conventions.
///
/// # Errors
/// When no run has finite numbers.
pub fn plane(runs: &[Judged], metrics: [&str; 2], heading: &str) -> Result<Chart> {
    ensure!(!runs.is_empty(), "the perception-distortion plane needs at least one run, found none");
    let curve =
        |(i, run): (usize, &Judged)| Curve { look: Look::of(i), joined: false, points: vec![(run.psnr, run.lpips)] };
    let entry = |(i, run): (usize, &Judged)| Entry { look: Look::of(i), joined: false, name: run.name.clone() };
    let plot = Plot {
        title: format!("{} in dB (higher is better) against {} (lower is better)", metrics[0], metrics[1]),
        x: ("PSNR in dB", false),
        y: "LPIPS".into(),
        curves: runs.iter().enumerate().map(curve).collect(),
        lines: Vec::new(),
    };
    Chart::new(heading, runs.iter().enumerate().map(entry).collect(), vec![Body::Plot(plot)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::tests::assert_tidy;
    use crate::grid::tests::NAMES;

    #[test]
    fn nothing_overlaps_for_one_to_thirty_runs() {
        for count in [1, 2, 8, 30] {
            for name in NAMES {
                let run = |i: usize| Judged {
                    name: format!("{name} {i}"),
                    psnr: 25.0 + i as f64 * 1e-3,
                    lpips: 0.4 / i as f64,
                };
                let runs: Vec<Judged> = (1..=count).map(run).collect();
                let chart = plane(&runs, ["psnr_y_crop4", "lpips_alex"], name).unwrap();
                assert_tidy(&chart, &format!("{count} runs, {name}"));
            }
        }
    }

    #[test]
    fn better_runs_lie_to_the_lower_right() {
        let run = |psnr, lpips| Judged { name: "a".into(), psnr, lpips };
        let picture = plane(&[run(25.0, 0.4), run(28.0, 0.1)], ["psnr", "lpips"], "").unwrap().png().unwrap();
        let key = picture.height - 300; // below the key
        let centre = |color: [u8; 3]| {
            let is = |pixel: &[u8]| pixel.iter().zip(color).all(|(a, b)| a.abs_diff(b) < 8);
            let found: Vec<usize> = (key * picture.width..picture.height * picture.width)
                .filter(|i| is(&picture.pixels[3 * i..3 * i + 3]))
                .collect();
            let mean = |value: fn(usize, usize) -> usize| {
                found.iter().map(|i| value(*i, picture.width)).sum::<usize>() / found.len()
            };
            (mean(|i, width| i % width), mean(|i, width| i / width))
        };
        let (worse, better) = (centre([0, 114, 178]), centre([213, 94, 0]));
        assert!(better.0 > worse.0 + 300 && better.1 > worse.1 + 100, "{worse:?} {better:?}");
    }

    #[test]
    fn runs_without_numbers_are_an_error() {
        assert!(plane(&[], ["psnr", "lpips"], "").is_err());
        let nan = Judged { name: "a".into(), psnr: f64::INFINITY, lpips: 0.0 };
        assert!(plane(&[nan], ["psnr", "lpips"], "").and_then(|chart| chart.png()).is_err());
    }
}
