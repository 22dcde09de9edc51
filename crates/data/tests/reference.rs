//! Resampling and luma against the numpy implementation that the benchmark's figures were computed with.

mod support;

use abbe_data::color;
use abbe_data::image::Rgb8;
use abbe_data::resample::{Border, Kernel, Method, Resampler, Scale};

const SIZE: (usize, usize) = (12, 25);

/// One line per case, with its values: `border up down kernel`, the three planes one after the other; `luma`; `rounded`.
///
/// The reference has the bicubic kernel alone; narrower kernels take its place.
const PYTHON: &str = "
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import resize_and_metrics as reference
y, x, c = np.meshgrid(np.arange(12), np.arange(25), np.arange(3), indexing='ij')
picture = ((37 * y * y + 11 * x * x + 5 * x * y + 83 * c + 7) % 256).astype(np.uint8)
def show(name, values):
    print(name, *('%.17g' % value for value in values.ravel()), sep=',')
show('luma', reference.ycbcr_y(picture, rounded=False))
show('rounded', reference.ycbcr_y(picture))
kernels = dict(
    bicubic=reference.cubic,
    bilinear=lambda x, a: np.maximum(1 - np.abs(x), 0),
    box=lambda x, a: (np.abs(x) < 0.5 - 1e-9) + 0.5 * (np.abs(np.abs(x) - 0.5) <= 1e-9))
for name, reference.cubic in kernels.items():
    for pad, border in [('replicate', 'replicate'), ('symmetric', 'mirror')]:
        for up, down in [(1, 2), (1, 3), (1, 4), (1, 8), (2, 3), (5, 7), (3, 2), (2, 1), (3, 1), (4, 1)]:
            size = [-(-n * up // down) for n in picture.shape[:2]]
            out = reference.imresize(picture / 255, up / down, mode='float', pad=pad, out=size)
            show(f'{border} {up} {down} {name}', out.transpose(2, 0, 1))
";

fn picture() -> Rgb8 {
    let value = |y: usize, x: usize, c: usize| ((37 * y * y + 11 * x * x + 5 * x * y + 83 * c + 7) % 256) as u8;
    let pixels = (0..SIZE.0).flat_map(|y| (0..SIZE.1).flat_map(move |x| (0..3).map(move |c| value(y, x, c))));
    Rgb8::new(SIZE.0, SIZE.1, pixels.collect()).unwrap()
}

#[test]
fn floats_agree_with_numpy() {
    let reference = support::repository("../shared/reference");
    if !reference.is_dir() {
        println!("skipped: {} is absent", reference.display());
        return;
    }
    if !support::has("numpy") {
        return;
    }
    let output = support::python().args(["-c", PYTHON]).arg(&reference).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 2 + 3 * 2 * 10);
    for line in lines.lines() {
        let (name, values) = line.split_once(',').unwrap();
        let expected: Vec<f64> = values.split(',').map(|value| value.parse().unwrap()).collect();
        match name {
            "luma" => assert_close(name, &color::luma(&picture()), &expected, 1e-12),
            "rounded" => assert_eq!(color::luma_rounded(&picture()), expected),
            _ => assert_resampled(name, &expected),
        }
    }
}

fn assert_resampled(name: &str, expected: &[f64]) {
    let [border, up, down, kernel] = name.split(' ').collect::<Vec<_>>()[..] else { panic!("{name}") };
    let border = if border == "mirror" { Border::Mirror } else { Border::Replicate };
    let kernel = match kernel {
        "box" => Kernel::Box,
        "bilinear" => Kernel::Bilinear,
        _ => Kernel::Bicubic,
    };
    let scale = Scale { up: up.parse().unwrap(), down: down.parse().unwrap() };
    let resampler = Resampler::by_scale(SIZE, scale, &Method { kernel, antialias: true, border }).unwrap();
    let planes = picture().to_planes_f32();
    let single: Vec<f64> = resampler.planes(&planes).unwrap().into_iter().map(f64::from).collect();
    assert_close(name, &single, expected, 1e-6);
    let double: Vec<f64> = picture().pixels.iter().map(|&value| f64::from(value) / 255.0).collect();
    let pixels = resampler.interleaved(double.as_chunks::<3>().0).unwrap();
    let double: Vec<f64> = (0..3).flat_map(|c| pixels.iter().map(move |pixel| pixel[c])).collect();
    assert_close(name, &double, expected, 1e-12);
}

fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error <= tolerance, "{name}: {error}");
}
