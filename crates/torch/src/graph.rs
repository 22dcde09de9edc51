//! CUDA graphs: what a GPU was given is noted once and then given to it as a whole, without the time that its CPU needs to
//! give out each part (Ng, "Accelerating PyTorch with CUDA Graphs", PyTorch's blog, 2021).

mod ffi;

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use tch::{Device, TchError};

/// Why there is no graph: what libtorch or the work said, in a line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GraphError(String);

/// Runs before the capture, in which libraries choose their algorithms and make their memory: as many as PyTorch's manual
/// advises.
const WARM_UPS: usize = 3;

/// One capture at a time in this process: another one's beginning waits for all that its GPU was given, which a capture forbids.
static CAPTURE: Mutex<()> = Mutex::new(());

/// Work of a GPU that can be done again, on whatever then is where its tensors were.
pub struct Graph(ffi::Graph);

impl Graph {
    /// Whether there are graphs on this device.
    ///
    /// # Errors
    /// The device is not a GPU; libtorch is another than that of this program.
    pub fn check(device: Device) -> Result<(), GraphError> {
        gpu(device).map(drop)
    }

    /// Runs `work` a few times on a stream of its own, then notes it without running it. Gives the graph and what `work` made
    /// last: tensors with no meaning before the first [`Graph::replay`], each of which fills them anew.
    ///
    /// `work` must do the same every time, on this device alone and with no look at a result, and keep nothing of what the
    /// earlier times gave it. What it left half done when it failed (flags, buffers) is its caller's to put right.
    ///
    /// # Errors
    /// A device without graphs; what `work` returned or libtorch said in it, also by a panic; what cannot be captured.
    pub fn capture<T, E: Display>(
        device: Device,
        mut work: impl FnMut() -> Result<T, E>,
    ) -> Result<(Self, T), GraphError> {
        let gpu = gpu(device)?;
        let _alone = CAPTURE.lock().unwrap_or_else(PoisonError::into_inner); // let go after the side
        let _side = ffi::Side::enter(gpu)?;
        for _ in 0..WARM_UPS {
            caught(&mut work)?;
        }
        let graph = ffi::Graph::begin()?;
        let made = caught(&mut work);
        let ended = graph.end(); // in any case: a stream that still notes is of no other use
        let made = made?;
        ended?;
        Ok((Graph(graph), made))
    }

    /// Does the work again, after what the GPU was given before.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn replay(&self) -> Result<(), TchError> {
        self.0.replay()
    }
}

impl From<TchError> for GraphError {
    fn from(error: TchError) -> Self {
        let text = match error {
            TchError::Torch(text) => text,
            other => other.to_string(),
        };
        GraphError(first_line(&text))
    }
}

/// The number of a GPU with graphs.
fn gpu(device: Device) -> Result<usize, GraphError> {
    match device {
        Device::Cuda(index) => Ok(ffi::check().map(|()| index)?),
        _ => Err(GraphError("only a GPU has CUDA graphs".into())),
    }
}

/// What `work` gives. A failure of libtorch, which is a panic in most of tch's functions, is an error, like any other panic; what
/// was left half done is the caller's to put right.
///
/// # Errors
/// What `work` returned or panicked with, in a line.
pub fn caught<T, E: Display>(work: impl FnOnce() -> Result<T, E>) -> Result<T, GraphError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| GraphError(first_line(&error.to_string()))),
        Err(panic) => Err(GraphError(first_line(text(panic.as_ref())))),
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

/// libtorch's messages go on with where in C++ they arose, also in what tch panics with.
fn first_line(text: &str) -> String {
    let reason = text.split_once("`Err` value: Torch(\"").map_or(text, |(_, reason)| reason);
    let line = reason.lines().next().unwrap_or_default();
    line.split("\\n").next().unwrap_or_default().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::*;

    #[test]
    fn a_cpu_has_no_graphs_and_the_work_is_not_begun() {
        let mut runs = 0;
        let work = || {
            runs += 1;
            Ok::<_, String>(())
        };
        let error = Graph::capture(Device::Cpu, work).err().unwrap();
        assert_eq!((error.to_string().as_str(), runs), ("only a GPU has CUDA graphs", 0));
    }

    /// libtorch_cuda may be there without a GPU: then its names are those that are asked for, though nothing can be captured.
    #[test]
    fn the_class_is_found_by_its_names_where_its_library_is() {
        let (found, mut runs) = (crate::parse_device("cuda"), 0);
        if matches!(found, Err(crate::DeviceError::NoCuda(..))) {
            println!("skipped: libtorch has no CUDA part here");
            return;
        }
        Graph::check(Device::Cuda(0)).unwrap();
        let captured = Graph::capture(Device::Cuda(0), || {
            runs += 1;
            Ok::<_, String>(())
        });
        assert_eq!((captured.is_ok(), runs > 0), (found.is_ok(), found.is_ok()));
    }

    #[test]
    fn failures_of_the_work_are_told_in_a_line() {
        let returned = caught(|| Err::<(), _>("first\nsecond")).unwrap_err();
        assert_eq!(returned.to_string(), "first");
        let shape = || Ok::<_, String>(Tensor::ones([2], (Kind::Float, Device::Cpu)).reshape([3]));
        let thrown = caught(shape).unwrap_err().to_string();
        assert!(thrown.ends_with("is invalid for input of size 2"), "{thrown}"); // without what follows it
    }

    #[test]
    fn a_graph_computes_from_what_is_there_when_it_is_replayed() {
        let Ok(device) = crate::parse_device("cuda") else {
            println!("skipped: there is no GPU");
            return;
        };
        let mut x = Tensor::ones([3], (Kind::Float, device));
        let (graph, doubled) = Graph::capture(device, || Ok::<_, String>(&x * 2.0)).unwrap();
        for value in [1.0, 5.0] {
            let _ = x.fill_(value);
            graph.replay().unwrap();
            assert_eq!(Vec::<f32>::try_from(&doubled).unwrap(), [2.0 * value as f32; 3]);
        }
    }
}
