//! `abbe convert`

use std::path::{Path, PathBuf};

use abbe_checkpoint::{Comparison, Container, Dtype, Loss, StateDict, Stats, Unwrapped, Value, WriteOptions};
use abbe_models::{Card, Choice, Hints, Recognised, Source, align, identify};
use anyhow::{Context, Result, bail, ensure};
use tch::Device;

use crate::ascii::{not_finite, tensors};
use crate::method::{FileArguments, check_hints};
use crate::output::keep_apart;
use crate::stop;

/// Write a checkpoint's weights in another container, precision or layout, or mixed with another's
///
/// What is written is read back and compared tensor by tensor. Of a training checkpoint the weights alone are taken.
///
/// Example: abbe convert net_g_400000.pth generator.safetensors --half
#[derive(clap::Args)]
pub struct Arguments {
    /// A checkpoint of any container
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Where to write
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// The container [default: safetensors for a name that ends so, else zip]
    #[arg(long, value_name = "zip|legacy|safetensors", value_parser = container)]
    to: Option<Container>,
    #[command(flatten)]
    precision: Precision,
    /// The project whose names the tensors get; `abbe models` lists them [default: as in IN]
    #[arg(long)]
    layout: Option<String>,
    /// Put the weights under a key: params, params_ema and state_dict are those of other projects
    #[arg(long, value_name = "KEY", value_parser = wrapper)]
    wrap: Option<String>,
    /// Mix with the weights of this checkpoint, which must have the same names and shapes (network interpolation)
    #[arg(long, value_name = "CKPT", requires = "alpha")]
    mix: Option<PathBuf>,
    /// The other checkpoint's share, from 0 to 1
    #[arg(long, requires = "mix", value_parser = share)]
    alpha: Option<f64>,
    /// Replace OUT if it is there already
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    checkpoint: FileArguments,
}

/// Floating-point tensors are converted; batch norm's counters stay int64.
#[derive(clap::Args)]
#[group(multiple = false)]
struct Precision {
    /// Write float16
    #[arg(long)]
    half: bool,
    /// Write bfloat16
    #[arg(long)]
    bf16: bool,
    /// Write float32
    #[arg(long)]
    float: bool,
}

impl Precision {
    fn dtype(&self) -> Option<Dtype> {
        let choices = [(self.half, Dtype::F16), (self.bf16, Dtype::Bf16), (self.float, Dtype::F32)];
        choices.into_iter().find_map(|(chosen, dtype)| chosen.then_some(dtype))
    }
}

/// Converts, says what was written, and on the side what there is to know of it.
///
/// # Errors
/// A file that cannot be read or written, checkpoints that do not mix, a layout that the network does not have, numbers
/// that the precision does not reach.
pub fn run(arguments: &Arguments) -> Result<()> {
    let inputs: Vec<_> =
        [Some(&arguments.input), arguments.mix.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect();
    keep_apart(&inputs, &arguments.output, arguments.overwrite)?;
    let container = arguments.to.map_or_else(|| of_name(&arguments.output), Ok)?;
    let choice = arguments.checkpoint.choice();
    let mut weights = Weights::read(&arguments.input, &choice)?;
    if let (Some(path), Some(alpha)) = (&arguments.mix, arguments.alpha) {
        stop::check()?;
        weights.mix(Weights::read(path, &choice)?, alpha, &choice)?;
    }
    stop::check()?;
    let network = weights.lay_out(arguments.layout.as_deref(), &choice)?;
    stop::check()?;
    if let Some(dtype) = arguments.precision.dtype() {
        weights.cast(dtype)?;
    }
    let card = weights.card.as_ref().map(serde_json::to_string).transpose()?;
    if container != Container::Safetensors && of_name(&arguments.output).is_ok_and(|of| of == Container::Safetensors) {
        weights.notices.push(format!("the name ends in .safetensors, and the container is {container}"));
    }
    if container == Container::Legacy && card.is_some() {
        weights.notices.push("the legacy container has no place for what Abbe says of the network beside it".into());
    }
    weights.notices.extend(weights.not_finite());
    let options = WriteOptions { container, card: card.as_deref() };
    stop::check()?;
    abbe_checkpoint::write_verified(&arguments.output, &weights.state, arguments.wrap.as_deref(), &options)?;
    weights.notices.iter().for_each(|notice| eprintln!("notice: {notice}"));
    let tensors = tensors(weights.state.len());
    println!("{}: {container}, {tensors} of {network}; read back, every one is equal", arguments.output.display());
    Ok(())
}

/// The endings of PyTorch's files; the last one stands for `.pth.tar` too.
const ENDINGS: [&str; 6] = ["pth", "pt", "ckpt", "bin", "state", "tar"];

/// The container that a file's name promises.
fn of_name(path: &Path) -> Result<Container> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if ending == "safetensors" {
        return Ok(Container::Safetensors);
    }
    ensure!(
        ENDINGS.contains(&ending.as_str()),
        "{}: the name does not end like a checkpoint's: end it in .pth (PyTorch) or .safetensors, the containers that \
         Abbe writes, or choose one with --to",
        path.display()
    );
    Ok(Container::Zip)
}

