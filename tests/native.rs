//! Networks as other projects save them, recognised by their names and shapes. Needs PyTorch,
//! and the packages that `cargo xtask test` installs.

use abbe_models::{Activation, Choice, Hints, Opened, open};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::python::{assert_close, load_all, load_from, tensor};
use crate::support::{Scratch, repository};

fn hints(case: &Value) -> Hints {
    let hints = &case["hints"];
    let activation = hints["activation"].as_str().map(|name| match name {
        "relu" => Activation::Relu,
        _ => Activation::LeakyRelu,
    });
    Hints { scale: hints["scale"].as_i64(), activation, res_scale: hints["res_scale"].as_f64() }
}

#[test]
fn every_projects_networks_are_recognised_and_compute_the_same() {
    let scratch = Scratch::new();
    let folder = repository("tests/python/native").canonicalize().unwrap();
    scratch.python(&format!("import sys; sys.path.insert(0, {folder:?}); import harness")).ok();
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(scratch.path("cases.json")).unwrap()).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let choice = Choice { hints: hints(&case), ..Choice::default() };
        let opened = open(&scratch.path(&format!("{name}.pth")), &choice, Device::Cpu);
        let opened = opened.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(serde_json::to_value(opened.config).unwrap(), case["config"], "{name}");
        assert_eq!(opened.layout, case["layout"], "{name}");
        let io = format!("{name}_io.pth");
        let [x, y] = ["x", "y"].map(|key| load_from(&scratch, &io, key));
        assert_close(&tch::no_grad(|| opened.built.network().forward(&x, false)), &y, name);
        if case["train"] == true {
            assert_trains_alike(&scratch, name, &opened, &x);
        }
    }
}

/// Three passes in training mode: what batch norm and spectral norm do to the output, the gradient and the buffers. The
/// parameters' gradients lie one after the other, so the parameters must have the order that an optimiser's state has. They
/// are judged by the largest of all, because a bias before batch norm has none but rounding.
fn assert_trains_alike(scratch: &Scratch, name: &str, opened: &Opened, x: &Tensor) {
    let expected = load_all(scratch, &format!("{name}_trained.pth"));
    let network = opened.built.network();
    let ys: Vec<_> = (0..3).map(|_| network.forward(x, true)).collect();
    ys.iter().map(|y| y.square().mean(Kind::Float)).sum::<Tensor>().backward();
    assert_close(&ys[2].detach(), &tensor(&expected["y"]), &format!("{name} in training"));
    let gradients =
        network.store().parameters().iter().map(|parameter| parameter.grad().flatten(0, -1)).collect::<Vec<_>>();
    assert_close(&Tensor::cat(&gradients, 0), &tensor(&expected["gradient"]), &format!("{name}: gradient"));
    let state = network.store().state_dict_as(&opened.config.naming(opened.layout).unwrap());
    for (key, saved) in expected.iter().filter_map(|(key, saved)| Some((key.strip_prefix("buffer.")?, saved))) {
        match saved.to_i64() {
            Ok(count) => assert_eq!(state[key].to_i64().unwrap(), count, "{name}: {key}"),
            Err(_) => assert_close(&tensor(&state[key]), &tensor(saved), &format!("{name}: {key}")),
        }
    }
}
