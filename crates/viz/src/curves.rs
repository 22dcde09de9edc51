//! What a run's log holds, over the steps.

use abbe_run::LogRow;
use anyhow::{Result, ensure};

use crate::chart::{Body, Chart};
use crate::header::Entry;
use crate::look::Look;
use crate::plot::{Curve, Plot};

/// Points drawn per curve; longer ones are averaged over equal runs of steps.
const POINTS: usize = 300;

/// The curves of a log (see [`abbe_run::read_log`]) over the steps of all phases one after another: every number under
/// `terms`, the learning rate, D(real) and D(fake), and the metrics of validation, each where the log has it. A phase has
/// one colour, a dashed line stands where the next one begins; an axis is logarithmic where positive values span more than
/// a factor of 30.
///
/// # Errors
/// When the log holds no step.
pub fn curves(log: &[LogRow], heading: &str) -> Result<Chart> {
    let begins = (1..log.len()).filter(|&step| log[step].phase != log[step - 1].phase).map(|step| step as f64);
    let rows = log.iter().enumerate().map(|(step, row)| (step, row.phase.as_str(), row));
    drawn(rows, begins.collect(), heading)
}

/// The same of several runs, by name: a run has one colour, and phases are not marked.
///
/// # Errors
/// When no log holds a step.
pub(crate) fn overlay(logs: &[(&str, &[LogRow])], heading: &str) -> Result<Chart> {
    let rows = logs.iter().flat_map(|(name, log)| log.iter().enumerate().map(|(step, row)| (step, *name, row)));
    drawn(rows, Vec::new(), heading)
}

/// The numbers of rows, each with its step and the name of its colour; a dashed line stands at each of `lines`.
fn drawn<'a>(
    rows: impl Iterator<Item = (usize, &'a str, &'a LogRow)>,
    lines: Vec<f64>,
    heading: &str,
) -> Result<Chart> {
    let (colors, mut plots) = plots(rows);
    ensure!(!plots.is_empty(), "the log holds no loss: expected rows with numbers under `terms`, found none");
    plots.sort_by_key(|(kind, _)| *kind);
    let body = |(_, plot)| Body::Plot(Plot { lines: lines.clone(), ..thinned(plot) });
    let entry = |(i, name): (usize, &&str)| Entry { look: Look::of(i), joined: true, name: (*name).to_owned() };
    let key = colors.iter().enumerate().map(entry).collect();
    Chart::new(heading, key, plots.into_iter().map(body).collect())
}

/// The names that have colours, and a plot for each number, in the order of the rows.
fn plots<'a>(rows: impl Iterator<Item = (usize, &'a str, &'a LogRow)>) -> (Vec<&'a str>, Vec<(Kind, Plot)>) {
    let mut colors: Vec<&str> = Vec::new();
    let mut plots: Vec<(Kind, Plot)> = Vec::new();
    for (step, color, row) in rows {
        let color = place(&mut colors, |name| *name == color, || color);
        for (kind, name, value) in values(row) {
            let title = if kind == Kind::Critic { "D(real), dashed: D(fake)" } else { &name };
            let at = place(&mut plots, |plot| plot.0 == kind && plot.1.title == *title, || (kind, empty(title)));
            let mut look = Look::of(color);
            if kind == Kind::Critic {
                look.dashed = name == "D(fake)"; // here dashes tell the curves apart, not the phases
            }
            let curves = &mut plots[at].1.curves;
            let at = place(curves, |curve| curve.look == look, || Curve { look, joined: true, points: Vec::new() });
            curves[at].points.push((step as f64, value));
        }
    }
    (colors, plots)
}

/// What a number of a row is, in the order of the plots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Term,
    LearningRate,
    Critic,
    Validation,
}

/// Every number of a row with its name.
fn values(row: &LogRow) -> Vec<(Kind, String, f64)> {
    let mut values = vec![(Kind::LearningRate, "learning rate".to_owned(), row.lr)];
    let mut add = |kind, numbers: &serde_json::Map<_, serde_json::Value>, name: &dyn Fn(&str) -> String| {
        values.extend(numbers.iter().filter_map(|(key, value)| Some((kind, name(key), value.as_f64()?))));
    };
    add(Kind::Term, &row.terms, &str::to_owned);
    add(Kind::Critic, &row.discriminator, &|name| format!("D({name})"));
    add(Kind::Validation, &row.validation, &|name| format!("{name} in validation"));
    values
}

fn empty(title: &str) -> Plot {
    Plot { title: title.to_owned(), x: ("step", true), y: String::new(), curves: Vec::new(), lines: Vec::new() }
}

/// The plot with no more than [`POINTS`] points per curve.
fn thinned(mut plot: Plot) -> Plot {
    let run = plot.curves.iter().map(|curve| curve.points.len()).max().unwrap_or(0).div_ceil(POINTS);
    if run > 1 {
        plot.title += &format!(" (means of {run} values)");
        plot.curves.iter_mut().for_each(|curve| curve.points = averaged(&curve.points, run));
    }
    plot
}

/// Means of `run` points each, in order.
fn averaged(points: &[(f64, f64)], run: usize) -> Vec<(f64, f64)> {
    let mean = |points: &[(f64, f64)]| {
        let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / points.len() as f64, sum.1 / points.len() as f64)
    };
    points.chunks(run).map(mean).collect()
}

