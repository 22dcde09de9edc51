//! How far networks see.

use tch::{Kind, Tensor};

use super::{noise, sr_models};
use crate::*;

/// The LR rows of a column of `rows` pixels, counted from `row`, that the output pixels at one phase of `row` depend on.
/// A column is enough to see it, since kernels are square.
fn seen(model: &dyn SrModel, rows: i64, row: i64, phase: i64) -> Tensor {
    let lr = noise(&[1, model.colors(), rows, 1]).set_requires_grad(true);
    model.forward(&lr, false).select(2, row * model.scale() + phase).sum(Kind::Float).backward();
    lr.grad().abs().sum_dim_intlist([0i64, 1, 3].as_slice(), false, Kind::Float).nonzero() - row
}

/// The farthest LR pixel that one output pixel depends on is at most `radius` away, and `radius` is not wasteful.
#[test]
fn radius_is_how_far_an_output_pixel_sees() {
    for (config, model) in sr_models().filter(|(_, model)| model.radius() < i64::MAX) {
        let radius = model.radius();
        let rows = 2 * radius + 2 + model.multiple();
        let phases = [0, model.scale() - 1].into_iter();
        let mut reach = 0;
        for (phase, row) in phases.flat_map(|phase| places(radius, &*model).map(move |row| (phase, row))) {
            let farthest = seen(model.as_ref(), rows, row, phase).abs().max().int64_value(&[]);
            assert!(farthest <= radius, "{config:?}: radius {radius}, but a pixel {farthest} away counts");
            reach = reach.max(farthest);
        }
        assert!(reach + 1 >= radius, "{config:?}: radius {radius}, but no pixel beyond {reach} counts");
    }
}

#[test]
fn without_a_radius_the_whole_picture_counts() {
    for (config, model) in sr_models().filter(|(_, model)| model.radius() == i64::MAX) {
        // Far beyond the convolutions of all but the largest of these networks.
        assert_eq!(seen(model.as_ref(), 100, 0, 0).numel(), 100, "{config:?}");
    }
}

/// Places in a column that has more than `radius` pixels on both sides of each, one for each way in which a network that
/// sees squares of pixels as one can see them.
fn places(radius: i64, model: &dyn SrModel) -> std::ops::Range<i64> {
    radius + 1..radius + 1 + model.multiple()
}
