//! How long a network takes for a picture on a GPU.

use std::time::Instant;

use abbe_models::SrModel;
use tch::{Cuda, Device, Kind, TchError, Tensor};

use crate::engine::Engine;
use crate::lane::{Lane, Steps, WORTH_A_GRAPH};
use crate::race::Lap;

/// Runs `model`, on `device`, on a random picture of `size` (height, width), `runs` times each after some that do not count:
/// as the network is, in float32; with its channels last in float16 and bfloat16, operation by operation (`channels-last`) and
/// as a CUDA graph (`graph`), the picture being on the device; and so that pictures are copied there and back, one while the
/// next is computed (`tiles`). What is said beside it is why there is no graph.
///
/// # Errors
/// What libtorch says, most often that memory ran out.
pub fn race_gpu(
    model: &dyn SrModel,
    size: [i64; 2],
    runs: usize,
    device: Device,
) -> Result<(Vec<Lap>, Option<String>), TchError> {
    let runs = runs.max(1);
    let picture = Tensor::f_rand([1, 3, size[0], size[1]], (Kind::Float, Device::Cpu))?.f_to_device(device)?;
    let full = Engine::of(model, Kind::Float);
    let expected = (full.forward)(&picture)?;
    let mut plain = Lap::new("plain", "f32", &expected, &expected);
    plain.seconds = timed(device, runs, || (full.forward)(&picture).map(drop))?;
    let (mut laps, mut notice) = (vec![plain], None);
    for (kind, precision) in [(Kind::Half, "f16"), (Kind::BFloat16, "bf16")] {
        let engine = Engine::of(model, kind);
        let mut eager = Lap::new("channels-last", precision, &(engine.forward)(&picture)?, &expected);
        eager.seconds = timed(device, runs, || (engine.forward)(&picture).map(drop))?;
        laps.push(eager);
        let work = |lr: &Tensor| {
            let sr = (engine.forward)(lr)?;
            let is_finite = sr.f_isfinite()?.f_all()?;
            Ok([sr, is_finite])
        };
        laps.extend(graph(&work, &picture, (kind, precision), runs, &expected, &mut notice)?);
        laps.push(tiles(&work, &picture, (kind, precision), runs, &expected)?);
    }
    Ok((laps, notice))
}

/// Seconds of each run but the first, which makes memory and chooses algorithms; the shortest first.
fn timed(device: Device, runs: usize, mut run: impl FnMut() -> Result<(), TchError>) -> Result<Vec<f64>, TchError> {
    let mut seconds = Vec::new();
    for _ in 0..=runs {
        let start = Instant::now();
        run()?;
        if let Device::Cuda(gpu) = device {
            Cuda::synchronize(gpu as i64);
        }
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}

/// As a graph; none where that cannot be.
fn graph(
    work: crate::lane::Work,
    picture: &Tensor,
    (kind, precision): (Kind, &'static str),
    runs: usize,
    expected: &Tensor,
    notice: &mut Option<String>,
) -> Result<Option<Lap>, TchError> {
    let mut steps = Steps::First(kind);
    for _ in 0..2 {
        let _ = steps.compute(picture, work, notice)?;
    }
    if !matches!(steps, Steps::Recorded { .. }) {
        return Ok(None);
    }
    let [sr, _] = steps.compute(picture, work, notice)?;
    let mut lap = Lap::new("graph", precision, &sr, expected);
    lap.seconds = timed(picture.device(), runs, || steps.compute(picture, work, notice).map(drop))?;
    Ok(Some(lap))
}

/// With copies there and back beside it: the time from one picture that is back to the next.
fn tiles(
    work: crate::lane::Work,
    picture: &Tensor,
    (kind, precision): (Kind, &'static str),
    runs: usize,
    expected: &Tensor,
) -> Result<Lap, TchError> {
    let pixels = Vec::<f32>::try_from(picture.f_contiguous()?.f_view([-1])?.f_to_device(Device::Cpu)?)?;
    let mut lane = Lane::new(&picture.size(), picture.device(), kind, WORTH_A_GRAPH)?;
    for _ in 0..2 {
        lane.begin(&pixels, work)?; // without a graph, then to record it
        lane.end()?;
    }
    lane.begin(&pixels, work)?;
    let (mut seconds, mut last) = (Vec::new(), None);
    for _ in 0..=runs {
        let start = Instant::now();
        lane.begin(&pixels, work)?;
        last = lane.end()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let sr = last.map_or_else(|| expected.shallow_clone(), |(sr, _)| sr.to_device(expected.device()));
    let mut lap = Lap::new("tiles", precision, &sr, expected);
    lane.end()?;
    seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    lap.seconds = seconds;
    Ok(lap)
}

#[cfg(test)]
mod tests {
    use abbe_models::{build, srvgg};

    use super::*;

    #[test]
    fn without_a_gpu_all_but_graphs_are_timed_and_why_is_said() {
        tch::set_num_threads(1); // tests run side by side
        let config = srvgg::Config { convs: 2, channels: 4, ..srvgg::Config::general(2) };
        let model = build(&config.into(), Device::Cpu).unwrap();
        let (laps, notice) = race_gpu(model.as_ref(), [6, 5], 2, Device::Cpu).unwrap();
        let ways: Vec<_> = laps.iter().map(|lap| (lap.runtime, lap.precision, lap.seconds.len())).collect();
        let half = |precision| [("channels-last", precision, 2), ("tiles", precision, 2)];
        assert_eq!(ways, [[("plain", "f32", 2)].as_slice(), &half("f16"), &half("bf16")].concat());
        assert!(laps.iter().all(|lap| lap.largest_difference < 0.05) && laps[0].largest_difference == 0.0);
        assert_eq!(notice.unwrap(), "only a GPU has CUDA graphs");
    }
}
