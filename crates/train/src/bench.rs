//! How long a training step takes: the trainer's own, on a batch of random pictures that stays on the device.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use abbe_models::vgg;
use abbe_torch::channels_last;
use anyhow::{Result, ensure};
use tch::{Cuda, Device, Kind, Tensor};

use crate::batches::Batch;
use crate::experiment::{Experiment, Precision, Progress};
use crate::networks::Networks;
use crate::trainer::{At, Trainer};

/// SRGAN's adversarial phase.
const EXPERIMENT: &str = include_str!("bench.toml");
/// Steps before the clock starts: libtorch prepares its kernels, the first Adam steps allocate, the second ones are recorded
/// where there are graphs. The discriminator has its part in each.
const WARM_UP: u64 = 3;

/// What a number of steps took.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Of each step.
    pub seconds: Vec<f64>,
    /// What the networks computed in; never [`Precision::Auto`].
    pub precision: Precision,
    /// What was said of how the steps were done, such as why there is no graph.
    pub notices: Vec<String>,
}

/// Times `steps` adversarial steps of SRGAN on `batch` patches of 96x96; with `cuda_graphs` as graphs where they can be. `stop`
/// is set by Ctrl-C.
///
/// # Errors
/// No step or no patch; what libtorch says, such as too little memory; Ctrl-C, after the step that is at work.
pub fn time_steps(
    batch: i64,
    steps: u64,
    precision: Precision,
    device: Device,
    cuda_graphs: bool,
    stop: &AtomicBool,
) -> Result<Timing> {
    ensure!(batch > 0 && steps > 0, "there is nothing to time: expected a batch and a number of steps of 1 or more");
    let experiment = Experiment { precision, cuda_graphs, ..Experiment::parse(EXPERIMENT)? };
    let networks = Networks::new(&experiment, device)?;
    let vgg = vgg::Features::new(vgg::Net::Vgg19, device);
    let mut trainer = Trainer::new(&experiment, networks, Some(vgg), device, None)?;
    trainer.begin_phase(0)?;
    let pictures = |side| channels_last(&Tensor::rand([batch, 3, side, side], (Kind::Float, device)));
    let patches = Batch::new(pictures(24), pictures(96));
    let mut notices = Vec::new();
    let mut timed = |step: u64| -> Result<f64> {
        ensure!(!stop.load(Ordering::Relaxed), "stopped by Ctrl-C");
        let begun = Instant::now();
        let progress = Progress { step, steps: steps + WARM_UP, scores: &[] };
        notices.extend(trainer.step(0, At { progress, number: step }, &patches)?.notices);
        if let Device::Cuda(gpu) = device {
            Cuda::synchronize(gpu as i64);
        }
        Ok(begun.elapsed().as_secs_f64())
    };
    (0..WARM_UP).try_for_each(|_| timed(0).map(drop))?;
    let seconds = (0..steps).map(&mut timed).collect::<Result<_>>()?; // the peers too count from 0 again
    Ok(Timing { seconds, precision: precision.resolved(device), notices })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_the_trainers_and_nothing_is_refused() {
        let time =
            |batch, steps, stop| time_steps(batch, steps, Precision::F32, Device::Cpu, true, &AtomicBool::new(stop));
        let Timing { seconds, precision, notices } = time(1, 1, false).unwrap();
        assert_eq!((seconds.len(), precision), (1, Precision::F32));
        assert_eq!(notices, ["cuda_graphs: steps are not recorded: only a GPU has CUDA graphs"]);
        assert!(time(0, 1, false).is_err() && time(1, 0, false).is_err());
        assert!(time(1, 1, true).unwrap_err().to_string().contains("Ctrl-C"));
    }
}
