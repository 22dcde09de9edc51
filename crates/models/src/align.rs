//! Two state dicts in the same names.

use std::fmt;

use abbe_checkpoint::StateDict;
use tch::Device;

use crate::recognise::without_prefixes;
use crate::{Card, Choice, identify};

/// Two state dicts that were given the same names.
pub struct Aligned {
    /// The tensors.
    pub states: [StateDict; 2],
    /// The layout that the first had, when both are in Abbe's own names now; none when only prefixes were left out.
    pub layout: Option<&'static str>,
    how: String,
}

/// Gives two state dicts the same names where their own differ: without what wrappers put before them, else in Abbe's own
/// names of the network that both belong to. None where their names are the same already, or nothing makes them so.
pub fn align(states: [&StateDict; 2], cards: [Option<&Card>; 2], choice: &Choice) -> Option<Aligned> {
    if have_same_names(states) {
        return None;
    }
    let [(one, first), (other, second)] = states.map(without_prefixes);
    if have_same_names([&first, &second]) {
        let how = format!("without what stands before the names, `{one}` in the first and `{other}` in the second");
        return Some(Aligned { states: [first, second], layout: None, how });
    }
    let recognise = |index: usize| identify(states[index], cards[index], choice, Device::Cpu).ok();
    let (first, second) = (recognise(0)?, recognise(1)?);
    let network = first.config.name();
    let own = *first.config.layouts().first()?;
    let how = format!("in Abbe's names of {network} ({own}); the files' are of {} and {}", first.layout, second.layout);
    let aligned = || Some([first.state_as(own).ok()?, second.state_as(own).ok()?]);
    let states = (network == second.config.name()).then(aligned)??;
    Some(Aligned { states, layout: Some(first.layout), how })
}

fn have_same_names([first, second]: [&StateDict; 2]) -> bool {
    first.len() == second.len() && first.keys().all(|name| second.contains_key(name))
}

/// Which names they have now.
impl fmt::Display for Aligned {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, srcnn};

    fn align_with(first: &StateDict, second: &StateDict) -> Option<Aligned> {
        let hints = crate::Hints { scale: Some(2), ..crate::Hints::default() };
        align([first, second], [None, None], &Choice { hints, ..Choice::default() })
    }

    #[test]
    fn prefixes_and_layouts_do_not_keep_a_network_from_itself() {
        let config = Config::from(srcnn::Config::paper(2));
        let own = config.build(Device::Cpu).unwrap().network().store().state_dict();
        assert!(align_with(&own, &own).is_none());
        let wrapped = own.iter().map(|(name, tensor)| (format!("module.{name}"), tensor.clone())).collect();
        let naming = config.naming("lornatang").unwrap();
        let renamed = own.iter().map(|(name, tensor)| (naming.rename(name), tensor.clone())).collect();
        for (other, layout) in [(&wrapped, None), (&renamed, Some("lornatang"))] {
            let aligned = align_with(other, &own).unwrap();
            assert_eq!((&aligned.states, aligned.layout), (&[own.clone(), own.clone()], layout));
        }
        let odd = own.iter().map(|(name, tensor)| (format!("odd.{name}"), tensor.clone())).collect();
        assert!(align_with(&odd, &own).is_none());
    }
}
