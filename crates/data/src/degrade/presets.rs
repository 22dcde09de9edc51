use std::f64::consts::PI;

use super::{
    Base, Blur, Branch, Config, Decimate, Factor, Family, GaussianNoise, Interpolation, Jpeg, Kinds, PoissonNoise,
    RandomKernel, Resize, Sharpen, Spread, Step,
};

/// The kernels that both papers draw from with equal probability.
const KERNELS: [Interpolation; 3] = [Interpolation::Area, Interpolation::Bilinear, Interpolation::Bicubic];

/// The second-order degradation of Real-ESRGAN (Wang et al., arXiv 2107.10833), with the settings of its x4 models.
pub fn real_esrgan() -> Config {
    let first = [
        Step::Blur(mixed_blur([0.2, 3.0])),
        resize(Base::Picture, Factor::Range { probabilities: [0.2, 0.7, 0.1], range: [0.15, 1.5] }),
        either_noise([1.0, 30.0], [0.05, 3.0]),
        Step::Jpeg(Jpeg { quality: [30, 95] }),
    ];
    let second = [
        sometimes(0.8, Step::Blur(mixed_blur([0.2, 1.5]))),
        resize(Base::Lr, Factor::Range { probabilities: [0.3, 0.4, 0.3], range: [0.3, 1.2] }),
        either_noise([1.0, 25.0], [0.05, 2.5]),
        either_order(),
    ];
    let sharpen = Sharpen { weight: 0.5, radius: 50, threshold: 10.0 };
    Config { sharpen: Some(sharpen), steps: first.into_iter().chain(second).collect() }
}

/// Nine tenths bells and plateaus, one tenth sinc filters, of which the three sizes below 13 have another least cutoff
/// than the five others.
fn mixed_blur(sigma: [f64; 2]) -> Blur {
    let shaped = |probability, family| RandomKernel { probability, size: [7, 21], family };
    let sinc =
        |probability, size, least| RandomKernel { probability, size, family: Family::Sinc { cutoff: [least, PI] } };
    let [circle, ellipse] = [Spread::Isotropic(sigma), Spread::Anisotropic(sigma)];
    let generalised = |spread: &Spread| Family::GeneralisedGaussian { spread: spread.clone(), beta: [0.5, 4.0] };
    let plateau = |spread: &Spread| Family::Plateau { spread: spread.clone(), beta: [1.0, 2.0] };
    Blur {
        kernels: vec![
            shaped(0.405, Family::Gaussian(circle.clone())),
            shaped(0.225, Family::Gaussian(ellipse.clone())),
            shaped(0.108, generalised(&circle)),
            shaped(0.027, generalised(&ellipse)),
            shaped(0.108, plateau(&circle)),
            shaped(0.027, plateau(&ellipse)),
            sinc(0.0375, [7, 11], PI / 3.0),
            sinc(0.0625, [13, 21], PI / 5.0),
        ],
    }
}

fn either_noise(sigma: [f64; 2], scale: [f64; 2]) -> Step {
    let kinds = Kinds { colour: 0.6, grey: 0.4, correlated: 0.0 };
    let gaussian = Step::GaussianNoise(GaussianNoise { sigma, kinds });
    one_of([(0.5, vec![gaussian]), (0.5, vec![Step::PoissonNoise(PoissonNoise { scale, grey: 0.4 })])])
}

/// The LR size and a sinc filter, then JPEG, or JPEG first.
fn either_order() -> Step {
    let sinc = Family::Sinc { cutoff: [PI / 3.0, PI] };
    let kernels = vec![
        RandomKernel { probability: 0.8, size: [7, 21], family: sinc },
        RandomKernel { probability: 0.2, size: [1, 1], family: Family::Delta },
    ];
    let [size, sinc] = [resize(Base::Lr, Factor::Exactly(1.0)), Step::Blur(Blur { kernels })];
    let jpeg = Step::Jpeg(Jpeg { quality: [30, 95] });
    one_of([(0.5, vec![size.clone(), sinc.clone(), jpeg.clone()]), (0.5, vec![jpeg, size, sinc])])
}

/// The shuffled degradation of BSRGAN (Zhang et al., arXiv 2103.14006) for a scale of 2 or more, with the settings of
/// its code, without the camera's noise, for which the code needs a separate model.
///
/// At scale 4 a quarter of the pictures is halved first and then treated as at scale 2.
pub fn bsrgan(scale: usize) -> Config {
    let last = Step::Jpeg(Jpeg { quality: [30, 95] });
    if scale != 4 {
        return Config { sharpen: None, steps: vec![bsrgan_shuffle(scale), last] };
    }
    let half = |kernels| Step::Resize(Resize { of: Base::Picture, factor: Factor::Exactly(0.5), kernels });
    let halves = one_of([(0.5, vec![half(KERNELS.into())]), (0.5, vec![half(vec![Interpolation::Imresize])])]);
    let branches = [(0.25, vec![halves, bsrgan_shuffle(2)]), (0.75, vec![bsrgan_shuffle(4)])];
    Config { sharpen: None, steps: vec![one_of(branches), last] }
}

fn bsrgan_shuffle(scale: usize) -> Step {
    let factor = scale as f64;
    let down = resize(Base::Picture, Factor::OneOver([1.0, 2.0 * factor]));
    let decimate = Step::Decimate(Decimate { factor: scale, sigma: [0.1, 0.6 * factor] });
    let kinds = Kinds { colour: 0.4, grey: 0.4, correlated: 0.2 };
    Step::Shuffle(vec![
        Step::Blur(bsrgan_blur(factor)),
        Step::Blur(bsrgan_blur(factor)),
        one_of([(0.75, vec![down]), (0.25, vec![decimate])]),
        resize(Base::Lr, Factor::Exactly(1.0)),
        Step::GaussianNoise(GaussianNoise { sigma: [2.0, 25.0], kinds }),
        sometimes(0.9, Step::Jpeg(Jpeg { quality: [30, 95] })),
    ])
}

/// Ranges begin at 0 in the code, where the formula has no value; along an axis with a sigma of 0.1 (a variance of
/// 0.01) or less a bell is already a single pixel.
fn bsrgan_blur(factor: f64) -> Blur {
    let kernel = |spread| RandomKernel { probability: 0.5, size: [7, 25], family: Family::Gaussian(spread) };
    let circle = Spread::Isotropic([0.01, 2.0 + 0.2 * factor]);
    Blur { kernels: vec![kernel(Spread::AnisotropicVariance([0.01, 4.0 + factor])), kernel(circle)] }
}

fn resize(of: Base, factor: Factor) -> Step {
    Step::Resize(Resize { of, factor, kernels: KERNELS.into() })
}

fn sometimes(probability: f64, step: Step) -> Step {
    one_of([(probability, vec![step])])
}

fn one_of<const N: usize>(branches: [(f64, Vec<Step>); N]) -> Step {
    Step::OneOf(branches.map(|(probability, steps)| Branch { probability, steps }).into())
}
