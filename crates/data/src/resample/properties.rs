//! What holds for every picture, kernel and border.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const SIDES: std::ops::RangeInclusive<usize> = 1..=40;

fn method() -> impl Strategy<Value = Method> {
    let kernel = select(&Kernel::ALL[..]);
    let border = select(&[Border::Replicate, Border::Mirror][..]);
    (kernel, any::<bool>(), border).prop_map(|(kernel, antialias, border)| Method { kernel, antialias, border })
}

fn size() -> impl Strategy<Value = (usize, usize)> {
    (SIDES, SIDES)
}

fn picture(values: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = Rgb8> {
    let pixels = move |(height, width)| (Just((height, width)), vec(values.clone(), 3 * height * width));
    size().prop_flat_map(pixels).prop_map(|((height, width), pixels)| Rgb8 { height, width, pixels })
}

fn resampled(picture: &Rgb8, size: (usize, usize), method: &Method) -> Rgb8 {
    Resampler::to_size(picture.size(), size, method).unwrap().rgb8(picture).unwrap()
}

/// The three planes resampled without rounding.
fn exactly(picture: &Rgb8, size: (usize, usize), method: &Method) -> Vec<f64> {
    let planes: Vec<f64> = picture.to_planes_f32().into_iter().map(f64::from).collect();
    Resampler::to_size(picture.size(), size, method).unwrap().planes(&planes).unwrap()
}

fn transposed(picture: &Rgb8) -> Rgb8 {
    let (height, width) = picture.size();
    let pixel = |x: usize, y: usize| &picture.pixels[3 * (y * width + x)..][..3];
    let pixels = (0..width).flat_map(|x| (0..height).flat_map(move |y| pixel(x, y))).copied().collect();
    Rgb8 { height: width, width: height, pixels }
}

/// The picture upside down and with left and right exchanged.
fn turned(picture: &Rgb8) -> Rgb8 {
    let pixels = picture.pixels.as_chunks::<3>().0.iter().rev().flatten().copied().collect();
    Rgb8 { pixels, ..*picture }
}

fn close(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn every_8_bit_value_is_that_of_f64(values in vec(any::<u8>(), 1..400), n_out in 1usize..500, method in method()) {
        let (n_in, input): (usize, Vec<f64>) = (values.len(), values.iter().map(|&value| value.into()).collect());
        let column = Resampler::to_size((n_in, 1), (n_out, 1), &method).unwrap();
        let rounded = column.planes(&input).unwrap().iter().map(|value| (value + 0.5).floor().clamp(0.0, 255.0) as u8).collect::<Vec<_>>();
        prop_assert_eq!(column.planes(&values).unwrap(), rounded);
    }

    #[test]
    fn weights_fit_the_fixed_point(n_in in SIDES, n_out in 1usize..200, method in method()) {
        for taps in contributions(n_in, n_out, Scale { up: n_out as u32, down: n_in as u32 }, &method) {
            prop_assert!((taps.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(taps.weights.iter().map(|weight| weight.abs()).sum::<f64>() < 2.0);
            prop_assert!(taps.indices.iter().all(|&index| index < n_in));
        }
    }

    #[test]
    fn a_constant_picture_stays_constant(value: u8, from in size(), to in size(), method in method()) {
        let constant = |(height, width)| Rgb8 { height, width, pixels: vec![value; 3 * height * width] };
        prop_assert_eq!(resampled(&constant(from), to, &method), constant(to));
    }

    #[test]
    fn at_scale_1_every_kernel_is_the_identity(picture in picture(0..=255), method in method()) {
        prop_assert_eq!(&resampled(&picture, picture.size(), &method), &picture);
    }

    // All but nearest, which takes the later of two samples.
    #[test]
    fn a_turned_picture_becomes_the_turned_result(picture in picture(0..=255), to in size(), method in method()) {
        prop_assume!(method.kernel != Kernel::Nearest);
        let mut expected = exactly(&picture, to, &method);
        expected.chunks_exact_mut(to.0 * to.1).for_each(<[f64]>::reverse);
        prop_assert!(close(&exactly(&turned(&picture), to, &method), &expected));
    }

    // The first pass is off by at most 1/2, which the second multiplies by the sum of its absolute weights, below 2, before
    // it rounds: 3/2 from the exact value in either order, and 3 between the two is not reached. Without extreme values,
    // which the two orders would clamp differently.
    #[test]
    fn the_order_of_passes_matters_little(picture in picture(100..=155), to in size(), method in method()) {
        let across = transposed(&resampled(&transposed(&picture), (to.1, to.0), &method));
        let largest = resampled(&picture, to, &method).pixels.iter().zip(&across.pixels).map(|(a, b)| a.abs_diff(*b)).max();
        prop_assert!(largest <= Some(2), "{:?}", largest);
    }

    // Without extreme values, which 16 bits clamp between the passes. Their two roundings: 1/2 times less than 2, and 1/2.
    #[test]
    fn floats_and_sixteen_bits_agree(picture in picture(100..=155), to in size(), method in method()) {
        let resampler = Resampler::to_size(picture.size(), to, &method).unwrap();
        let (exact, area) = (exactly(&picture, to, &method), to.0 * to.1);
        let single = resampler.planes(&picture.to_planes_f32()).unwrap();
        prop_assert!(single.iter().zip(&exact).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6));
        let pixels: Vec<_> = picture.pixels.as_chunks::<3>().0.iter().map(|pixel| pixel.map(|v| 257 * u16::from(v))).collect();
        let wide = resampler.interleaved(&pixels).unwrap();
        for (i, value) in wide.as_flattened().iter().enumerate() {
            prop_assert!((f64::from(*value) / 65535.0 - exact[i % 3 * area + i / 3]).abs() < 1.6 / 65535.0);
        }
    }
}
