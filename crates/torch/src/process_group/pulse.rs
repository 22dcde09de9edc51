//! Signs of life. Each rank counts up a number of its own in the store all ranks share; a rank whose number stands still
//! is lost. A rank that leaves says so.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, park_timeout};
use std::time::{Duration, Instant};

use tch::TchError;

use super::environment::Environment;
use super::error::Peers;
use super::ffi::Store;

/// Between two signs of a rank.
const BEAT: Duration = Duration::from_millis(500);
/// How long a rank is without a sign before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(4);

/// The signs of this rank, given by a thread of its own until it is dropped.
pub(super) struct Pulse {
    store: Arc<Store>,
    rank: usize,
    size: usize,
    serves: bool,
    /// Those that are known to be.
    lost: RefCell<Vec<usize>>,
    stop: Arc<AtomicBool>,
    beating: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Begins with the first sign.
    pub fn start(store: Arc<Store>, environment: &Environment) -> Result<Self, TchError> {
        let &Environment { rank, size, .. } = environment;
        store.add(&alive(rank), 1)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (thread_store, thread_stop) = (Arc::clone(&store), Arc::clone(&stop));
        let beating = std::thread::Builder::new().name("pulse".into()).spawn(move || {
            // Without a store there is nobody to tell.
            while !thread_stop.load(Ordering::Relaxed) && thread_store.add(&alive(rank), 1).is_ok() {
                park_timeout(BEAT);
            }
        })?;
        let (serves, lost) = (environment.serves(), RefCell::default());
        Ok(Pulse { store, rank, size, serves, lost, stop, beating: Some(beating) })
    }

    /// What has become of the other ranks; takes `PATIENCE`.
    pub fn others(&self) -> Result<Peers, TchError> {
        let count = || self.other_ranks().map(|rank| self.store.add(&alive(rank), 0)).collect::<Result<Vec<_>, _>>();
        let before = count()?;
        std::thread::sleep(PATIENCE);
        let (mut silent, mut ended) = (Vec::new(), Vec::new());
        for ((rank, before), after) in self.other_ranks().zip(before).zip(count()?) {
            match self.store.add(&left(rank), 0)? {
                0 if before == after => silent.push(rank),
                0 => {}
                _ => ended.push(rank),
            }
        }
        self.lost.replace(silent.clone());
        Ok(Peers::Lost { silent, ended })
    }

    fn other_ranks(&self) -> impl Iterator<Item = usize> {
        let this = self.rank;
        (0..self.size).filter(move |rank| *rank != this)
    }

    /// Says that this rank leaves. One that serves the store stays while others may still ask who is lost.
    fn leave(&self) -> Result<(), TchError> {
        self.store.add(&left(self.rank), 1)?;
        let end = Instant::now() + PATIENCE + 2 * BEAT;
        while self.serves && Instant::now() < end {
            let still = |rank: &usize| {
                !self.lost.borrow().contains(rank) && self.store.add(&left(*rank), 0).is_ok_and(|n| n == 0)
            };
            if self.other_ranks().find(still).is_none() {
                break;
            }
            std::thread::sleep(BEAT / 50);
        }
        Ok(())
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(beating) = self.beating.take() {
            beating.thread().unpark();
            let _ = beating.join();
        }
        let _ = self.leave(); // where the store is gone, nobody asks
    }
}

fn alive(rank: usize) -> String {
    format!("alive/{rank}")
}

fn left(rank: usize) -> String {
    format!("left/{rank}")
}
