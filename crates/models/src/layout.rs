//! The ways in which projects name the tensors of one network, and what can be told from them.

use abbe_checkpoint::StateDict;

use crate::Error;

/// One way of naming a network's tensors.
pub struct Layout<C> {
    /// The project that names them so: `basicsr`, `leftthomas`, ...
    pub name: &'static str,
    /// The configuration that keys and shapes tell; none when the state dict is not of this layout.
    ///
    /// An error says what neither keys nor shapes nor [`Hints`] tell.
    pub detect: fn(&Keys, &Hints) -> Option<Result<C, Error>>,
    /// The file's name of a tensor of ours.
    pub rename: fn(&C, &str) -> String,
    /// Tensors that the file has and the network lacks, because they never change.
    pub constants: fn(&C) -> StateDict,
    /// Why this layout's project could not run a network of this configuration; none where it can.
    pub obstacle: fn(&C) -> Option<&'static str>,
}

impl<C> Layout<C> {
    /// A layout with our names, and nothing besides.
    pub const fn own(name: &'static str, detect: fn(&Keys, &Hints) -> Option<Result<C, Error>>) -> Self {
        Layout::renamed(name, detect, |_, name| name.to_string())
    }

    /// A layout with other names, and nothing besides.
    pub const fn renamed(
        name: &'static str,
        detect: fn(&Keys, &Hints) -> Option<Result<C, Error>>,
        rename: fn(&C, &str) -> String,
    ) -> Self {
        Layout { name, detect, rename, constants: |_| StateDict::new(), obstacle: |_| None }
    }
}

/// The names and shapes of a state dict.
pub struct Keys<'a>(pub &'a StateDict);

impl Keys<'_> {
    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The sizes of a tensor of `N` axes, if there is one of this name and rank.
    pub fn shape<const N: usize>(&self, name: &str) -> Option<[i64; N]> {
        let sides = self.0.get(name)?.shape();
        let sides: Vec<i64> = sides.iter().map(|&side| side as i64).collect();
        sides.try_into().ok()
    }

    /// How many of `name(0)`, `name(1)`, ... there are before the first that is missing.
    pub fn count(&self, name: impl Fn(usize) -> String) -> i64 {
        (0..).take_while(|&i| self.has(&name(i))).count() as i64
    }
}

/// What a user says of a network that its tensors cannot tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Hints {
    /// Output pixels per input pixel along each side.
    pub scale: Option<i64>,
    /// The activation, where it has no tensor.
    pub activation: Option<Activation>,
    /// What residuals are multiplied by.
    pub res_scale: Option<f64>,
}

/// An activation without tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// x above 0, else a fixed small part of it.
    LeakyRelu,
}

impl Hints {
    /// The scale.
    ///
    /// # Errors
    /// [`Error::Ask`] when the user did not give it.
    pub fn scale(&self, network: &'static str) -> Result<i64, Error> {
        self.scale.ok_or(Error::Ask { network, what: "the scale", option: "--scale 2, 3 or 4" })
    }

    /// The activation.
    ///
    /// # Errors
    /// [`Error::Ask`] when the user did not give it.
    pub fn activation(&self, network: &'static str) -> Result<Activation, Error> {
        let option = "--activation relu or leaky-relu";
        self.activation.ok_or(Error::Ask { network, what: "the activation", option })
    }

    /// What residuals are multiplied by.
    ///
    /// # Errors
    /// [`Error::Ask`] when the user did not give it.
    pub fn res_scale(&self, network: &'static str) -> Result<f64, Error> {
        let option = "--res-scale 1 (usual), or 0.1 (usual for EDSR with 256 channels)";
        self.res_scale.ok_or(Error::Ask { network, what: "the factor of its residuals", option })
    }
}

#[cfg(test)]
mod tests {
    use abbe_checkpoint::Tensor;

    use super::*;

    #[test]
    fn keys_tell_sizes_and_counts() {
        let tensor = Tensor::from_f32(&[2, 3], &[0.0; 6]);
        let names = ["body.0.w", "body.1.w", "body.3.w"];
        let state = names.map(|name| (name.to_string(), tensor.clone())).into_iter().collect();
        let keys = Keys(&state);
        assert_eq!(keys.count(|i| format!("body.{i}.w")), 2);
        assert_eq!(keys.shape("body.3.w"), Some([2, 3]));
        assert_eq!(keys.shape::<4>("body.3.w"), None);
        assert!(keys.shape::<2>("body.2.w").is_none() && !keys.has("body.2.w"));
    }

    #[test]
    fn what_the_user_did_not_say_is_asked_for() {
        let message = Hints::default().scale("SRCNN").unwrap_err().to_string();
        assert!(message.contains("SRCNN") && message.contains("--scale"), "{message}");
        assert_eq!(Hints { scale: Some(3), ..Hints::default() }.scale("SRCNN").unwrap(), 3);
    }
}
