//! LPIPS against float64 arithmetic on torchvision's networks (`tests/python/perceptual.py`), within 1e-5 of each value. The
//! files that it is opened with are those that PyTorch and the lpips package write.

#[path = "../../data/tests/support/mod.rs"]
mod support;

use std::path::Path;

use abbe_checkpoint::{StateDict, state_dict_of};
use abbe_models::lpips::{Lpips, Net};
use tch::{Device, Tensor};

/// Weights and pictures in a folder of their own, and the distances that Python finds.
fn made(net: Net) -> (tempfile::TempDir, Vec<Vec<f64>>) {
    let folder = tempfile::tempdir().unwrap();
    let script = support::repository("tests/python/perceptual.py");
    let output = support::python().arg(script).arg(net.name()).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let numbers = |line: &str| line.split(' ').map(|number| number.parse().unwrap()).collect();
    (folder, String::from_utf8(output.stdout).unwrap().lines().map(numbers).collect())
}

fn read(path: &Path) -> StateDict {
    state_dict_of(&abbe_checkpoint::read(path).unwrap()).unwrap()
}

fn pictures(saved: &StateDict, name: &str) -> Tensor {
    let shape: Vec<i64> = saved[name].shape().iter().map(|side| *side as i64).collect();
    Tensor::from_slice(&saved[name].to_f32().unwrap()).view(&shape[..])
}

#[test]
fn distances_are_those_of_float64() {
    if !support::has("torchvision") {
        return;
    }
    tch::set_num_threads(1); // tests run side by side
    for net in Net::ALL {
        let (folder, expected) = made(net);
        let [backbone, linear] = ["backbone.pth", "linear.pth"].map(|name| folder.path().join(name));
        let lpips = Lpips::open(net, &backbone, Some(&linear), Device::Cpu).unwrap();
        assert_eq!(lpips.notices.len(), 2, "{:?}", lpips.notices);
        let package = support::repository(&format!("crates/models/weights/lpips-0.1/{}.pth", net.name()));
        let notices = Lpips::open(net, &backbone, Some(&package), Device::Cpu).unwrap().notices;
        assert!(notices.len() == 1 && notices[0].contains("backbone.pth"), "{notices:?}");
        let saved = read(&folder.path().join("pictures.pth"));
        assert!(!expected.is_empty() && saved.len() == 2 * expected.len());
        for (i, expected) in expected.iter().enumerate() {
            let [xs, ys] = ["x", "y"].map(|name| pictures(&saved, &format!("{name}{i}")));
            let found = lpips.distances(&xs, &ys).unwrap();
            let error =
                found.iter().zip(expected).map(|(found, value)| (found / value - 1.0).abs()).fold(0.0, f64::max);
            println!("{} {:?}: {expected:?}, {error:.1e}", net.name(), xs.size());
            assert!(found.len() == expected.len() && error < 1e-5, "{net:?} {i}: {found:?}, expected {expected:?}");
        }
        refuses_other_weights(net, folder.path());
    }
}

/// Strictly: nothing may be missing and nothing may be left over, and the file is named.
fn refuses_other_weights(net: Net, folder: &Path) {
    let [backbone, linear] = ["backbone.pth", "linear.pth"].map(|name| folder.join(name));
    let failure = |backbone: &Path, linear: &Path| {
        let error = Lpips::open(net, backbone, Some(linear), Device::Cpu).err().unwrap();
        let source = std::error::Error::source(&error).unwrap().to_string();
        (error.to_string(), source)
    };
    let (message, source) = failure(&backbone, &backbone);
    assert!(message.contains("backbone.pth") && source.contains("lin0.model.1.weight"), "{message}: {source}");
    let mut state = read(&backbone);
    state.insert("features.99.weight".into(), state["features.0.weight"].clone());
    state.swap_remove("features.0.bias");
    let other = folder.join("other.pth");
    abbe_checkpoint::save_state_dict(&other, &state, None).unwrap();
    let (message, source) = failure(&other, &linear);
    let named = ["features.99.weight", "features.0.bias"].iter().all(|name| source.contains(name));
    assert!(message.contains("other.pth") && named && !source.contains("classifier"), "{message}: {source}");
}
