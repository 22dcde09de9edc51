//! Training against the HR picture alone: a baseline, or the generator's warm-up.

use anyhow::{Context, Result};

use crate::session::{Report, Session};

/// Runs the phase with this index.
pub(crate) fn run(session: &mut Session, index: usize, report: Report) -> Result<()> {
    let phase = &session.setup.experiment.phases[index];
    let steps = session.steps(index);
    for (step, batch) in (0..).zip(session.batches(index)?) {
        let (lr, hr) = batch?;
        let sr = session.trainees[&phase.network].forward(phase, &lr, true);
        let terms = session.terms(phase, &sr, &hr, true)?;
        let numbers = terms.numbers().with_context(|| format!("at step {step}"))?.with_total();
        let rate = phase.schedule.at(phase.optimizer.lr, step, steps);
        session.trainees[&phase.network].step(phase, rate, &terms)?;
        session.end_step(index, step, numbers, report)?;
    }
    session.end_phase(index)
}
