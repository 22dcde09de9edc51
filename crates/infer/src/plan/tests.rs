//! Plans against the networks that they are made of.

use abbe_models::{Built, Config, NETWORKS, SrModel, build, edsr, rrdbnet, srcnn, srresnet, srvgg};
use tch::{Device, Kind, Tensor};

use super::*;

/// The network with values of any kind: biases, slopes and the numbers of batch norm are away from 0 and 1.
fn network(config: &Config) -> Option<Box<dyn SrModel>> {
    let Built::Sr(model) = config.build(Device::Cpu).unwrap() else { return None };
    tch::no_grad(|| {
        for mut parameter in model.store().parameters().into_iter().filter(|parameter| parameter.dim() == 1) {
            let _ = parameter.uniform_(0.1, 0.6);
        }
        let _ = model.forward(&picture(&*model, [2, 7, 5]), true); // moves the statistics of batch norm
    });
    Some(model)
}

/// Pictures of odd sides.
fn picture(model: &dyn SrModel, [n, h, w]: [i64; 3]) -> Tensor {
    Tensor::rand([n, model.colors(), h, w], (Kind::Float, Device::Cpu))
}

/// The largest difference between plan and network, as a part of the range of the network's output.
fn difference(model: &dyn SrModel, shape: [i64; 3], kind: Kind) -> f64 {
    let executor = Executor::new(model, kind).unwrap().expect("every network that enlarges has a graph");
    let xs = picture(model, shape);
    let expected = tch::no_grad(|| model.forward(&xs, false));
    let found = executor.run(&xs).unwrap();
    assert_eq!((found.size(), found.kind()), (expected.size(), Kind::Float));
    let range = (expected.max() - expected.min()).double_value(&[]);
    (found - expected).abs().max().double_value(&[]) / range
}

#[test]
fn every_network_has_a_plan_that_does_the_same() {
    if !abbe_torch::has_fused_convolutions() {
        return println!("skipped: this libtorch has no fused convolutions");
    }
    let samples = NETWORKS.iter().flat_map(|network| (network.samples)());
    // The samples have few channels: these are wide enough for a last convolution by rows.
    let wide = [
        srresnet::Config { blocks: 1, channels: 16, ..srresnet::Config::paper(2) }.into(),
        srresnet::Config { blocks: 1, channels: 16, output: srresnet::Output::Tanh, ..srresnet::Config::paper(2) }
            .into(),
        edsr::Config { blocks: 2, channels: 16, ..edsr::Config::paper(4) }.into(),
        srcnn::Config { colors: 1, ..srcnn::Config::paper(3) }.into(),
        srvgg::Config { convs: 2, channels: 48, ..srvgg::Config::general(2) }.into(),
        rrdbnet::Config { blocks: 1, channels: 32, growth: 16, ..rrdbnet::Config::paper(2) }.into(),
    ];
    for config in samples.chain(wide) {
        let Some(model) = network(&config) else { continue };
        for shape in [[2, 7, 5], [1, 1, 3]] {
            let difference = difference(&*model, shape, Kind::Float);
            assert!(difference < 1e-5, "{config}: {difference} of {shape:?}\n{}", Plan::new(&*model).unwrap());
        }
    }
}

#[test]
fn bfloat16_differs_by_its_rounding() {
    if !abbe_torch::has_fused_convolutions() {
        return println!("skipped: this libtorch has no fused convolutions");
    }
    // Eight bits of mantissa round by 1/512 at most, in each of a dozen layers.
    let config = srresnet::Config { blocks: 2, channels: 16, ..srresnet::Config::paper(4) }.into();
    let difference = difference(&*network(&config).unwrap(), [2, 7, 5], Kind::BFloat16);
    assert!(difference > 0.0 && difference < 0.05, "{difference}");
}

/// `abbe models NAME --plan` prints these.
#[test]
fn plans_are_as_stored() {
    let golden = [
        (srresnet::Config::paper(4).into(), include_str!("../../../../tests/golden/plans/srresnet.txt")),
        (edsr::Config::baseline(4).into(), include_str!("../../../../tests/golden/plans/edsr.txt")),
        (rrdbnet::Config::paper(4).into(), include_str!("../../../../tests/golden/plans/rrdbnet.txt")),
        (srvgg::Config::general(4).into(), include_str!("../../../../tests/golden/plans/srvgg.txt")),
    ];
    for (config, expected) in golden {
        let config: Config = config;
        let plan = Plan::new(&*build(&config, Device::Cpu).unwrap()).unwrap();
        assert_eq!(plan.to_string(), expected, "{config}");
    }
}

#[test]
fn a_value_that_is_needed_later_is_not_overwritten() {
    // The head's value is added in the first block and after the last: only there its memory is taken over.
    let config = srresnet::Config { blocks: 2, channels: 8, ..srresnet::Config::paper(2) };
    let plan = Plan::new(&*build(&config.into(), Device::Cpu).unwrap()).unwrap();
    let sums = plan.0.iter().filter_map(|step| match step.op {
        Op::Convolution(Convolution { sum, .. }) if sum != Sum::None => Some((step.name.as_str(), sum)),
        _ => None,
    });
    let expected = [("body.0.conv2", Sum::Other), ("body.1.conv2", Sum::Onto), ("fuse.0", Sum::Onto)];
    assert_eq!(sums.collect::<Vec<_>>(), expected);
}
