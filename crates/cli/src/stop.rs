//! Ctrl-C: the first asks for a stop at the next whole step, the second ends the program at once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};

/// Set once Ctrl-C was pressed.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Begins to listen for Ctrl-C and for the request to terminate.
pub fn listen() {
    let handler = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nstopping after this step; press Ctrl-C again to stop at once");
    };
    // Without a handler Ctrl-C simply ends the program, which is a fair way to stop too.
    let _ = ctrlc::set_handler(handler);
}

/// Whether a stop was asked for.
pub fn requested() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Fails when a stop was asked for; called between pictures.
///
/// # Errors
/// After Ctrl-C.
pub fn check() -> Result<()> {
    ensure!(!requested(), "stopped by Ctrl-C; what was written is whole");
    Ok(())
}
