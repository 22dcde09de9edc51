//! Over which ranks batch norm takes its statistics. A network does not know of ranks, so this is a matter of the thread
//! that trains it.

use std::cell::RefCell;

use super::ProcessGroup;

thread_local! {
    static GROUP: RefCell<Option<ProcessGroup>> = const { RefCell::new(None) };
}

/// The group whose ranks batch norm takes its statistics over in training on this thread; none: each rank for itself.
pub fn batch_norm_group() -> Option<ProcessGroup> {
    GROUP.with_borrow(Clone::clone)
}

/// While it lives, batch norm in training is synchronised on the thread that made it.
#[must_use = "synchronised batch norm ends when this is dropped"]
pub struct SynchronisedBatchNorm {
    before: Option<ProcessGroup>,
}

impl SynchronisedBatchNorm {
    /// Over the ranks of `group`, all of which must run the same layers in the same order.
    pub fn over(group: &ProcessGroup) -> Self {
        SynchronisedBatchNorm { before: GROUP.replace(Some(group.clone())) }
    }
}

impl Drop for SynchronisedBatchNorm {
    fn drop(&mut self) {
        GROUP.set(self.before.take());
    }
}
