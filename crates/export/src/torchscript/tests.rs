use abbe_models::{Built, Config, NETWORKS, SrModel, build, rrdbnet, srcnn, srresnet};
use tch::{CModule, Device};

use super::*;
use crate::Precision;

fn exported(config: &Config, model: &dyn SrModel, precision: Precision) -> Exported {
    let facts = Facts::new(config, model, Vec::new(), precision);
    export(model, &facts).unwrap_or_else(|error| panic!("{config}: {error}"))
}

/// The module is compared with the network while it is made.
#[test]
fn every_network_that_enlarges_is_a_module() {
    for config in NETWORKS.iter().flat_map(|network| (network.samples)()) {
        let Built::Sr(model) = config.build(Device::Cpu).unwrap() else { continue };
        let difference = exported(&config, &*model, Precision::Float32).difference.unwrap();
        println!("{difference:.1e} {config}");
    }
}

#[test]
fn the_source_says_what_the_network_does() {
    let config = srcnn::Config { kernels: [5, 1, 3], channels: [4, 3], colors: 3, scale: 2 };
    let model = build(&config.into(), Device::Cpu).unwrap();
    let text = source::source(&steps(&*model, "srcnn", Precision::Float32).unwrap());
    // At half the distance of pixels, 1/4 and 3/4: k(7/4), k(3/4), k(1/4), k(5/4) of Keys' kernel, and their mirror image.
    let weights =
        "[-0.0234375, 0.2265625, 0.8671875, -0.0703125, 0.0, 0.0, -0.0703125, 0.8671875, 0.2265625, -0.0234375]";
    let expected = format!(
        "def forward(self, lr: Tensor) -> Tensor:
    x0 = lr.to(self.conv1.weight.dtype)
    x1 = self.bicubic(x0, 2, {weights})
    x2 = torch.conv2d(x1, self.conv1.weight, self.conv1.bias, [1, 1], [2, 2])
    x3 = torch.relu(x2)
    x4 = torch.conv2d(x3, self.conv2.weight, self.conv2.bias, [1, 1], [0, 0])
    x5 = torch.relu(x4)
    x6 = torch.conv2d(x5, self.conv3.weight, self.conv3.bias, [1, 1], [1, 1])
    return x6.to(lr.dtype)
"
    );
    assert!(text.starts_with(&expected), "{text}");
    assert_eq!((text.matches("def ").count(), text.contains("def bicubic")), (2, true), "{text}");
}

#[test]
fn tensors_have_the_names_of_the_state_dict() {
    let config = srresnet::Config { blocks: 1, channels: 4, ..srresnet::Config::paper(2) }.into();
    let model = build(&config, Device::Cpu).unwrap();
    let module = CModule::load_data(&mut exported(&config, &*model, Precision::Float32).bytes.as_slice()).unwrap();
    let mut names: Vec<_> = module.named_parameters().unwrap().into_iter().map(|(name, _)| name).collect();
    let mut expected = model.store().parameter_names();
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn float16_differs_by_its_rounding() {
    // Ten bits of mantissa round by 1/2048 at most, in each of a dozen layers.
    let config =
        rrdbnet::Config { scale: 2, blocks: 1, channels: 4, growth: 4, unshuffle: 2, colors: 3, plus: false }.into();
    let model = build(&config, Device::Cpu).unwrap();
    let difference = exported(&config, &*model, Precision::Float16).difference.unwrap();
    assert!(difference > 0.0 && difference < 0.02, "{difference}");
}

#[test]
fn a_module_of_other_weights_or_another_scale_is_not_the_network() {
    let small = srcnn::Config { kernels: [3, 1, 1], channels: [2, 2], ..srcnn::Config::paper(2) };
    let [config, larger] = [small, srcnn::Config { scale: 3, ..small }].map(Config::from);
    let model = build(&config, Device::Cpu).unwrap();
    let bytes = exported(&config, &*model, Precision::Float32).bytes;
    let error = |config: &Config| {
        let other = build(config, Device::Cpu).unwrap();
        check::difference(&*other, &bytes, Precision::Float32).unwrap_err().to_string()
    };
    assert!(error(&config).contains("of the output's range"), "{}", error(&config));
    assert!(error(&larger).contains("[1, 3, 14, 10]"), "{}", error(&larger));
    assert_eq!(check::difference(&*model, &bytes, Precision::Float32).unwrap(), 0.0);
}

#[test]
fn a_network_that_overflows_is_refused() {
    let config = Config::from(srcnn::Config { kernels: [1, 1, 1], channels: [1, 1], ..srcnn::Config::paper(2) });
    let model = build(&config, Device::Cpu).unwrap();
    let fill = |value: f64| {
        tch::no_grad(|| model.store().parameters().iter_mut().for_each(|parameter| drop(parameter.fill_(value))));
    };
    let refused = |precision| {
        let facts = Facts::new(&config, &*model, Vec::new(), precision);
        export(&*model, &facts).err().map(|error| error.to_string()).unwrap_or_default()
    };
    fill(1e5);
    assert!(refused(Precision::Float16).contains("conv1.weight"));
    fill(f64::INFINITY);
    assert!(refused(Precision::Float32).contains("not finite"));
    // The first layer gives at least its bias, 300, the second 300 times that and 300 more, above 65,504.
    fill(300.0);
    assert!(refused(Precision::Float16).starts_with("sr: "));
    assert_eq!(refused(Precision::Float32), "");
    fill(1.0);
    assert_eq!(refused(Precision::Float32), "");
}