/// A key of a dict that holds the weights.
fn wrapper(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && !text.contains('.');
    fits.then(|| text.into()).ok_or_else(|| "expected a key without dots, such as params_ema".into())
}

/// The weights of a checkpoint on their way into another.
struct Weights {
    state: StateDict,
    card: Option<Card>,
    sources: Vec<Source>,
    /// The layout that IN had, where mixing changed it to Abbe's own.
    layout: Option<&'static str>,
    /// What the user must know.
    notices: Vec<String>,
}

impl Weights {
    fn read(path: &Path, choice: &Choice) -> Result<Self> {
        let checkpoint = abbe_checkpoint::open(path)?;
        let card = checkpoint.card.as_deref().map(|card| Card::parse(path, card)).transpose()?;
        let unwrapped = abbe_checkpoint::unwrap(&checkpoint.value, choice.key);
        let unwrapped = unwrapped.with_context(|| path.display().to_string())?;
        let chosen = choice.key.is_none().then(|| unwrapped.notice()).flatten();
        let notices = chosen.into_iter().chain(left_out(&checkpoint.value, &unwrapped));
        let notices = notices.map(|notice| format!("{}: {notice}", path.display())).collect();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = Source { file, sha256: abbe_checkpoint::sha256(path)?, share: 1.0 };
        let Unwrapped { state, .. } = unwrapped;
        Ok(Weights { state, card, sources: vec![source], layout: None, notices })
    }

    /// Mixes with another, in Abbe's own names where theirs differ and both are of one network.
    fn mix(&mut self, mut other: Weights, alpha: f64, choice: &Choice) -> Result<()> {
        let cards = [self.card.as_ref(), other.card.as_ref()];
        if let Some(aligned) = align([&self.state, &other.state], cards, choice) {
            self.notices.push(format!("mixed {aligned}"));
            self.layout = aligned.layout;
            [self.state, other.state] = aligned.states;
        }
        let types = [&self.state, &other.state].map(float_types);
        ensure!(
            types[0] == types[1],
            "types differ: {} and {}: convert one first, with --half, --bf16 or --float",
            types[0],
            types[1]
        );
        let mixed = match abbe_checkpoint::mix(&self.state, &other.state, alpha) {
            Err(abbe_checkpoint::Error::Unlike(comparison)) => bail!(obstacle(&comparison)),
            mixed => mixed?,
        };
        self.state = mixed.state;
        self.notices.extend(other.notices);
        if let [first, ..] = mixed.kept.as_slice() {
            let (count, first) = (mixed.kept.len(), first.escape_debug());
            self.notices
                .push(format!("{count} tensors that are no floats differ ({first}, ...): the first's are taken"));
        }
        self.sources.extend(other.sources);
        self.sources.iter_mut().zip([1.0 - alpha, alpha]).for_each(|(source, share)| source.share = share);
        if let (Some(card), Some(other)) = (&mut self.card, other.card) {
            card.notices.extend(other.notices);
            card.notices.dedup();
        }
        Ok(())
    }

