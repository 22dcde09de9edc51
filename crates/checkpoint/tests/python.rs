//! What we write, as PyTorch reads it.

mod support;

use std::path::{Path, PathBuf};

use abbe_checkpoint::{
    Adam, Container, Error, Sgd, StateDict, Tensor, TrainingState, Value, WriteOptions, read, save_state_dict, write,
};
use support::{has_torch, python, repository};

/// The folder of fixtures, when it and PyTorch are at hand.
fn fixtures() -> Option<PathBuf> {
    let folder = repository("../shared/fixtures");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
    }
    (folder.is_dir() && has_torch()).then_some(folder)
}

/// Runs Python with the fixtures' script at hand as `make_fixtures`; whatever it complains of fails the test.
fn run(fixtures: &Path, folder: &Path, code: &str) {
    let prelude = format!("import sys\nsys.path.insert(0, {fixtures:?})\nfixtures = {fixtures:?} + '/pth'\n");
    let mut command = python();
    command.env("PYTHONDONTWRITEBYTECODE", "1").args(["-c", &(prelude + code)]).current_dir(folder);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn options(container: Container) -> WriteOptions<'static> {
    WriteOptions { container, card: Some(r#"{"blocks":16}"#) }
}

/// Verifies each written file: with weights_only, by mmap, with the offsets that PyTorch computes, and without data.
const VERIFY: &str = "
import json, os, torch
from make_fixtures import describe, verify
manifest = {entry['file'][5:]: entry for entry in json.load(open(fixtures + '/manifest.json'))['good']}
def seen(tensors): return [(t['path'], t['dtype'], t['shape'], t['sha256']) for t in tensors]
for name in sorted(os.listdir('zip')): verify(fixtures, 'zip/' + name, name)
for name in sorted(os.listdir('legacy')):
    found = describe(torch.load('legacy/' + name, weights_only=True, map_location='cpu'))[0]
    assert seen(found) == seen(manifest[name]['tensors']), name
";

#[test]
fn every_fixture_that_we_write_is_verified_by_pytorch() {
    let Some(fixtures) = fixtures() else { return };
    let out = tempfile::tempdir().unwrap();
    let mut written = 0;
    for container in [Container::Zip, Container::Legacy] {
        let folder = out.path().join(container.to_string());
        std::fs::create_dir(&folder).unwrap();
        for entry in std::fs::read_dir(fixtures.join("pth/good")).unwrap().map(Result::unwrap) {
            let Ok(value) = read(entry.path()) else { continue };
            match write(folder.join(entry.file_name()), &value, &options(container)) {
                // Types that PyTorch writes into this container and cannot read back.
                Err(Error::Unwritable { .. })
                    if container == Container::Legacy && entry.file_name() == "zip_untyped.pth" => {}
                result => result.unwrap(),
            }
            written += 1;
        }
    }
    assert!(written >= 2 * (55 - 8), "only {written} were read");
    run(&fixtures, out.path(), VERIFY);
}

const KINDS: &str = "
import torch
zipped, legacy = (torch.load(name, weights_only=True) for name in ('kinds.pth', 'kinds.legacy'))
assert repr(zipped) == repr(legacy), (zipped, legacy)
keys = ['t', '', 2**62, -2**100, True, 0.5, None, b'k\\xff', (1, 'a'), 1 + 2j, torch.Size([2]), torch.device('cuda:1'), torch.uint16]
assert list(zipped) == keys, zipped
values = [[], (), {}, {1, (2, 'b')}, bytearray(b''), bytearray(b'q'), -0.0, float('inf'), torch.Size([-1, 2**40])]
assert repr(zipped['t'][:len(values)]) == repr(values), zipped['t']
assert zipped['t'][len(values):] == [torch.device(name) for name in ('cpu', 'meta', 'mps:0')], zipped['t']
"; // the types of PyTorch are in the fixtures

/// What no fixture holds: all that can be a key, and values at the edges.
#[test]
fn every_kind_of_value_is_loaded_with_weights_only() {
    let Some(fixtures) = fixtures() else { return };
    let text = |text: &str| Value::Text(text.into());
    let device = |name: &str| Value::Device(name.into());
    let set = Value::Set(vec![Value::Int(1), Value::Tuple(vec![Value::Int(2), text("b")])]);
    let (empty, one) = (Value::ByteArray(vec![]), Value::ByteArray(b"q".into()));
    let (zero, infinite) = (Value::Float(-0.0), Value::Float(f64::INFINITY));
    let mut values =
        vec![Value::List(vec![]), Value::Tuple(vec![]), Value::Dict(vec![]), set, empty, one, zero, infinite];
    values.extend([Value::Size(vec![-1, 1 << 40]), device("cpu"), device("meta"), device("mps:0")]);
    let keys = [
        text(""),
        Value::Int(1 << 62),
        Value::BigInt(-(1 << 100)),
        Value::Bool(true),
        Value::Float(0.5),
        Value::None,
        Value::Bytes(b"k\xff".into()),
        Value::Tuple(vec![Value::Int(1), text("a")]),
        Value::Complex(1.0, 2.0),
        Value::Size(vec![2]),
        device("cuda:1"),
        Value::Dtype(abbe_checkpoint::Dtype::U16),
    ];
    let entries = [(text("t"), Value::List(values))].into_iter().chain(keys.map(|key| (key, Value::None)));
    let value = Value::Dict(entries.collect());
    let out = tempfile::tempdir().unwrap();
    write(out.path().join("kinds.pth"), &value, &options(Container::Zip)).unwrap();
    write(out.path().join("kinds.legacy"), &value, &options(Container::Legacy)).unwrap();
    run(&fixtures, out.path(), KINDS);
}

/// The parameters of the fixtures' network: convolution, batch norm, PReLU, convolution.
fn shapes() -> Vec<Vec<usize>> {
    vec![vec![4, 3, 3, 3], vec![4], vec![4], vec![4], vec![1], vec![3, 4, 3, 3], vec![3]]
}

/// Two copies of a network, one with PyTorch's own state and one with ours: the same options, and the same next step.
const STEP: &str = "
import torch
from make_fixtures import net, train
def groups(net): return [dict(params=list(net[0].parameters())), dict(params=list(net[1:].parameters()))]
optimizers = dict(
    zip_adam=lambda net: torch.optim.Adam(net.parameters()), zip_adam_old=lambda net: torch.optim.Adam(net.parameters()),
    zip_amsgrad_groups=lambda net: torch.optim.Adam(groups(net)), zip_sgd=lambda net: torch.optim.SGD(net.parameters()),
    zip_adamw_named=lambda net: torch.optim.AdamW(net.named_parameters()),
    zip_sgd_plain=lambda net: torch.optim.SGD(net.parameters()))
for name, optimizer in optimizers.items():
    weights = []
    for path in (fixtures + f'/good/{name}.pth', name + '.pth'):
        network = net()
        state = torch.load(path, weights_only=True)
        stepper = optimizer(network)
        stepper.load_state_dict(state)
        train(stepper, network, 1)
        weights.append(network.state_dict())
        if 'initial_lr' not in state['param_groups'][0] and name != 'zip_adam_old':
            fresh = list(stepper.state_dict()['param_groups'][0])
            assert list(state['param_groups'][0]) == fresh, (name, fresh)
    theirs, ours = weights
    assert all(torch.equal(theirs[key], ours[key]) for key in theirs), name
    assert not torch.equal(ours['0.weight'], net()[0].weight) or name == 'zip_amsgrad_groups', name
    theirs, ours = (torch.load(path, weights_only=True)['param_groups'] for path in (fixtures + f'/good/{name}.pth', name + '.pth'))
    assert all(ours[i][key] == group[key] for i, group in enumerate(theirs) for key in group), (name, theirs, ours)
";

#[test]
fn optimiser_states_go_on_in_pytorch() {
    let Some(fixtures) = fixtures() else { return };
    let out = tempfile::tempdir().unwrap();
    let names = ["zip_adam", "zip_adam_old", "zip_amsgrad_groups", "zip_adamw_named", "zip_sgd", "zip_sgd_plain"];
    for name in names.map(|name| format!("{name}.pth")) {
        let value = read(fixtures.join("pth/good").join(&name)).unwrap();
        let ours = match Adam::from_value(&value, &shapes()) {
            Ok(adam) => adam.to_value(),
            Err(_) => Sgd::from_value(&value, &shapes()).unwrap().to_value(),
        };
        write(out.path().join(name), &ours, &WriteOptions::default()).unwrap();
    }
    run(&fixtures, out.path(), STEP);
}

/// After 3 steps of a base rate of 1 with milestones 2 (twice) and 5 and gamma 0.5: 0.25, and 0.125 from step 5 on.
const SCHEDULE: &str = "
import torch
state = torch.load('run.state', weights_only=True)
parameter = torch.nn.Parameter(torch.ones(2))
adam = torch.optim.SGD([parameter], lr=1.0)
scheduler = torch.optim.lr_scheduler.MultiStepLR(adam, [9])
adam.load_state_dict(state['optimizers'][0])
scheduler.load_state_dict(state['schedulers'][0])
rates = []
for step in range(3):
    adam.step()
    scheduler.step()
    rates.append(adam.param_groups[0]['lr'])
assert rates == [0.25, 0.25, 0.125], rates
assert (state['epoch'], state['iter'], state['scaler_g']) == (1, 3, {'scale': 2.0})
";

#[test]
fn a_training_state_goes_on_in_pytorch() {
    let Some(fixtures) = fixtures() else { return };
    let out = tempfile::tempdir().unwrap();
    let group = abbe_checkpoint::SgdGroup {
        parameters: 1,
        param_names: None,
        lr: 0.25,
        momentum: 0.0,
        dampening: 0.0,
        weight_decay: 0.0,
        nesterov: false,
        maximize: false,
        initial_lr: Some(1.0),
    };
    let text = |text: &str| Value::Text(text.into());
    let state = TrainingState {
        epoch: 1,
        iter: 3,
        optimizers: vec![Sgd { groups: vec![group], momentum_buffers: vec![None] }.to_value()],
        schedulers: vec![abbe_checkpoint::multi_step_restart(&[2, 2, 5], 0.5, 1.0, 0.25, 3)],
        more: vec![(text("scaler_g"), Value::Dict(vec![(text("scale"), Value::Float(2.0))]))],
    };
    write(out.path().join("run.state"), &state.to_value(), &WriteOptions::default()).unwrap();
    run(&fixtures, out.path(), SCHEDULE);
}

/// Offsets beyond 32 bits.
const LARGE: &str = "
import torch
from torch.utils.serialization import config
for computed in False, True:
    config.load.calculate_storage_offsets = computed
    state = torch.load('large.pth', weights_only=True, mmap=True)
    assert float(state['last'][-1]) == 3.0, computed
config.load.calculate_storage_offsets = False
torch.load('large.pth', weights_only=True, map_location='meta')
";

#[test]
#[ignore = "writes 4 GiB and needs 10 GiB of memory: cargo test -p abbe-checkpoint --release -- --ignored"]
fn files_beyond_the_limits_of_plain_zip_load_by_mmap() {
    let Some(fixtures) = fixtures() else { return };
    let out = tempfile::tempdir().unwrap();
    let large = 1 << 30; // elements of 4 bytes
    let last = ("last".to_string(), Tensor::from_f32(&[2], &[1.0, 3.0]));
    let state = StateDict::from_iter([("large".into(), Tensor::from_f32(&[large], &vec![1.0; large])), last]);
    save_state_dict(out.path().join("large.pth"), &state, None).unwrap();
    run(&fixtures, out.path(), LARGE);
}
