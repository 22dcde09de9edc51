//! `abbe models`

use abbe_checkpoint::Container;
use abbe_models::{Built, Choice, Config, NETWORKS, Opened, Summary, TORCHVISION, named, summary};
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tch::Device;

use crate::method::{FileArguments, check_hints};

/// List the networks with the projects whose names they are known by, or show one: layers, shapes, parameters, memory
///
/// Example: abbe models srresnet --size 96x96; abbe models net_g_5000.pth --python > net.py
#[derive(clap::Args)]
pub struct Arguments {
    /// A network of the list, as in its paper or in torchvision, or a checkpoint whose network is known
    #[arg(value_name = "NAME|CKPT")]
    name: Option<String>,
    /// Height and width of the input [default: what is usual for the network]
    #[arg(long, value_name = "HxW", value_parser = size, requires = "name")]
    size: Option<[i64; 2]>,
    /// Print Python code that builds it as `model`, a PyTorch module that takes the checkpoint's weights
    #[arg(long, requires = "name", conflicts_with_all = ["size", "json"])]
    python: bool,
    /// Print the operations that run instead of it on the CPU
    #[arg(long, requires = "name", conflicts_with_all = ["size", "json", "python"])]
    plan: bool,
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
    let is_checkpoint = arguments.name.as_ref().is_some_and(|name| named(name).is_none());
    ensure!(
        is_checkpoint || arguments.checkpoint == FileArguments::default(),
        "--scale, --like, --key, --activation and --res-scale are for a checkpoint: name one, or leave them out"
    );
    match &arguments.name {
        None if arguments.json => println!("{:#}", rows().map(|row| row.to_json()).collect::<serde_json::Value>()),
        None => list(),
        Some(name) if arguments.plan => plan(name, &arguments.checkpoint)?,
        Some(name) if arguments.python => python(name, &arguments.checkpoint)?,
        Some(name) => show(name, arguments)?,
    }
    Ok(())
}

/// A network of the list, or one of torchvision's that is a row of it under another name.
struct Row {
    name: &'static str,
    config: Config,
    paper: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    let row = |name: &'static str, config: Config| {
        let network = NETWORKS.iter().find(|network| network.name == config.name())?;
        Some(Row { name, config, paper: network.paper })
    };
    let networks = NETWORKS.iter().filter_map(move |network| row(network.name, (network.usual)()));
    let variants = TORCHVISION.into_iter().filter(|(name, config)| *name != config.name());
    networks.chain(variants.filter_map(move |(name, config)| row(name, config)))
}

impl Row {
    fn to_json(&self) -> serde_json::Value {
        json!({
            "name": self.name, "network": self.config.name(), "paper": self.paper, "layouts": self.config.layouts(),
        })
    }
}

fn list() {
    let rows: Vec<_> = rows().collect();
    let column = |text: fn(&Row) -> &'static str| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
    let [names, papers] = [column(|row| row.name), column(|row| row.paper)];
    println!("{:names$}  {:papers$}  layouts", "name", "from");
    for Row { name, config, paper } in &rows {
        println!("{name:names$}  {paper:papers$}  {}", config.layouts().join(", "));
    }
}

/// The code comes with what to do first where the file's names are not the module's.
fn python(name: &str, arguments: &FileArguments) -> Result<()> {
    let choice = arguments.choice();
    if named(name).is_none()
        && let Some(advice) = advice(name, &open(name, &choice)?, *arguments != FileArguments::default())
    {
        eprintln!("notice: {advice}");
        println!("# {}", advice.replace('\n', "\n# "));
    }
    print!("{}", config(name, &choice)?.python());
    Ok(())
}

fn plan(name: &str, arguments: &FileArguments) -> Result<()> {
    let opened = match named(name) {
        Some(config) => abbe_models::build(&config, Device::Cpu)?,
        None => open(name, &arguments.choice())?.sr()?,
    };
    let plan =
        abbe_infer::Plan::new(opened.as_ref()).with_context(|| format!("{name} has no plan: it runs as it is"))?;
    print!("{plan}");
    Ok(())
}

/// How to get a file that the printed module loads, where this one is not it.
fn advice(file: &str, opened: &Opened, has_options: bool) -> Option<String> {
    let own = *opened.config.layouts().first()?;
    let (key, prefix) = &opened.place;
    let wrapper = key.as_ref().map(|key| format!(", under `{}`", key.escape_debug())).unwrap_or_default();
    let before = if prefix.is_empty() { String::new() } else { format!(", after `{}`", prefix.escape_debug()) };
    let options = if has_options { " (with the options that were given here)" } else { "" };
    let is_safetensors = abbe_checkpoint::container_of(file).is_ok_and(|found| found == Container::Safetensors);
    let container = if is_safetensors { "safetensors, " } else { "" };
    let (file, found) = (file.escape_debug(), format!("{container}layout {}{wrapper}{before}", opened.layout));
    let is_own = opened.layout == own && [container, &wrapper, &before].iter().all(|part| part.is_empty());
    (!is_own).then(|| {
        format!(
            "this module does not load {file} as it is: {found}. Write it anew in the module's names{options}:\n    \
             abbe convert {file} out.pth --layout {own}\nmodel.load_state_dict(torch.load(\"out.pth\", \
             weights_only=True)) takes that."
        )
    })
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
            println!(
                "an output pixel sees {radius} LR pixels far on each side: tiles that overlap so far leave no trace"
            )
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
    Ok(open(name, choice)?.config)
}

fn open(name: &str, choice: &Choice) -> Result<Opened> {
    let path = std::path::Path::new(name);
    if !path.is_file() {
        let names: Vec<_> = rows().map(|row| row.name).collect();
        bail!("no network and no file is called `{name}`; the networks are: {}", names.join(", "));
    }
    let opened = abbe_models::open(path, choice, Device::Cpu).with_context(|| name.to_string())?;
    check_hints(&opened.config, choice).map(|()| opened)
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
