//! Values of the losses, and their gradients with respect to SR or the logits, against PyTorch's.
//!
//! The content loss is computed in float64: a rectifier that float32's rounding opens or closes changes its gradient, and
//! every kind of processor rounds otherwise. Its gradient in float32 is compared as a whole, where one of them counts little.

use Variable::{Fake, Real, Sr};
use abbe_train::loss::adversarial::Form;
use abbe_train::loss::{Distance, Inputs, Judged, Judgement, Loss as _, Perception, adversarial, content, pixel};
use anyhow::Result;
use tch::Kind::{self, Double, Float};
use tch::{Device, Tensor};

use crate::check::{Check, Unit, largest};
use crate::golden::{difference, distance};
use crate::hashed::{INPUT, hashed};
use crate::networks::vgg19;

type Loss = fn(&Tensor, &Given) -> Result<Tensor>;

/// Each loss, the type of numbers that it is computed in, and the tensor that its gradient is taken for.
const LOSSES: [(&str, Kind, Variable, Loss); 9] = [
    ("pixel_l1", Float, Sr, |x, given| pixel(x, given, Distance::L1)),
    ("pixel_mse", Float, Sr, |x, given| pixel(x, given, Distance::Mse)),
    ("content_relu2_2_l1", Double, Sr, |x, given| content(x, given, "relu2_2", Distance::L1)),
    ("content_relu5_4_mse", Double, Sr, content_relu5_4_mse),
    ("content_conv5_4_mse", Double, Sr, |x, given| content(x, given, "conv5_4", Distance::Mse)),
    ("adversarial_non_saturating", Float, Fake, |z, _| adversarial(z, Form::NonSaturating)),
    ("adversarial_saturating", Float, Fake, |z, _| adversarial(z, Form::Saturating)),
    ("discriminator_fake", Float, Fake, |z, given| Ok(critic().discriminator(&given.real, z, None).value)),
    ("discriminator_real", Float, Real, |z, given| Ok(critic().discriminator(z, &given.fake, None).value)),
];

#[derive(Clone, Copy)]
enum Variable {
    Sr,
    Real,
    Fake,
}

/// Pictures and logits.
struct Given {
    sr: Tensor,
    hr: Tensor,
    real: Tensor,
    fake: Tensor,
}

impl Given {
    fn on(device: Device, kind: Kind) -> Self {
        let picture = |salt| (hashed(&[2, 3, 32, 32], INPUT + salt, 1.0, device) + 0.5).to_kind(kind);
        let logits = |salt| hashed(&[4, 1], INPUT + salt, 12.0, device).to_kind(kind);
        Given { sr: picture(0), hr: picture(1), real: logits(2), fake: logits(3) }
    }
}

pub fn checks(device: Device) -> Vec<Check> {
    let check = |name: &str, compute: Box<dyn Fn() -> Result<f64>>, limit| {
        let reference = "PyTorch 2.11.0 in float64, value and gradient";
        Check::new("losses", name, reference, Unit::Relative, compute).on(device, limit)
    };
    let each = LOSSES.into_iter().map(|(name, kind, variable, loss)| {
        let found = move || value_and_gradient(variable, loss, &Given::on(device, kind));
        check(name, Box::new(move || compare(name, &found()?, difference)), 1e-6)
    });
    let float32 = move || {
        let found = value_and_gradient(Sr, content_relu5_4_mse, &Given::on(device, Float))?;
        compare("content_relu5_4_mse", &found, distance)
    };
    each.chain([check("content_relu5_4_mse-float32", Box::new(float32), 1e-3)]).collect()
}

fn value_and_gradient(variable: Variable, loss: Loss, given: &Given) -> Result<[Tensor; 2]> {
    let variable = match variable {
        Sr => &given.sr,
        Real => &given.real,
        Fake => &given.fake,
    };
    let variable = variable.copy().set_requires_grad(true);
    let value = loss(&variable, given)?;
    value.backward();
    Ok([value.detach().view(1), variable.grad()])
}

/// The larger difference of value and gradient, as `measure` has it.
fn compare(name: &str, [value, gradient]: &[Tensor; 2], measure: fn(&Tensor, &str) -> Result<f64>) -> Result<f64> {
    let found = [("value", value), ("gradient", gradient)];
    largest(found.map(|(what, found)| measure(found, &format!("losses.{name}.{what}"))))
}

fn content_relu5_4_mse(x: &Tensor, given: &Given) -> Result<Tensor> {
    content(x, given, "relu5_4", Distance::Mse)
}

fn pixel(x: &Tensor, given: &Given, distance: Distance) -> Result<Tensor> {
    pixel::Config { weight: 1.0, distance }.value(&Inputs::of_pictures(x, &given.hr))
}

fn content(x: &Tensor, given: &Given, layer: &str, distance: Distance) -> Result<Tensor> {
    let layers = [(layer.to_owned(), 1.0)].into_iter().collect();
    let config = content::Config { weight: 1.0, distance, layers, imagenet_normalization: true };
    let vgg = vgg19(x.device())?;
    vgg.store().parameters().iter_mut().for_each(|weights| weights.set_data(&weights.to_kind(x.kind())));
    let vgg = Perception::new(&vgg, Kind::Float, [(layer, true)], [x, &given.hr])?;
    config.value(&Inputs { vgg: Some(&vgg), ..Inputs::of_pictures(x, &given.hr) })
}

fn adversarial(z: &Tensor, form: Form) -> Result<Tensor> {
    let judgement =
        Judgement { fake: Judged { logits: z.shallow_clone(), features: Vec::new() }, real: None, ranks: None };
    let config = adversarial::Config { form, ..critic() };
    config.value(&Inputs { judgement: Some(&judgement), ..Inputs::of_pictures(z, z) })
}

/// The loss of Goodfellow et al.
fn critic() -> adversarial::Config {
    adversarial::Config { weight: 1.0, form: Form::NonSaturating, relativistic_average: false }
}
