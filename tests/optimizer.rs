//! Optimisers that begin in PyTorch and go on here, and the reverse: 50 steps and 50 are 100. Needs PyTorch.

use abbe_checkpoint::{StateDict, TrainingState, WriteOptions};
use abbe_models::convert::to_checkpoint;
use abbe_models::{Config, SrModel, build, srresnet};
use abbe_train::optimizer::Optimizer;
use abbe_train::{Group, OptimizerConfig};
use tch::{Device, Kind, Reduction, Tensor};

use crate::support::Scratch;

/// Names of files, and how the optimisers are made in Python.
const CASES: [(&str, &str); 4] = [
    ("adam", "torch.optim.Adam(model.parameters(), lr=1e-3)"),
    ("adamw", "torch.optim.AdamW(groups(model, 1e-3), lr=1e-3, weight_decay=0.1)"),
    ("sgd", "torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9, weight_decay=1e-4)"),
    ("rmsprop", "torch.optim.RMSprop(groups(model, 1e-4), lr=1e-4, alpha=0.9, eps=1e-3, momentum=0.9, centered=True)"),
];

/// The same here; in two groups where it is so in Python.
fn optimizer(name: &str, model: &dyn SrModel) -> Optimizer {
    let convolutions = Group { names: vec!["*.weight".into()], lr: Some(0.5), weight_decay: None };
    let (config, groups) = match name {
        "adam" => (OptimizerConfig::Adam { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0 }, vec![]),
        "adamw" => {
            let config = OptimizerConfig::AdamW { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1 };
            (config, vec![convolutions])
        }
        "sgd" => (OptimizerConfig::Sgd { lr: 1e-2, momentum: 0.9, nesterov: false, weight_decay: 1e-4 }, vec![]),
        _ => {
            let (lr, alpha, eps, momentum, centered, weight_decay) = (1e-4, 0.9, 1e-3, 0.9, true, 0.0);
            (OptimizerConfig::RmsProp { lr, alpha, eps, momentum, centered, weight_decay }, vec![convolutions])
        }
    };
    Optimizer::new(&config, &groups, model.store()).unwrap()
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

/// The state dict of a file.
pub fn read(scratch: &Scratch, name: &str) -> StateDict {
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
        optimizer.zero_grad();
        sr.mse_loss(&hr.get(batch), Reduction::Mean).backward();
        optimizer.step().unwrap();
    }
}

const PYTHON: &str = "
import sys, torch
torch.set_num_threads(1)
sys.path.insert(0, '.')
torch.manual_seed(0)
data = torch.load('data.pth', weights_only=True)

def groups(model, lr):
    named = list(model.named_parameters())
    first = [p for name, p in named if name.endswith('.weight')]
    return [{'params': first, 'lr': lr / 2}, {'params': [p for name, p in named if not name.endswith('.weight')]}]

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
pub fn difference(ours: &StateDict, theirs: &StateDict) -> f64 {
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
        let mut optimizer = optimizer(name, model.as_ref());
        train(model.as_ref(), &mut optimizer, &data, 0..50);
        save(&scratch, &format!("{name}_ours_50.pth"), &model.store().state_dict());
        let optimizers = vec![optimizer.to_value()];
        let state = TrainingState { epoch: 0, iter: 50, optimizers, schedulers: vec![], more: vec![] };
        let path = scratch.path(&format!("{name}_ours_50.state"));
        abbe_checkpoint::write(path, &state.to_value(), &WriteOptions::default()).unwrap();
        train(model.as_ref(), &mut optimizer, &data, 50..100);
        save(&scratch, &format!("{name}_ours_100.pth"), &model.store().state_dict());
    }
    in_python("save('NAME_reverse_100', *train('NAME_ours_50.pth', \"MAKE\", range(50, 100), 'NAME_ours_50.state'))\n");
    for (name, _) in CASES {
        let model = open(&scratch, &format!("{name}_python_50.pth"));
        let mut optimizer = optimizer(name, model.as_ref());
        let state = abbe_checkpoint::read(scratch.path(&format!("{name}_python_50.state"))).unwrap();
        let notices = optimizer.restore(&TrainingState::from_value(&state).unwrap().optimizers[0]).unwrap();
        assert_eq!(notices, [""; 0]);
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