/// Index of the item that fits; a new one is appended when none does.
fn place<T>(items: &mut Vec<T>, fits: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> usize {
    items.iter().position(fits).unwrap_or_else(|| {
        items.push(new());
        items.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use abbe_data::image::Rgb8;
    use plotters::style::RGBColor;
    use serde_json::{Map, json};

    use super::*;
    use crate::chart::tests::assert_tidy;
    use crate::grid::tests::NAMES;

    fn map(numbers: &[(&str, f64)]) -> Map<String, serde_json::Value> {
        numbers.iter().map(|(name, value)| ((*name).into(), json!(value))).collect()
    }

    fn row(phase: &str, terms: &[(&str, f64)]) -> LogRow {
        LogRow {
            phase: phase.into(),
            step: 0,
            epoch: 0,
            seconds: 0.0,
            lr: 1e-4,
            terms: map(terms),
            raw: map(&[("not drawn", 1.0)]),
            discriminator: Map::new(),
            validation: Map::new(),
            health: Map::new(),
            warnings: Vec::new(),
        }
    }

    /// A log of every kind of number.
    fn full(name: &str, scale: f64, steps: usize) -> Vec<LogRow> {
        let numbers = |i: usize| [(name, scale * (1.0 + i as f64)), ("total", -scale * i as f64)];
        let of = |i: usize| LogRow {
            discriminator: map(&[("real", 0.5 + 0.4 * (i as f64).sin()), ("fake", 0.3)]),
            validation: if i.is_multiple_of(10) {
                map(&[("psnr_y_crop4", 31.771 + 1e-4 * i as f64)])
            } else {
                Map::new()
            },
            ..row(if i < steps / 2 { name } else { "adversarial" }, &numbers(i))
        };
        (0..steps).map(of).collect()
    }

    fn has(picture: &Rgb8, color: RGBColor) -> bool {
        picture.pixels.chunks_exact(3).any(|pixel| {
            // a thin line is mixed with the white around it
            pixel.iter().zip([color.0, color.1, color.2]).all(|(value, expected)| value.abs_diff(expected) < 85)
        })
    }

    #[test]
    fn every_term_gets_a_chart_and_every_phase_its_color() {
        let adversarial: &[_] = &[("pixel", 0.25), ("adversarial", 1e-6)];
        let log =
            [row("warm-up", &[("pixel", 0.5)]), row("warm-up", &[("pixel", 0.001)]), row("adversarial", adversarial)];
        let picture = curves(&log, "Training").unwrap().png().unwrap();
        let side = picture.width / 2;
        let top = picture.height - 2 * 290; // pixel and adversarial, below them the learning rate
        let chart = |left| picture.crop(top, left, 260, side).unwrap();
        assert!(has(&chart(0), Look::of(0).color) && has(&chart(0), Look::of(1).color), "pixel is in both phases");
        assert!(!has(&chart(side), Look::of(0).color) && has(&chart(side), Look::of(1).color), "adversarial is in one");
    }

    #[test]
    fn nothing_overlaps_for_any_names_values_and_lengths() {
        for name in NAMES {
            for scale in [1e-300, 1.234_567e-7, 0.1, 1e4, 1e12, 1e300] {
                for steps in [1, 2, 3, 1000] {
                    let chart = curves(&full(name, scale, steps), name).unwrap();
                    assert_tidy(&chart, &format!("{name}, {scale}, {steps} steps"));
                }
            }
        }
        let phases: Vec<LogRow> = (0..40).map(|i| row(&format!("{} {i}", NAMES[i % 4]), &[("pixel", 1e6)])).collect();
        assert_tidy(&curves(&phases, &"notice ".repeat(100)).unwrap(), "many phases");
        assert_tidy(&curves(&vec![row("a", &[("pixel", 0.5)]); 200_000], "").unwrap(), "many steps");
    }

    #[test]
    fn the_svg_holds_the_same_names() {
        let svg = curves(&full("pixel <&>\u{1}", 0.1, 20), "Training\nVGG-19 random").unwrap().svg().unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for name in [
            "adversarial",
            "pixel &lt;&amp;&gt;",
            "\\u{1}",
            "D(real)",
            "psnr_y_crop4",
            "learning rate",
            "VGG-19 random",
        ] {
            assert!(svg.contains(name), "{name}");
        }
        assert!(!svg.contains("not drawn") && !svg.contains('\u{1}'));
    }

    #[test]
    fn the_answers_to_real_and_fake_differ_in_every_phase() {
        // 12 looks: the seventh phase is dashed elsewhere
        let log: Vec<LogRow> =
            (0..7).map(|i| LogRow { phase: i.to_string(), ..full("pixel", 0.1, 1)[0].clone() }).collect();
        let rows = log.iter().enumerate().map(|(step, row)| (step, row.phase.as_str(), row));
        let plots = plots(rows).1;
        let critic = plots.iter().find(|(kind, _)| *kind == Kind::Critic).unwrap();
        assert_eq!(critic.1.curves.iter().filter(|curve| curve.look.dashed).count(), 7);
        assert_eq!(critic.1.curves.len(), 14);
    }

    #[test]
    fn long_curves_become_means_of_equal_runs() {
        // five points in runs of two: (0 + 1)/2, (2 + 3)/2, and the last alone
        let points = [(0.0, 10.0), (1.0, 20.0), (2.0, 30.0), (3.0, 50.0), (4.0, 7.0)];
        assert_eq!(averaged(&points, 2), [(0.5, 15.0), (2.5, 40.0), (4.0, 7.0)]);
    }

    #[test]
    fn an_empty_log_is_an_error() {
        assert!(curves(&[], "").err().unwrap().to_string().contains("`terms`"));
    }
}
