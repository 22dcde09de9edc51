//! LPIPS over AlexNet in turns with the lpips package, in one run: `cargo bench -p abbe-models --bench lpips`.
//!
//! Both compare the same ten pairs of pictures of 480x320, one pair at a time, over the same randomly drawn network. Needs the
//! package beside PyTorch (`pip install --no-deps lpips==0.1.4 scipy tqdm`, with what tests/python/requirements.txt lists).
//! OMP_NUM_THREADS gives both the same threads.

#[path = "../../data/tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use abbe_checkpoint::{StateDict, state_dict_of};
use abbe_models::lpips::{Lpips, Net};
use tch::{Device, Tensor};

const ROUNDS: usize = 15;
const PAIRS: i64 = 10;

/// Writes the drawn network and the pictures; then answers each line with the seconds that all pairs took and their sum.
const PYTHON: &str = "
import sys, time, warnings
warnings.filterwarnings('ignore')
import torch, lpips
folder = sys.argv[1]
torch.manual_seed(0)
torch.set_grad_enabled(False)
metric = lpips.LPIPS(net='alex', pnet_rand=True, verbose=False)
layers = [layer for i in range(1, 6) for layer in getattr(metric.net, f'slice{i}').named_children()]
torch.save({f'features.{i}.{name}': values for i, layer in layers for name, values in layer.state_dict().items()}, f'{folder}/backbone.pth')
xs, ys = torch.rand(10, 3, 320, 480), torch.rand(10, 3, 320, 480)
torch.save({'xs': xs, 'ys': ys}, f'{folder}/pictures.pth')
pairs = list(zip(xs.split(1), ys.split(1)))
for line in sys.stdin.buffer:
    start = time.perf_counter()
    total = sum(metric(x, y, normalize=True).item() for x, y in pairs)
    print(time.perf_counter() - start, total, flush=True)
";

struct Package {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Package {
    fn start(folder: &std::path::Path) -> Self {
        let mut command = support::python();
        command.args(["-c", PYTHON]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// Seconds, and the sum of the distances.
    fn answer(&mut self) -> [f64; 2] {
        writeln!(self.input).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let numbers: Vec<f64> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }
}

fn main() {
    if !support::has("lpips") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut package = Package::start(folder.path());
    package.answer(); // the files are there
    let lpips = Lpips::open(Net::Alex, &folder.path().join("backbone.pth"), None, Device::Cpu).unwrap();
    let saved = state_dict_of(&abbe_checkpoint::read(folder.path().join("pictures.pth")).unwrap()).unwrap();
    let [xs, ys] = ["xs", "ys"].map(|name| pictures(&saved, name).split(1, 0));
    let rounds = Vec::from_iter((0..ROUNDS).map(|_| [ours(&lpips, &xs, &ys), package.answer()]));
    let [[_, found], [_, expected]] = rounds[0];
    assert!((found / expected - 1.0).abs() < 1e-5, "{found}, the package has {expected}");
    let threads = tch::get_num_threads();
    println!(
        "{PAIRS} pairs of 480x320, {threads} threads, {ROUNDS} rounds: ms of ours, the package's, and its over ours"
    );
    for (name, rank) in [("least", 0), ("median", ROUNDS / 2)] {
        let [ours, theirs] = [0, 1].map(|side| ranked(&rounds, side, rank));
        println!("  {name:<6} {:7.1} {:7.1} {:5.2}", 1e3 * ours, 1e3 * theirs, theirs / ours);
    }
    drop(package.input);
    package.child.wait().unwrap();
}

fn pictures(saved: &StateDict, name: &str) -> Tensor {
    Tensor::from_slice(&saved[name].to_f32().unwrap()).view([PAIRS, 3, 320, 480])
}

fn ours(lpips: &Lpips, xs: &[Tensor], ys: &[Tensor]) -> [f64; 2] {
    let start = Instant::now();
    let total = xs.iter().zip(ys).map(|(x, y)| lpips.distances(x, y).unwrap()[0]).sum();
    [start.elapsed().as_secs_f64(), total]
}

fn ranked(rounds: &[[[f64; 2]; 2]], side: usize, rank: usize) -> f64 {
    let mut seconds = Vec::from_iter(rounds.iter().map(|round| round[side][0]));
    seconds.sort_by(f64::total_cmp);
    seconds[rank]
}
