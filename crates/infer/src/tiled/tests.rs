use std::cell::{Cell, RefCell};

use abbe_models::{Config, SrModel, build, edsr, fsrcnn, msrresnet, rcan, rrdbnet, srcnn, srresnet, srvgg};
use tch::Kind;

use super::*;

/// Numbers in [0, 1] without any regularity: a hash of the position.
fn noise(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 16) as f32 / 65535.0).collect()
}

fn model(config: Config) -> Box<dyn SrModel> {
    tch::manual_seed(3);
    tch::set_num_threads(1); // tests run side by side
    build(&config, Device::Cpu).unwrap()
}

/// A small network of each kind whose sight ends within a picture, and each way in which a pixel depends on its
/// surroundings; with 16 channels those convolutions are among the plan's that have multiples of it.
fn networks() -> Vec<Box<dyn SrModel>> {
    let paper = srresnet::Config::paper(4);
    let bare = srresnet::Config { blocks: 2, channels: 16, norm: srresnet::Norm::None, bicubic_skip: true, ..paper };
    let batch = srresnet::Config { blocks: 1, channels: 8, input: srresnet::Input::Bicubic, ..paper };
    let srvgg = srvgg::Config { convs: 3, channels: 16, ..srvgg::Config::general(2) };
    let rrdb = |scale| rrdbnet::Config { blocks: 1, channels: 6, growth: 4, ..rrdbnet::Config::paper(scale) };
    let edsr = edsr::Config { blocks: 1, channels: 16, ..edsr::Config::baseline(3) };
    let msrresnet = msrresnet::Config { blocks: 1, channels: 8, ..msrresnet::Config::paper(2) };
    let srcnn = srcnn::Config { scale: 3, kernels: [5, 1, 5], channels: [6, 4], colors: 1 };
    let fsrcnn = fsrcnn::Config { channels: 6, shrunk: 4, mappings: 1, colors: 3, ..fsrcnn::Config::paper(2) };
    let near = [bare.into(), batch.into(), srvgg.into(), edsr.into(), msrresnet.into(), srcnn.into(), fsrcnn.into()];
    near.into_iter().chain([rrdb(1).into(), rrdb(2).into()]).map(model).collect()
}

fn exact(side: usize) -> Tiling {
    Tiling { side, overlap: usize::MAX, batch: 1, alpha: Alpha::Network, match_colors: false }
}

/// The SR of noise, `[planes, height, width]`, and what was told.
fn run(engine: &Engine, tiling: Tiling, size: (usize, usize), planes: usize) -> Result<(Vec<f32>, Vec<Event>), Error> {
    run_ahead(engine, tiling, size, planes, 0)
}

/// The same with so many batches sent before the first of them is waited for.
fn run_ahead(
    engine: &Engine,
    tiling: Tiling,
    size: (usize, usize),
    planes: usize,
    ahead: usize,
) -> Result<(Vec<f32>, Vec<Event>), Error> {
    let whole = noise(planes * size.0 * size.1);
    // Bands of 5 rows, so that the rows of tiles are put together from several.
    let band = |first: usize| {
        let lines = |plane: &[f32]| plane[first * size.1..(first + 5).min(size.0) * size.1].to_vec();
        Ok(whole.chunks_exact(size.0 * size.1).flat_map(lines).collect())
    };
    let events = RefCell::new(Vec::new());
    let tell = |event| events.borrow_mut().push(event);
    let source = Box::new((0..size.0).step_by(5).map(band));
    let mut sr = vec![Vec::new(); planes];
    for strip in (Tiled { ahead, ..Tiled::new(engine, tiling, (size, planes), source, &|| false, &tell) }) {
        let strip = strip?;
        sr.iter_mut().zip(strip.chunks_exact(strip.len() / planes)).for_each(|(sr, strip)| sr.extend(strip));
    }
    Ok((sr.concat(), events.take()))
}

