//! The named tensors of a network, in PyTorch's order, and strict loading.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;
use std::ops::Div;

use abbe_checkpoint::StateDict;
use tch::{Device, Tensor};

use crate::layer::is_drawn;
use crate::{Error, LoadReport, Naming, convert};

/// An ordered list of named tensors on one device: what PyTorch calls a module's `state_dict`.
///
/// The order is that of registration, which the networks keep equal to PyTorch's, so that optimiser states can be
/// exchanged by position.
pub struct Store {
    device: Device,
    entries: RefCell<Vec<Entry>>,
}

struct Entry {
    name: String,
    tensor: Tensor,
    role: Role,
}

#[derive(PartialEq)]
enum Role {
    Parameter,
    Buffer,
}

impl Store {
    /// An empty store whose tensors will live on `device`.
    pub fn new(device: Device) -> Self {
        Store { device, entries: RefCell::new(Vec::new()) }
    }

    /// The handle from which a network's names start.
    pub fn root(&self) -> Path<'_> {
        Path { store: self, prefix: String::new() }
    }

    /// Where the tensors live.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The trainable tensors, shallow clones, in the order of PyTorch's `parameters()`.
    pub fn parameters(&self) -> Vec<Tensor> {
        let entries = self.entries.borrow();
        entries.iter().filter(|entry| entry.role == Role::Parameter).map(|entry| entry.tensor.shallow_clone()).collect()
    }

    /// The tensors that are saved but not trained, shallow clones, in the order of PyTorch's `buffers()`.
    pub fn buffers(&self) -> Vec<Tensor> {
        let entries = self.entries.borrow();
        entries.iter().filter(|entry| entry.role == Role::Buffer).map(|entry| entry.tensor.shallow_clone()).collect()
    }

    /// The names of [`Store::parameters`], in their order.
    pub fn parameter_names(&self) -> Vec<String> {
        let entries = self.entries.borrow();
        entries.iter().filter(|entry| entry.role == Role::Parameter).map(|entry| entry.name.clone()).collect()
    }

    /// The names of all tensors, buffers among them, in the order of PyTorch's `state_dict()`.
    pub fn names(&self) -> Vec<String> {
        self.entries.borrow().iter().map(|entry| entry.name.clone()).collect()
    }

    /// Turns off the gradient of every parameter.
    pub fn freeze(&self) {
        for entry in self.entries.borrow().iter() {
            let _ = entry.tensor.set_requires_grad(false);
        }
    }

    /// A copy of every tensor, in order.
    pub fn state_dict(&self) -> StateDict {
        self.entries.borrow().iter().map(|entry| (entry.name.clone(), convert::to_checkpoint(&entry.tensor))).collect()
    }

    /// Compares names, shapes and types with `state`, and changes nothing.
    pub fn compare(&self, state: &StateDict) -> LoadReport {
        self.compare_as(state, &|name| name.to_string(), &StateDict::new())
    }

    /// Copies the tensors of `state` into this network: all of them, or none.
    ///
    /// Other floating-point types become float32, as in PyTorch, which the report tells. A missing `num_batches_tracked`
    /// becomes 0, which is what PyTorch does with files written before 0.4.1.
    ///
    /// # Errors
    /// [`Error::Load`] with every difference when a name is missing or unexpected, or a shape or type does not fit.
    pub fn load(&self, state: &StateDict) -> Result<LoadReport, Error> {
        self.load_renamed(state, &|name| name.to_string(), &StateDict::new())
    }

    /// The same for a state dict whose tensors are named as another project names them; the report has its names.
    ///
    /// # Errors
    /// As those of [`Store::load`].
    pub fn load_as(&self, state: &StateDict, naming: &Naming) -> Result<LoadReport, Error> {
        self.load_renamed(state, &|name| naming.rename(name), &naming.constants())
    }

    /// Copies those tensors of `state` whose name, shape and type fit, and leaves the others of this network as they are.
    /// The report tells which were left, and what of `state` found no place.
    ///
    /// # Errors
    /// None but [`Error::Checkpoint`], when a number of the file cannot be converted.
    pub fn load_partial(&self, state: &StateDict) -> Result<LoadReport, Error> {
        let report = self.compare(state);
        let unfit: HashSet<_> = report.shape.iter().chain(&report.dtype).map(|mismatch| &mismatch.name).collect();
        let fit = state.iter().filter(|(name, _)| !unfit.contains(name));
        let mut values = Vec::new();
        for (name, saved) in fit {
            let entries = self.entries.borrow();
            if let Some(entry) = entries.iter().find(|entry| entry.name == *name) {
                values.push((entry.tensor.shallow_clone(), convert::from_checkpoint(saved, entry.tensor.kind())?));
            }
        }
        tch::no_grad(|| values.iter_mut().for_each(|(tensor, value)| tensor.copy_(value)));
        Ok(report)
    }

    /// The state dict in another project's names, with the tensors that its files have besides.
    pub fn state_dict_as(&self, naming: &Naming) -> StateDict {
        let renamed = self.state_dict().into_iter().map(|(name, tensor)| (naming.rename(&name), tensor));
        renamed.chain(naming.constants()).collect()
    }

    fn compare_as(&self, state: &StateDict, rename: &dyn Fn(&str) -> String, constants: &StateDict) -> LoadReport {
        let mut report = LoadReport::default();
        let mut known: HashSet<String> = constants.keys().cloned().collect();
        for Entry { name, tensor, .. } in self.entries.borrow().iter() {
            let name = rename(name);
            match state.get(&name) {
                Some(found) => report.compare(&name, tensor, found),
                None if fills_with_zero(&name) => {}
                None => report.missing.push(name.clone()),
            }
            known.insert(name);
        }
        constants.iter().for_each(|(name, constant)| report.compare_constant(name, constant, state.get(name)));
        report.unexpected.extend(state.keys().filter(|name| !known.contains(*name)).cloned());
        report
    }

    fn load_renamed(
        &self,
        state: &StateDict,
        rename: &dyn Fn(&str) -> String,
        constants: &StateDict,
    ) -> Result<LoadReport, Error> {
        let report = self.compare_as(state, rename, constants);
        if !report.fits() {
            return Err(Error::Load(Box::new(report)));
        }
        let mut entries = self.entries.borrow_mut();
        let value = |entry: &Entry| match state.get(&rename(&entry.name)) {
            Some(saved) => Ok(convert::from_checkpoint(saved, entry.tensor.kind())?.to_device(self.device)),
            None => Ok(Tensor::from(0i64).to_device(self.device)), // a counter
        };
        let values = entries.iter().map(value).collect::<Result<Vec<_>, Error>>()?;
        // The layers hold the same tensors, which take over the numbers' memory; their own may never have been there.
        entries.iter_mut().zip(&values).for_each(|(entry, value)| entry.tensor.set_data(value));
        Ok(report)
    }

    /// Takes copies of all tensors of `other`, which is of a network of the same configuration, in their order in memory.
    pub(crate) fn copy(&self, other: &Store) {
        let theirs = other.entries.borrow();
        for (entry, other) in self.entries.borrow_mut().iter_mut().zip(theirs.iter()) {
            entry.tensor.set_data(&other.tensor.detach().copy());
        }
    }

    fn add(&self, name: String, tensor: Tensor, role: Role) -> Tensor {
        let mut entries = self.entries.borrow_mut();
        debug_assert!(entries.iter().all(|entry| entry.name != name), "two tensors of one network are named {name}");
        let tensor = if is_drawn() { tensor.to_device(self.device) } else { tensor }; // loading brings it there
        entries.push(Entry { name, tensor: tensor.shallow_clone(), role });
        tensor
    }
}

