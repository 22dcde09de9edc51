//! Losses, their gradients, and optimisers against numbers that PyTorch made (`tests/golden/train/make.py`).

use abbe_checkpoint::StateDict;
use abbe_models::vgg::{Features, Net};
use abbe_torch::{Adam, AdamConfig, Sgd, SgdConfig};
use abbe_train::loss::{Distance, adversarial, content, pixel};
use tch::{Device, Kind, Tensor};

use crate::support::repository;

/// The tensors of a golden file, by name.
struct Golden(StateDict);

impl Golden {
    fn read(name: &str) -> Self {
        let value = abbe_checkpoint::read(repository("tests/golden/train").join(name)).unwrap();
        Golden(abbe_checkpoint::state_dict_of(&value).unwrap())
    }

    fn tensor(&self, name: &str) -> Tensor {
        let stored = &self.0[name];
        let shape: Vec<i64> = stored.shape().iter().map(|&side| side as i64).collect();
        Tensor::from_slice(&stored.to_f32().unwrap()).view(&shape[..])
    }
}

/// Largest difference in relation to the largest value.
fn difference(ours: &Tensor, theirs: &Tensor) -> f64 {
    let largest = |tensor: &Tensor| tensor.abs().max().double_value(&[]);
    largest(&(ours - theirs)) / largest(theirs)
}

/// The formula of make.py: entry k is ((k * 2654435761 mod 2^32) / 2^32 - 0.5) * 2 * bound.
fn formula(shape: &[i64], bound: f64) -> Tensor {
    let count = shape.iter().product::<i64>() as u32;
    let unit = |k: u32| f64::from(k.wrapping_mul(2_654_435_761)) / 4_294_967_296.0;
    let values: Vec<f32> = (0..count).map(|k| ((unit(k) - 0.5) * 2.0 * bound) as f32).collect();
    Tensor::from_slice(&values).view(shape)
}

fn vgg19() -> Features {
    let vgg = Features::new(Net::Vgg19, Device::Cpu);
    tch::no_grad(|| {
        for mut weights in vgg.store().parameters() {
            let shape = weights.size();
            let bound = if shape.len() == 4 { (6.0 / (9 * shape[1]) as f64).sqrt() } else { 0.1 };
            weights.copy_(&formula(&shape, bound));
        }
    });
    vgg
}

#[test]
fn losses_and_their_gradients_are_pytorchs() {
    let golden = Golden::read("losses.pth");
    let (sr, hr) = (golden.tensor("sr"), golden.tensor("hr"));
    let (real, fake) = (golden.tensor("real"), golden.tensor("fake"));
    let vgg = vgg19();
    let content = |x: &Tensor, layer: &str, distance| {
        let layers = [(layer.to_owned(), 1.0)].into_iter().collect();
        let config = content::Config { weight: 1.0, distance, layers, imagenet_normalization: true };
        content::term(&config, &vgg, x, &hr).unwrap().value
    };
    let pixel = |x: &Tensor, distance| pixel::term(&pixel::Config { weight: 1.0, distance }, x, &hr).value;
    let adversarial = |z: &Tensor, form| adversarial::term(&adversarial::Config { weight: 1.0, form }, z).value;
    type Loss<'a> = Box<dyn Fn(&Tensor) -> Tensor + 'a>;
    let cases: [(&str, &Tensor, Loss); 9] = [
        ("pixel_l1", &sr, Box::new(|x| pixel(x, Distance::L1))),
        ("pixel_mse", &sr, Box::new(|x| pixel(x, Distance::Mse))),
        ("content_relu2_2_l1", &sr, Box::new(|x| content(x, "relu2_2", Distance::L1))),
        ("content_relu5_4_mse", &sr, Box::new(|x| content(x, "relu5_4", Distance::Mse))),
        ("content_conv5_4_mse", &sr, Box::new(|x| content(x, "conv5_4", Distance::Mse))),
        ("adversarial_non_saturating", &fake, Box::new(|z| adversarial(z, adversarial::Form::NonSaturating))),
        ("adversarial_saturating", &fake, Box::new(|z| adversarial(z, adversarial::Form::Saturating))),
        ("discriminator_fake", &fake, Box::new(|z| adversarial::discriminator(&real, z).value)),
        ("discriminator_real", &real, Box::new(|z| adversarial::discriminator(z, &fake).value)),
    ];
    for (name, variable, loss) in cases {
        let variable = variable.copy().set_requires_grad(true);
        let value = loss(&variable);
        value.backward();
        let value = difference(&value.detach().view(1), &golden.tensor(name));
        let gradient = difference(&variable.grad(), &golden.tensor(&format!("{name}_gradient")));
        println!("{name}: value {value:.1e}, gradient {gradient:.1e}");
        assert!(value < 1e-5 && gradient < 1e-5, "{name}: value {value:e}, gradient {gradient:e}");
    }
}

