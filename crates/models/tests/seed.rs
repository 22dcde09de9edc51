//! First values against PyTorch's. The test is alone in its process, because libtorch's generator belongs to all threads.

use abbe_checkpoint::state_dict_of;
use abbe_models::{Config, Hints, build, copy, recognise, srcnn, srresnet};
use tch::{Device, Tensor};

#[test]
fn a_seed_gives_pytorchs_first_values() {
    tch::manual_seed(7);
    let config = srresnet::Config { blocks: 1, channels: 4, ..srresnet::Config::paper(4) };
    let config = Config::Srresnet(config);
    let network = build(&config, Device::Cpu).unwrap();
    let found = network.store().state_dict();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/models/init.pth");
    let expected = state_dict_of(&abbe_checkpoint::read(path).unwrap()).unwrap();
    for (name, saved) in found.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")) {
        let (found, expected) = (saved.to_f32().unwrap(), expected[&format!("state.{name}")].to_f32().unwrap());
        let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(found.len() == expected.len() && error < 1e-7, "{name}: {error}");
    }

    // Copying and recognising draw nothing: what is drawn after them is what would have been drawn without them.
    let draw = |between: &dyn Fn()| {
        tch::manual_seed(1);
        between();
        Tensor::rand([2], tch::kind::FLOAT_CPU)
    };
    let expected = draw(&|| ());
    assert_eq!(draw(&|| drop(copy(&config, network.as_ref()).unwrap())), expected);
    let srcnn = build(&Config::Srcnn(srcnn::Config::paper(2)), Device::Cpu).unwrap().store().state_dict();
    let hints = Hints { scale: Some(2), ..Hints::default() };
    assert_eq!(draw(&|| drop(recognise(&srcnn, &hints, Device::Cpu).unwrap())), expected);
}
