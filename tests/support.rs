//! Scratch folders, pictures made by a formula, and running the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use abbe_data::image::{Rgb8, encode_png};
use abbe_models::lpips::Net;
use abbe_models::{Card, Config, alexnet};
use tch::Device;

/// A program that computes on one thread: tests run side by side, and more of libtorch's threads than processors spend their
/// time waiting for one another.
pub fn program(path: &str) -> Command {
    let mut command = Command::new(path);
    command.env("OMP_NUM_THREADS", "1");
    command
}

/// The program that is tested.
pub const ABBE: &str = env!("CARGO_BIN_EXE_abbe");

/// A folder of its own for each test, removed at its end; the program runs in it.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// An empty folder.
    pub fn new() -> Self {
        tch::set_num_threads(1); // as for a program, for what is computed in the test itself
        Scratch(tempfile::tempdir().unwrap())
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes a picture as PNG.
    pub fn picture(&self, name: &str, picture: &Rgb8) -> PathBuf {
        self.write(name, encode_png(picture).unwrap())
    }

    /// Writes an AlexNet with random weights, for LPIPS, where PyTorch's cache has torchvision's; its path.
    pub fn alexnet(&self) -> PathBuf {
        let path = self.write(&format!("hub/checkpoints/{}", Net::Alex.file()), []);
        let network: Config = alexnet::Config { classes: None }.into();
        let built = network.build(Device::Cpu).unwrap();
        let card = Card { network, notices: Vec::new(), sources: Vec::new() };
        abbe_models::save(&path, built.network(), &card).unwrap();
        path
    }

    /// Runs the program here, where PyTorch's cache is too (`hub/checkpoints`); `arguments` are split at blanks.
    pub fn abbe(&self, arguments: &str) -> Finished {
        self.abbe_with(arguments, &[])
    }

    /// The same, with these variables.
    pub fn abbe_with(&self, arguments: &str, variables: &[(&str, &str)]) -> Finished {
        let mut command = program(ABBE);
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).env("TORCH_HOME", ".");
        Finished::of(command.envs(variables.iter().copied()))
    }

    /// Runs Python here, with PyTorch and what the tests import beside it.
    pub fn python(&self, code: &str) -> Finished {
        let python = std::env::var("ABBE_PYTHON").unwrap_or_else(|_| "python3".into());
        let mut command = program(&python);
        let ended = Finished::of(command.args(["-c", code]).env("PYTHONPATH", packages()).current_dir(self.0.path()));
        if let Some(missing) = ended.stderr.lines().find(|line| line.starts_with("ModuleNotFoundError")) {
            panic!("{missing}: `cargo xtask test` installs PyTorch and what tests/python/requirements.txt lists");
        }
        ended
    }

    /// Names of all files below a folder, temporary ones too.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let mut files = Vec::new();
        let mut open = vec![self.path(folder)];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.path().is_dir() {
                    open.push(entry.path());
                } else {
                    files.push(entry.path().strip_prefix(self.0.path()).unwrap().to_string_lossy().into_owned());
                }
            }
        }
        files.sort();
        files
    }
}

/// A program that has ended.
pub struct Finished {
    /// Whether its status was 0.
    pub success: bool,
    /// Its exit status; none when a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Finished {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")).into()
    }

    /// Demands success; what was printed.
    pub fn ok(self) -> String {
        assert!(self.success, "status {:?}\n{}\n{}", self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// Demands failure by a message that holds every one of `parts`.
    pub fn fails_with(self, parts: &[&str]) {
        assert!(!self.success, "it succeeded:\n{}", self.stdout);
        assert!(self.status.is_some_and(|status| status != 101), "it panicked:\n{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in:\n{}", self.stderr);
        }
    }
}