fn largest_difference(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn tiles_of_every_size_equal_the_whole() {
    for model in networks() {
        for engine in [Engine::of, Engine::fast].map(|engine| engine(model.as_ref(), Kind::Float)) {
            for (size, side, batch) in [((48, 64), 16, 1), ((37, 50), 16, 3), ((45, 83), 33, 1), ((19, 20), 17, 2)] {
                let (whole, _) = run(&engine, exact(1000), size, 3).unwrap();
                let (tiled, events) = run(&engine, Tiling { batch, ..exact(side) }, size, 3).unwrap();
                let difference = largest_difference(&whole, &tiled);
                assert!(difference <= 1e-5, "scale {}, {size:?} in {side}: {difference}", model.scale());
                assert!(!events.iter().any(|event| matches!(event, Event::Seam { .. })));
            }
        }
    }
}

#[test]
fn a_batch_that_is_sent_before_the_last_is_back_changes_nothing() {
    let said = |event: &Event| matches!(event, Event::NoGraph { why } if why == "only a GPU has CUDA graphs");
    for model in networks() {
        let engine = Engine::of(model.as_ref(), Kind::Float);
        for planes in [3, 4] {
            let options = Tiling { batch: 2, match_colors: true, ..exact(16) };
            let [(alone, none), (sent, events)] =
                [0, 1].map(|ahead| run_ahead(&engine, options, (37, 90), planes, ahead).unwrap());
            assert_eq!(alone, sent);
            assert!(!events.iter().chain(&none).any(said), "{events:?}"); // too few tiles are alike for a graph
        }
    }
    // Of 25 tiles in each of two rows all but the first and the last are alike.
    let engine = repeating(|_| Ok(()));
    let [(alone, none), (sent, events)] =
        [0, 1].map(|ahead| run_ahead(&engine, exact(8), (16, 200), 3, ahead).unwrap());
    assert_eq!(alone, sent);
    assert!(events.iter().any(said) && !none.iter().any(said), "{events:?}");
    let broken: crate::Forward = Box::new(|lr| Ok(Tensor::full_like(&lr.repeat([1, 1, 2, 2]), f64::NAN)));
    let engine = Engine { exact: Some(repeating(|_| Ok(())).forward), forward: broken, ..repeating(|_| Ok(())) };
    let (sr, events) = run_ahead(&engine, exact(16), (40, 40), 3, 1).unwrap();
    assert_eq!(sr, run(&repeating(|_| Ok(())), exact(1000), (40, 40), 3).unwrap().0);
    assert_eq!(events.iter().filter(|event| **event == Event::NotFinite).count(), 9);
}

#[test]
fn options_keep_tiles_equal_to_the_whole() {
    for model in networks() {
        let engine = Engine::of(model.as_ref(), Kind::Float).ensembled();
        for planes in [1, 4] {
            let options = Tiling { match_colors: true, ..exact(17) };
            let (whole, _) = run(&engine, Tiling { side: 1000, ..options }, (28, 40), planes).unwrap();
            let (tiled, _) = run(&engine, options, (28, 40), planes).unwrap();
            let difference = largest_difference(&whole, &tiled);
            assert!(difference <= 1e-5, "scale {}, {planes} planes: {difference}", model.scale());
        }
    }
}

#[test]
fn what_sees_too_little_says_how_much_it_differs_where_tiles_meet() {
    let far = model(rcan::Config { groups: 1, blocks: 1, channels: 8, reduction: 4, ..rcan::Config::paper(2) }.into());
    let engine = Engine::of(far.as_ref(), Kind::Float);
    let (whole, events) = run(&engine, exact(16), (40, 40), 3).unwrap();
    assert!(events.iter().all(|event| matches!(event, Event::Tile { pixels: 1600 })), "{events:?}");
    let (tiled, events) = run(&engine, Tiling { overlap: 4, ..exact(16) }, (40, 40), 3).unwrap();
    let Some(Event::Seam { largest, centred: Some(centred) }) = events.last() else { panic!("{events:?}") };
    let difference = largest_difference(&whole, &tiled);
    // At a seam both sides differ from the whole by no more than this, so from each other by no more than twice that.
    assert!(difference > 0.0 && *largest > 0.0 && *largest <= 2.0 * f64::from(difference), "{largest} {difference}");
    assert!(*centred > 0.0 && *centred <= 2.0 * f64::from(difference), "{centred} {difference}");
}

/// An engine that repeats pixels 2 x 2, after `before` was asked.
fn repeating<'a>(before: impl Fn(&Tensor) -> Result<(), TchError> + 'a) -> Engine<'a> {
    let forward = move |lr: &Tensor| {
        before(lr)?;
        lr.f_upsample_nearest2d([2 * lr.size()[2], 2 * lr.size()[3]], 2.0, 2.0)
    };
    let forward: crate::Forward<'a> = Box::new(forward);
    Engine { scale: 2, radius: 2, multiple: 1, device: Device::Cpu, kind: Kind::Float, forward, exact: None }
}

#[test]
fn where_memory_runs_out_tiles_become_smaller() {
    let most = 25 * 25;
    let engine = repeating(move |lr| match lr.size()[2] * lr.size()[3] > most {
        true => Err(TchError::Torch("DefaultCPUAllocator: can't allocate memory: you tried".into())),
        false => Ok(()),
    });
    for ahead in [0, 1] {
        let (sr, events) = run_ahead(&engine, exact(64), (70, 53), 1, ahead).unwrap();
        assert_eq!(sr, run(&repeating(|_| Ok(())), exact(1000), (70, 53), 1).unwrap().0);
        let sides: Vec<_> = events.iter().filter(|event| matches!(event, Event::Smaller { .. })).collect();
        assert_eq!(sides, [&Event::Smaller { side: 32 }, &Event::Smaller { side: 16 }]);
    }
    let never = repeating(|_| Err(TchError::Torch("CUDA out of memory. Tried".into())));
    assert!(matches!(run(&never, exact(64), (70, 53), 1), Err(Error::Tile { height: 16, width: 18, .. })));
}

