//! Writing and reading in turns with PyTorch, in one run: `cargo bench -p abbe-checkpoint`.
//!
//! Files are written with an fsync on both sides, and read back out of the system's page cache: again in a process that has
//! read before, whose allocator may have kept memory, and for the first time in a new one, as a program does that starts.

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use abbe_checkpoint::{Container, Tensor, Value, WriteOptions, read, write};

const ROUNDS: usize = 11;

/// Answers each line `what path` with the seconds it took; the first line holds the shapes.
const PYTHON: &str = "
import json, os, sys, time, torch
torch.set_num_threads(1)
state = {f'w{i}': torch.arange(float(torch.Size(shape).numel())).reshape(shape) for i, shape in enumerate(json.loads(input()))}
def legacy(path): torch.save(state, path, _use_new_zipfile_serialization=False)
def synced(save, path):
    save(path)
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.close(file)
def touch(path):
    for tensor in torch.load(path, weights_only=True, mmap=True).values():
        tensor.flatten()[::1024].sum()
what = dict(
    zip=lambda path: torch.save(state, path), zip_synced=lambda path: synced(what['zip'], path),
    legacy=legacy, legacy_synced=lambda path: synced(legacy, path),
    load=lambda path: torch.load(path, weights_only=True), mmap=touch)
for line in sys.stdin:
    name, path = line.split()
    start = time.perf_counter()
    what[name](path)
    print(time.perf_counter() - start, flush=True)
";

/// A process that ends with it.
struct PyTorch {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for PyTorch {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl PyTorch {
    fn start(shapes: &[Vec<usize>]) -> Self {
        let mut command = support::python();
        let mut child = command.args(["-c", PYTHON]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        writeln!(input, "{shapes:?}").unwrap();
        PyTorch { child, input, output }
    }

    fn seconds(&mut self, what: &str, path: &Path) -> f64 {
        writeln!(self.input, "{what} {}", path.display()).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

/// With the arguments `read` and a path: prints the seconds of one reading, as the new process of a round.
fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, what, path] = arguments.as_slice()
        && what == "read"
    {
        return println!("{}", seconds_of_reading(Path::new(path)));
    }
    if !support::has_torch() {
        return;
    }
    compare("25 tensors of 4 MB", &vec![vec![1000, 1000]; 25]);
    compare("VGG-19", &vgg19());
}

/// Convolutions of 3x3 with their biases, then three linear layers.
fn vgg19() -> Vec<Vec<usize>> {
    let channels = [3, 64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512, 512, 512, 512];
    let convolutions = channels.array_windows().map(|[from, to]| vec![*to, *from, 3, 3]);
    let linear = [[4096, 25088], [4096, 4096], [1000, 4096]].map(Vec::from);
    convolutions.chain(linear).flat_map(|weight| [vec![weight[0]], weight]).collect()
}

fn compare(name: &str, shapes: &[Vec<usize>]) {
    let value = value(shapes);
    let mut pytorch = PyTorch::start(shapes);
    let bytes: usize = shapes.iter().map(|shape| 4 * shape.iter().product::<usize>()).sum();
    println!(
        "{name}, {} MB, medians of {ROUNDS} rounds: seconds of ours and PyTorch's, and their ratio",
        bytes / 1_000_000
    );
    for container in [Container::Zip, Container::Legacy] {
        let mut rounds = Vec::from_iter((0..ROUNDS).map(|turn| round(turn, &value, container, &mut pytorch)));
        let mut median = |column: usize| {
            rounds.sort_by(|one, other| one[column].total_cmp(&other[column]));
            rounds[ROUNDS / 2][column]
        };
        let [write, synced, save, read, load, mmap, new_read, new_load] = [0, 1, 2, 3, 4, 5, 6, 7].map(&mut median);
        let row = |what: &str, ours: f64, theirs: f64| {
            println!("  {:<8} {what:<48} {ours:.3} {theirs:.3} {:.2}", container.to_string(), ours / theirs);
        };
        row("write, torch.save with fsync", write, synced);
        row("write, torch.save without fsync", write, save);
        row("read, torch.load, each in a new process", new_read, new_load);
        row("read, torch.load, again", read, load);
        if container == Container::Zip {
            row("read, torch.load(mmap=True) touching each page", read, mmap);
        }
    }
}

/// Seconds of: our write, torch.save with fsync and without, our read, torch.load, and by mmap, both in new processes.
///
/// Whose synced write is first changes with the turn. Each file is new, and gone before the next: to truncate one that is
/// there is quicker than to put another beside it, but not safe. Both sides read the same file, PyTorch's.
fn round(turn: usize, value: &Value, container: Container, pytorch: &mut PyTorch) -> [f64; 8] {
    let folder = tempfile::tempdir_in(support::repository("target")).unwrap();
    let path = folder.path().join("net.pth");
    let options = WriteOptions { container, card: None };
    let mut written = [0.0; 2];
    for side in [turn % 2, (turn + 1) % 2] {
        written[side] = match side {
            0 => seconds(|| write(&path, value, &options).unwrap()),
            _ => pytorch.seconds(&format!("{container}_synced"), &path),
        };
        std::fs::remove_file(&path).unwrap();
    }
    let saved = pytorch.seconds(&container.to_string(), &path);
    let read = seconds_of_reading(&path);
    let load = pytorch.seconds("load", &path);
    let (new_read, new_load) = (new_process(&path), PyTorch::start(&[]).seconds("load", &path));
    // A legacy file has no mmap.
    let mmap = if container == Container::Zip { pytorch.seconds("mmap", &path) } else { load };
    [written[0], written[1], saved, read, load, mmap, new_read, new_load]
}

fn seconds_of_reading(path: &Path) -> f64 {
    seconds(|| assert!(read(path).unwrap().entries().is_some()))
}

fn new_process(path: &Path) -> f64 {
    let output = Command::new(std::env::current_exe().unwrap()).arg("read").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// The state dict that Python makes of the same shapes.
fn value(shapes: &[Vec<usize>]) -> Value {
    let tensor = |(index, shape): (usize, &Vec<usize>)| {
        let values: Vec<_> = (0..shape.iter().product::<usize>()).map(|value| value as f32).collect();
        (Value::Text(format!("w{index}")), Value::Tensor(Tensor::from_f32(shape, &values)))
    };
    Value::Dict(shapes.iter().enumerate().map(tensor).collect())
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}
