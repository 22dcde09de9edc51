use tch::Tensor;

use super::{ProcessGroup, ProcessGroupError, ffi};

/// Averages the gradients of a list of parameters over all ranks, while the backward pass still runs: as soon as the
/// gradients of a bucket (1 MiB the first, then 25 MiB, from the last parameter to the first) are there, they are sent.
/// libtorch's own reducer, that of `DistributedDataParallel` (Li et al., arXiv 2006.15704).
///
/// One for each list of parameters with an optimiser of its own. Backward passes by other means than
/// [`Reducer::backward`] add to this rank's gradients only, as for all micro-batches but the last.
pub struct Reducer {
    group: ProcessGroup,
    reducer: Option<ffi::Reducer>,
}

impl Reducer {
    /// Over those of `parameters` that want a gradient now; they are the same list with the same shapes on every rank, and
    /// the numbers of rank 0 are given to all (those that want no gradient too). A parameter frozen or thawed later needs
    /// a new reducer.
    ///
    /// # Errors
    /// A lost rank; parameters that differ between ranks.
    pub fn new(group: &ProcessGroup, parameters: &[Tensor]) -> Result<Self, ProcessGroupError> {
        let trained: Vec<&Tensor> = parameters.iter().filter(|parameter| parameter.requires_grad()).collect();
        let make = || (!trained.is_empty()).then(|| ffi::Reducer::new(group.ffi(), &trained)).transpose();
        let reducer = group.run("comparing the parameters of all ranks", make)?;
        group.broadcast(parameters)?;
        Ok(Reducer { group: group.clone(), reducer })
    }

    /// The backward pass of this rank's `loss`, a scalar. After it every parameter's gradient is the mean over all ranks of
    /// what was gathered since the last time that gradients were set to zero, the same bits on each rank. Where a parameter had no gradient on
    /// any rank it stays as it was; where it had none on some ranks these count as zeros.
    ///
    /// # Errors
    /// A lost rank, also where an earlier [`ProcessGroup::sum`] met it; what libtorch says of the loss.
    pub fn backward(&self, loss: &Tensor) -> Result<(), ProcessGroupError> {
        self.group.run("averaging gradients", || {
            if let Some(reducer) = &self.reducer {
                reducer.prepare(loss)?;
            }
            loss.f_backward()
        })
    }
}
