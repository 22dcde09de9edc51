//! Signs of life. Each rank counts up a number of its own in the store all ranks share; a rank whose number stands still
//! is lost. A rank that leaves says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread, park_timeout};
use std::time::Duration;

use tch::TchError;

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
    stop: Arc<AtomicBool>,
    beating: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Begins with the first sign.
    pub fn start(store: Arc<Store>, rank: usize) -> Result<Self, TchError> {
        store.add(&alive(rank), 1)?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = (Arc::clone(&store), Arc::clone(&stop));
        let beating = std::thread::Builder::new().name("pulse".into()).spawn(move || {
            let (store, stop) = thread;
            // Without a store there is nobody to tell.
            while !stop.load(Ordering::Relaxed) && store.add(&alive(rank), 1).is_ok() {
                park_timeout(BEAT);
            }
        });
        Ok(Pulse { store, rank, stop, beating: Some(beating?) })
    }

    /// What has become of the other ranks of `size`; takes `PATIENCE`.
    pub fn others(&self, size: usize) -> Result<Peers, TchError> {
        let others = || (0..size).filter(|rank| *rank != self.rank);
        let count = || others().map(|rank| self.store.add(&alive(rank), 0)).collect::<Result<Vec<_>, _>>();
        let before = count()?;
        std::thread::sleep(PATIENCE);
        let (mut silent, mut ended) = (Vec::new(), Vec::new());
        for ((rank, before), after) in others().zip(before).zip(count()?) {
            match self.store.add(&left(rank), 0)? {
                0 if before == after => silent.push(rank),
                0 => {}
                _ => ended.push(rank),
            }
        }
        Ok(Peers::Lost { silent, ended })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(beating) = self.beating.take() {
            Thread::unpark(beating.thread());
            let _ = beating.join();
        }
        let _ = self.store.add(&left(self.rank), 1); // where the store is gone, nobody asks
    }
}

fn alive(rank: usize) -> String {
    format!("alive/{rank}")
}

fn left(rank: usize) -> String {
    format!("left/{rank}")
}
