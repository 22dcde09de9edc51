//! Ranks that train one network together, each with its part of the batch, over libtorch's c10d.

mod batch_norm;
mod environment;
mod error;
mod ffi;
mod pulse;
mod reducer;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tch::{Device, Kind, TchError, Tensor};

pub use batch_norm::{SynchronisedBatchNorm, batch_norm_group};
use environment::{Environment, unfit};
pub use error::{Peers, ProcessGroupError};
use pulse::Pulse;
pub use reducer::Reducer;

/// The most that joining may take; a time limit below it holds for joining too.
const JOIN_LIMIT: Duration = Duration::from_secs(300);

/// The processes of one training run, `size` of them, of which this one is number `rank`. Copies are of the same group.
///
/// Collectives (all that say "every rank") must be called by every rank, in the same order and with the same shapes. They
/// go by Gloo, over TCP; for tensors of a GPU by NCCL where CUDA's headers were at hand when this was compiled, else by
/// Gloo through the host's memory. With NCCL a rank waits on the GPU and not here, so what fails there ends the process by
/// libtorch's own watch.
///
/// A rank that drops its group says that it left; one that dies does not, and so is told apart.
#[derive(Clone)]
pub struct ProcessGroup(Rc<Joined>);

struct Joined {
    group: ffi::Group,
    pulse: Pulse,
    rank: usize,
    size: usize,
    device: Device,
    agent_serves: bool,
    /// An error where none could be returned, for the next call that can.
    failed: RefCell<Option<ProcessGroupError>>,
}

