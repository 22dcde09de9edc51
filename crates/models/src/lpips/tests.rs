use super::*;

/// The metric with random first values in place of torchvision's weights.
fn random(net: Net) -> Lpips {
    let store = Store::new(Device::Cpu);
    let features = net.features(&store.root() / "features");
    let published = abbe_checkpoint::open_bytes(net.published()).unwrap().value;
    let weights = weights(net, published, Device::Cpu).unwrap();
    let backbone = Backbone { file: net.file().into(), sha256: String::new() };
    Lpips { net, backbone, device: Device::Cpu, slices: sliced(net, features, weights), notices: Vec::new() }
}

fn pictures(shape: [i64; 4]) -> Tensor {
    Tensor::rand(shape, (Kind::Float, Device::Cpu))
}

#[test]
fn networks_see_colours_less_imagenets_mean_by_its_deviation() {
    // Red: (2 * 0.485 - 1 + 0.030) / 0.458 = 0, and 0.229 more is 0.458 / 0.458 = 1; green and blue likewise.
    let mean = Tensor::from_slice(&[0.485f32, 0.456, 0.406]).view([1, 3, 1, 1]);
    let more = &mean + Tensor::from_slice(&[0.229f32, 0.224, 0.225]).view([1, 3, 1, 1]);
    for (colours, expected) in [(mean, 0.0), (more, 1.0)] {
        let found = normalised(&colours);
        assert!((found - expected).abs().max().double_value(&[]) < 1e-6);
    }
}

#[test]
fn equal_pictures_have_no_distance_and_swapped_colours_have() {
    for net in Net::ALL {
        let (lpips, xs) = (random(net), pictures([2, 3, 33, 40]));
        assert!(lpips.distances(&xs.narrow(0, 0, 0), &xs.narrow(0, 0, 0)).unwrap().is_empty());
        assert_eq!(lpips.distances(&xs, &xs).unwrap(), [0.0, 0.0]);
        let one = xs.narrow(0, 0, 1);
        let swapped = Tensor::cat(&[one.flip([1]), xs.narrow(0, 1, 1)], 0);
        let found = lpips.distances(&xs, &swapped).unwrap();
        assert!(found[0] > 1e-3 && found[1] == 0.0, "{net:?}: {found:?}");
        assert_eq!(lpips.distances(&swapped, &xs).unwrap(), found, "{net:?}: the order of the two counts");
    }
}

#[test]
fn the_smallest_picture_is_taken_and_smaller_ones_are_refused() {
    for (net, least) in Net::ALL.map(|net| (net, net.least())) {
        let lpips = random(net);
        let enough = pictures([1, 3, least, least]);
        assert!(lpips.distances(&enough, &enough.flip([2])).unwrap()[0] > 0.0);
        let small = pictures([1, 3, least, least - 1]);
        let error = lpips.distances(&small, &small).unwrap_err().to_string();
        assert!(error.contains(&format!("{least} or more")) && error.contains(net.name()), "{error}");
    }
}

#[test]
fn pictures_of_two_sizes_or_without_colour_are_refused() {
    let lpips = random(Net::Squeeze);
    for (one, other) in
        [([1, 3, 20, 21], [1, 3, 21, 20]), ([2, 3, 20, 20], [1, 3, 20, 20]), ([1, 1, 20, 20], [1, 1, 20, 20])]
    {
        let error = lpips.distances(&pictures(one), &pictures(other)).unwrap_err().to_string();
        assert!(error.contains(&format!("{one:?} and {other:?}")), "{error}");
    }
}

/// What lies beyond a tile's margin is not seen, so a tile's distance differs from the picture's in nothing but rounding.
#[test]
fn tiles_make_the_picture() {
    for net in Net::ALL {
        let lpips = random(net);
        // Cores of 0 to 95, .., 288 to 289: the last one has no pixel in the deepest layers.
        for shape in [[1, 3, 290, 40], [1, 3, 40, 290]] {
            let (x, y) = (pictures(shape), pictures(shape));
            let [whole, tiled] =
                [i64::MAX, 96].map(|side| tch::no_grad(|| lpips.distance([&x, &y].map(Tensor::shallow_clone), side)));
            assert!((tiled / whole - 1.0).abs() < 1e-6, "{net:?}: {tiled}, whole {whole}");
        }
    }
}

#[test]
fn linear_weights_of_another_network_do_not_load() {
    let vgg = abbe_checkpoint::open_bytes(Net::Vgg.published()).unwrap().value;
    let error = weights(Net::Squeeze, vgg, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("lin5.model.1.weight") && error.contains("lin3.model.1.weight"), "{error}");
}

#[test]
fn a_missing_file_is_told_with_the_command_that_gets_it() {
    let error = Lpips::open(Net::Alex, Path::new("nowhere/alexnet.pth"), None, Device::Cpu).err().unwrap().to_string();
    for part in ["nowhere/alexnet.pth", "lpips-alex", "alexnet-owt-7be5be79.pth", "abbe fetch alexnet"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}