#[test]
fn a_stop_ends_within_a_tile() {
    let (engine, asked) = (repeating(|_| Ok(())), Cell::new(0));
    let stop = || asked.replace(asked.get() + 1) == 3;
    let source = Box::new(std::iter::once(Ok(noise(64 * 64))));
    let ended: Vec<_> = Tiled::new(&engine, exact(16), ((64, 64), 1), source, &stop, &|_| {}).collect();
    assert!(matches!(ended.as_slice(), [Err(Error::Stopped)]) && asked.get() == 4);
}

#[test]
fn a_result_that_is_not_finite_is_made_again_in_full_precision() {
    let broken: crate::Forward = Box::new(|lr| Ok(Tensor::full_like(&lr.repeat([1, 1, 2, 2]), f64::NAN)));
    let engine = Engine { exact: Some(repeating(|_| Ok(())).forward), forward: broken, ..repeating(|_| Ok(())) };
    let (sr, events) = run(&engine, exact(1000), (9, 9), 3).unwrap();
    assert_eq!(sr, run(&repeating(|_| Ok(())), exact(1000), (9, 9), 3).unwrap().0);
    assert_eq!(events, [Event::NotFinite, Event::Tile { pixels: 81 }]);
}

#[test]
fn bf16_and_f16_are_near_f32() {
    let model = model(srvgg::Config { convs: 3, channels: 6, ..srvgg::Config::general(2) }.into());
    let sr = |kind| run(&Engine::of(model.as_ref(), kind), exact(16), (20, 30), 3).unwrap().0;
    let exact = sr(Kind::Float);
    for (kind, most) in [(Kind::BFloat16, 0.05), (Kind::Half, 0.005)] {
        let difference = largest_difference(&exact, &sr(kind));
        assert!(difference > 0.0 && difference < most, "{kind:?}: {difference}");
    }
}

/// An engine that makes every pixel brighter, and so an opaque one more than opaque and a transparent one visible.
#[test]
fn opacity_that_does_not_change_stays() {
    let brighter: crate::Forward =
        Box::new(|lr| Ok(lr.upsample_nearest2d([2 * lr.size()[2], 2 * lr.size()[3]], 2.0, 2.0) * 0.5 + 0.3));
    let engine = Engine { forward: brighter, ..repeating(|_| Ok(())) };
    // One row: opaque, then an edge at 6, then transparent. Within 2 of 4..8 it changes.
    let opacity: Vec<f32> = (0..12).map(|x| if x < 6 { 1.0 } else { 0.0 }).collect();
    for (alpha, at_edge) in [(Alpha::Network, [0.8, 0.3]), (Alpha::Bicubic, [1.0, 0.0])] {
        let source = Box::new(std::iter::once(Ok([vec![0.5; 12], opacity.clone()].concat())));
        let tiling = Tiling { alpha, ..exact(16) };
        let mut strips = Tiled::new(&engine, tiling, ((1, 12), 2), source, &|| false, &|_| {});
        let strip = strips.next().unwrap().unwrap();
        assert!(strip[..48].iter().all(|color| (color - 0.55).abs() < 1e-6));
        let row = &strip[48..72];
        assert!(row[..8].iter().all(|&alpha| alpha == 1.0) && row[16..].iter().all(|&alpha| alpha == 0.0), "{row:?}");
        assert!((row[9] - at_edge[0]).abs() < 0.05 && (row[14] - at_edge[1]).abs() < 0.05, "{alpha:?} {row:?}");
    }
}

/// A network that makes everything darker by a fifth: the match takes this back, whatever the texture.
#[test]
fn matched_colours_have_the_means_of_the_input() {
    let darker: crate::Forward =
        Box::new(|lr| Ok(lr.upsample_nearest2d([2 * lr.size()[2], 2 * lr.size()[3]], 2.0, 2.0) - 0.2));
    let engine = Engine { forward: darker, ..repeating(|_| Ok(())) };
    let (expected, _) = run(&repeating(|_| Ok(())), exact(1000), (30, 40), 3).unwrap();
    let (matched, _) = run(&engine, Tiling { match_colors: true, ..exact(16) }, (30, 40), 3).unwrap();
    assert!(largest_difference(&expected, &matched) < 1e-5);
}

#[test]
fn a_luma_network_serves_as_any_other() {
    let model = model(fsrcnn::Config { scale: 2, channels: 6, shrunk: 4, mappings: 1, colors: 1 }.into());
    let engine = Engine::of(model.as_ref(), Kind::Float);
    let (whole, _) = run(&engine, exact(1000), (33, 21), 3).unwrap();
    let (tiled, _) = run(&engine, Tiling { batch: 2, ..exact(16) }, (33, 21), 3).unwrap();
    assert!(largest_difference(&whole, &tiled) <= 1e-5);
}