    /// Recognises the network, which gives the file its card, and names the tensors as `layout` does. What the network is
    /// called. A network that is not recognised keeps its names, unless a layout was asked for or something said of it.
    fn lay_out(&mut self, layout: Option<&str>, choice: &Choice) -> Result<String> {
        let recognised = match identify(&self.state, self.card.as_ref(), choice, Device::Cpu) {
            Err(error) if layout.is_none() && choice.like.is_none() && choice.hints == Hints::default() => {
                let reason = error.to_string();
                let first = reason.lines().next().unwrap_or_default();
                self.notices.push(format!("written without saying which network it is: {first}"));
                return Ok("a network that is not recognised".into());
            }
            recognised => {
                recognised.context("the network is not recognised, as --layout and what is said of it need")?
            }
        };
        check_hints(&recognised.config, choice)?;
        let layout = layout.or(self.layout).unwrap_or(recognised.layout);
        self.state = recognised.state_as(layout)?;
        let Recognised { config, prefix, .. } = recognised;
        if !prefix.is_empty() {
            self.notices.push(format!("`{prefix}` before the names was left out"));
        }
        let notices = self.card.take().map(|card| card.notices).unwrap_or_default();
        self.card = Some(Card { network: config, notices, sources: self.sources.clone() });
        Ok(format!("{} in the layout {layout}", config.name()))
    }

    /// What to say of NaN and infinite numbers.
    fn not_finite(&self) -> Option<String> {
        let spoilt = |tensor| Stats::of(tensor).is_some_and(|stats| stats.non_finite > 0);
        let names: Vec<_> =
            self.state.iter().filter(|(_, tensor)| spoilt(tensor)).map(|(name, _)| name.as_str()).collect();
        not_finite(&names)
    }

    fn cast(&mut self, to: Dtype) -> Result<()> {
        let (state, Loss { tensors, numbers, rounded, vanished, largest }) = abbe_checkpoint::cast(&self.state, to)?;
        self.state = state;
        self.notices.push(match rounded {
            0 => format!("{} became {to}, without a change of any number", crate::ascii::tensors(tensors)),
            _ => format!(
                "{} became {to}: {rounded} of {numbers} numbers were rounded, by {largest:.1e} at most, {vanished} of \
                 them to 0",
                crate::ascii::tensors(tensors)
            ),
        });
        Ok(())
    }
}

/// The floating-point types of the tensors, in the order in which they come.
fn float_types(state: &StateDict) -> String {
    let mut types: Vec<_> = state.values().map(|tensor| tensor.dtype()).filter(|dtype| dtype.is_float()).collect();
    types.sort_by_key(|dtype| dtype.name());
    types.dedup();
    types.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().join(" with ")
}

/// Why two state dicts do not mix: of each kind of difference how often it is there, and the first.
fn obstacle(comparison: &Comparison) -> String {
    let Comparison { only_first, only_second, unlike, .. } = comparison;
    let names = |title: &str, names: &[String]| {
        let first = names.first()?.escape_debug();
        Some(format!("\n  {} names only in the {title}: {first}, ...", names.len()))
    };
    let unlike = unlike.first().map(|first| {
        let (count, name) = (unlike.len(), first.name.escape_debug());
        format!(
            "\n  {count} of another type or shape: {name}: {} in the first, {} in the second, ...",
            first.first, first.second
        )
    });
    let kinds = [names("first", only_first), names("second", only_second), unlike];
    let kinds: String = kinds.into_iter().flatten().collect();
    format!(
        "the checkpoints are not of one network, and only such mix (`abbe inspect A B` lists every difference):{kinds}"
    )
}

/// What a training checkpoint has beside weights.
fn left_out(checkpoint: &Value, unwrapped: &Unwrapped) -> Option<String> {
    let used = unwrapped.key.as_ref()?;
    let keys = checkpoint.entries().unwrap_or_default().iter().filter_map(|(key, _)| match key {
        Value::Text(key) => Some(key),
        _ => None,
    });
    let rest = keys.filter(|key| *key != used && !unwrapped.others.contains(key));
    let rest: Vec<_> = rest.map(|key| key.escape_debug().to_string()).collect();
    (!rest.is_empty()).then(|| format!("left out: {}", rest.join(", ")))
}

fn container(text: &str) -> Result<Container, String> {
    let writable = [Container::Zip, Container::Legacy, Container::Safetensors];
    let found = writable.into_iter().find(|container| container.to_string() == text);
    found.ok_or_else(|| "expected zip, legacy or safetensors".into())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to 1".into())
}