impl From<Output> for Finished {
    fn from(Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Finished { success: status.success(), status: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// Where Python finds PyTorch and what the tests import.
pub fn packages() -> String {
    std::env::var("ABBE_PYTHONPATH")
        .unwrap_or_else(|_| format!("{}:{}", repository(".libtorch").display(), repository(".python").display()))
}

/// A path in the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A picture with smooth shades, edges and fine texture; `kind` makes different ones.
pub fn scene(height: usize, width: usize, kind: usize) -> Rgb8 {
    let pixel = |index: usize| {
        let (y, x) = ((index / width) as f64, (index % width) as f64);
        let phase = kind as f64;
        let shade = 90.0 + 60.0 * (x / 17.0 + phase).sin() + 40.0 * (y / 23.0 - phase).cos();
        let disc = ((y - 40.0).powi(2) + (x - 30.0 - 10.0 * phase).powi(2)).sqrt() < 22.0;
        let stripes = if (x + 2.0 * y + 5.0 * phase) % 14.0 < 7.0 { 25.0 } else { -25.0 };
        let texture = f64::from((index as u32).wrapping_mul(2_654_435_761) >> 28);
        let red = shade + if disc { 60.0 } else { 0.0 } + texture;
        [red, shade + stripes, 200.0 - shade + stripes / 2.0].map(|value| value.clamp(0.0, 255.0) as u8)
    };
    Rgb8::new(height, width, (0..height * width).flat_map(pixel).collect()).unwrap()
}

/// A complete small experiment on `train/` and `test/`: SRCNN, warm-up and adversarial phase, 20 steps in all.
pub const EXPERIMENT: &str = r#"
name = "small"
seed = 7
scale = 4

[data]
train = { hr = "train", lr = { bicubic = { border = "replicate" } }, conversion = "refuse" }
test = { hr = "test", lr = { bicubic = { border = "replicate" } }, conversion = "refuse" }
patch = 32
batch = 2
patches_per_picture = 3
augment = true
workers = 2

[networks]
baseline = { srcnn = { scale = 4, kernels = [9, 1, 5], channels = [16, 8] } }
generator = { srresnet = { scale = 4, blocks = 4, channels = 32, norm = "none", input = "lr", bicubic_skip = true } }

[discriminator.srgan]
patch = 32
channels = 4

[vgg]
net = "vgg11"
weights = { random = { seed = 0 } }

[[phase]]
name = "srcnn"
network = "baseline"
length = { epochs = 2 }
optimizer = { adam = { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8 } }
schedule = "constant"
clamp_output = false
save_epochs = [1]
loss = { pixel = { weight = 1.0, distance = "mse" } }

[[phase]]
name = "warm-up"
network = "generator"
length = { steps = 6 }
optimizer = { adam = { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8 } }
schedule = { cosine = { to = 1e-4 } }
clamp_output = false
clip = { value = 1.0 }
save_epochs = []

[phase.loss]
pixel = { weight = 1.0, distance = "l1" }
content = { weight = 1e-2, distance = "mse", layers = { relu2_1 = 1.0 }, imagenet_normalization = true }

[[phase]]
name = "srgan"
network = "generator"
length = { steps = 8 }
optimizer = { adam = { lr = 1e-4, betas = [0.9, 0.999], eps = 1e-8 } }
schedule = "constant"
clamp_output = true
clip = { value = 1.0 }
save_epochs = []
discriminator = { every = 6, optimizer = { adam = { lr = 1e-4, betas = [0.9, 0.999], eps = 1e-8 } }, clip = { value = 1.0 } }

[phase.loss]
pixel = { weight = 7e-2, distance = "l1" }
content = { weight = 1e-2, distance = "mse", layers = { relu2_1 = 1.0 }, imagenet_normalization = true }
adversarial = { weight = 1e-3, form = "non_saturating" }
"#;

/// A scratch folder with that experiment and its pictures.
pub fn small_experiment() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("small.toml", EXPERIMENT);
    for kind in 0..4 {
        let folder = if kind < 2 { "train" } else { "test" };
        scratch.picture(&format!("{folder}/scene{kind}.png"), &scene(97, 130, kind));
    }
    scratch
}
