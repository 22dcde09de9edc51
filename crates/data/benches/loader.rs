//! Patches per second in turns with PyTorch's DataLoader, in one run: `cargo bench -p abbe-data --bench loader`.
//!
//! Both keep the same decoded pictures in memory and give batches of 16 HR patches of 96x96 and LR patches of 24x24 as
//! floats in [0, 1], made by 1 and by 2 workers. The peer cuts and flips with numpy, reduces with Pillow and stacks with
//! PyTorch; it stands for the usual data set class of a super-resolution project. Ours cuts LR from the LR of the whole
//! picture, shows all eight symmetries, and leaves the channels last.

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::time::Instant;

use abbe_data::image::Rgb8;
use abbe_data::loader::Loader;
use abbe_data::pair::Pair;
use abbe_data::patches::{Sampler, Settings};
use abbe_data::resample::{Border, bicubic};
use abbe_data::store::Store;

const ROUNDS: usize = 7;
const PICTURES: usize = 200;
/// As those of the Berkeley set.
const SIZE: (usize, usize) = (320, 480);
const BATCH: usize = 16;
const BATCHES: usize = 125;

/// The first line holds number and size of the pictures, followed by their pixels. Answers each line `workers batches`
/// with the seconds it took, after a first pass that starts the workers.
const PYTHON: &str = "
import random, sys, time
import numpy as np, torch
from PIL import Image
count, height, width = map(int, sys.stdin.buffer.readline().split())
pixels = sys.stdin.buffer.read(3 * count * height * width)
pictures = np.frombuffer(pixels, np.uint8).reshape(count, height, width, 3)

def tensor(patch):
    return torch.from_numpy(np.array(patch)).permute(2, 0, 1).float() / 255

class Patches(torch.utils.data.Dataset):
    def __init__(self, length):
        self.length = length
    def __len__(self):
        return self.length
    def __getitem__(self, _):
        picture = random.choice(pictures)
        top, left = random.randrange(height - 95), random.randrange(width - 95)
        hr = picture[top:top + 96, left:left + 96]
        hr = np.ascontiguousarray(hr[:, ::-1] if random.random() < 0.5 else hr)
        lr = Image.fromarray(hr).resize((24, 24), Image.Resampling.BICUBIC)
        return tensor(lr), tensor(hr)

loaders = {}
while line := sys.stdin.buffer.readline():
    workers, batches, batch = map(int, line.split())
    if workers not in loaders:
        data = Patches(batches * batch)
        loaders[workers] = torch.utils.data.DataLoader(data, batch, num_workers=workers, persistent_workers=True)
        sum(1 for _ in loaders[workers])
    start = time.perf_counter()
    patches = sum(len(lr) for lr, hr in loaders[workers])
    assert patches == batches * batch
    print(time.perf_counter() - start, flush=True)
";

struct DataLoader {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl DataLoader {
    fn start(pictures: &[Rgb8]) -> Self {
        let mut command = support::python();
        let mut child = command.args(["-c", PYTHON]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        writeln!(input, "{} {} {}", pictures.len(), SIZE.0, SIZE.1).unwrap();
        pictures.iter().for_each(|picture| input.write_all(&picture.pixels).unwrap());
        Self { child, input, output }
    }

    fn seconds(&mut self, workers: usize) -> f64 {
        writeln!(self.input, "{workers} {BATCHES} {BATCH}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

fn main() {
    if !support::has("torch") || !support::has("PIL") {
        return;
    }
    let pictures = Vec::from_iter((0..PICTURES).map(picture));
    let mut peer = DataLoader::start(&pictures);
    let sampler = sampler(pictures);
    println!(
        "{PICTURES} pictures of {}x{}, {ROUNDS} rounds: patches per second of ours, the peer's, ratio",
        SIZE.1, SIZE.0
    );
    for workers in [1, 2] {
        let rounds = Vec::from_iter((0..ROUNDS).map(|_| [ours(&sampler, workers), peer.seconds(workers)]));
        for (name, rank) in [("median", ROUNDS / 2), ("best", 0)] {
            let [ours, theirs] = [0, 1].map(|side| (BATCH * BATCHES) as f64 / ranked(&rounds, side, rank));
            println!("  workers {workers} {name:<6} {ours:8.0} {theirs:8.0} {:6.1}", ours / theirs);
        }
    }
    drop(peer.input);
    peer.child.wait().unwrap();
}

/// Waves, another picture for each index.
fn picture(index: usize) -> Rgb8 {
    let value = |i: usize| {
        let (y, x) = ((i / 3 / SIZE.1) as f32, (i / 3 % SIZE.1) as f32);
        (127.5 + 127.5 * (x * 0.1 + (i % 3 + index) as f32).sin() * (y * 0.2).cos()) as u8
    };
    Rgb8::new(SIZE.0, SIZE.1, (0..3 * SIZE.0 * SIZE.1).map(value).collect()).unwrap()
}

fn sampler(pictures: Vec<Rgb8>) -> Arc<Sampler> {
    let pair = |hr: Rgb8| {
        let lr = bicubic(&hr, SIZE.0 / 4, SIZE.1 / 4, Border::Replicate);
        Pair { name: String::new(), hr, lr }
    };
    let pairs = Vec::from_iter(pictures.into_iter().map(pair));
    Arc::new(Sampler::new(Arc::new(Store::from(pairs)), Settings::new(4, 96, 0, true)).unwrap())
}

/// Seconds for as many batches as the peer makes, taken over many more; a few go before, which start the workers.
fn ours(sampler: &Arc<Sampler>, workers: usize) -> f64 {
    const BEFORE: usize = 10;
    const MORE: usize = 10;
    let steps = 0..(BEFORE + MORE * BATCHES) as u64;
    let mut loader = Loader::new(Arc::clone(sampler), 0..BATCH as u64, steps, workers).unwrap();
    let mut take = |count| (0..count).for_each(|_| assert_eq!(loader.next().unwrap().unwrap().count, BATCH));
    take(BEFORE);
    let start = Instant::now();
    take(MORE * BATCHES);
    start.elapsed().as_secs_f64() / MORE as f64
}

fn ranked(rounds: &[[f64; 2]], side: usize, rank: usize) -> f64 {
    let mut seconds = Vec::from_iter(rounds.iter().map(|round| round[side]));
    seconds.sort_by(f64::total_cmp);
    seconds[rank]
}
