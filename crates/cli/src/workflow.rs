//! An experiment from pictures to archive: each step one call.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use abbe_data::folder;
use abbe_data::pair::{self, Pair, Source};
use abbe_data::store::{self, Area};
use abbe_eval::{Measures, Published, Results, Upscaler, evaluate};
use abbe_models::{Choice, Store};
use abbe_run::{BestRecord, DataRecord, Earlier, Manifest, NetworkRecord, ResumeRecord, RunFolder, write_atomic};
use abbe_torch::ProcessGroup;
use abbe_train::{Experiment, Networks, OpenVgg, Origin, Resumed, Session, Setup, Start};
use anyhow::{Context, Result, ensure};
use tch::Device;

use crate::command::report;
use crate::device::DeviceArgument;
use crate::guard::guard;
use crate::validation::Validation;
use crate::{measures, progress, stop};

/// How a run begins.
#[derive(Debug, Clone, Copy)]
pub enum Begin {
    /// From the first step.
    New {
        /// Whether an earlier run there is replaced.
        overwrite: bool,
    },
    /// From where the run there was cut off.
    Resume {
        /// Whether it goes on although something has changed.
        allow_changes: bool,
    },
}

/// Runs `experiment` and writes everything into `out`. Whatever can be checked is checked before `out` is touched.
///
/// # Errors
/// What is wrong with the data, the training or the disk; the manifest then says why the run stopped.
pub fn run(experiment: &Experiment, out: &Path, begin: Begin, device: &DeviceArgument) -> Result<()> {
    let started = Instant::now();
    let (at, group) = join(device.find()?, experiment)?;
    let writes = group.as_ref().is_none_or(|group| group.rank() == 0);
    let (train, test, own) = read_pictures(experiment)?;
    let measures = measures::usual(experiment.scale, &test, at)?;
    measures::check_judgeable(&test, &measures).context("data.test")?;
    let published = measures::published(experiment.published.as_deref(), experiment.scale, &measures.protocols);
    let published = published.context("published")?;
    published.iter().try_for_each(|published| published.check(test.len())).context("published")?;
    let validation = Validation::new(experiment, own.as_deref(), &test, at)?.filter(|_| writes);
    if let Begin::New { .. } = begin {
        check_start(experiment, out)?;
    }
    let networks = Networks::new(experiment, at)?;
    let notices = experiment.notices().into_iter().chain(networks.notices()).filter(|_| writes);
    notices.for_each(|notice| eprintln!("notice: {notice}"));
    let vgg = open_vgg(experiment, at)?;
    let mut manifest = describe(experiment, device, at, &train, &test, vgg.as_ref(), &networks);
    let of_own = own.as_deref().zip(experiment.data.validation.as_ref());
    manifest.validation = of_own.map(|(own, source)| record(own.len(), pair::hash(own), source));
    let (data, sampler) = (manifest.train.sha256.clone(), experiment.sampler(train)?);
    let folder = match begin {
        Begin::New { overwrite } if writes => RunFolder::create(out, overwrite)?,
        Begin::New { .. } => RunFolder::of_other_rank(out),
        Begin::Resume { .. } => RunFolder::open(out)?,
    };
    let of_vgg: Vec<String> = vgg.as_ref().and_then(|vgg| vgg.notice.clone()).into_iter().collect();
    let validator = validation.as_ref().map(Validation::validator).transpose()?;
    let setup = Setup {
        experiment,
        sampler,
        data,
        vgg: vgg.as_ref().map(|vgg| vgg.identity.clone()),
        device: at,
        group: group.clone(),
        folder: &folder,
        notices: &of_vgg,
        validator,
        stop: &stop::STOP,
    };
    let mut session = guard(|| Session::new(setup, networks, vgg.map(|vgg| vgg.features)))?;
    let before = match begin {
        Begin::New { .. } => 0.0,
        Begin::Resume { allow_changes } => go_on(&mut session, allow_changes, &folder, &mut manifest)?,
    };
    if !writes {
        return guard(|| abbe_train::train(&mut session, &mut |_| {})); // the first rank writes, shows and judges
    }
    write_atomic(&folder.experiment(), experiment.to_toml()?.as_bytes())?;
    manifest.write(&folder.manifest())?;
    let note = |manifest: &mut Manifest, outcome: String| {
        manifest.outcome = outcome;
        manifest.seconds = before + started.elapsed().as_secs_f64();
        manifest.write(&folder.manifest())
    };
    let done = guard(|| {
        train_all(session, &mut manifest.best)?;
        let results = judge(experiment, &folder, at, &test, measures, &manifest.notices, published)?;
        println!("\n{}", results.to_text());
        let mut written = abbe_viz::figures(&folder, abbe_viz::Patch::default()).complete()?;
        note(&mut manifest, "finished".into())?;
        written.extend(report::finish(&folder)?);
        written.push(abbe_viz::results_archive(&folder)?);
        Ok(written)
    });
    if let Err(error) = &done {
        // What stopped the run matters more than a disk that cannot take the note.
        let _ = note(&mut manifest, format!("stopped: {error:#}"));
    }
    say_where(&folder, &done?);
    println!("{:.1} minutes in all", manifest.seconds / 60.0);
    Ok(())
}

