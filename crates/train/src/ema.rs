//! An exponential moving average of a network's weights, which judges and is kept beside the network that learns. As in
//! `torch.optim.swa_utils.AveragedModel`, parameters are averaged and buffers (batch norm's statistics, which are averages
//! already) are copied, and the first update copies the parameters too. BasicSR averages the parameters as well, but leaves
//! the buffers as they were at first.

use abbe_checkpoint::{StateDict, Value, state_dict_of};
use abbe_models::convert::to_checkpoint;
use abbe_models::{SrModel, Store};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// How weights are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Part of the average that an update keeps, in [0, 1); 0.999 in Real-ESRGAN.
    pub decay: f64,
    /// Whether the first updates keep less: after n of them `min(decay, (1 + n) / (10 + n))`, as in TensorFlow.
    #[serde(default)]
    pub warm_up: bool,
}

impl Config {
    /// Checks the decay.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn validate(&self) -> Result<()> {
        ensure!((0.0..1.0).contains(&self.decay), "decay: expected 0 or more and less than 1, found {}", self.decay);
        Ok(())
    }

    /// The decay of the update that follows so many.
    pub fn decay_after(&self, updates: u64) -> f64 {
        let n = updates as f64;
        if self.warm_up { self.decay.min((1.0 + n) / (10.0 + n)) } else { self.decay }
    }
}

/// The averaged weights of a network, in a second network.
pub struct Ema {
    /// How they are averaged.
    pub config: Config,
    model: Box<dyn SrModel>,
    updates: u64,
    /// Where a device reads the part of the way that the next update goes; none before [`Ema::write_weight`].
    weight: Option<Tensor>,
}

/// Where AveragedModel's state dict has the number of updates, and what stands before the names of the weights.
const UPDATES: &str = "n_averaged";
const PREFIX: &str = "module.";

impl Ema {
    /// An average that begins with the weights of `model`, which `network` has built. libtorch's generator is not touched.
    ///
    /// # Errors
    /// A decay out of range, a network that cannot be built.
    pub fn new(config: Config, network: &abbe_models::Config, model: &dyn SrModel) -> Result<Self> {
        config.validate()?;
        let model = abbe_models::copy(network, model)?;
        model.store().freeze();
        Ok(Ema { config, model, updates: 0, weight: None })
    }

    /// Takes in the weights of the network after a step of its optimiser.
    ///
    /// # Errors
    /// What libtorch says.
    ///
    /// # Panics
    /// If `store` is of another network.
    pub fn update(&mut self, store: &Store) -> Result<()> {
        abbe_torch::lerp(&self.model.store().parameters(), &store.parameters(), self.next_weight())?;
        self.copy_buffers(store);
        self.count();
        Ok(())
    }

    /// Writes to the device what [`Ema::update_unless`] will read there.
    pub(crate) fn write_weight(&mut self) {
        let (next, device) = (self.next_weight(), self.model.store().device());
        let weight = self.weight.get_or_insert_with(|| Tensor::zeros([], (Kind::Float, device)));
        let _ = weight.fill_(next);
    }

    /// [`Ema::update`] as the device does it by itself, unless the scalar `left_out` is 1 and not 0: then the network's
    /// buffers must be those of the last update. The first, too, goes the whole way to the weights instead of copying them, and so
    /// differs from them by a rounding. Whoever learns that it was done calls [`Ema::count`].
    ///
    /// # Errors
    /// What libtorch says; no [`Ema::write_weight`] before.
    pub(crate) fn update_unless(&self, store: &Store, left_out: &Tensor) -> Result<()> {
        let weight = self.weight.as_ref().context("the weight of an average's update was not written")?;
        abbe_torch::lerp_by(&self.model.store().parameters(), &store.parameters(), &(weight * (1 - left_out)))?;
        self.copy_buffers(store);
        Ok(())
    }

    /// Begins anew with the weights of the network as they are now, which is no update.
    ///
    /// # Errors
    /// What libtorch says.
    pub(crate) fn begin_with(&mut self, store: &Store) -> Result<()> {
        abbe_torch::lerp(&self.model.store().parameters(), &store.parameters(), 1.0)?;
        self.copy_buffers(store);
        self.updates = 0;
        Ok(())
    }

    /// Counts an update.
    pub(crate) fn count(&mut self) {
        self.updates += 1;
    }

    /// The part of the way to the network's weights that the next update goes.
    fn next_weight(&self) -> f64 {
        if self.updates == 0 { 1.0 } else { 1.0 - self.config.decay_after(self.updates) }
    }

    fn copy_buffers(&self, store: &Store) {
        let own = self.model.store();
        tch::no_grad(|| own.buffers().iter_mut().zip(store.buffers()).for_each(|(own, new)| own.copy_(&new)));
    }

    /// The network with the averaged weights; none of them needs a gradient.
    pub fn model(&self) -> &dyn SrModel {
        self.model.as_ref()
    }

