//! Training that begins in PyTorch and goes on here, and the reverse: 50 steps and 50 are 100. Needs the PyTorch that
//! `cargo xtask setup` installs.

use abbe_checkpoint::{StateDict, Tensor as Stored, TrainingState, Value, WriteOptions};
use abbe_models::convert::to_checkpoint;
use abbe_models::{Config, SrModel, build, srresnet};
use abbe_torch::{Adam, AdamConfig, Sgd, SgdConfig};
use abbe_train::Experiment;
use abbe_train::optimizer_state::{of_adam, of_sgd, restore_adam, restore_sgd};
use tch::{Device, Kind, Reduction, Tensor};

use crate::support::{EXPERIMENT, Scratch, small_experiment};

enum Optimizer {
    Adam(Adam),
    Sgd(Sgd),
}

/// Names of files, and how the two optimisers are made in Python.
const CASES: [(&str, &str); 2] = [
    ("adam", "torch.optim.Adam(model.parameters(), lr=1e-3)"),
    ("sgd", "torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9, weight_decay=1e-4)"),
];

impl Optimizer {
    fn new(name: &str, model: &dyn SrModel) -> Self {
        let parameters = model.store().parameters();
        let adam =
            AdamConfig { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled_weight_decay: false };
        let sgd = SgdConfig { lr: 1e-2, momentum: 0.9, weight_decay: 1e-4, nesterov: false };
        match name {
            "adam" => Optimizer::Adam(Adam::new(parameters, adam)),
            _ => Optimizer::Sgd(Sgd::new(parameters, sgd)),
        }
    }

    fn step(&mut self, loss: &Tensor) {
        match self {
            Optimizer::Adam(adam) => {
                adam.zero_grad();
                loss.backward();
                adam.step().unwrap();
            }
            Optimizer::Sgd(sgd) => {
                sgd.zero_grad();
                loss.backward();
                sgd.step().unwrap();
            }
        }
    }

    fn value(&self) -> Value {
        match self {
            Optimizer::Adam(adam) => of_adam(adam).to_value(),
            Optimizer::Sgd(sgd) => of_sgd(sgd).to_value(),
        }
    }

    fn restore(&mut self, value: &Value, model: &dyn SrModel) {
        let shapes: Vec<Vec<usize>> =
            model.store().parameters().iter().map(|p| to_checkpoint(p).shape().to_vec()).collect();
        match self {
            Optimizer::Adam(adam) => {
                restore_adam(adam, &abbe_checkpoint::Adam::from_value(value, &shapes).unwrap()).unwrap();
            }
            Optimizer::Sgd(sgd) => {
                restore_sgd(sgd, &abbe_checkpoint::Sgd::from_value(value, &shapes).unwrap()).unwrap();
            }
        }
    }
}

fn config() -> Config {
    Config::Srresnet(srresnet::Config {
        scale: 2,
        blocks: 2,
        channels: 4,
        norm: srresnet::Norm::Batch,
        ..srresnet::Config::paper(2)
    })
}

/// The network with the weights of a file.
fn open(scratch: &Scratch, name: &str) -> Box<dyn SrModel> {
    let model = build(&config(), Device::Cpu).unwrap();
    model.store().load(&read(scratch, name)).unwrap();
    model
}

fn read(scratch: &Scratch, name: &str) -> StateDict {
    abbe_checkpoint::state_dict_of(&abbe_checkpoint::read(scratch.path(name)).unwrap()).unwrap()
}

fn save(scratch: &Scratch, name: &str, state: &StateDict) {
    abbe_checkpoint::save_state_dict(scratch.path(name), state, None).unwrap();
}

/// As `train` of the Python below: step k is on batch k modulo their number.
fn train(model: &dyn SrModel, optimizer: &mut Optimizer, [lr, hr]: &[Tensor; 2], steps: std::ops::Range<i64>) {
    for step in steps {
        let batch = step % lr.size()[0];
        let sr = model.forward(&lr.get(batch), true);
        optimizer.step(&sr.mse_loss(&hr.get(batch), Reduction::Mean));
    }
}

const PYTHON: &str = "
import sys, torch
torch.set_num_threads(1)
sys.path.insert(0, '.')
torch.manual_seed(0)
data = torch.load('data.pth', weights_only=True)

