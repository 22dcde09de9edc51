//! The steps that a file needs.

use abbe_models::SrModel;
use abbe_models::graph::{Graph, Op, Step, graph};

use crate::{Error, Precision};

/// The network's graph, its tensors in `precision`, without the steps that change nothing in it.
///
/// # Errors
/// [`Error::NoGraph`], [`Error::Overflow`].
pub(crate) fn steps(model: &dyn SrModel, name: &str, precision: Precision) -> Result<Graph, Error> {
    let graph = graph(model).ok_or_else(|| Error::NoGraph(name.into()))?;
    let continues = graph.iter().any(|step| matches!(step.op, Op::PadMirrored(2..) | Op::PadReplicated(2..)));
    let (mut kept, mut numbers) = (Graph::new(), Vec::new());
    for mut step in graph {
        step.inputs.iter_mut().for_each(|input| *input = numbers[*input]);
        if changes_nothing(&step, continues) {
            numbers.push(step.inputs[0]);
            continue;
        }
        let tensors = step.names().zip(&step.tensors).map(|(name, tensor)| precision.of(&name, tensor));
        step.tensors = tensors.collect::<Result<_, _>>()?;
        numbers.push(kept.len());
        kept.push(step);
    }
    Ok(kept)
}

/// A network that continues no picture cuts nothing off either.
fn changes_nothing(step: &Step, continues: bool) -> bool {
    match step.op {
        Op::PadMirrored(factor) | Op::PadReplicated(factor) | Op::PixelUnshuffle(factor) => factor == 1,
        Op::Crop(_) => !continues,
        Op::Concatenate => step.inputs.len() == 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use abbe_models::{Network, Store, build, rrdbnet};
    use tch::{Device, Tensor};

    use super::*;

    struct Doubled(Store);

    impl Network for Doubled {
        fn forward(&self, xs: &Tensor, _train: bool) -> Tensor {
            xs * 2.0 // noted by nobody
        }

        fn store(&self) -> &Store {
            &self.0
        }
    }

    impl SrModel for Doubled {
        fn scale(&self) -> i64 {
            1
        }

        fn radius(&self) -> i64 {
            0
        }
    }

    #[test]
    fn a_network_without_a_graph_is_refused() {
        let error = steps(&Doubled(Store::new(Device::Cpu)), "doubled", Precision::Float32).unwrap_err().to_string();
        assert!(error.starts_with("doubled cannot be exported"), "{error}");
    }

    fn ops(unshuffle: i64) -> Vec<Op> {
        let config = rrdbnet::Config { scale: 2, blocks: 1, channels: 3, growth: 2, unshuffle, colors: 3, plus: false };
        let model = build(&config.into(), Device::Cpu).unwrap();
        let steps = steps(&*model, "rrdbnet", Precision::Float32).unwrap();
        assert!(steps.iter().enumerate().all(|(index, step)| step.inputs.iter().all(|input| *input < index)));
        steps.into_iter().map(|step| step.op).collect()
    }

    #[test]
    fn a_network_of_single_pixels_neither_continues_nor_cuts() {
        let conv = Op::Conv { stride: 1, padding: 1 };
        let (single, squares) = (ops(1), ops(2));
        assert_eq!((single[..2].to_vec(), single.last()), (vec![Op::Input, conv], Some(&conv)));
        assert_eq!(squares[..3], [Op::Input, Op::PadMirrored(2), Op::PixelUnshuffle(2)]);
        assert_eq!(squares.last(), Some(&Op::Crop(2)));
        // Five of a dense block's convolutions take several values, its first one alone.
        assert_eq!(single.iter().filter(|op| **op == Op::Concatenate).count(), 12);
    }
}
