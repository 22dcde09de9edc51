//! Batches of tiles through a GPU: while it computes one, the next is copied there and the one before is copied from there. Of
//! batches of one shape the GPU is given the first operation by operation, then, where that can be and there are enough of them,
//! a CUDA graph.

use abbe_torch::{Graph, Mark, Stream, copy, host_like};
use tch::{Device, Kind, TchError, Tensor};

/// What is computed of a batch: SR, and a scalar that says whether all of it is finite.
pub(crate) type Work<'w> = &'w dyn Fn(&Tensor) -> Result<[Tensor; 2], TchError>;

/// Fewer batches of a shape are computed without a graph: to record one takes as long as about six of them (warm-ups, capture,
/// comparison), and it saves less than half of each.
pub(crate) const WORTH_A_GRAPH: usize = 16;

/// Where batches of one shape are on their way: two at a time, which take turns.
pub(crate) struct Lane {
    device: Device,
    upload: Stream,
    download: Stream,
    places: [Place; 2],
    begun: usize,
    ended: usize,
    steps: Steps,
    notice: Option<String>,
}

/// The memory of a batch on its way, and how far that is.
struct Place {
    host: Tensor,
    lr: Tensor,
    /// What is computed, on the device and on the host; none before the first.
    made: Option<[[Tensor; 2]; 2]>,
    /// After all is on the host.
    done: Option<Mark>,
}

/// How batches are computed.
pub(crate) enum Steps {
    /// The first is still to come; it is computed in this kind.
    First(Kind),
    /// The next whose result is finite is recorded.
    Next(Kind),
    /// By a graph, which reads and writes here.
    Recorded { graph: Graph, lr: Tensor, made: [Tensor; 2] },
    /// Operation by operation.
    Plain,
}

impl Lane {
    /// For about so many `batches` `[N, planes, h, w]` of this shape, computed in `kind`.
    ///
    /// # Errors
    /// Too little memory; what CUDA says.
    pub fn new(shape: &[i64], device: Device, kind: Kind, batches: usize) -> Result<Self, TchError> {
        let place = || -> Result<Place, TchError> {
            let lr = Tensor::f_empty(shape, (Kind::Float, device))?;
            Ok(Place { host: host_like(&lr)?, lr, made: None, done: None })
        };
        let (places, upload) = ([place()?, place()?], Stream::beside(device)?);
        let there = Mark::set(device)?; // what had their memory before may still be in use
        upload.run(|| there.hold())?;
        let download = Stream::beside(device)?;
        let steps = if batches < WORTH_A_GRAPH { Steps::Plain } else { Steps::First(kind) };
        Ok(Lane { device, upload, download, places, begun: 0, ended: 0, steps, notice: None })
    }

    /// Sends a batch on its way; the one before the last must have come back.
    ///
    /// # Errors
    /// Those of `work`; what libtorch and CUDA say.
    pub fn begin(&mut self, pixels: &[f32], work: Work) -> Result<(), TchError> {
        let turn = self.begun % 2;
        let Place { host, lr, .. } = &self.places[turn];
        copy(host, &Tensor::f_from_slice(pixels)?.f_view_as(host)?)?;
        let there = self.upload.run(|| copy(lr, host).and_then(|()| Mark::set(self.device)))?;
        there.hold()?;
        let made = self.steps.compute(lr, work, &mut self.notice)?;
        self.send_back(turn, &made)?;
        self.begun += 1;
        Ok(())
    }

    /// Copies what was made to the host, in memory that the next batch does not overwrite.
    fn send_back(&mut self, turn: usize, made: &[Tensor; 2]) -> Result<(), TchError> {
        let place = &mut self.places[turn];
        if place.made.is_none() {
            let (there, flag) = (made[0].f_empty_like()?, made[1].f_empty_like()?);
            let here = [host_like(&there)?, host_like(&flag)?];
            place.made = Some([[there, flag], here]);
        }
        let Some([there, here]) = &place.made else { return Ok(()) };
        there.iter().zip(made).try_for_each(|(there, made)| copy(there, made))?;
        let computed = Mark::set(self.device)?;
        place.done = Some(self.download.run(|| {
            computed.hold()?;
            here.iter().zip(there).try_for_each(|(here, there)| copy(here, there))?;
            Mark::set(self.device)
        })?);
        Ok(())
    }

    /// Waits for the batch that was sent the longest ago: SR on the CPU, in memory that is overwritten by the next but one that is
    /// sent, and whether all of it is finite; none where none is on its way.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn end(&mut self) -> Result<Option<(Tensor, bool)>, TchError> {
        let place = &mut self.places[self.ended % 2];
        let (Some(done), Some([_, [sr, is_finite]])) = (place.done.take(), &place.made) else { return Ok(None) };
        self.ended += 1;
        done.wait()?;
        Ok(Some((sr.shallow_clone(), bool::try_from(is_finite)?)))
    }

    /// Why there is no graph, once.
    pub fn notice(&mut self) -> Option<String> {
        self.notice.take()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let _ = self.places.iter().flat_map(|place| &place.done).try_for_each(Mark::wait); // the memory is in use till then
    }
}

