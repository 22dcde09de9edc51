use tch::{Device, Kind, Tensor};

use super::activation::recorded;
use crate::graph::{Op, noted};

/// `[N, C, h, w]` with the height and the width rounded up to multiples of `multiple`. The rows added at the bottom and the
/// columns added at the right mirror those before the last one, as in Real-ESRGAN, whose pictures must be larger than what
/// is added; here smaller ones are mirrored again and again, and a single row or column is repeated.
pub fn pad_to_multiple(xs: &Tensor, multiple: i64) -> Tensor {
    let (_, _, h, w) = xs.size4().expect("a picture batch is [N, C, h, w]");
    if h % multiple == 0 && w % multiple == 0 {
        return noted(Op::PadMirrored(multiple), &[xs], xs.shallow_clone());
    }
    let index = |length| mirrored(length, multiple, xs.device());
    let ys = recorded("", "ReflectionPad2d", 0, xs.index_select(2, &index(h)).index_select(3, &index(w)));
    noted(Op::PadMirrored(multiple), &[xs], ys)
}

/// The same with the last row and column repeated instead.
pub fn continue_to_multiple(xs: &Tensor, multiple: i64) -> Tensor {
    let (_, _, h, w) = xs.size4().expect("a picture batch is [N, C, h, w]");
    let rest = |side: i64| (-side).rem_euclid(multiple);
    noted(Op::PadReplicated(multiple), &[xs], xs.replication_pad2d([0, rest(w), 0, rest(h)]))
}

/// For each place of the padded axis, the place of the axis of `length` that it shows. The device counts by itself: while a CUDA
/// graph is captured nothing can be copied from the host.
fn mirrored(length: i64, multiple: i64, device: Device) -> Tensor {
    let period = (2 * length - 2).max(1);
    let last = length - 1;
    let places = Tensor::arange((length + multiple - 1) / multiple * multiple, (Kind::Int64, device));
    last - (places.remainder(period) - last).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_mirrors_the_end() {
        let mirrored = |length, multiple| Vec::<i64>::try_from(mirrored(length, multiple, Device::Cpu)).unwrap();
        assert_eq!(mirrored(8, 4), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(mirrored(5, 4), [0, 1, 2, 3, 4, 3, 2, 1]);
        assert_eq!(mirrored(2, 4), [0, 1, 0, 1]);
        assert_eq!(mirrored(1, 4), [0, 0, 0, 0]);
    }

    #[test]
    fn it_is_pytorchs_reflection_where_that_is_defined() {
        let xs = Tensor::rand([2, 3, 5, 6], (Kind::Float, Device::Cpu));
        assert!(pad_to_multiple(&xs, 4).equal(&xs.reflection_pad2d([0, 2, 0, 3])));
        assert!(pad_to_multiple(&xs, 1).equal(&xs));
    }
}