def train(weights, optimizer, steps, state=None):
    from network import model
    model.train().load_state_dict(torch.load(weights, weights_only=True), strict=True)
    optimizer = eval(optimizer)
    if state: optimizer.load_state_dict(torch.load(state, weights_only=True)['optimizers'][0])
    for step in steps:
        batch = step % len(data['lr'])
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(data['lr'][batch]), data['hr'][batch]).backward()
        optimizer.step()
    return model, optimizer

def save(name, model, optimizer):
    torch.save(model.state_dict(), name + '.pth')
    state = {'epoch': 0, 'iter': 50, 'optimizers': [optimizer.state_dict()], 'schedulers': []}
    torch.save(state, name + '.state')
";

/// A batch norm takes away the bias before it, whose gradient is therefore nothing but rounding; Adam divides it by its own
/// size, so that such a bias, and the mean of the batch norm with it, goes as chance wants without any effect.
fn is_left_to_chance(name: &str) -> bool {
    let before_norm = [".conv1.bias", ".conv2.bias", "fuse.0.bias", ".running_mean"];
    before_norm.iter().any(|ending| name.ends_with(ending))
}

/// The largest difference of any other tensor in relation to its largest value.
fn difference(ours: &StateDict, theirs: &StateDict) -> f64 {
    assert!(ours.keys().eq(theirs.keys()));
    let largest = |values: &[f32]| values.iter().fold(0.0, |largest: f64, value| largest.max(f64::from(value.abs())));
    let floats = ours.iter().filter(|(name, tensor)| tensor.dtype().is_float() && !is_left_to_chance(name));
    let each = floats.map(|(name, ours)| {
        let (ours, theirs) = (ours.to_f32().unwrap(), theirs[name].to_f32().unwrap());
        let apart: Vec<f32> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
        largest(&apart) / largest(&theirs)
    });
    each.fold(0.0, f64::max)
}