impl Steps {
    /// What `work` makes of a batch; overwritten by the next. `notice` becomes why there is no graph.
    ///
    /// # Errors
    /// Those of `work`; what CUDA says.
    pub fn compute(&mut self, lr: &Tensor, work: Work, notice: &mut Option<String>) -> Result<[Tensor; 2], TchError> {
        match self {
            Steps::Recorded { graph, lr: own, made } => {
                copy(own, lr)?;
                graph.replay()?;
                return Ok(made.each_ref().map(Tensor::shallow_clone));
            }
            Steps::First(kind) => *self = Steps::Next(*kind),
            Steps::Next(kind) => {
                let expected = work(lr)?;
                if bool::try_from(&expected[1])? {
                    *self = record(lr, work, &expected[0], close(*kind)).unwrap_or_else(|why| {
                        *notice = Some(why);
                        Steps::Plain
                    });
                }
                return Ok(expected);
            }
            Steps::Plain => {}
        }
        work(lr)
    }
}

/// How far the first replay may be from the same batch without a graph, over the length of that, where the network computes in
/// `kind`: a few roundings, by which kernels that add in any order differ.
fn close(kind: Kind) -> f64 {
    if kind == Kind::Float { 1e-5 } else { 2e-3 }
}

/// The graph of `work`, of which SR is `expected` up to `close`, or why there is none.
fn record(lr: &Tensor, work: Work, expected: &Tensor, close: f64) -> Result<Steps, String> {
    let text = |error: TchError| error.to_string();
    let own = lr.f_empty_like().map_err(text)?;
    let (graph, made) = Graph::capture(lr.device(), || work(&own)).map_err(|error| error.to_string())?;
    let compare = || -> Result<[f64; 2], TchError> {
        copy(&own, lr)?;
        graph.replay()?;
        let length = |xs: Tensor| xs.f_norm()?.f_double_value(&[]);
        Ok([length(made[0].f_sub(expected)?)?, length(expected.shallow_clone())?])
    };
    let [apart, all] = compare().map_err(text)?;
    match apart <= close * all {
        true => Ok(Steps::Recorded { graph, lr: own, made }),
        false => Err(format!("the graph's tile is {apart:.1e} from the network's, which is {all:.1e} long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twice as large in value, and what is asked of each batch.
    fn double(lr: &Tensor) -> Result<[Tensor; 2], TchError> {
        let sr = lr.f_mul_scalar(2.0)?;
        let is_finite = sr.f_isfinite()?.f_all()?;
        Ok([sr, is_finite])
    }

    fn ended(lane: &mut Lane) -> Option<(Vec<f32>, bool)> {
        lane.end().unwrap().map(|(sr, is_finite)| (Vec::try_from(sr.view(-1)).unwrap(), is_finite))
    }

    #[test]
    fn batches_come_back_in_order_while_the_next_is_on_its_way() {
        let mut lane = Lane::new(&[1, 1, 1, 2], Device::Cpu, Kind::Float, WORTH_A_GRAPH).unwrap();
        assert_eq!(ended(&mut lane), None);
        lane.begin(&[1.0, 2.0], &double).unwrap();
        for next in 2..6 {
            lane.begin(&[next as f32, f32::INFINITY], &double).unwrap();
            let second = if next == 2 { 4.0 } else { f32::INFINITY };
            assert_eq!(ended(&mut lane), Some((vec![2.0 * (next as f32 - 1.0), second], next == 2)));
        }
        lane.begin(&[6.0, 7.0], &double).unwrap(); // the second that is finite, which would be recorded
        assert_eq!(ended(&mut lane).unwrap().0[0], 10.0);
        assert_eq!(ended(&mut lane), Some((vec![12.0, 14.0], true)));
        assert_eq!(ended(&mut lane), None);
        let notice = (lane.notice(), lane.notice());
        assert_eq!(notice, (Some("only a GPU has CUDA graphs".to_owned()), None));
    }

    #[test]
    fn few_batches_are_not_worth_a_graph() {
        let mut lane = Lane::new(&[1, 1, 1, 1], Device::Cpu, Kind::Float, WORTH_A_GRAPH - 1).unwrap();
        for _ in 0..3 {
            lane.begin(&[1.0], &double).unwrap();
            assert_eq!(ended(&mut lane), Some((vec![2.0], true)));
        }
        assert_eq!(lane.notice(), None); // a CPU would tell that it has no graphs
    }

    #[test]
    fn a_batch_that_is_not_finite_is_not_recorded() {
        let (mut steps, mut notice) = (Steps::First(Kind::Float), None);
        for (value, said) in [(1.0, false), (f32::NAN, false), (f32::INFINITY, false), (1.0, true)] {
            let [sr, is_finite] = steps.compute(&Tensor::from_slice(&[value]), &double, &mut notice).unwrap();
            assert_eq!((bool::try_from(is_finite).unwrap(), notice.is_some()), (value.is_finite(), said));
            assert!(value.is_nan() || sr.double_value(&[0]) == f64::from(2.0 * value));
        }
    }

    #[test]
    fn what_fails_is_told() {
        let mut lane = Lane::new(&[1, 1, 1, 2], Device::Cpu, Kind::Float, WORTH_A_GRAPH).unwrap();
        let fail = |_: &Tensor| Err(TchError::Torch("CUDA out of memory".into()));
        assert!(lane.begin(&[1.0, 2.0], &fail).unwrap_err().to_string().contains("out of memory"));
        assert_eq!(ended(&mut lane), None);
        assert!(lane.begin(&[1.0], &double).is_err());
    }
}
