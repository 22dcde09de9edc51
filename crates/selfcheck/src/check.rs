//! A comparison, and what came of it.

use anyhow::{Context, Result};
use serde::Serialize;
use tch::Device;

/// A number of Abbe's, to be computed here and held against someone else's.
pub struct Check {
    /// The part of Abbe, such as `networks`.
    pub part: &'static str,
    /// What of that part, such as `srcnn`.
    pub name: String,
    /// Whose numbers they are.
    pub reference: &'static str,
    /// Where it is computed.
    pub device: Device,
    /// How differences are counted.
    pub unit: Unit,
    /// The largest difference that is allowed; none where the number is for information.
    pub limit: Option<f64>,
    compute: Box<dyn Fn() -> Result<f64>>,
}

/// How a difference is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// The largest difference of two numbers over the largest number of the reference.
    Relative,
    /// The largest difference in levels of 8 bits.
    Levels,
    /// How many tensors or patches differ.
    Count,
    /// Decibels by which the reference is above what differs: the more, the better. For information alone.
    Decibel,
}

/// Whether a reference holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    Ok,
    /// The difference is above its limit, or no number, or could not be computed.
    Failed,
    /// There is nothing to hold: the number is for information.
    Info,
    /// It cannot be tried here, for a reason that is not Abbe's.
    Skipped,
}

/// Why a check cannot be tried here.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Skip(pub String);

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// As in [`Check`].
    pub part: &'static str,
    /// As in [`Check`].
    pub name: String,
    /// As in [`Check`].
    pub reference: &'static str,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Whether it holds.
    pub status: Status,
    /// The difference; none where it could not be computed.
    pub difference: Option<f64>,
    /// As in [`Check`].
    pub limit: Option<f64>,
    /// As in [`Check`].
    pub unit: Unit,
    /// Why it could not be computed or tried.
    pub reason: Option<String>,
}

impl Check {
    /// A check of `part` on the CPU that demands no difference in `unit`.
    pub(crate) fn new(
        part: &'static str,
        name: impl Into<String>,
        reference: &'static str,
        unit: Unit,
        compute: impl Fn() -> Result<f64> + 'static,
    ) -> Self {
        let (name, device, limit, compute) = (name.into(), Device::Cpu, Some(0.0), Box::new(compute));
        Check { part, name, reference, device, unit, limit, compute }
    }

    /// The same with a limit.
    pub(crate) fn within(self, limit: f64) -> Self {
        Check { limit: Some(limit), ..self }
    }

    /// The same on `device`, where float32 is summed in another order: `limit` on the CPU, ten times as much on a GPU.
    pub(crate) fn on(self, device: Device, limit: f64) -> Self {
        let limit = if device.is_cuda() { 10.0 * limit } else { limit };
        Check { device, limit: Some(limit), ..self }
    }

    /// The same on `device` and for information alone.
    pub(crate) fn for_information(self, device: Device) -> Self {
        Check { device, limit: None, ..self }
    }

    /// `networks/srcnn`: the part, and what of it.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.part, self.name)
    }

    /// Whether `name` is that of its part or its own.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        name == self.part || name == self.full_name()
    }

    /// Computes the difference, counted in `unit`.
    ///
    /// # Errors
    /// What Abbe says when it cannot compute. libtorch's own failures are panics, as everywhere.
    pub fn measure(&self) -> Result<f64> {
        (self.compute)()
    }

    /// What a difference, or the failure to compute it, means.
    pub fn judge(&self, difference: Result<f64>) -> Finding {
        let status = match (&difference, self.limit) {
            (Ok(difference), Some(limit)) if *difference <= limit => Status::Ok,
            (Ok(_), None) => Status::Info,
            (Err(error), _) if error.is::<Skip>() => Status::Skipped,
            _ => Status::Failed,
        };
        Finding {
            part: self.part,
            name: self.name.clone(),
            reference: self.reference,
            device: named(self.device),
            status,
            difference: difference.as_ref().ok().copied(),
            limit: self.limit,
            unit: self.unit,
            reason: difference.err().map(|error| format!("{error:#}")),
        }
    }
}

impl Finding {
    /// As in [`Check`].
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.part, self.name)
    }
}

/// The largest of several differences, NaN being larger than any; an error where there are none.
pub(crate) fn largest(differences: impl IntoIterator<Item = Result<f64>>) -> Result<f64> {
    let largest = |a: f64, b: f64| if a.is_nan() || a > b { a } else { b };
    let all = differences.into_iter().collect::<Result<Vec<_>>>()?;
    all.into_iter().reduce(largest).context("nothing is stored to compare with")
}

/// As users write it.
pub(crate) fn named(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".into(),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn judged(limit: Option<f64>, difference: Result<f64>) -> Finding {
        let check = Check::new("part", "name", "reference", Unit::Relative, || Ok(0.0));
        Check { limit, ..check }.judge(difference)
    }

    #[test]
    fn a_difference_holds_up_to_its_limit() {
        for (difference, status) in [(0.0, Status::Ok), (0.5, Status::Ok), (0.6, Status::Failed)] {
            assert_eq!(judged(Some(0.5), Ok(difference)).status, status);
        }
        assert_eq!(judged(None, Ok(70.0)).status, Status::Info);
    }

    #[test]
    fn what_is_no_number_fails() {
        for difference in [f64::NAN, f64::INFINITY] {
            let finding = judged(Some(1e300), Ok(difference));
            assert_eq!(finding.status, Status::Failed);
            assert!(serde_json::to_value(finding).unwrap()["difference"].is_null());
        }
    }

    #[test]
    fn the_largest_difference_may_be_no_number() {
        assert_eq!(largest([Ok(1.0), Ok(3.0), Ok(2.0)]).unwrap(), 3.0);
        for differences in [[1.0, f64::NAN, 2.0], [f64::NAN, 1.0, 2.0], [1.0, 2.0, f64::NAN]] {
            assert!(largest(differences.map(Ok)).unwrap().is_nan());
        }
        assert!(largest([]).is_err() && largest([Ok(1.0), Err(anyhow!("no"))]).is_err());
    }

    #[test]
    fn what_cannot_be_computed_fails_with_its_reason() {
        for limit in [None, Some(1.0)] {
            let finding = judged(limit, Err(anyhow!("inner").context("outer")));
            assert_eq!((finding.status, finding.difference), (Status::Failed, None));
            assert_eq!(finding.reason.unwrap(), "outer: inner");
        }
    }

    #[test]
    fn what_cannot_be_tried_is_skipped() {
        let finding = judged(Some(1.0), Err(Skip("no room".into()).into()));
        assert_eq!((finding.status, finding.reason.as_deref()), (Status::Skipped, Some("no room")));
    }

    #[test]
    fn a_gpu_may_differ_ten_times_as_much() {
        let limit = |device| Check::new("", "", "", Unit::Relative, || Ok(0.0)).on(device, 1.0).limit;
        assert_eq!([limit(Device::Cpu), limit(Device::Cuda(1))], [Some(1.0), Some(10.0)]);
    }
}
