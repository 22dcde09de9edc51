//! What a page says of one run alone: phases, experiment, environment, checkpoints, how to do it again.

use serde_json::Value;

use super::embed::data_uri;
use super::facts::{Fact, facts};
use super::run::{Checkpoint, Run};

/// What belongs to one run.
pub(super) struct Section<'a> {
    pub name: &'a str,
    pub status: String,
    pub is_finished: bool,
    /// Name, network, length, learning rate and losses of each phase.
    pub phases: Vec<[String; 5]>,
    /// Name, parameters of each network, and where its weights began.
    pub networks: Vec<[String; 3]>,
    pub experiment: &'a str,
    /// The same as a file to save.
    pub experiment_uri: String,
    pub environment: Vec<Fact>,
    /// Each with its size in words.
    pub checkpoints: Vec<(&'a Checkpoint, String)>,
    pub commands: String,
}

impl<'a> Section<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
        let size = |checkpoint: &'a Checkpoint| (checkpoint, size(checkpoint.bytes));
        Self {
            name: &run.name,
            status: run.status(),
            is_finished: run.is_finished(),
            phases: list(&run.settings["phase"]).map(phase).collect(),
            networks: list(&run.manifest["networks"]).map(network).collect(),
            experiment: &run.experiment,
            experiment_uri: data_uri("text/plain;charset=utf-8", run.experiment.as_bytes()),
            environment: facts(&run.manifest),
            checkpoints: run.checkpoints.iter().map(size).collect(),
            commands: commands(run),
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn phase(phase: &Value) -> [String; 5] {
    let terms = phase["loss"].as_object().into_iter().flatten();
    let term = |(name, term): (&String, &Value)| format!("{} × {name}", text(&term["weight"]));
    let length =
        phase["length"].as_object().into_iter().flatten().map(|(unit, count)| format!("{} {unit}", text(count)));
    [
        text(&phase["name"]),
        text(&phase["network"]),
        length.collect(),
        text(&phase["optimizer"]["lr"]),
        terms.map(term).collect::<Vec<_>>().join(" + "),
    ]
}

fn network(network: &Value) -> [String; 3] {
    ["name", "parameters", "weights"].map(|key| text(&network[key]))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { "–".into() } else { value.to_string() }, str::to_owned)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// What to type for the same again.
fn commands(run: &Run) -> String {
    let device = run.manifest["device"].as_str().filter(|device| *device != "cpu");
    let device = device.map_or(String::new(), |device| format!(" --device {device}"));
    let mut commands = format!("abbe train experiment.toml --out runs/again{device}\nabbe report runs/again\n");
    let Some(results) = &run.results else { return commands };
    let last = results.methods.last().map(|method| format!("{}_final.pth", method.name));
    let checkpoint = run.checkpoints.iter().find(|checkpoint| Some(&checkpoint.file) == last.as_ref());
    if let Some(Checkpoint { file, .. }) = checkpoint {
        commands += &format!("abbe eval --model checkpoints/{file} --hr DIR --scale {}\n", results.scale);
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_phase_is_a_row() {
        let srgan = json!({
            "name": "srgan", "network": "generator", "length": { "steps": 200 }, "optimizer": { "lr": 1e-4 },
            "loss": { "pixel": { "weight": 0.07 }, "adversarial": { "weight": 0.001 } },
        });
        let row = ["srgan", "generator", "200 steps", "0.0001", "0.07 × pixel + 0.001 × adversarial"];
        assert_eq!(phase(&srgan), row);
        assert_eq!(phase(&json!({}))[3], "–");
        assert_eq!([1023, 1536, 5 << 20].map(size), ["1023 B", "1.5 KiB", "5.0 MiB"]);
    }
}
