//! Whole pictures resampled.

use super::*;
use crate::image::{Conversion, read};
use std::path::PathBuf;

/// A grey picture of one column.
fn column(values: &[u8]) -> Rgb8 {
    Rgb8::new(values.len(), 1, values.iter().flat_map(|&value| [value; 3]).collect()).unwrap()
}

#[test]
fn halving_an_edge_rounds_and_clamps() {
    // Four black, four white. Output 0 has the weight -3/256 on white: below 0, clamped. Output 1 has 29 - 9 - 3 =
    // 17: 255 * 17/256 = 16.93. Outputs 2 and 3 mirror them: 238.07, and above 255, clamped.
    let edge = column(&[0, 0, 0, 0, 255, 255, 255, 255]);
    assert_eq!(bicubic(&edge, 4, 1, Border::Replicate), column(&[0, 17, 238, 255]));
}

#[test]
fn a_tie_is_rounded_up_after_the_first_pass() {
    // Replicated, one white pixel above two black rows: output 0 of 2 -> 1 weighs the upper pixel with 1/2: 127.5.
    assert_eq!(bicubic(&column(&[255, 0]), 1, 1, Border::Replicate), column(&[128]));
}

#[test]
fn the_same_size_is_the_same_picture() {
    let picture = Rgb8::new(3, 2, (0..18).map(|i| i * 14).collect()).unwrap();
    assert_eq!(bicubic(&picture, 3, 2, Border::Mirror), picture);
}

#[test]
fn nearest_repeats_pixels() {
    let picture = Rgb8::new(1, 2, vec![1, 2, 3, 4, 5, 6]).unwrap();
    let row = [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6];
    assert_eq!(nearest(&picture, 2), Rgb8::new(2, 4, [row, row].concat()).unwrap());
}

#[test]
fn a_scale_gives_the_next_whole_size_and_keeps_its_step() {
    // 5 by 1/2 is 3. Nearest, later of two: centres at 1/2, 5/2, 9/2, of which the last takes what the border repeats; a
    // step of 5/3, from size to size, would take 0, 2, 4.
    let method = Method { kernel: Kernel::Nearest, antialias: false, border: Border::Replicate };
    let resampler = Resampler::by_scale((5, 1), Scale { up: 1, down: 2 }, &method).unwrap();
    assert_eq!(resampler.output(), (3, 1));
    assert_eq!(resampler.rgb8(&column(&[0, 10, 20, 30, 40])).unwrap(), column(&[10, 30, 40]));
}

#[test]
fn what_cannot_be_resampled_is_an_error() {
    let method = Method::bicubic(Border::Mirror);
    for (input, output) in [((0, 1), (1, 1)), ((1, 1), (1, 0)), ((1, 1), (usize::MAX, 1))] {
        assert!(matches!(Resampler::to_size(input, output, &method), Err(Error::Setting { .. })));
    }
    for (up, down) in [(0, 1), (1, 0), (1 << 24, 1)] {
        assert!(matches!(Resampler::by_scale((2, 2), Scale { up, down }, &method), Err(Error::Setting { .. })));
    }
    let resampler = Resampler::to_size((2, 3), (4, 6), &method).unwrap();
    let error = resampler.rgb8(&column(&[0; 4])).unwrap_err().to_string();
    assert_eq!(error, "expected the samples of whole pictures of 2x3, found 4 per channel");
    assert!(resampler.planes(&[0.0; 7]).is_err());
}

/// The picture that `tests/golden/bicubic.py` computes with.
fn golden_picture() -> Rgb8 {
    let value = |y: usize, x: usize, c: usize| ((37 * y * y + 11 * x * x + 5 * x * y + 83 * c + 7) % 256) as u8;
    let pixels = (0..12).flat_map(|y| (0..24).flat_map(move |x| (0..3).map(move |c| value(y, x, c))));
    Rgb8::new(12, 24, pixels.collect()).unwrap()
}

#[test]
fn exact_fractions_give_the_same_pixels() {
    for line in include_str!("../../tests/golden/bicubic.txt").lines() {
        let mut words = line.split(' ');
        let border = if words.next() == Some("mirror") { Border::Mirror } else { Border::Replicate };
        let mut numbers = words.map(|word| word.parse::<usize>().unwrap());
        let (height, width) = (numbers.next().unwrap(), numbers.next().unwrap());
        let expected = Rgb8::new(height, width, numbers.map(|value| value as u8).collect()).unwrap();
        assert_eq!(bicubic(&golden_picture(), height, width, border), expected, "{border:?} {height}x{width}");
    }
}

#[test]
fn set5_is_reproduced_bit_for_bit() {
    let set5 = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/Set5");
    if !set5.is_dir() {
        println!("skipped: {} is absent", set5.display());
        return;
    }
    let mut pictures = 0;
    for scale in [2, 3, 4] {
        for name in ["baby.png", "bird.png", "butterfly.png", "head.png", "woman.png"] {
            let hr = read(&set5.join(format!("HR_x{scale}")).join(name), Conversion::Refuse).unwrap();
            let lr = read(&set5.join(format!("LR_x{scale}")).join(name), Conversion::Refuse).unwrap();
            assert_eq!(hr.size(), (scale * lr.height, scale * lr.width));
            assert!(bicubic(&hr, lr.height, lr.width, Border::Replicate) == lr, "{name} x{scale}");
            pictures += 1;
        }
    }
    assert_eq!(pictures, 15);
}

#[test]
fn some_rows_are_those_of_the_whole() {
    let (input, output) = ((23, 11), (61, 8));
    let planes: Vec<f32> = (0..2 * 23 * 11).map(|i| (i * 7919 % 997) as f32 / 997.0).collect();
    for border in [Border::Replicate, Border::Mirror] {
        let resampler = Resampler::to_size(input, output, &Method::bicubic(border)).unwrap();
        let whole = resampler.planes(&planes).unwrap();
        for rows in [0..1, 0..61, 17..40, 60..61] {
            let needs = resampler.needs(rows.clone());
            let held: Vec<f32> = planes
                .chunks_exact(23 * 11)
                .flat_map(|plane| &plane[needs.start * 11..needs.end * 11])
                .copied()
                .collect();
            let found = resampler.rows(&held, 2, needs.start, rows.clone()).unwrap();
            let expected: Vec<f32> =
                whole.chunks_exact(61 * 8).flat_map(|plane| &plane[rows.start * 8..rows.end * 8]).copied().collect();
            assert_eq!(found, expected, "{border} {rows:?}");
            assert!(resampler.rows(&held[11..], 1, needs.start + 1, rows).is_err());
        }
    }
}
