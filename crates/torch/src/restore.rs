//! Putting an optimiser's saved state back, checked against the parameters that it is for.

use tch::{Kind, Tensor};

/// Why a saved state was not taken; the optimiser is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// As many entries as parameters are needed, with none where no gradient ever came.
    #[error("the state is of {found} parameters, the network has {expected}: it is of another network")]
    Count {
        /// Parameters of the optimiser.
        expected: usize,
        /// Entries of the state.
        found: usize,
    },
    /// A tensor that is not of its parameter's shape; PyTorch would notice at the first step, or never.
    #[error(
        "{name} of parameter {position} (from 0) has shape {found:?}, expected {expected:?}: it is of another network"
    )]
    Shape {
        /// PyTorch's name of it, such as `step` or `exp_avg`.
        name: &'static str,
        /// The parameter's place in the network's list.
        position: usize,
        /// The shape that it must have.
        expected: Vec<i64>,
        /// The shape that it has.
        found: Vec<i64>,
    },
}

/// A parameter and its place in the list.
pub(crate) struct Place<'a> {
    pub position: usize,
    pub parameter: &'a Tensor,
}

/// What `restored` makes of every saved entry and the parameter that it belongs to.
pub(crate) fn each<S>(
    parameters: &[Tensor],
    state: &[Option<S>],
    restored: impl Fn(Place, &S) -> Result<S, RestoreError>,
) -> Result<Vec<Option<S>>, RestoreError> {
    if parameters.len() != state.len() {
        return Err(RestoreError::Count { expected: parameters.len(), found: state.len() });
    }
    let places = parameters.iter().enumerate().map(|(position, parameter)| Place { position, parameter });
    places.zip(state).map(|(place, saved)| saved.as_ref().map(|saved| restored(place, saved)).transpose()).collect()
}

impl Place<'_> {
    /// A copy of the step count, float32 where the parameter is, as the fused kernels need it.
    pub fn step(&self, saved: &Tensor) -> Result<Tensor, RestoreError> {
        self.check("step", &[], saved)?;
        Ok(saved.to_device(self.parameter.device()).totype(Kind::Float).copy())
    }

    /// A copy with the parameter's type, device and order in memory: the fused kernels pair numbers by where they lie.
    pub fn like_parameter(&self, name: &'static str, saved: &Tensor) -> Result<Tensor, RestoreError> {
        self.check(name, &self.parameter.size(), saved)?;
        let mut copy = self.parameter.detach().zeros_like();
        copy.copy_(saved);
        Ok(copy)
    }

    fn check(&self, name: &'static str, expected: &[i64], saved: &Tensor) -> Result<(), RestoreError> {
        let (position, expected, found) = (self.position, expected.to_vec(), saved.size());
        if expected == found { Ok(()) } else { Err(RestoreError::Shape { name, position, expected, found }) }
    }
}