/// Whether a tensor that a file lacks is 0: batch norm's counter, which PyTorch has since 0.4.1.
pub(crate) fn fills_with_zero(name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
}

/// A place in a network's tree of names: `&path / "body" / 0 / "conv1"`.
pub struct Path<'a> {
    store: &'a Store,
    prefix: String,
}

impl Path<'_> {
    /// The dotted name of this place, empty at the root.
    pub fn name(&self) -> &str {
        &self.prefix
    }

    /// Registers a trainable tensor with its first value (moved to the store's device). Names must be unique.
    pub fn parameter(&self, name: &str, value: Tensor) -> Tensor {
        self.store.add((self / name).prefix, value, Role::Parameter).set_requires_grad(true)
    }

    /// Registers a tensor that is saved but not trained. Names must be unique.
    pub fn buffer(&self, name: &str, value: Tensor) -> Tensor {
        self.store.add((self / name).prefix, value, Role::Buffer)
    }
}

impl<'a, T: Display> Div<T> for &Path<'a> {
    type Output = Path<'a>;

    fn div(self, name: T) -> Path<'a> {
        let prefix = if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) };
        Path { store: self.store, prefix }
    }
}

impl<'a, T: Display> Div<T> for Path<'a> {
    type Output = Path<'a>;

    fn div(self, name: T) -> Path<'a> {
        &self / name
    }
}