impl ProcessGroup {
    /// Joins the run that the launcher's variables `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT` tell of, and
    /// waits for all its ranks, 5 minutes or `limit` at most; none when there is no `WORLD_SIZE`. `limit` bounds every
    /// collective from then on; before one that follows what a rank does alone for long, let all [`ProcessGroup::meet`].
    ///
    /// The store by which ranks meet is torchrun's where `TORCHELASTIC_USE_AGENT_STORE` is `True`, else rank 0 serves it.
    /// `GLOO_SOCKET_IFNAME` names the network interface, by default that of the host's name. On a GPU `LOCAL_RANK` chooses
    /// which ([`ProcessGroup::device`]). A Slurm script sets `RANK`, `WORLD_SIZE` and `LOCAL_RANK` from `SLURM_PROCID`,
    /// `SLURM_NTASKS` and `SLURM_LOCALID`.
    ///
    /// # Errors
    /// A variable that is missing or wrong, or ranks that do not come.
    pub fn from_env(device: Device, limit: Duration) -> Result<Option<Self>, ProcessGroupError> {
        let environment = Environment::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into()))?;
        environment.map(|environment| Self::join(&environment, device, limit)).transpose()
    }

    fn join(environment: &Environment, device: Device, limit: Duration) -> Result<Self, ProcessGroupError> {
        let &Environment { rank, size, .. } = environment;
        let device = local(device, environment.local_rank)?;
        let joined = || {
            let store = Arc::new(ffi::Store::join(environment, limit.min(JOIN_LIMIT))?);
            let group = ffi::Group::join(&store, environment, device.is_cuda(), limit)?;
            Ok((group, Pulse::start(store, environment)?))
        };
        let (group, pulse) = joined().map_err(|error: TchError| ProcessGroupError::Join {
            rank,
            size,
            address: format!("{}:{}", environment.host.escape_debug(), environment.port),
            reason: first_line(&error),
        })?;
        let agent_serves = environment.agent_serves;
        Ok(ProcessGroup(Rc::new(Joined { group, pulse, rank, size, device, agent_serves, failed: RefCell::default() })))
    }

    /// The number of this process, from 0.
    pub fn rank(&self) -> usize {
        self.0.rank
    }

    /// The number of processes, 1 or more.
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// The device of this rank: the one asked for or, where that is a GPU, the GPU of its number on this machine.
    pub fn device(&self) -> Device {
        self.0.device
    }

    /// Replaces every tensor by its sum over every rank, the same bits on all; tensors may differ in shape, type and device.
    ///
    /// # Errors
    /// A lost rank.
    pub fn all_reduce_sum(&self, tensors: &[Tensor]) -> Result<(), ProcessGroupError> {
        self.run("all-reduce", || self.0.group.all_reduce(&Vec::from_iter(tensors)))
    }

    /// Replaces every tensor, of floating-point numbers, by its mean over every rank.
    ///
    /// # Errors
    /// A lost rank.
    pub fn all_reduce_mean(&self, tensors: &[Tensor]) -> Result<(), ProcessGroupError> {
        self.all_reduce_sum(tensors)?;
        let ranks = self.0.size as f64;
        tch::no_grad(|| tensors.iter().for_each(|tensor| drop(tensor.shallow_clone().g_div_scalar_(ranks))));
        Ok(())
    }

    /// Gives the tensors of rank 0 to every rank, in place.
    ///
    /// # Errors
    /// A lost rank.
    pub fn broadcast(&self, tensors: &[Tensor]) -> Result<(), ProcessGroupError> {
        self.run("broadcast", || self.0.group.broadcast(&Vec::from_iter(tensors)))
    }

    /// Waits for every rank.
    ///
    /// # Errors
    /// A lost rank.
    pub fn barrier(&self) -> Result<(), ProcessGroupError> {
        self.run("waiting for all ranks", || self.0.group.barrier())
    }

    /// Waits for every rank, however long one takes, while each gives signs of life: after what one rank does alone, such as
    /// a validation, for which the time limit of collectives may be too short. Signs of life come from a thread of its own:
    /// a rank that hangs is waited for.
    ///
    /// # Errors
    /// A lost rank.
    pub fn meet(&self) -> Result<(), ProcessGroupError> {
        let lost = |peers, reason| {
            let Joined { rank, size, .. } = *self.0;
            Err(ProcessGroupError::Collective { what: "waiting for all ranks", rank, size, peers, reason })
        };
        match self.0.pulse.meet() {
            Ok(None) => Ok(()),
            Ok(Some(peers)) => lost(peers, "not all ranks came".into()),
            Err(error) => lost(Peers::StoreLost { agent: self.0.agent_serves }, first_line(&error)),
        }
    }

    /// Compares a value (by its hash of 64 bits) over every rank, `what` naming it: `experiment`, say.
    ///
    /// # Errors
    /// The ranks with another value than rank 0, the same message on every rank; a lost rank.
    pub fn check_equal(&self, what: &str, value: &impl Hash) -> Result<(), ProcessGroupError> {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        let hashes = Tensor::zeros([self.0.size as i64], (Kind::Int64, Device::Cpu));
        let _ = hashes.get(self.0.rank as i64).fill_(hasher.finish() as i64);
        self.all_reduce_sum(std::slice::from_ref(&hashes))?;
        let differs = |rank: &usize| hashes.int64_value(&[*rank as i64]) != hashes.int64_value(&[0]);
        match (0..self.0.size).filter(differs).collect::<Vec<_>>() {
            none if none.is_empty() => Ok(()),
            ranks => Err(ProcessGroupError::Different { what: what.into(), ranks }),
        }
    }

    /// The sum over every rank, through which gradients flow: that of each rank's `xs` is the sum over every rank of the
    /// gradients of the result, by a collective of its own in the backward pass. Twice differentiable.
    ///
    /// For use inside of networks, so it returns no error: where a rank is lost the result is not a number, and
    /// [`ProcessGroup::check`] or the next call that returns errors has the reason.
    pub fn sum(&self, xs: &Tensor) -> Tensor {
        self.run("all-reduce inside of the network", || self.0.group.sum(xs)).unwrap_or_else(|error| {
            self.0.failed.replace(Some(error));
            xs * f64::NAN
        })
    }

    /// What [`ProcessGroup::sum`] could not say: to be asked when a loss is not finite.
    ///
    /// # Errors
    /// A lost rank.
    pub fn check(&self) -> Result<(), ProcessGroupError> {
        self.0.failed.take().map_or(Ok(()), Err)
    }

    fn ffi(&self) -> &ffi::Group {
        &self.0.group
    }

    /// A collective; when it fails, what became of the other ranks.
    fn run<T>(
        &self,
        what: &'static str,
        collective: impl FnOnce() -> Result<T, TchError>,
    ) -> Result<T, ProcessGroupError> {
        self.check()?;
        collective().map_err(|error| {
            let (reason, Joined { rank, size, .. }) = (first_line(&error), &*self.0);
            let (rank, size) = (*rank, *size);
            if !["gloo", "NCCL"].iter().any(|backend| reason.contains(backend)) {
                return ProcessGroupError::Torch { what, rank, size, reason };
            }
            let peers = self.0.pulse.others().unwrap_or(Peers::StoreLost { agent: self.0.agent_serves });
            ProcessGroupError::Collective { what, rank, size, peers, reason }
        })
    }
}

/// The device of one rank of a machine.
fn local(device: Device, local_rank: Option<usize>) -> Result<Device, ProcessGroupError> {
    match (device, local_rank) {
        (Device::Cuda(_), Some(number)) => {
            let there = tch::Cuda::device_count();
            let expected = format!("the number of one of this machine's {there} GPU(s), from 0");
            let fits = i64::try_from(number).is_ok_and(|number| number < there);
            if fits { Ok(Device::Cuda(number)) } else { Err(unfit("LOCAL_RANK", &expected, Some(number.to_string()))) }
        }
        _ => Ok(device),
    }
}

/// Of libtorch's message: what follows is where in C++ it arose.
fn first_line(error: &TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().escape_debug().to_string()
}
