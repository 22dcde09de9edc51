//! An LR patch shows what its HR patch shows, to the pixel: enlarged, it fits best where it is.

use std::sync::Arc;

use abbe_data::image::Rgb8;
use abbe_data::pair::Pair;
use abbe_data::patches::{Sampler, Settings};
use abbe_data::resample::{Border, bicubic};
use proptest::prelude::*;

const SIDE: usize = 48;

/// Ripples about several centres, so that no shift of the picture looks like another.
fn picture(phase: f64) -> Rgb8 {
    let value = |y: f64, x: f64| {
        let ripple = |cy: f64, cx: f64, length: f64| (((y - cy).hypot(x - cx) + phase) / length).sin();
        127.5 + 40.0 * (ripple(-9.0, 20.0, 2.5) + ripple(70.0, -30.0, 3.5) + ripple(30.0, 140.0, 5.0))
    };
    let pixel = |i: usize| value((i / 120) as f64, (i % 120) as f64) as u8;
    Rgb8::new(96, 120, (0..96 * 120).flat_map(|i| [pixel(i), 255 - pixel(i), pixel(i) / 2]).collect()).unwrap()
}

/// Pearson's correlation of the red channels where the second picture, shifted, lies over the first.
fn correlation(a: &[f32], b: &Rgb8, (down, right): (isize, isize)) -> f64 {
    let inner = 4..SIDE - 4;
    let places = inner.clone().flat_map(|y| inner.clone().map(move |x| (y, x)));
    let values = places.map(|(y, x)| {
        let shifted = y.wrapping_add_signed(down) * SIDE + x.wrapping_add_signed(right);
        (f64::from(a[3 * (y * SIDE + x)]), f64::from(b.pixels[3 * shifted]))
    });
    let values: Vec<(f64, f64)> = values.collect();
    let mean = |of: fn(&(f64, f64)) -> f64| values.iter().map(of).sum::<f64>() / values.len() as f64;
    let (a, b) = (mean(|value| value.0), mean(|value| value.1));
    let [mut ab, mut aa, mut bb] = [0.0; 3];
    for (x, y) in &values {
        ab += (x - a) * (y - b);
        aa += (x - a).powi(2);
        bb += (y - b).powi(2);
    }
    ab / (aa * bb).sqrt()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn enlarged_lr_correlates_with_hr_best_where_it_is(seed in any::<u64>(), phase in 0.0..9.0, scale in prop::sample::select(vec![2, 3, 4])) {
        let hr = picture(phase);
        let lr = bicubic(&hr, 96 / scale, 120 / scale, Border::Replicate);
        let pair = Pair { name: String::new(), hr, lr };
        let sampler = Sampler::new(Arc::new(vec![pair].into()), Settings::new(scale, SIDE, seed, true)).unwrap();
        let side = SIDE / scale;
        let (mut lr, mut hr) = (vec![0.0; 3 * side * side], vec![0.0; 3 * SIDE * SIDE]);
        sampler.write(0, 0, &mut lr, &mut hr, None).unwrap();
        let lr = Rgb8::new(side, side, lr.iter().map(|value| (value * 255.0).round() as u8).collect()).unwrap();
        let enlarged = bicubic(&lr, SIDE, SIDE, Border::Replicate);
        let shifts = (-2..=2).flat_map(|down| (-2..=2).map(move |right| (down, right)));
        let best = shifts.max_by(|&a, &b| correlation(&hr, &enlarged, a).total_cmp(&correlation(&hr, &enlarged, b)));
        prop_assert_eq!(best, Some((0, 0)));
    }
}
