//! Failures of libtorch in the middle of a computation, memory that ran out above all, as errors with a message.
//!
//! tch's operators panic with libtorch's reason; networks use them because a failure there is either our mistake or the
//! machine's limit, and no one on the way could act on it.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind, set_hook, take_hook};

use anyhow::{Result, anyhow};

/// Keeps quiet about the panics that [`guard`] turns into errors.
pub fn install() {
    let default = take_hook();
    let hook = move |info: &PanicHookInfo| match info.payload_as_str() {
        Some(text) if of_libtorch(text).is_some() || is_of_stdout(text) => {}
        _ => default(info),
    };
    set_hook(Box::new(hook));
}

/// Does `work`; a failure of libtorch becomes an error, and a reader that has heard enough (`abbe models | head`) ends the
/// program quietly. Any other panic goes on.
///
/// # Errors
/// Those of `work`, and libtorch's.
pub fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let panic = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => return result,
        Err(panic) => panic,
    };
    match panic.downcast_ref::<String>().map(String::as_str) {
        Some(text) if is_of_stdout(text) && text.contains("Broken pipe") => std::process::exit(141), // as by SIGPIPE
        Some(text) if is_of_stdout(text) => Err(anyhow!("{text}")),
        Some(text) if of_libtorch(text).is_some() => {
            let reason = of_libtorch(text).unwrap_or_default();
            Err(anyhow!("libtorch failed: {reason}; if memory ran out, use smaller pictures, patches or batches"))
        }
        _ => resume_unwind(panic),
    }
}

/// libtorch's reason out of the message of a failed unwrap in tch, without the addresses that follow it.
fn of_libtorch(text: &str) -> Option<&str> {
    let (_, reason) = text.split_once("`Err` value: Torch(\"")?;
    Some(reason.split("\\n").next().unwrap_or(reason).trim_end_matches("\")"))
}

/// What `println!` panics with.
fn is_of_stdout(text: &str) -> bool {
    text.starts_with("failed printing to stdout")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn memory_that_runs_out_is_an_error() {
        let huge = || Ok(Tensor::zeros([1 << 50], (Kind::Float, Device::Cpu)).numel());
        let error = guard(huge).unwrap_err().to_string();
        assert!(
            error.starts_with("libtorch failed: ") && error.contains("smaller") && !error.contains("\\n"),
            "{error}"
        );
        assert_eq!(guard(|| Ok(1)).unwrap(), 1);
    }
}
