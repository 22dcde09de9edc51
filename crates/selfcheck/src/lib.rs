//! Which references hold on this machine: numbers of Abbe's computed here, against those that others computed once.
//!
//! Never: needs Python, the network or a file of the user's; prints.
//!
//! What the numbers are compared with is part of the program. `golden/make.py` made most of it; metrics and bicubic
//! resampling share theirs with the tests of their crates. A part of Abbe is a file with a function `checks`. Weights and
//! pictures come from a formula ([`hashed`]), so that they need not be stored.

mod check;
mod checkpoint;
mod golden;
mod graphs;
mod hashed;
mod losses;
mod lpips;
mod machine;
mod metrics;
mod networks;
mod optimizers;
mod random;
mod resampling;

use anyhow::{Result, ensure};
use tch::Device;

pub use check::{Check, Finding, Status, Unit};
pub use machine::Machine;

/// All checks, those of networks, LPIPS, losses, optimisers and graphs on `device`, the others on the CPU. Float32 on a GPU is then
/// float32 in this whole process: TF32 is turned off.
///
/// # Errors
/// When libtorch does not turn it off.
pub fn checks(device: Device) -> Result<Vec<Check>> {
    if device.is_cuda() {
        abbe_torch::allow_tf32(false)?;
    }
    let on_cpu = resampling::checks().into_iter().chain(metrics::checks());
    let learned = networks::checks(device).into_iter().chain(lpips::checks(device));
    let on_device =
        learned.chain(losses::checks(device)).chain(optimizers::checks(device)).chain(graphs::checks(device));
    Ok(on_cpu.chain(on_device).chain(checkpoint::checks()).chain(random::checks()).collect())
}

/// Those of `checks` that `names` name: `networks` for all of a part, `networks/srcnn` for one of them; all where there are
/// no names.
///
/// # Errors
/// A name that none of them has.
pub fn select(checks: Vec<Check>, names: &[String]) -> Result<Vec<Check>> {
    for name in names {
        ensure!(
            checks.iter().any(|check| check.is_called(name)),
            "no check is called `{}`: choose from {}",
            name.escape_debug(),
            choices(&checks).join(", ")
        );
    }
    let is_wanted = |check: &Check| names.is_empty() || names.iter().any(|name| check.is_called(name));
    Ok(checks.into_iter().filter(is_wanted).collect())
}

/// The parts, and a check of the first as an example of how one is named.
fn choices(checks: &[Check]) -> Vec<String> {
    let mut choices: Vec<String> = checks.iter().map(|check| check.part.to_owned()).collect();
    choices.dedup();
    choices.extend(checks.first().map(|check| format!("or one of a part, such as {}", check.full_name())));
    choices
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reference_holds_here() {
        tch::set_num_threads(1); // tests run side by side
        let checks = checks(Device::Cpu).unwrap();
        let names: HashSet<String> = checks.iter().map(Check::full_name).collect();
        assert_eq!(names.len(), checks.len());
        for check in checks {
            let finding = check.judge(check.measure());
            println!("{finding:?}");
            assert_ne!(finding.status, Status::Failed, "{finding:?}");
        }
    }

    #[test]
    fn checks_are_chosen_by_part_and_name() {
        let select = |names: &[&str]| {
            select(checks(Device::Cpu).unwrap(), &names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        };
        let names = |names: &[&str]| Vec::from_iter(select(names).unwrap().iter().map(Check::full_name));
        assert_eq!(names(&["metrics/psnr", "random"]), ["metrics/psnr", "random/patches"]);
        assert_eq!(names(&[]).len(), checks(Device::Cpu).unwrap().len());
        let error = select(&["psnr"]).err().unwrap().to_string();
        assert!(error.contains("`psnr`") && error.contains("metrics, networks"), "{error}");
    }
}