/// The pictures to train on, those to judge by, and those to validate with where they have a place of their own; none of the
/// first is among the others.
fn read_pictures(experiment: &Experiment) -> Result<(store::Store, Vec<Pair>, Option<Vec<Pair>>)> {
    let train = experiment.training_pictures(&stop::STOP, &mut |line| eprintln!("data.train: {line}"))?;
    let pictures = train.entries().len();
    eprintln!("data.train: {pictures} pictures from {}", experiment.data.train.hr.display());
    let test = read_pairs("data.test", &experiment.data.test, experiment)?;
    check_apart(&train, "data.test", &test)?;
    let own = experiment.data.validation.as_ref();
    let own = own.map(|source| read_pairs("data.validation", source, experiment)).transpose()?;
    check_apart(&train, "data.validation", own.as_deref().unwrap_or_default())?;
    Ok((train, test, own))
}

/// The ranks that a launcher has started to train together, where it has, and the device of this one. All must have been
/// given the same experiment.
fn join(device: Device, experiment: &Experiment) -> Result<(Device, Option<ProcessGroup>)> {
    /// Of a collective; the longest wait is for a rank that reads its pictures.
    const LIMIT: Duration = Duration::from_secs(1800);
    let Some(group) = ProcessGroup::from_env(device, LIMIT)? else { return Ok((device, None)) };
    group.check_equal("the experiment", &experiment.to_toml()?)?;
    eprintln!("rank {} of {}", group.rank(), group.size());
    Ok((group.device(), Some(group)))
}

