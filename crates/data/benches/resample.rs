//! Reducing a picture in turns with Pillow, in one run: `cargo bench -p abbe-data --bench resample`.
//!
//! Both reduce the same 2040x1356 RGB picture by their antialiased bicubic kernels: a = -0.5, 8 bits between the passes.
//! Pillow works on one thread, ours on all; RAYON_NUM_THREADS=1 gives the ratio of the arithmetic alone.

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use abbe_data::image::Rgb8;
use abbe_data::resample::{Border, bicubic};

const ROUNDS: usize = 41;
const SIZE: (usize, usize) = (1356, 2040);

/// The first line holds the picture's size, followed by its pixels. Answers each line `height width` with the seconds it
/// took.
const PYTHON: &str = "
import sys, time
from PIL import Image
height, width = map(int, sys.stdin.buffer.readline().split())
picture = Image.frombytes('RGB', (width, height), sys.stdin.buffer.read(3 * height * width))
for line in sys.stdin.buffer:
    height, width = map(int, line.split())
    start = time.perf_counter()
    picture.resize((width, height), Image.Resampling.BICUBIC)
    print(time.perf_counter() - start, flush=True)
";

struct Pillow {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Pillow {
    fn start(picture: &Rgb8) -> Self {
        let mut command = support::python();
        let mut child = command.args(["-c", PYTHON]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        writeln!(input, "{} {}", picture.height, picture.width).unwrap();
        input.write_all(&picture.pixels).unwrap();
        Self { child, input, output }
    }

    fn seconds(&mut self, (height, width): (usize, usize)) -> f64 {
        writeln!(self.input, "{height} {width}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

fn main() {
    if !support::has("PIL") {
        return;
    }
    let picture = picture();
    let mut pillow = Pillow::start(&picture);
    let threads = rayon::current_num_threads();
    println!(
        "{}x{} RGB, {threads} threads, {ROUNDS} rounds: ms of ours, Pillow's, and Pillow's over ours",
        SIZE.1, SIZE.0
    );
    for scale in [2, 3, 4] {
        let size = (SIZE.0 / scale, SIZE.1 / scale);
        let rounds = Vec::from_iter((0..ROUNDS).map(|_| [ours(&picture, size), pillow.seconds(size)]));
        let [least, median] = [0, ROUNDS / 2].map(|rank| [0, 1].map(|side| ranked(&rounds, side, rank)));
        for (name, [ours, theirs]) in [("median", median), ("least", least)] {
            println!("  1/{scale} {name:<6} {:6.2} {:6.2} {:6.1}", 1e3 * ours, 1e3 * theirs, theirs / ours);
        }
    }
    drop(pillow.input);
    pillow.child.wait().unwrap();
}

/// Waves of all lengths, as in a photograph neither flat nor noise.
fn picture() -> Rgb8 {
    let value = |i: usize| {
        let (y, x) = ((i / 3 / SIZE.1) as f64, (i / 3 % SIZE.1) as f64);
        (127.5 + 127.5 * (x * x / 4000.0 + i as f64 % 3.0).sin() * (y * y / 3000.0).cos()) as u8
    };
    Rgb8::new(SIZE.0, SIZE.1, (0..3 * SIZE.0 * SIZE.1).map(value).collect()).unwrap()
}

fn ours(picture: &Rgb8, (height, width): (usize, usize)) -> f64 {
    let start = Instant::now();
    let reduced = bicubic(picture, height, width, Border::Replicate);
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(reduced.size(), (height, width));
    seconds
}

fn ranked(rounds: &[[f64; 2]], side: usize, rank: usize) -> f64 {
    let mut seconds = Vec::from_iter(rounds.iter().map(|round| round[side]));
    seconds.sort_by(f64::total_cmp);
    seconds[rank]
}
