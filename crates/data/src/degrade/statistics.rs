//! What the presets draw, against what the papers' code does: each share within six standard errors.

use super::kernel::{Ellipse, Shape};
use super::*;
use crate::random::Purpose;

const COUNT: u64 = 1000;

fn traces(preset: &str) -> Vec<Vec<Applied>> {
    let config = Config::open(preset, 4).unwrap();
    let hr = Planes { height: 24, width: 24, values: (0..1728).map(|i| (i % 29) as f32 / 28.0).collect() };
    let trace = |index| degrade(&config, &hr, 4, Draws::new(9, Purpose::Degradation, 0, index)).unwrap().trace;
    (0..COUNT).map(trace).collect()
}

/// Checks how often something holds among the traces.
fn check(traces: &[Vec<Applied>], what: &str, expected: f64, holds: impl Fn(&[Applied]) -> bool) {
    let share = traces.iter().filter(|trace| holds(trace)).count() as f64 / traces.len() as f64;
    let margin = 6.0 * (expected * (1.0 - expected) / traces.len() as f64).sqrt();
    assert!((share - expected).abs() <= margin, "{what}: {share} instead of {expected}");
}

fn is_circle(ellipse: &Ellipse) -> bool {
    ellipse.sigma[0] == ellipse.sigma[1]
}

/// Where the second order begins: after the first JPEG.
fn orders(trace: &[Applied]) -> (&[Applied], &[Applied]) {
    let jpeg = trace.iter().position(|applied| matches!(applied, Applied::Jpeg { .. })).unwrap();
    trace.split_at(jpeg + 1)
}

#[test]
fn real_esrgan_draws_kernels_as_often_as_published() {
    let traces = traces("real-esrgan");
    let first = |what, expected, holds: fn(&Shape) -> bool| {
        check(&traces, what, expected, |trace| matches!(&trace[0], Applied::Blur { shape, .. } if holds(shape)));
    };
    first("isotropic", 0.9 * 0.45, |shape| matches!(shape, Shape::Gaussian(ellipse) if is_circle(ellipse)));
    first("anisotropic", 0.9 * 0.25, |shape| matches!(shape, Shape::Gaussian(ellipse) if !is_circle(ellipse)));
    first("generalised", 0.9 * 0.15, |shape| matches!(shape, Shape::GeneralisedGaussian { .. }));
    first("plateau", 0.9 * 0.15, |shape| matches!(shape, Shape::Plateau { .. }));
    first("plateau, beta 1", 0.9 * 0.15 / 2.0, |shape| matches!(shape, Shape::Plateau { beta: 1.0, .. }));
    first("sinc", 0.1, |shape| matches!(shape, Shape::Sinc { .. }));
    let round = |what: &str, ellipse: fn(&Shape) -> Option<bool>| {
        let of_family =
            |trace: &&Vec<Applied>| matches!(trace[0], Applied::Blur { shape, .. } if ellipse(&shape).is_some());
        let family: Vec<_> = traces.iter().filter(of_family).cloned().collect();
        check(
            &family,
            what,
            0.8,
            |trace| matches!(trace[0], Applied::Blur { shape, .. } if ellipse(&shape) == Some(true)),
        );
    };
    round("round generalised", |shape| match shape {
        Shape::GeneralisedGaussian { ellipse, .. } => Some(is_circle(ellipse)),
        _ => None,
    });
    round("round plateau", |shape| match shape {
        Shape::Plateau { ellipse, .. } => Some(is_circle(ellipse)),
        _ => None,
    });
    check(&traces, "second blur", 0.8, |trace| matches!(orders(trace).1[0], Applied::Blur { .. }));
    let is_final = |applied: &Applied| matches!(applied, Applied::Blur { shape: Shape::Delta, .. });
    check(&traces, "no final sinc", 0.2, |trace| trace.iter().any(is_final));
    check(&traces, "JPEG last", 0.5, |trace| matches!(trace.last(), Some(Applied::Jpeg { .. })));
}

