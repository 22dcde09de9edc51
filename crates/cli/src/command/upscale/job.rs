//! One picture: read, enlarged and written in rows, so that neither it nor the result need fit into memory.

mod events;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use abbe_data::image::{Header, Loss, RowReader, is_animated, write_rows};
use abbe_data::resample::{Kernel, Resampler};
use abbe_infer::{Bands, Engine, Error, Resized, Tiled, premultiplied, unmultiplied};
use abbe_run::write_atomic_with;
use anyhow::{Context, Result};

use super::Arguments;
use super::model::{Model, bytes_per_pixel, resampling};
use super::outputs::Job;
use crate::stop;
use events::Events;

/// Strips of rows that wait to be written while the next ones are made.
const WAITING: usize = 4;

/// How a picture went.
pub struct Done {
    /// What is printed of it; nothing of what goes to standard output.
    pub line: Option<String>,
    /// What must be known of it.
    pub notices: Vec<String>,
}

/// Makes a picture, one of so many that are made at once; `advance` is told how many of the input's pixels are done.
///
/// # Errors
/// What is wrong with the picture, the network's result, or the place to write to; a stop. Then nothing is written.
pub fn run(arguments: &Arguments, model: &Model, job: &Job, at_once: usize, advance: &dyn Fn(u64)) -> Result<Done> {
    let reader = RowReader::open(&job.input)?;
    let header = reader.header().clone();
    let target = header.resized(arguments.target(header.size, model)?);
    let held = held(&reader, job, &target);
    let mut notices = Vec::new();
    notices.extend(is_animated(&job.input)?.then(|| "has several pictures, of which the first was made".to_owned()));
    let source = premultiplied(Box::new(reader.map(|band| band.map_err(Error::from))), header.planes());
    let lost = match model {
        Model::Kernel(kernel) => {
            let lost = write(job, &target, resized(&header, target.size, *kernel, source)?)?;
            advance((header.size.0 * header.size.1) as u64);
            lost
        }
        Model::Network(network, _, known) => {
            let bytes = bytes_per_pixel(network.as_ref(), known, header.size.0 * header.size.1);
            let engine = arguments.model.engine(network.as_ref());
            let picture = (header.size, header.planes());
            let (tiling, notice) = arguments.model.tiling(&engine, bytes, picture, held, at_once)?;
            let events = Events::new(advance);
            let tell = |event| events.note(event);
            let sr = Box::new(Tiled::new(&engine, tiling, picture, source, &stop::requested, &tell));
            let lost = write(job, &target, scaled(&engine, &header, target.size, sr)?)?;
            notices.extend(notice.into_iter().chain(events.notices(tiling.overlap, engine.radius)));
            lost
        }
    };
    notices.extend(told(&lost));
    Ok(Done { line: line(job, &header, &target), notices })
}

/// Bytes of memory for what is not read or not written in rows: the pixels of the one and, twice, of the other.
fn held(reader: &RowReader, job: &Job, target: &Header) -> usize {
    let header = reader.header();
    let pixels = |header: &Header| header.size.0.saturating_mul(header.size.1).saturating_mul(header.planes());
    let read = if reader.is_in_rows() { 0 } else { pixels(header) << u8::from(header.sixteen) };
    let written = if job.format.is_in_rows() { 0 } else { 2 * pixels(target) };
    read.saturating_add(written)
}

/// A picture of `header` resampled to `size`.
fn resized<'a>(header: &Header, size: (usize, usize), kernel: Kernel, source: Bands<'a>) -> Result<Bands<'a>> {
    let resampler = Resampler::to_size(header.size, size, &resampling(kernel))?;
    let bands = Resized::new(resampler, header.planes(), header.size.1, source);
    Ok(Box::new(bands.map(|band| if stop::requested() { Err(Error::Stopped) } else { band })))
}

/// What a network made, at another size than its own.
fn scaled<'a>(engine: &Engine, header: &Header, size: (usize, usize), sr: Bands<'a>) -> Result<Bands<'a>> {
    let made = (header.size.0 * engine.scale, header.size.1 * engine.scale);
    if made == size {
        return Ok(sr);
    }
    resized(&Header { size: made, ..header.clone() }, size, Kernel::Bicubic, sr)
}

/// Writes the rows on a thread of their own while further ones are made; to standard output when all are there.
fn write(job: &Job, target: &Header, bands: Bands) -> Result<Vec<Loss>> {
    let mut bands = unmultiplied(bands, target.planes());
    match &job.output {
        Some(path) => write_atomic_with(path, |file| Ok(write_on_thread(file, path, job, target, &mut bands)?)),
        None => {
            let mut file = tempfile::tempfile().context("the folder for temporary files cannot be used")?;
            let lost = write_on_thread(&mut file, Path::new("standard output"), job, target, &mut bands)?;
            io::Seek::rewind(&mut file)?;
            io::copy(&mut file, &mut io::stdout().lock()).context("standard output")?;
            Ok(lost)
        }
    }
}

fn write_on_thread(
    file: &mut File,
    path: &Path,
    job: &Job,
    target: &Header,
    bands: &mut Bands,
) -> Result<Vec<Loss>, Error> {
    let (sender, strips) = sync_channel(WAITING);
    thread::scope(|scope| {
        let mut file = io::BufWriter::new(file);
        let writer = scope.spawn(move || {
            let lost = write_rows(&mut file, path, target, job.format, strips.into_iter());
            let flushed = io::Write::flush(&mut file);
            let unwritten = |source| abbe_data::Error::Write { path: path.into(), source };
            lost.and_then(|lost| flushed.map(|()| lost).map_err(|source| unwritten(source).into()))
        });
        for strip in bands {
            if sender.send(strip).is_err() {
                break; // the writer failed, and says why
            }
        }
        drop(sender);
        writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn told(lost: &[Loss]) -> Option<String> {
    let lost: Vec<_> = lost.iter().map(Loss::to_string).collect();
    (!lost.is_empty()).then(|| format!("the result's format does not hold {}", lost.join(", ")))
}

/// What is printed of a file; nothing of what goes to standard output.
fn line(job: &Job, header: &Header, target: &Header) -> Option<String> {
    let size = |(height, width): (usize, usize)| format!("{width}x{height}");
    let output = job.output.as_ref()?;
    Some(format!("{} {} -> {}", output.display(), size(header.size), size(target.size)))
}
