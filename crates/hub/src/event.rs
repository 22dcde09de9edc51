//! What a fetch tells while it lasts.

use std::ops::ControlFlow;

use crate::Error;

/// A step of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A piece of work begins.
    Begin {
        /// What is done, to what: `fetching DIV2K_train_HR.zip`.
        what: &'a str,
        /// Bytes, or files, in all, where that is known.
        total: Option<u64>,
        /// Bytes that an earlier attempt left.
        done: u64,
    },
    /// So many more bytes, or files.
    Advance(u64),
    /// The piece of work is done, or given up.
    End,
    /// A sentence for the user.
    Note(&'a str),
}

/// Is told each [`Event`]; [`ControlFlow::Break`] stops the fetch with [`Error::Stopped`].
pub type Observer<'a> = &'a dyn Fn(Event) -> ControlFlow<()>;

/// Tells `event`.
///
/// # Errors
/// [`Error::Stopped`] when the observer says so.
pub(crate) fn tell(observer: Observer, event: Event) -> Result<(), Error> {
    if observer(event).is_break() { Err(Error::Stopped) } else { Ok(()) }
}