    /// Updates so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// As `AveragedModel.state_dict()`, which PyTorch can load.
    pub fn to_value(&self) -> Value {
        let updates = to_checkpoint(&Tensor::from(self.updates as i64));
        let weights =
            self.model.store().state_dict().into_iter().map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor));
        let entries = std::iter::once((UPDATES.to_owned(), updates)).chain(weights);
        Value::OrderedDict(entries.map(|(name, tensor)| (Value::Text(name), Value::Tensor(tensor))).collect())
    }

    /// Goes on from what [`Ema::to_value`] or PyTorch gave.
    ///
    /// # Errors
    /// A state of another network, or without `n_averaged`; then nothing has changed.
    pub fn restore(&mut self, state: &Value) -> Result<()> {
        let mut state = state_dict_of(state)?;
        let updates = state.shift_remove(UPDATES).and_then(|count| count.to_i64().ok()?.first().copied());
        let updates = updates.and_then(|count| u64::try_from(count).ok());
        let updates = updates.with_context(|| format!("{UPDATES}: expected a whole number from 0 on"))?;
        let bare = |name: String| name.strip_prefix(PREFIX).map(str::to_owned).unwrap_or(name);
        let state: StateDict = state.into_iter().map(|(name, tensor)| (bare(name), tensor)).collect();
        let report = self.model.store().compare(&state);
        ensure!(report.fits(), "the averaged weights are of another network:\n{report}");
        self.model.store().load_partial(&state)?; // which leaves the tensors where they are in memory
        self.updates = updates;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use abbe_models::srcnn;
    use tch::Device;

    use super::*;

    const CONFIG: Config = Config { decay: 0.75, warm_up: false };

    fn network() -> (abbe_models::Config, Box<dyn SrModel>) {
        let paper = srcnn::Config::paper(2);
        let config = abbe_models::Config::Srcnn(srcnn::Config { kernels: [3, 1, 3], channels: [2, 2], ..paper });
        (config, abbe_models::build(&config, Device::Cpu).unwrap())
    }

    fn fill(store: &Store, value: f64) {
        tch::no_grad(|| store.parameters().iter_mut().for_each(|parameter| drop(parameter.fill_(value))));
    }

    fn first(ema: &Ema) -> f64 {
        ema.model().store().parameters()[0].view(-1).double_value(&[0])
    }

    #[test]
    fn the_first_update_copies_and_the_others_go_a_part_of_the_way() {
        let (config, model) = network();
        fill(model.store(), 1.0);
        let mut ema = Ema::new(CONFIG, &config, model.as_ref()).unwrap();
        fill(model.store(), 3.0);
        assert_eq!(first(&ema), 1.0);
        ema.update(model.store()).unwrap();
        assert_eq!(first(&ema), 3.0);
        fill(model.store(), 7.0);
        ema.update(model.store()).unwrap();
        assert_eq!(first(&ema), 0.75 * 3.0 + 0.25 * 7.0);
        assert_eq!(ema.updates(), 2);
        assert!(!ema.model().store().parameters()[0].requires_grad());
    }

    #[test]
    fn a_warm_up_keeps_less_at_first() {
        let config = Config { warm_up: true, ..CONFIG };
        // (1 + n) / (10 + n): 2 / 11 after one update, 1/2 after 8, 3/4 after 26.
        assert_eq!([1, 8, 26, 27].map(|n| config.decay_after(n)), [2.0 / 11.0, 0.5, 0.75, 0.75]);
        assert_eq!(CONFIG.decay_after(1), 0.75);
    }

    #[test]
    fn its_state_comes_back_and_an_odd_one_changes_nothing() {
        let (config, model) = network();
        let mut ema = Ema::new(CONFIG, &config, model.as_ref()).unwrap();
        ema.update(model.store()).unwrap();
        let saved = ema.to_value();
        fill(model.store(), 5.0);
        let mut other = Ema::new(CONFIG, &config, model.as_ref()).unwrap();
        let rest = Value::OrderedDict(saved.entries().unwrap()[1..].to_vec());
        assert!(other.restore(&rest).unwrap_err().to_string().contains("n_averaged"));
        let less = Value::OrderedDict(saved.entries().unwrap()[..2].to_vec());
        assert!(format!("{:#}", other.restore(&less).unwrap_err()).contains("another network"));
        assert_eq!((first(&other), other.updates()), (5.0, 0));
        other.restore(&saved).unwrap();
        assert_eq!((other.to_value(), other.updates()), (saved, 1));
    }

    #[test]
    fn its_tensors_lie_in_memory_as_those_of_the_network_also_when_restored() {
        let (config, model) = network();
        let strides = |store: &Store| store.parameters().iter().map(Tensor::stride).collect::<Vec<_>>();
        let before = strides(model.store());
        abbe_torch::lay_channels_last(&model.store().parameters());
        let mut ema = Ema::new(CONFIG, &config, model.as_ref()).unwrap();
        ema.restore(&ema.to_value()).unwrap();
        assert_eq!(strides(ema.model().store()), strides(model.store()));
        assert_ne!(strides(ema.model().store()), before);
    }

    #[test]
    fn a_decay_is_below_one() {
        let said = |decay| Config { decay, ..CONFIG }.validate().unwrap_err().to_string();
        assert!(said(1.0).contains("decay: expected 0 or more and less than 1, found 1"));
        assert!(said(f64::NAN).contains("NaN"));
    }
}