#[cfg(test)]
mod tests {
    use abbe_checkpoint::Tensor as Saved;
    use tch::Kind;

    use super::*;

    fn store() -> Store {
        let store = Store::new(Device::Cpu);
        let bn = &store.root() / "body" / 0 / "bn";
        let _ = bn.parameter("weight", Tensor::from_slice(&[1.0f32, 2.0]));
        let _ = bn.buffer("num_batches_tracked", Tensor::from(7i64));
        store
    }

    fn saved(values: &[f32]) -> Saved {
        Saved::from_f32(&[values.len()], values)
    }

    #[test]
    fn names_are_dotted_and_only_parameters_are_trained() {
        let store = store();
        assert_eq!(store.names(), ["body.0.bn.weight", "body.0.bn.num_batches_tracked"]);
        assert_eq!(store.parameters().len(), 1);
        assert!(store.parameters()[0].requires_grad());
        store.freeze();
        assert!(!store.parameters()[0].requires_grad());
    }

    #[test]
    fn a_state_with_every_kind_of_fault_is_reported_whole_and_copies_nothing() {
        let store = store();
        let _ = store.root().parameter("other", Tensor::zeros([3], (Kind::Float, Device::Cpu)));
        let state = StateDict::from_iter([
            ("body.0.bn.weight".to_string(), saved(&[5.0])),
            ("extra".to_string(), saved(&[5.0])),
            ("body.0.bn.num_batches_tracked".to_string(), saved(&[5.0])),
        ]);
        let report = store.compare(&state);
        assert_eq!(report.missing, ["other"]);
        assert_eq!(report.unexpected, ["extra"]);
        assert_eq!(report.shape.len(), 2, "{report}");
        assert_eq!(report.dtype.len(), 1, "{report}");
        assert!(store.load(&state).is_err());
        assert_eq!(Vec::<f32>::try_from(&store.parameters()[0].detach()).unwrap(), [1.0, 2.0]);
    }

    #[test]
    fn a_partial_load_takes_what_fits_and_names_the_rest() {
        let store = store();
        let other = store.root().parameter("other", Tensor::zeros([3], (Kind::Float, Device::Cpu)));
        let state = [("body.0.bn.weight", saved(&[5.0, 6.0])), ("other", saved(&[1.0])), ("extra", saved(&[1.0]))];
        let report = store.load_partial(&state.map(|(name, tensor)| (name.to_string(), tensor)).into()).unwrap();
        assert_eq!(Vec::<f32>::try_from(&store.parameters()[0].detach()).unwrap(), [5.0, 6.0]);
        assert_eq!(f64::try_from(other.sum(Kind::Float)).unwrap(), 0.0);
        assert_eq!((report.shape[0].name.as_str(), report.unexpected[0].as_str()), ("other", "extra"));
    }

    #[test]
    fn loading_keeps_the_tensor_that_others_hold_and_fills_the_missing_counter() {
        let store = store();
        let held = store.parameters();
        store.load(&StateDict::from_iter([("body.0.bn.weight".to_string(), saved(&[3.0, 4.0]))])).unwrap();
        assert_eq!(Vec::<f32>::try_from(&held[0].detach()).unwrap(), [3.0, 4.0]);
        assert_eq!(store.entries.borrow()[1].tensor.int64_value(&[]), 0);
    }
}
