//! `abbe models`

use abbe_models::{Built, Choice, Config, NETWORKS, NetworkInfo, Summary, TORCHVISION, named, summary};
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tch::Device;

use crate::method::FileArguments;

/// List the networks with the projects whose names they are known by, or show one: layers, shapes, parameters, memory
///
/// Example: abbe models srresnet --size 96x96; abbe models net_g_5000.pth --python > net.py
#[derive(clap::Args)]
pub struct Arguments {
    /// A network of the list, as in its paper or in torchvision, or a checkpoint whose network is known
    #[arg(value_name = "NAME|CKPT")]
    name: Option<String>,
    /// Height and width of the input [default: what is usual for the network]
    #[arg(long, value_name = "HxW", value_parser = size)]
    size: Option<[i64; 2]>,
    /// Print Python code that builds it as `model`, a PyTorch module that takes the checkpoint's weights
    #[arg(long, requires = "name", conflicts_with_all = ["size", "json"])]
    python: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    checkpoint: FileArguments,
}

/// Lists or shows.
///
/// # Errors
/// An unknown name, a checkpoint whose network is not known, an input too large for the memory.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.name {
        None if arguments.json => println!("{:#}", NETWORKS.iter().map(row).collect::<serde_json::Value>()),
        None => list(),
        Some(name) if arguments.python => print!("{}", config(name, &arguments.checkpoint.choice())?.python()),
        Some(name) => show(name, arguments)?,
    }
    Ok(())
}

/// A network of the list.
fn row(network: &NetworkInfo) -> serde_json::Value {
    json!({ "name": network.name, "paper": network.paper, "layouts": layouts(network) })
}

fn layouts(network: &NetworkInfo) -> Vec<&'static str> {
    (network.samples)().first().map(Config::layouts).unwrap_or_default()
}

fn list() {
    for network in NETWORKS {
        println!("{:<16} {:<60} {}", network.name, network.paper, layouts(network).join(", "));
    }
    for (name, config) in variants() {
        println!("{name:<16} {} of torchvision", config.name());
    }
}

/// The networks of torchvision that are rows of the list under another name.
fn variants() -> impl Iterator<Item = (&'static str, Config)> {
    TORCHVISION.into_iter().filter(|(name, config)| *name != config.name())
}

fn show(name: &str, arguments: &Arguments) -> Result<()> {
    let (summary, facts) = summarise(name, arguments)?;
    if arguments.json {
        println!("{:#}", as_json(&summary, &facts));
        return Ok(());
    }
    print!("{summary}");
    println!("memory is that of all outputs in float32, as training holds them");
    match facts.radius {
        Some(i64::MAX) => println!("an output pixel sees the whole picture, which therefore cannot be cut into tiles"),
        Some(radius) => {
            println!("an output pixel sees {radius} LR pixels far on each side: what tiles must overlap by")
        }
        None => {}
    }
    println!("{}", facts.config);
    Ok(())
}

/// What a summary does not say.
struct Facts {
    config: Config,
    /// Of a network that enlarges pictures.
    radius: Option<i64>,
}

fn summarise(name: &str, arguments: &Arguments) -> Result<(Summary, Facts)> {
    let config = config(name, &arguments.checkpoint.choice())?;
    let [channels, usual_height, usual_width] = config.input();
    let [height, width] = arguments.size.unwrap_or([usual_height, usual_width]);
    let sides = config.sides();
    ensure!(
        sides.contains(height) && sides.contains(width),
        "--size {height}x{width}: {name} takes {sides}; its usual input is {usual_height}x{usual_width}"
    );
    let built = config.build(Device::Cpu)?;
    let radius = match &built {
        Built::Sr(model) => Some(model.radius()),
        Built::Other(_) => None,
    };
    let summary = summary(|xs| built.network().forward(xs, false), &[1, channels, height, width]);
    Ok((summary, Facts { config, radius }))
}

/// The configuration that a name stands for, or that of a checkpoint.
fn config(name: &str, choice: &Choice) -> Result<Config> {
    if let Some(config) = named(name) {
        return Ok(config);
    }
    let path = std::path::Path::new(name);
    if !path.is_file() {
        let variants = variants().map(|(name, _)| name);
        let names: Vec<_> = NETWORKS.iter().map(|network| network.name).chain(variants).collect();
        bail!("no network and no file is called `{name}`; the networks are: {}", names.join(", "));
    }
    Ok(abbe_models::open(path, choice, Device::Cpu).with_context(|| name.to_string())?.config)
}

fn as_json(summary: &Summary, facts: &Facts) -> serde_json::Value {
    let layers = summary.layers.iter().map(|layer| {
        json!({
            "name": layer.name, "kind": layer.kind, "shape": layer.shape, "parameters": layer.parameters,
            "bytes": layer.memory(), "multiply_adds": layer.multiply_adds,
        })
    });
    json!({
        "config": facts.config, "input": summary.input, "layers": layers.collect::<Vec<_>>(),
        "parameters": summary.parameters(), "bytes": summary.memory(), "multiply_adds": summary.multiply_adds(),
        "radius": facts.radius.filter(|radius| *radius < i64::MAX),
    })
}

fn size(text: &str) -> Result<[i64; 2], String> {
    let sides = text.split_once('x').and_then(|(height, width)| Some([height.parse().ok()?, width.parse().ok()?]));
    sides
        .filter(|sides| sides.iter().all(|side| (1..=4096).contains(side)))
        .ok_or_else(|| format!("expected HEIGHTxWIDTH with sides from 1 to 4096, such as 96x96, found `{text}`"))
}
