//! `abbe models`

use abbe_models::{Config, NETWORKS, Summary, TORCHVISION, named, summary};
use anyhow::{Result, bail, ensure};
use serde_json::json;
use tch::Device;

/// List the networks, or show one: layers, output shapes, parameters, memory, multiply-adds
///
/// Example: abbe models srresnet --size 96x96
#[derive(clap::Args)]
pub struct Arguments {
    /// A network of the list, as in its paper or in torchvision, or a checkpoint of Abbe's
    #[arg(value_name = "NAME|CKPT")]
    name: Option<String>,
    /// Height and width of the input [default: 24x24 for LR, 96x96 for the discriminator, 224x224 for classifiers]
    #[arg(long, value_name = "HxW", value_parser = size)]
    size: Option<[i64; 2]>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists or shows.
///
/// # Errors
/// An unknown name, a checkpoint that says nothing of its network, an input too large for the memory.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.name {
        None if arguments.json => println!("{:#}", json!(names())),
        None => list(),
        Some(name) => {
            let summary = show(name, arguments.size)?;
            if arguments.json {
                println!("{:#}", as_json(&summary));
            } else {
                print!("{summary}");
                println!("memory is that of all outputs in float32, as training holds them");
            }
        }
    }
    Ok(())
}

/// Every name that can be shown.
fn names() -> Vec<&'static str> {
    let networks = NETWORKS.iter().map(|network| network.name);
    let torchvision = TORCHVISION.into_iter().filter(|(name, config)| *name != config.name());
    networks.chain(torchvision.map(|(name, _)| name)).collect()
}

fn list() {
    for network in NETWORKS {
        let own = TORCHVISION.into_iter().filter(|(_, config)| config.name() == network.name);
        let names: Vec<_> = own.map(|(name, _)| name).filter(|name| *name != network.name).collect();
        let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
        println!("{:<14} {}{names}", network.name, network.paper);
    }
}

fn show(name: &str, size: Option<[i64; 2]>) -> Result<Summary> {
    let config = config(name)?;
    let [channels, height, width] = config.input();
    let [height, width] = size.unwrap_or([height, width]);
    let fits = [height, width].iter().all(|side| config.sides().contains(side));
    let [_, usual_height, usual_width] = config.input();
    ensure!(fits, "--size: {name} does not take {height}x{width}; its usual input is {usual_height}x{usual_width}");
    let built = config.build(Device::Cpu)?;
    Ok(summary(|xs| built.network().forward(xs, false), &[1, channels, height, width]))
}

/// The configuration that a name stands for, or that of a checkpoint.
fn config(name: &str) -> Result<Config> {
    if let Some(config) = named(name) {
        return Ok(config);
    }
    let path = std::path::Path::new(name);
    if !path.is_file() {
        bail!("no network and no file is called `{name}`; the networks are: {}", names().join(", "));
    }
    Ok(abbe_models::card_of(path)?.network)
}

fn as_json(summary: &Summary) -> serde_json::Value {
    let layers = summary.layers.iter().map(|layer| {
        json!({
            "name": layer.name, "kind": layer.kind, "shape": layer.shape, "parameters": layer.parameters,
            "bytes": layer.memory(), "multiply_adds": layer.multiply_adds,
        })
    });
    json!({
        "input": summary.input, "layers": layers.collect::<Vec<_>>(), "parameters": summary.parameters(),
        "bytes": summary.memory(), "multiply_adds": summary.multiply_adds(),
    })
}

fn size(text: &str) -> Result<[i64; 2], String> {
    let sides = text.split_once('x').and_then(|(height, width)| Some([height.parse().ok()?, width.parse().ok()?]));
    sides
        .filter(|sides| sides.iter().all(|side| (1..=4096).contains(side)))
        .ok_or_else(|| format!("expected HEIGHTxWIDTH with sides from 1 to 4096, such as 96x96, found `{text}`"))
}
