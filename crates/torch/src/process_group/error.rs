//! What can go wrong between ranks, and which rank it was.

use std::fmt;

/// Why ranks do not work together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessGroupError {
    /// A variable that the launcher sets is missing or out of range.
    #[error(
        "{variable}: expected {expected}, found {found}; a launcher such as torchrun sets it for every rank, and for one \
         process alone WORLD_SIZE stays unset"
    )]
    Variable {
        /// Its name.
        variable: &'static str,
        /// The valid values.
        expected: String,
        /// Its value.
        found: String,
    },
    /// This rank and the others did not find each other.
    #[error(
        "rank {rank} of {size} does not find the others by {address} (MASTER_ADDR:MASTER_PORT): {reason}; see that all ranks \
         were started, and with the same address"
    )]
    Join {
        /// This rank.
        rank: usize,
        /// How many ranks there are.
        size: usize,
        /// Where the store is.
        address: String,
        /// What c10d says.
        reason: String,
    },
    /// Something that all ranks do together failed.
    #[error("{what} failed on rank {rank} of {size}: {peers} ({reason})")]
    Collective {
        /// What was done.
        what: &'static str,
        /// This rank.
        rank: usize,
        /// How many ranks there are.
        size: usize,
        /// What became of the others.
        peers: Peers,
        /// What libtorch says.
        reason: String,
    },
    /// Ranks that have something else than rank 0.
    #[error("rank {} has another {what} than rank 0: give all ranks the same", names(ranks))]
    Different {
        /// What should be the same.
        what: String,
        /// Those that differ.
        ranks: Vec<usize>,
    },
    /// Anything else that libtorch refuses, on this rank alone.
    #[error("{what} failed on rank {rank} of {size}: {reason}")]
    Torch {
        /// What was done.
        what: &'static str,
        /// This rank.
        rank: usize,
        /// How many ranks there are.
        size: usize,
        /// What libtorch says.
        reason: String,
    },
}

/// What is known of the other ranks when something that all do together failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Peers {
    /// The rank that served the store, or torchrun's agent, does not answer.
    StoreLost {
        /// Whether torchrun's agent served it, and not rank 0.
        agent: bool,
    },
    /// Ranks that give no sign of life, and those that ended by themselves, each with its own message.
    Lost {
        /// They were killed, crashed, or their machine is gone.
        silent: Vec<usize>,
        /// They left the group in good order, early.
        ended: Vec<usize>,
    },
}

impl fmt::Display for Peers {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Peers::StoreLost { agent: true } => f.write_str("torchrun's agent, which knows the ranks, does not answer"),
            Peers::StoreLost { agent: false } => f.write_str("rank 0 is lost: killed, crashed, or its machine is gone"),
            Peers::Lost { silent, ended } if silent.is_empty() && ended.is_empty() => f.write_str(
                "all ranks are alive, so one is late by more than the time limit, or does other steps than the rest",
            ),
            Peers::Lost { silent, ended } if silent.is_empty() => {
                write!(f, "rank {} ended before the others, its own message says why", names(ended))
            }
            Peers::Lost { silent, .. } => {
                write!(f, "rank {} is lost: killed, crashed, or its machine is gone", names(silent))
            }
        }
    }
}

fn names(ranks: &[usize]) -> String {
    ranks.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}