/// Lets a training go on from where it was cut off, and says so, also in the manifest. Gives the seconds that it took before.
fn go_on(session: &mut Session, allow_changes: bool, folder: &RunFolder, manifest: &mut Manifest) -> Result<f64> {
    let earlier = Earlier::read(&folder.manifest())?;
    let Resumed { path, phase, step, seconds, changed, notices } = session.resume(allow_changes)?;
    notices.iter().for_each(|notice| eprintln!("notice: {notice}"));
    changed.iter().for_each(|change| eprintln!("changed: {change}"));
    let phase = phase.unwrap_or_else(|| "evaluation".into());
    eprintln!("going on with step {step} of {phase} from {}", path.display());
    manifest.started_unix = earlier.started_unix;
    manifest.best = session.best.clone();
    manifest.resumed = earlier.resumed;
    manifest.resumed.push(ResumeRecord { unix: now(), phase, step, changed });
    Ok(earlier.seconds.max(seconds)) // a manifest is written at the beginning and the end
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Trains every phase; `best` then has the best checkpoints, also when training was stopped.
fn train_all(mut session: Session, best: &mut Vec<BestRecord>) -> Result<()> {
    let phases = session.setup.experiment.phases.iter();
    let steps = phases.enumerate().map(|(index, phase)| (phase.name.clone(), session.steps(index)));
    let mut bars = progress::Training::new(steps.collect());
    let trained = abbe_train::train(&mut session, &mut |row| bars.show(row));
    *best = session.best;
    trained
}

/// Scores bicubic and the final checkpoint of every phase, and of its average where one is kept; writes each picture's versions and the tables.
fn judge(
    experiment: &Experiment,
    folder: &RunFolder,
    device: Device,
    test: &[Pair],
    measures: Measures,
    notices: &[String],
    published: Option<Published>,
) -> Result<Results> {
    for pair in test {
        abbe_viz::save(&pair.hr, &folder.picture(&pair.name, "hr"))?;
        abbe_viz::save(&pair.lr, &folder.picture(&pair.name, "lr"))?;
    }
    let mut upscalers = vec![("bicubic".to_owned(), Upscaler::Bicubic)];
    for phase in &experiment.phases {
        for of in ["", "_ema"] {
            let path = folder.checkpoint(&format!("{}_final{of}", phase.name));
            // A phase that had ended before its network got an average has none.
            if of == "_ema" && !(experiment.ema.contains_key(&phase.network) && path.is_file()) {
                continue;
            }
            let model = abbe_models::open(&path, &Choice::default(), device)?.sr()?;
            upscalers.push((format!("{}{of}", phase.name), Upscaler::Network(model)));
        }
    }
    let bar = progress::bar("evaluation", (upscalers.len() * test.len()) as u64);
    let mut methods = Vec::new();
    for (name, upscaler) in &upscalers {
        let keep = |pair: &Pair, sr: &_| -> Result<()> {
            bar.inc(1);
            stop::check()?;
            abbe_viz::save(sr, &folder.picture(&pair.name, name))
        };
        methods.push(evaluate(name, upscaler, test, &measures, keep)?);
    }
    bar.finish_and_clear();
    let lr = pair::lr_description(&experiment.data.test);
    let notices = notices.iter().cloned();
    let notices = notices.chain(measures::of_other_lr(published.as_ref(), Some(&experiment.data.test.lr))).collect();
    let results = Results { published, ..measures.results(lr, methods, notices) };
    write_tables(&results, |ending| folder.metrics(ending))?;
    Ok(results)
}

/// Writes a table as CSV, text, JSON, Markdown and LaTeX, to the files that `path` gives for these endings.
///
/// # Errors
/// A file that cannot be written.
pub fn write_tables(results: &Results, path: impl Fn(&str) -> std::path::PathBuf) -> Result<()> {
    let forms = [
        ("csv", results.to_csv()),
        ("txt", results.to_text()),
        ("json", results.to_json()),
        ("md", results.to_markdown()),
        ("tex", results.to_latex()),
    ];
    for (ending, text) in forms {
        write_atomic(&path(ending), text.as_bytes())?;
    }
    Ok(())
}

fn read_pairs(key: &'static str, source: &Source, experiment: &Experiment) -> Result<Vec<Pair>> {
    let passed_over = folder::passed_over(&source.hr).context(key)?;
    passed_over.iter().for_each(|said| eprintln!("{key}: {said}"));
    let pairs = pair::load(source, experiment.scale).context(key)?;
    eprintln!("{key}: {} pictures from {}", pairs.len(), source.hr.display());
    Ok(pairs)
}

/// A picture that was trained on proves nothing.
fn check_apart(train: &store::Store, key: &str, test: &[Pair]) -> Result<()> {
    for judged in test {
        let is_same = |hr: &Area| (hr.height, hr.width) == judged.hr.size() && train.pixels(hr) == judged.hr.pixels;
        let same = train.entries().iter().find(|entry| is_same(&entry.hr));
        ensure!(
            same.is_none(),
            "{key}: `{}` is also a training picture (`{}`): remove it from one of the two folders",
            judged.name,
            same.map_or("", |entry| &entry.name)
        );
    }
    Ok(())
}

/// What a run begins with must outlast it, also when the run is stopped.
fn check_start(experiment: &Experiment, out: &Path) -> Result<()> {
    let Ok(out) = out.canonicalize() else { return Ok(()) };
    for file in experiment.start.iter().flat_map(Start::files) {
        let inside = file.canonicalize().is_ok_and(|file| file.starts_with(&out));
        ensure!(
            !inside,
            "start: {} lies in {}, where the new run would replace it: name another --out",
            file.display(),
            out.display()
        );
    }
    Ok(())
}

/// The VGG of the experiment, which it has when a phase has a content or style loss.
fn open_vgg(experiment: &Experiment, device: Device) -> Result<Option<OpenVgg>> {
    let vgg = experiment.vgg.as_ref().map(|vgg| abbe_train::open_vgg(vgg, device)).transpose()?;
    if let Some(notice) = vgg.as_ref().and_then(|vgg| vgg.notice.as_ref()) {
        eprintln!("notice: {notice}");
    }
    Ok(vgg)
}

fn describe(
    experiment: &Experiment,
    device: &DeviceArgument,
    at: Device,
    train: &store::Store,
    test: &[Pair],
    vgg: Option<&OpenVgg>,
    networks: &Networks,
) -> Manifest {
    let mut notices = [experiment.notices(), networks.notices()].concat();
    notices.extend(vgg.and_then(|vgg| vgg.notice.clone()).filter(|notice| !notices.contains(notice)));
    Manifest {
        experiment: experiment.name.clone(),
        outcome: "unfinished".into(),
        started_unix: now(),
        abbe: env!("CARGO_PKG_VERSION").into(),
        libtorch: abbe_torch::libtorch_version(),
        device: device.name().into(),
        threads: tch::get_num_threads(),
        seed: experiment.seed,
        train: record(train.entries().len(), train.hash(), &experiment.data.train),
        test: record(test.len(), pair::hash(test), &experiment.data.test),
        validation: None,
        precision: experiment.precision.resolved(at).name().into(),
        resumed: Vec::new(),
        networks: network_records(networks),
        vgg: vgg.map(|vgg| vgg.origin.clone()),
        best: Vec::new(),
        notices,
        seconds: 0.0,
    }
}

fn record(pictures: usize, sha256: String, source: &Source) -> DataRecord {
    DataRecord { pictures, sha256, lr: pair::lr_description(source) }
}

/// Every network that is trained, the discriminator last.
fn network_records(networks: &Networks) -> Vec<NetworkRecord> {
    let record = |name: &str, store: &Store, origin: &Origin| NetworkRecord {
        name: name.to_owned(),
        parameters: store.parameters().iter().map(|parameter| parameter.numel() as i64).sum(),
        weights: origin.weights.clone(),
    };
    let trainees = networks.trainees.iter();
    let critic = networks.critic.iter();
    trainees
        .map(|(name, trainee)| record(name, trainee.model.store(), &trainee.origin))
        .chain(critic.map(|critic| record("discriminator", critic.network.store(), &critic.origin)))
        .collect()
}

fn say_where(folder: &RunFolder, drawn: &[std::path::PathBuf]) {
    println!("weights      {}", folder.root().join("checkpoints").display());
    println!("tables       {} (also .csv, .json, .md and .tex)", folder.metrics("txt").display());
    println!("pictures     {}", folder.root().join("pictures").display());
    println!("log          {}", folder.log().display());
    for path in drawn {
        println!("drawn        {}", path.display());
    }
}