#[test]
fn real_esrgan_draws_numbers_from_the_published_ranges() {
    for trace in traces("real-esrgan") {
        let (first, second) = orders(&trace);
        for (order, sigma_end, noise_end, scale_end) in [(first, 3.0, 30.0, 3.0), (second, 1.5, 25.0, 2.5)] {
            for applied in order {
                let inside = match applied {
                    Applied::Blur { size, shape } => {
                        (*size == 1 || (7..=21).contains(size) && size % 2 == 1)
                            && is_published(shape, *size, sigma_end)
                    }
                    Applied::GaussianNoise(GaussianKind::Colour { sigma } | GaussianKind::Grey { sigma }) => {
                        (1.0..=noise_end).contains(sigma)
                    }
                    Applied::PoissonNoise { scale, .. } => (0.05..=scale_end).contains(scale),
                    Applied::Jpeg { quality } => (30..=95).contains(quality),
                    Applied::Resize { kernel, .. } => *kernel != Interpolation::Imresize,
                    Applied::GaussianNoise(GaussianKind::Correlated { .. }) | Applied::Decimate { .. } => false,
                };
                assert!(inside, "{applied:?}");
            }
        }
    }
}

fn is_published(shape: &Shape, size: usize, sigma_end: f64) -> bool {
    let sigma = |ellipse: &Ellipse| ellipse.sigma.iter().all(|sigma| (0.2..=sigma_end).contains(sigma));
    match shape {
        Shape::Delta => true,
        Shape::Sinc { cutoff } => {
            (std::f64::consts::PI / if size < 13 { 3.0 } else { 5.0 }..=std::f64::consts::PI).contains(cutoff)
        }
        Shape::Gaussian(ellipse) => sigma(ellipse),
        Shape::GeneralisedGaussian { ellipse, beta } => sigma(ellipse) && (0.5..=4.0).contains(beta),
        Shape::Plateau { ellipse, beta } => sigma(ellipse) && (1.0..=2.0).contains(beta),
    }
}

#[test]
fn real_esrgan_draws_sizes_noise_and_quality_as_published() {
    let traces = traces("real-esrgan");
    let first_height = |trace: &[Applied]| match trace[1] {
        Applied::Resize { to, .. } => to.0,
        _ => panic!("{trace:?}"),
    };
    // A factor of 1 to 1.5 makes 25 rows or more of 24 from 25/24 on; down to 0.15 it makes 23 or fewer at once.
    check(&traces, "up", 0.2 * (1.5 - 25.0 / 24.0) / 0.5, |trace| first_height(trace) > 24);
    check(&traces, "down", 0.7, |trace| first_height(trace) < 24);
    let gaussian = |trace: &[Applied]| matches!(trace[2], Applied::GaussianNoise(_));
    check(&traces, "Gaussian", 0.5, gaussian);
    check(&traces, "grey", 0.4, |trace| {
        matches!(trace[2], Applied::GaussianNoise(GaussianKind::Grey { .. }) | Applied::PoissonNoise { grey: true, .. })
    });
    // 33 of the 66 qualities from 30 to 95 are below 63.
    check(&traces, "quality below 63", 0.5, |trace| matches!(trace[3], Applied::Jpeg { quality } if quality < 63));
    check(&traces, "area", 1.0 / 3.0, |trace| matches!(trace[1], Applied::Resize { kernel: Interpolation::Area, .. }));
}

#[test]
fn bsrgan_draws_as_often_as_published() {
    let traces = traces("bsrgan");
    let any = |holds: fn(&Applied) -> bool| move |trace: &[Applied]| trace.iter().any(holds);
    check(&traces, "halved first", 0.25, |trace| {
        matches!(trace[0], Applied::Resize { from: (24, 24), to: (12, 12), .. })
            && trace
                .iter()
                .filter(|applied| matches!(applied, Applied::Resize { .. } | Applied::Decimate { .. }))
                .count()
                == 3
    });
    check(
        &traces,
        "MATLAB's bicubic",
        0.125,
        any(|applied| matches!(applied, Applied::Resize { kernel: Interpolation::Imresize, .. })),
    );
    check(&traces, "decimated", 0.25, any(|applied| matches!(applied, Applied::Decimate { .. })));
    check(
        &traces,
        "colour noise",
        0.4,
        any(|applied| matches!(applied, Applied::GaussianNoise(GaussianKind::Colour { .. }))),
    );
    check(
        &traces,
        "correlated noise",
        0.2,
        any(|applied| matches!(applied, Applied::GaussianNoise(GaussianKind::Correlated { .. }))),
    );
    check(&traces, "JPEG twice", 0.9, |trace| {
        trace.iter().filter(|applied| matches!(applied, Applied::Jpeg { .. })).count() == 2
    });
    assert!(traces.iter().all(|trace| matches!(trace.last(), Some(Applied::Jpeg { .. }))));
}
