use std::collections::BTreeMap;

use tch::Tensor;

use super::{BatchNorm2d, Conv2d, Fire};

/// Layers that run one after the other, as torchvision's `features`: the output of each can be had by its index.
pub struct Sequential(pub Vec<Step>);

/// A layer of [`Sequential`].
pub enum Step {
    /// A convolution.
    Conv(Conv2d),
    /// Batch normalisation.
    BatchNorm(BatchNorm2d),
    /// SqueezeNet's module.
    Fire(Fire),
    /// A layer without tensors: an activation, a pool.
    Plain(fn(&Tensor) -> Tensor),
}

impl Sequential {
    /// The output of the last layer.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        self.0.iter().fold(xs.shallow_clone(), |xs, step| step.forward(&xs, train))
    }

    /// The outputs of the layers at `indices`, in the order asked for; nothing deeper than the deepest is run.
    ///
    /// # Panics
    /// When there is no layer at an index.
    pub fn outputs(&self, xs: &Tensor, indices: &[usize], train: bool) -> Vec<Tensor> {
        let depth = indices.iter().max().map_or(0, |deepest| deepest + 1);
        let mut xs = xs.shallow_clone();
        let mut kept = BTreeMap::new();
        for (i, step) in self.0[..depth].iter().enumerate() {
            xs = step.forward(&xs, train);
            if indices.contains(&i) {
                kept.insert(i, xs.shallow_clone());
            }
        }
        indices.iter().map(|i| kept[i].shallow_clone()).collect()
    }
}

impl Step {
    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        match self {
            Step::Conv(conv) => conv.forward(xs),
            Step::BatchNorm(bn) => bn.forward(xs, train),
            Step::Fire(fire) => fire.forward(xs),
            Step::Plain(layer) => layer(xs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::relu;

    #[test]
    fn outputs_come_as_asked_and_nothing_deeper_runs() {
        let deepest: fn(&Tensor) -> Tensor = |_| unreachable!("it was not asked for");
        let steps = [relu as fn(&Tensor) -> Tensor, |xs| xs + 1.0, deepest];
        let chain = Sequential(steps.map(Step::Plain).into());
        let outputs = chain.outputs(&Tensor::from_slice(&[-1.0f32, 2.0]), &[1, 0], false);
        let outputs = outputs.iter().map(|ys| Vec::<f32>::try_from(ys).unwrap()).collect::<Vec<_>>();
        assert_eq!(outputs, [[1.0, 3.0], [0.0, 2.0]]);
    }
}