/// A hundred steps with the gradients of a golden file; the parameters and what is kept for each must be PyTorch's.
fn check_optimizer<O>(
    file: &str,
    new: impl Fn(Vec<Tensor>) -> O,
    step: impl Fn(&mut O),
    kept: impl Fn(&O, usize) -> Vec<(&'static str, Tensor)>,
) {
    let golden = Golden::read(file);
    let parameters = ["a", "b"].map(|name| golden.tensor(name).set_requires_grad(true));
    let gradients = ["a", "b"].map(|name| golden.tensor(&format!("gradients_{name}")));
    let mut optimizer = new(parameters.iter().map(Tensor::shallow_clone).collect());
    for index in 0..100 {
        for (parameter, gradient) in parameters.iter().zip(&gradients) {
            parameter.shallow_clone().zero_grad();
            (parameter * gradient.get(index)).sum(Kind::Float).backward(); // the gradient of sum(p * g) is g
        }
        step(&mut optimizer);
    }
    for (index, name) in ["a", "b"].into_iter().enumerate() {
        let mut pairs = kept(&optimizer, index);
        pairs.push(("final", parameters[index].detach()));
        for (what, ours) in pairs {
            let difference = difference(&ours, &golden.tensor(&format!("{what}_{name}")));
            println!("{file}, {what}_{name}: {difference:.1e}");
            assert!(difference < 1e-6, "{file}, {what}_{name}: {difference:e}");
        }
    }
}

#[test]
fn a_hundred_steps_of_adam_and_adamw_are_pytorchs() {
    let adam =
        AdamConfig { lr: 1e-2, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled_weight_decay: false };
    let adamw = AdamConfig { weight_decay: 0.1, decoupled_weight_decay: true, ..adam };
    for (file, config) in [("adam.pth", adam), ("adamw.pth", adamw)] {
        let kept = |adam: &Adam, index: usize| {
            let state = adam.state()[index].as_ref().unwrap();
            assert_eq!(state.step.double_value(&[]), 100.0);
            vec![("exp_avg", state.exp_avg.shallow_clone()), ("exp_avg_sq", state.exp_avg_sq.shallow_clone())]
        };
        check_optimizer(file, |parameters| Adam::new(parameters, config), |adam| adam.step().unwrap(), kept);
    }
}

#[test]
fn a_hundred_steps_of_sgd_are_pytorchs() {
    for (file, nesterov) in [("sgd.pth", false), ("nesterov.pth", true)] {
        let config = SgdConfig { lr: 1e-2, momentum: 0.9, weight_decay: 0.1, nesterov };
        let kept =
            |sgd: &Sgd, index: usize| vec![("momentum_buffer", sgd.state()[index].as_ref().unwrap().shallow_clone())];
        check_optimizer(file, |parameters| Sgd::new(parameters, config), |sgd| sgd.step().unwrap(), kept);
    }
}
