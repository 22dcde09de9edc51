//! `abbe selfcheck`

use abbe_selfcheck::{Finding, Machine, Status, Unit, checks, select};
use anyhow::{Result, ensure};
use serde_json::json;

use crate::device::DeviceArgument;
use crate::{guard, stop};

/// Say which references hold on this machine: resampling, metrics, networks, losses, optimisers, checkpoints, draws
///
/// Everything that it compares with is in the program: it needs no file, no Python and no network.
///
/// Example: abbe selfcheck --device cuda
#[derive(clap::Args)]
pub struct Arguments {
    /// A part such as networks, or one check such as networks/srresnet, alone; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Runs the checks one after the other.
///
/// # Errors
/// A device or a check that is not there; references that do not hold, by name, once all checks have run.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.device.find()?;
    let checks = select(checks(device)?, &arguments.only)?;
    let machine = Machine::with(device);
    if !arguments.json {
        println!("{}\n", about(&machine));
        println!("{}", row(["check", "on", "holds", "difference", "limit", "reference"]));
    }
    let mut findings = Vec::new();
    for check in &checks {
        stop::check()?;
        let finding = check.judge(guard::guard(|| check.measure()));
        if !arguments.json {
            println!("{}", line(&finding));
        }
        findings.push(finding);
    }
    if arguments.json {
        println!("{:#}", json!({ "machine": machine, "checks": findings }));
    }
    conclude(&findings, arguments.json)
}

fn about(machine: &Machine) -> String {
    let Machine { abbe, libtorch, processor, instructions, threads, device, gpu, cudnn } = machine;
    let processor = processor.as_deref().unwrap_or("a processor without a name");
    let threads = if *threads == 1 { "1 thread".into() } else { format!("{threads} threads") };
    let mut text = format!("abbe {abbe}, libtorch {libtorch}\ncpu: {processor}, {instructions}, {threads}");
    if let Some(cudnn) = cudnn {
        text +=
            &format!("\n{device}: {}, cuDNN {cudnn}, without TF32", gpu.as_deref().unwrap_or("a GPU without a name"));
    }
    text
}

fn line(finding: &Finding) -> String {
    let unit = if finding.unit == Unit::Decibel { " dB" } else { "" };
    let number = |number: Option<f64>| number.map_or("-".into(), |number| shown(number, finding.unit) + unit);
    let holds = match finding.status {
        Status::Ok => "ok",
        Status::Failed => "FAILED",
        Status::Info => "info",
        Status::Skipped => "skipped",
    };
    let (difference, limit) = (number(finding.difference), number(finding.limit));
    let reference = finding.reason.as_deref().unwrap_or(finding.reference);
    row([&finding.full_name(), &finding.device, holds, &difference, &limit, reference])
}

/// Whole numbers where things are counted, else as few digits as say how near the limit is.
fn shown(number: f64, unit: Unit) -> String {
    match unit {
        Unit::Relative => format!("{number:.1e}"),
        Unit::Decibel => format!("{number:.1}"),
        Unit::Levels | Unit::Count => number.to_string(),
    }
}

fn row([check, device, holds, difference, limit, reference]: [&str; 6]) -> String {
    format!("{check:<35} {device:<7} {holds:<7} {difference:>10}  {limit:>7}  {reference}")
}

fn conclude(findings: &[Finding], is_json: bool) -> Result<()> {
    let with = |status| findings.iter().filter(move |finding| finding.status == status);
    let failed: Vec<String> = with(Status::Failed).map(Finding::full_name).collect();
    let (holding, skipped) = (with(Status::Ok).count(), with(Status::Skipped).count());
    let tried = holding + failed.len();
    ensure!(failed.is_empty(), "{} of {tried} references do not hold here: {}", failed.len(), failed.join(", "));
    if !is_json {
        let skipped = if skipped > 0 { format!(", {skipped} could not be tried") } else { String::new() };
        println!("\nall {holding} references hold here{skipped}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(name: &str, status: Status, reason: Option<&str>) -> Finding {
        Finding {
            part: "networks",
            name: name.into(),
            reference: "PyTorch",
            device: "cuda:0".into(),
            status,
            difference: reason.is_none().then_some(0.012),
            limit: Some(1e-4),
            unit: Unit::Relative,
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn what_does_not_hold_is_named_and_makes_the_status() {
        let findings = [
            finding("srcnn", Status::Ok, None),
            finding("edsr", Status::Failed, None),
            finding("rcan", Status::Failed, Some("no memory")),
            finding("rcan-f16", Status::Info, None),
            finding("srvgg", Status::Skipped, Some("no room")),
        ];
        let error = conclude(&findings, true).unwrap_err().to_string();
        assert_eq!(error, "2 of 3 references do not hold here: networks/edsr, networks/rcan");
        assert!(conclude(&findings[..1], true).is_ok());
    }

    #[test]
    fn a_row_says_what_was_found_or_why_nothing_was() {
        let words = |finding: &Finding| line(finding).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (found, reason) = (finding("edsr", Status::Failed, None), finding("rcan", Status::Failed, Some("OOM")));
        assert_eq!(words(&found), ["networks/edsr", "cuda:0", "FAILED", "1.2e-2", "1.0e-4", "PyTorch"]);
        assert_eq!(words(&reason), ["networks/rcan", "cuda:0", "FAILED", "-", "1.0e-4", "OOM"]);
    }
}
