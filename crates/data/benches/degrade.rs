//! Degrading a patch in turns with OpenCV and numpy, in one run: `cargo bench -p abbe-data --bench degrade`.
//!
//! Both make LR patches of 64x64 from one HR patch of 256x256 on one core by the second-order degradation of Real-ESRGAN,
//! sharpening included, each with its own random numbers. OpenCV is named by ABBE_PYTHONPATH.

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use abbe_data::degrade::{Config, Planes, degrade};
use abbe_data::image::Rgb8;
use abbe_data::random::{Draws, Purpose};

const ROUNDS: u64 = 11;
/// Patches of a round.
const PATCHES: u64 = 60;
const SIDE: usize = 256;

struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(picture: &Rgb8) -> Self {
        let mut command = support::python();
        let command = command.arg(support::repository("crates/data/benches/degrade.py")).arg(SIDE.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        input.write_all(&picture.pixels).unwrap();
        Self { child, input, output }
    }

    fn seconds(&mut self) -> f64 {
        writeln!(self.input, "{PATCHES}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

fn main() {
    if !support::has("cv2") {
        return;
    }
    let picture = picture();
    let (hr, config) = (Planes::from(&picture), Config::open("real-esrgan", 4).unwrap());
    let mut peer = Peer::start(&picture);
    let mut seconds: Vec<[f64; 2]> = (0..ROUNDS).map(|round| [ours(&config, &hr, round), peer.seconds()]).collect();
    seconds.remove(0); // warms up
    let sum = seconds.iter().fold([0.0; 2], |sum, [ours, theirs]| [sum[0] + ours, sum[1] + theirs]);
    let [ours, theirs] = sum.map(|sum| (ROUNDS - 1) as f64 * PATCHES as f64 / sum);
    println!("patches of {SIDE}x{SIDE} per second and core, x4, Real-ESRGAN's second order:");
    println!("  ours {ours:.1}, OpenCV and numpy {theirs:.1}, ratio {:.2}", ours / theirs);
    drop(peer.input);
    peer.child.wait().unwrap();
}

/// Waves of all lengths, as in a photograph neither flat nor noise.
fn picture() -> Rgb8 {
    let value = |i: usize| {
        let (y, x) = ((i / 3 / SIDE) as f64, (i / 3 % SIDE) as f64);
        (127.5 + 127.5 * (x * x / 400.0 + i as f64 % 3.0).sin() * (y * y / 300.0).cos()) as u8
    };
    Rgb8::new(SIDE, SIDE, (0..3 * SIDE * SIDE).map(value).collect()).unwrap()
}

fn ours(config: &Config, hr: &Planes, round: u64) -> f64 {
    let start = Instant::now();
    for index in 0..PATCHES {
        let degraded = degrade(config, hr, 4, Draws::new(0, Purpose::Degradation, round, index)).unwrap();
        assert_eq!(degraded.lr.size(), (SIDE / 4, SIDE / 4));
    }
    start.elapsed().as_secs_f64()
}
