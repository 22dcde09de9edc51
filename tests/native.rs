//! Networks as other projects save them, recognised by their names and shapes. Needs what `cargo xtask setup` installs.

use abbe_models::{Activation, Choice, Hints, open};
use serde_json::Value;
use tch::Device;

use crate::python::{assert_close, load_from};
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
    }
}