#[test]
fn fifty_steps_in_pytorch_and_fifty_here_are_a_hundred_and_the_reverse() {
    let scratch = Scratch::new();
    tch::manual_seed(3);
    save(&scratch, "init.pth", &build(&config(), Device::Cpu).unwrap().store().state_dict());
    let noise = |side: i64| Tensor::rand([4, 2, 3, side, side], (Kind::Float, Device::Cpu));
    let data = [noise(6), noise(12)];
    let named = ["lr", "hr"].into_iter().zip(&data).map(|(name, tensor)| (name.to_owned(), to_checkpoint(tensor)));
    save(&scratch, "data.pth", &named.collect());
    scratch.write("network.py", config().python());
    let in_python = |line: &str| {
        let each = |(name, make): &(&str, &str)| line.replace("NAME", name).replace("MAKE", make);
        let lines: Vec<String> = CASES.iter().map(each).collect();
        scratch.python(&format!("{PYTHON}{}", lines.concat())).ok()
    };
    in_python(
        "
save('NAME_python_50', *train('init.pth', \"MAKE\", range(50)))
save('NAME_python_100', *train('init.pth', \"MAKE\", range(100)))
",
    );
    for (name, _) in CASES {
        let model = open(&scratch, "init.pth");
        let mut optimizer = Optimizer::new(name, model.as_ref());
        train(model.as_ref(), &mut optimizer, &data, 0..50);
        save(&scratch, &format!("{name}_ours_50.pth"), &model.store().state_dict());
        let optimizers = vec![optimizer.value()];
        let state = TrainingState { epoch: 0, iter: 50, optimizers, schedulers: vec![], more: vec![] };
        let path = scratch.path(&format!("{name}_ours_50.state"));
        abbe_checkpoint::write(path, &state.to_value(), &WriteOptions::default()).unwrap();
        train(model.as_ref(), &mut optimizer, &data, 50..100);
        save(&scratch, &format!("{name}_ours_100.pth"), &model.store().state_dict());
    }
    in_python("save('NAME_reverse_100', *train('NAME_ours_50.pth', \"MAKE\", range(50, 100), 'NAME_ours_50.state'))\n");
    for (name, _) in CASES {
        let model = open(&scratch, &format!("{name}_python_50.pth"));
        let mut optimizer = Optimizer::new(name, model.as_ref());
        let state = abbe_checkpoint::read(scratch.path(&format!("{name}_python_50.state"))).unwrap();
        optimizer.restore(&TrainingState::from_value(&state).unwrap().optimizers[0], model.as_ref());
        train(model.as_ref(), &mut optimizer, &data, 50..100);

        let python = read(&scratch, &format!("{name}_python_100.pth"));
        let ours = read(&scratch, &format!("{name}_ours_100.pth"));
        let reverse = read(&scratch, &format!("{name}_reverse_100.pth"));
        for (what, state) in
            [("here", &ours), ("there, then here", &model.store().state_dict()), ("here, then there", &reverse)]
        {
            let apart = difference(state, &python);
            println!("{name}, {what}: {apart:.1e}");
            // A hundred roundings of float32 (6e-8 each) that point the same way would make 6e-6.
            assert!(apart < 6e-6, "{name}, {what}: {apart:e}");
        }
        assert!(difference(&python, &read(&scratch, "init.pth")) > 0.1, "{name} moved nothing");
    }
}

/// The small experiment without its warm-up, on files from Python; the baseline takes what fits of a file that is not its
/// own. So small a learning rate and so long a memory that the generator's and discriminator's weights and moments stay.
fn start_experiment() -> String {
    let [head, srcnn, _, srgan] = EXPERIMENT.split("[[phase]]").collect::<Vec<_>>()[..] else { panic!("four parts") };
    let slow = "lr = 1e-15, betas = [0.999999, 0.999999]";
    let srgan = srgan.replace("lr = 1e-4, betas = [0.9, 0.999]", slow).replace("steps = 8", "steps = 3");
    let start = r#"
[start]
networks.generator = { checkpoint = "net_g.pth", partial = false, optimizer = "python.state" }
networks.baseline = { checkpoint = "run/checkpoints/warm-up_final.pth", partial = true }
discriminator = { checkpoint = "net_d.pth", partial = false, optimizer = "python.state" }
"#;
    format!("{head}{start}\n[[phase]]{srcnn}[[phase]]{srgan}")
}

/// One step on from a run of the small experiment; leaves files as BasicSR names their parts.
const ONE_STEP: &str = "
import sys, torch
sys.path.insert(0, '.')
import generator, discriminator
state = torch.load('run/checkpoints/srgan_final.state', weights_only=True)
assert list(state) == ['epoch', 'iter', 'optimizers', 'schedulers'], list(state)
assert (state['epoch'], state['iter'], len(state['optimizers'])) == (2, 8, 2), state['iter']
optimizers = []
for module, name, saved in zip([generator, discriminator], ['srgan', 'srgan_discriminator'], state['optimizers']):
    module.model.train().load_state_dict(torch.load(f'run/checkpoints/{name}_final.pth', weights_only=True))
    optimizer = torch.optim.Adam(module.model.parameters())
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]['lr'] == 1e-4 and optimizer.param_groups[0]['betas'] == (0.9, 0.999)
    for parameter, kept in optimizer.state.items(): assert kept['exp_avg'].shape == parameter.shape
    optimizers.append(optimizer)
discriminator.model(generator.model(torch.rand(2, 3, 8, 8))).mean().backward()
for optimizer in optimizers: optimizer.step()
print([{int(kept['step']) for kept in optimizer.state.values()} for optimizer in optimizers])
averaged = {name: torch.zeros_like(tensor) for name, tensor in generator.model.state_dict().items()}
torch.save({'params': generator.model.state_dict(), 'params_ema': averaged}, 'net_g.pth')
torch.save({'params': discriminator.model.state_dict()}, 'net_d.pth')
torch.save({'epoch': 0, 'iter': 9, 'optimizers': [o.state_dict() for o in optimizers], 'schedulers': []}, 'python.state')
";

#[test]
fn a_run_goes_on_in_pytorch_and_begins_from_what_pytorch_saved() {
    let scratch = small_experiment();
    scratch.abbe("train small.toml --out run").ok();
    let experiment = Experiment::read(&scratch.path("small.toml")).unwrap();
    scratch.write("generator.py", experiment.network("generator").unwrap().python());
    scratch.write("discriminator.py", Config::from(experiment.discriminator.unwrap()).python());
    // The generator took 6 steps in its warm-up and 8 against the discriminator, which took 2; then each took one there.
    assert_eq!(scratch.python(ONE_STEP).ok().trim(), "[{15}, {3}]");

    scratch.write("start.toml", start_experiment());
    let ended = scratch.abbe("train start.toml --out again");
    assert!(ended.stderr.contains("notice: python.state: Adam's state was made with betas"), "{}", ended.stderr);
    ended.ok();
    assert_gone_on(&scratch, "srgan", "net_g.pth", 0, 18);
    assert_gone_on(&scratch, "srgan_discriminator", "net_d.pth", 1, 4);
    let manifest = std::fs::read_to_string(scratch.path("again/manifest.json")).unwrap();
    for part in [
        "net_g.pth (SHA-256 ",
        "; Adam from python.state (SHA-256 ",
        "net_d.pth",
        "not with params_ema",
        "left aside",
        "conv1.weight",
    ] {
        assert!(manifest.contains(part), "`{part}` is not in {manifest}");
    }
    // What the run began with is in its own experiment file.
    let again = std::fs::read_to_string(scratch.path("again/experiment.toml")).unwrap();
    assert!(again.contains("python.state") && Experiment::parse(&again).is_ok(), "{again}");
    files_that_do_not_fit(&scratch);
}

/// A network of the second run and its optimiser at `place` are Python's, but for the steps that they have taken.
fn assert_gone_on(scratch: &Scratch, name: &str, theirs: &str, place: usize, steps: u64) {
    let parameters = |state: StateDict| -> StateDict {
        state.into_iter().filter(|(name, _)| !name.contains("running") && !name.contains("num_batches")).collect()
    };
    let value = abbe_checkpoint::read(scratch.path(theirs)).unwrap();
    let theirs = parameters(abbe_checkpoint::unwrap(&value, Some("params")).unwrap().state);
    let ours = parameters(read(scratch, &format!("again/checkpoints/{name}_final.pth")));
    assert!(difference(&ours, &theirs) < 1e-6, "{name}");
    let shapes: Vec<Vec<usize>> = ours.values().map(|tensor| tensor.shape().to_vec()).collect();
    let kept = |file: &str| {
        let state = TrainingState::from_value(&abbe_checkpoint::read(scratch.path(file)).unwrap()).unwrap();
        abbe_checkpoint::Adam::from_value(&state.optimizers[place], &shapes).unwrap().state
    };
    let (ours, theirs) = (kept("again/checkpoints/srgan_final.state"), kept("python.state"));
    for (ours, theirs) in ours.iter().flatten().zip(theirs.iter().flatten()) {
        assert_eq!(ours.step, steps);
        let moment = |tensor: &Stored| [("exp_avg".to_owned(), tensor.clone())].into_iter().collect();
        let apart = difference(&moment(&ours.exp_avg), &moment(&theirs.exp_avg));
        assert!(apart < 1e-3, "{name}: {apart:e}");
    }
}

/// Each is refused before the run's folder is touched.
fn files_that_do_not_fit(scratch: &Scratch) {
    let cases: [(&str, &str, &[&str]); 4] = [
        ("net_g.pth", "nowhere.pth", &["start.networks.generator: checkpoint", "nowhere.pth"]),
        ("net_g.pth", "net_d.pth", &["start.networks.generator: checkpoint net_d.pth", "missing: head.0.weight"]),
        ("python", "run/checkpoints/srcnn_final", &["start.networks.generator: optimizer", "srcnn_final.state"]),
        (
            "net_d.pth\", partial = false, optimizer = \"python",
            "net_d.pth\", partial = false, optimizer = \"run/checkpoints/srcnn_final",
            &["start.discriminator: optimizer", "srcnn_final.state", "found 1"],
        ),
    ];
    for (from, to, parts) in cases {
        assert!(start_experiment().contains(from), "{from}");
        scratch.write("changed.toml", start_experiment().replacen(from, to, 1));
        scratch.abbe("train changed.toml --out refused").fails_with(parts);
        assert!(!scratch.path("refused").exists(), "a run was begun with {to}");
    }
}
