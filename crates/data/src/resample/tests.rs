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
