//! Runs that begin with weights and optimisers out of files, from a run of ours by way of PyTorch. Needs PyTorch.

use abbe_checkpoint::{StateDict, Tensor as Stored, TrainingState};
use abbe_models::Config;
use abbe_train::Experiment;

use crate::optimizer::{difference, read};
use crate::support::{EXPERIMENT, Scratch, small_experiment};

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
    assert!(
        ended.stderr.contains("notice: python.state: param_groups.0: Adam's state was made with betas"),
        "{}",
        ended.stderr
    );
    ended.ok();
    assert_gone_on(&scratch, "srgan", "net_g.pth", 0, 18);
    assert_gone_on(&scratch, "srgan_discriminator", "net_d.pth", 1, 4);
    let manifest = std::fs::read_to_string(scratch.path("again/manifest.json")).unwrap();
    for part in [
        "net_g.pth (SHA-256 ",
        "; optimiser from python.state (SHA-256 ",
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
    scratch
        .abbe("train start.toml --out run --overwrite")
        .fails_with(&["start: run/checkpoints/warm-up_final.pth", "--out"]);
    assert!(scratch.path("run/checkpoints/warm-up_final.pth").is_file());
}
