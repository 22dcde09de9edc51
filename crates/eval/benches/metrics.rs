//! PSNR and SSIM in turns with scikit-image, in one run: `cargo bench -p abbe-eval --bench metrics`.
//!
//! Both measure the same 100 pairs of RGB pictures of 480x320, by the same definition (Gaussian 11x11, population
//! variances, the mean over R, G and B), from 8-bit pixels in memory: on one thread, then on as many as there are cores,
//! scikit-image with a pool of threads over the pictures (it lets others run while it filters).

#[path = "../../data/tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use abbe_data::image::Rgb8;
use abbe_eval::{Metric, Protocol, Versions, measure};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

const ROUNDS: usize = 5;
const PICTURES: usize = 100;
const SIZE: (usize, usize) = (320, 480);

/// Reads the pictures, SR and HR in turns. Answers each line `threads` with the seconds, the mean PSNR and the mean SSIM.
const PYTHON: &str = "
import sys, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
count, height, width = map(int, sys.stdin.buffer.readline().split())
read = lambda: np.frombuffer(sys.stdin.buffer.read(3 * height * width), np.uint8).reshape(height, width, 3)
pairs = [(read(), read()) for _ in range(count)]
def measure(pair):
    sr, hr = pair
    return (peak_signal_noise_ratio(hr, sr, data_range=255),
            structural_similarity(hr, sr, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5,
                                  use_sample_covariance=False))
for line in sys.stdin.buffer:
    with ThreadPoolExecutor(int(line)) as pool:
        start = time.perf_counter()
        values = np.array(list(pool.map(measure, pairs))).mean(0)
        print(time.perf_counter() - start, *values, flush=True)
";

/// Seconds, mean PSNR, mean SSIM.
type Answer = [f64; 3];

struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(pairs: &[[Rgb8; 2]]) -> Self {
        let mut command = support::python();
        let mut child = command.args(["-c", PYTHON]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        writeln!(input, "{} {} {}", pairs.len(), SIZE.0, SIZE.1).unwrap();
        pairs.iter().flatten().for_each(|picture| input.write_all(&picture.pixels).unwrap());
        Self { child, input, output }
    }

    fn answer(&mut self, threads: usize) -> Answer {
        writeln!(self.input, "{threads}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let values = Vec::from_iter(line.split_whitespace().map(|value| value.parse().unwrap()));
        [values[0], values[1], values[2]]
    }
}

fn main() {
    if !support::has("skimage") {
        return;
    }
    let pairs = Vec::from_iter((0..PICTURES).map(pair));
    let mut peer = Peer::start(&pairs);
    let cores = std::thread::available_parallelism().unwrap().get();
    println!(
        "{PICTURES} pairs of {}x{} RGB, {ROUNDS} rounds: s of ours, scikit-image's, and theirs over ours",
        SIZE.1, SIZE.0
    );
    for threads in [1, cores] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let rounds = Vec::from_iter((0..ROUNDS).map(|_| [ours(&pairs, &pool), peer.answer(threads)]));
        for [ours, theirs] in &rounds {
            assert!((ours[1] - theirs[1]).abs() < 1e-9 && (ours[2] - theirs[2]).abs() < 1e-9, "{ours:?} {theirs:?}");
        }
        for (name, rank) in [("median", ROUNDS / 2), ("least", 0)] {
            let [ours, theirs] = [0, 1].map(|side| ranked(&rounds, side, rank));
            println!("  {threads} threads {name:<6} {ours:7.3} {theirs:7.3} {:6.1}", theirs / ours);
        }
    }
    drop(peer.input);
    peer.child.wait().unwrap();
}

/// Waves of all lengths, and the same with an error that depends on the place.
fn pair(number: usize) -> [Rgb8; 2] {
    let value = |i: usize| {
        let (y, x) = ((i / 3 / SIZE.1) as f64, (i / 3 % SIZE.1) as f64);
        (127.5 + 127.5 * (x * x / 4000.0 + (i % 3 + number) as f64).sin() * (y * y / 3000.0).cos()) as u8
    };
    let hr = Vec::from_iter((0..3 * SIZE.0 * SIZE.1).map(value));
    let sr = hr.iter().enumerate().map(|(i, value)| value.saturating_add((i * i / 7 % 23) as u8)).collect();
    [sr, hr].map(|pixels| Rgb8::new(SIZE.0, SIZE.1, pixels).unwrap())
}

fn ours(pairs: &[[Rgb8; 2]], pool: &ThreadPool) -> Answer {
    let (protocol, metrics) = (Protocol::named("rgb", 4).unwrap(), Metric::usual());
    let start = Instant::now();
    let of = |[sr, hr]: &[Rgb8; 2]| measure(&Versions { sr, hr, lr: None }, &protocol, &metrics).unwrap();
    let values: Vec<Vec<f64>> = pool.install(|| pairs.par_iter().map(of).collect());
    let seconds = start.elapsed().as_secs_f64();
    let mean = |metric: usize| values.iter().map(|values| values[metric]).sum::<f64>() / pairs.len() as f64;
    [seconds, mean(0), mean(1)]
}

fn ranked(rounds: &[[Answer; 2]], side: usize, rank: usize) -> f64 {
    let mut seconds = Vec::from_iter(rounds.iter().map(|round| round[side][0]));
    seconds.sort_by(f64::total_cmp);
    seconds[rank]
}
