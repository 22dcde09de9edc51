//! Names: our own, those of other projects, and what is told by them.

use std::collections::HashSet;

use tch::Device;

use super::{built, samples};
use crate::*;

#[test]
fn names_are_unique() {
    for config in samples() {
        let names = config.build(Device::Cpu).unwrap().network().store().names();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    }
}

/// Written in any of its layouts that can hold it, with a wrapper's prefix, a network is found again with what its tensors
/// tell; what they do not tell is given.
#[test]
fn a_network_is_recognised_in_each_of_its_layouts() {
    for config in samples() {
        let from = built(&config);
        for layout in config.layouts().into_iter().filter(|layout| *layout != "abbe") {
            let Ok(naming) = config.naming(layout) else { continue };
            let state = from.network().store().state_dict_as(&naming);
            let state = state.into_iter().map(|(name, tensor)| (format!("module.{name}"), tensor)).collect();
            let found = recognise(&state, &config.hints(), Device::Cpu).unwrap_or_else(|e| panic!("{config:?}: {e}"));
            assert_eq!((found.config, found.layout, found.prefix.as_str()), (config, layout, "module."));
            let loaded = found.built.network().store().state_dict();
            assert_eq!(loaded, from.network().store().state_dict(), "{config:?}");
        }
    }
}

/// A layout says no to a network that its project could not run, and a file with other constants is not taken.
#[test]
fn layouts_hold_only_what_their_projects_compute() {
    let plain = Config::Srresnet(srresnet::Config::paper(4));
    for layout in ["leftthomas", "lornatang"] {
        let error = plain.naming(layout).err().unwrap().to_string();
        assert!(error.contains(layout) && error.contains("output"), "{error}");
    }
    let config = Config::Edsr(edsr::Config { blocks: 1, channels: 4, ..edsr::Config::baseline(2) });
    let naming = config.naming("edsr-pytorch").unwrap();
    let mut state = built(&config).network().store().state_dict_as(&naming);
    state.insert("sub_mean.bias".into(), abbe_checkpoint::Tensor::from_f32(&[3], &[-0.4488, -0.4371, -0.4040]));
    let error = recognise(&state, &config.hints(), Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("sub_mean.bias"), "{error}");
}

/// From any layout to any other the tensors stay the same, under the names that the network itself would write.
#[test]
fn a_checkpoint_changes_its_layout_and_keeps_its_tensors() {
    for config in samples() {
        let from = built(&config);
        let named = |layout| Some((layout, from.network().store().state_dict_as(&config.naming(layout).ok()?)));
        let states: Vec<_> = config.layouts().into_iter().filter_map(named).collect();
        let card = Card { network: config, notices: Vec::new(), sources: Vec::new() };
        for (_, state) in &states {
            let wrapped = state.iter().map(|(name, tensor)| (format!("module.{name}"), tensor.clone())).collect();
            let found = identify(&wrapped, Some(&card), &Choice::default(), Device::Cpu).unwrap();
            for (layout, expected) in &states {
                assert_eq!(&found.state_as(layout).unwrap(), expected, "{config:?} as {layout}");
            }
        }
    }
}

#[test]
fn a_counter_that_the_file_lacks_is_zero() {
    let config = Config::from(srresnet::Config::paper(4));
    let from = built(&config).network().store().state_dict();
    let state = from.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
    let state: abbe_checkpoint::StateDict = state.map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
    let card = Card { network: config, notices: Vec::new(), sources: Vec::new() };
    let found = identify(&state, Some(&card), &Choice::default(), Device::Cpu).unwrap();
    assert!(state.len() < from.len() && found.state_as(found.layout).unwrap() == from);
}
