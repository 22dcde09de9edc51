//! Many pictures: progress, what fails, several at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use abbe_data::image::Header;
use anyhow::Result;
use indicatif::ProgressBar;

use super::model::Model;
use super::outputs::Job;
use super::{Arguments, job};
use crate::guard::guard;
use crate::{progress, stop};

/// Makes the pictures, with the network that is open and, for `--jobs`, further ones; how many failed. What is wrong with a
/// picture that can be known beforehand is said before any work.
///
/// # Errors
/// A network that cannot be opened once more, and a stop.
pub fn run(arguments: &Arguments, first: Model, jobs: Vec<Job>) -> Result<usize> {
    let (mut sound, mut pixels, mut failed) = (Vec::new(), 0, 0);
    for job in jobs {
        stop::check()?;
        match check(arguments, &first, &job) {
            Ok(size) => {
                pixels += size;
                sound.push(job);
            }
            Err(error) => {
                failed += 1;
                report(&job, &error);
            }
        }
    }
    let workers = arguments.jobs.min(sound.len()).max(1);
    let shared = Shared {
        arguments,
        jobs: &sound,
        next: AtomicUsize::new(0),
        failed: AtomicUsize::new(failed),
        bar: progress::bar("upscale", pixels),
        workers,
    };
    let ended: Mutex<Result<()>> = Mutex::new(Ok(()));
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|| {
                if let Err(error) = arguments.open(false).and_then(|model| shared.work(&model)) {
                    *ended.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Err(error);
                }
            });
        }
        shared.work(&first)
    })?;
    shared.bar.finish_and_clear();
    ended.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)?;
    stop::check()?;
    Ok(shared.failed.into_inner())
}

/// What can be known of a picture from its header: that it can be read, and its result be written. Its pixels.
fn check(arguments: &Arguments, model: &Model, job: &Job) -> Result<u64> {
    let size = Header::read(&job.input)?.size;
    job.format.check(arguments.target(size, model)?)?;
    Ok((size.0 * size.1) as u64)
}

fn report(job: &Job, error: &anyhow::Error) {
    let text = format!("{error:#}");
    let path = job.input.display().to_string();
    if text.contains(&path) { eprintln!("error: {text}") } else { eprintln!("error: {path}: {text}") }
}

/// What workers share.
struct Shared<'a> {
    arguments: &'a Arguments,
    jobs: &'a [Job],
    next: AtomicUsize,
    failed: AtomicUsize,
    bar: ProgressBar,
    workers: usize,
}

impl Shared<'_> {
    /// Makes one picture after the other, as long as there are any.
    fn work(&self, model: &Model) -> Result<()> {
        if self.workers > 1 {
            tch::set_num_threads((tch::get_num_threads() / self.workers as i32).max(1));
        }
        while let Some(job) = self.jobs.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            stop::check()?;
            let shown = self.next.load(Ordering::Relaxed).min(self.jobs.len());
            self.bar.set_message(format!("{shown}/{} {}", self.jobs.len(), job.input.display()));
            let ended = guard(|| job::run(self.arguments, model, job, self.workers, &|pixels| self.bar.inc(pixels)));
            self.bar.suspend(|| match ended {
                Ok(done) => {
                    done.notices.iter().for_each(|notice| eprintln!("notice: {}: {notice}", job.input.display()));
                    done.line.iter().for_each(|line| println!("{line}"));
                }
                Err(_) if stop::requested() => {}
                Err(error) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    report(job, &error);
                }
            });
        }
        Ok(())
    }
}
