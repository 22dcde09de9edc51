//! Signs of life. Each rank counts up a number of its own in the store all ranks share; a rank whose number stands still
//! is lost. A rank that leaves says so.

use std::cell::{Cell, RefCell};
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
/// How often all ranks together have come to where they meet.
const MET: &str = "met";

/// The signs of this rank, given by a thread of its own until it is dropped.
pub(super) struct Pulse {
    store: Arc<Store>,
    rank: usize,
    size: usize,
    serves: bool,
    /// Those that are known to be.
    lost: RefCell<Vec<usize>>,
    meetings: Cell<i64>,
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
        let (serves, lost, meetings) = (environment.serves(), RefCell::default(), Cell::default());
        Ok(Pulse { store, rank, size, serves, lost, meetings, stop, beating: Some(beating) })
    }

    /// What has become of the other ranks; takes `PATIENCE`.
    pub fn others(&self) -> Result<Peers, TchError> {
        Ok(self.watch(|| Ok(false))?.unwrap_or(Peers::Lost { silent: Vec::new(), ended: Vec::new() }))
    }

    /// Waits until all ranks have come here as often as this one, for as long as all give signs of life; where they do not,
    /// what has become of them.
    pub fn meet(&self) -> Result<Option<Peers>, TchError> {
        self.meetings.set(self.meetings.get() + 1);
        let all = self.meetings.get() * self.size as i64; // nobody comes a second time before all have come once
        self.store.add(MET, 1)?;
        loop {
            match self.watch(|| Ok(self.store.add(MET, 0)? >= all))? {
                Some(Peers::Lost { silent, ended }) if silent.is_empty() && ended.is_empty() => {}
                ended => return Ok(ended),
            }
        }
    }

    /// What has become of the other ranks in the `PATIENCE` that this takes; nothing as soon as it is `over`.
    fn watch(&self, over: impl Fn() -> Result<bool, TchError>) -> Result<Option<Peers>, TchError> {
        let count = || self.other_ranks().map(|rank| self.store.add(&alive(rank), 0)).collect::<Result<Vec<_>, _>>();
        let (before, end) = (count()?, Instant::now() + PATIENCE);
        while Instant::now() < end {
            if over()? {
                return Ok(None);
            }
            std::thread::sleep(BEAT / 50);
        }
        let (mut silent, mut ended) = (Vec::new(), Vec::new());
        for ((rank, before), after) in self.other_ranks().zip(before).zip(count()?) {
            match self.store.add(&left(rank), 0)? {
                0 if before == after => silent.push(rank),
                0 => {}
                _ => ended.push(rank),
            }
        }
        if over()? {
            return Ok(None); // who left may have come first
        }
        self.lost.replace(silent.clone());
        Ok(Some(Peers::Lost { silent, ended }))
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn one_is_alive_one_left_and_one_never_came() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let alone = Environment {
            rank: 0,
            size: 1,
            host: "127.0.0.1".into(),
            port,
            local_rank: None,
            agent_serves: false,
            prefix: "test".into(),
        };
        let store = Arc::new(Store::join(&alone, Duration::from_secs(60)).unwrap());
        let of = |rank| Environment { rank, size: 4, agent_serves: true, ..alone.clone() };
        let [first, _alive, leaving] = [0, 1, 2].map(|rank| Pulse::start(Arc::clone(&store), &of(rank)).unwrap());
        drop(leaving);
        let peers = first.others().unwrap();
        assert_eq!(peers, Peers::Lost { silent: vec![3], ended: vec![2] });
        assert!(peers.to_string().starts_with("rank 3 is lost"), "{peers}");
        let none = Peers::Lost { silent: vec![], ended: vec![] };
        assert!(none.to_string().starts_with("all ranks are alive"), "{none}");
    }
}
