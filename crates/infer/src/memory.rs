//! Tiles that fit into the memory that there is.

use std::fs;
use std::sync::OnceLock;

use abbe_models::{SrModel, summary};
use tch::Device;

use crate::engine::Engine;
use crate::tile::even;
use crate::tiled::LEAST_TILE;

/// Bytes that the program and libtorch take by themselves.
pub const PROGRAM: usize = 400 << 20;
/// Sides of tiles' cores that are tried, from the one with the least surroundings for each pixel.
const SIDES: [usize; 12] = [1024, 768, 512, 384, 256, 192, 128, 96, 64, 48, 32, LEAST_TILE];
/// How many times the largest layer's output is held at once: itself, its input, what is added to it, and the copy that a
/// convolution makes of its input in an order of its own.
const LIVE: usize = 4;

/// Bytes that a network on the CPU takes for each LR pixel that it sees, about: a few times the largest output of a layer in
/// float32.
pub fn bytes_per_pixel(model: &dyn SrModel) -> usize {
    const SIDE: i64 = 16;
    let layers = summary(|xs| model.forward(xs, false), &[1, model.colors(), SIDE, SIDE]).layers;
    let largest = layers.iter().map(|layer| layer.memory()).max().unwrap_or(0);
    LIVE * largest / (SIDE * SIDE) as usize
}

/// The bytes that the system lets this process take for what is computed on `device`, by the limit of its control group
/// (`memory.max`) or of its addresses (`ulimit -v`), as it was when first asked. None where there is none, where the system is
/// not Linux, or where the device is a GPU, whose memory these do not bound.
pub fn limit(device: Device) -> Option<usize> {
    static LIMIT: OnceLock<Option<usize>> = OnceLock::new();
    if device != Device::Cpu {
        return None;
    }
    *LIMIT.get_or_init(|| {
        let read = |path: &str| fs::read_to_string(path).ok();
        let group = || {
            let groups = read("/proc/self/cgroup")?;
            let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
            read(&format!("/sys/fs/cgroup/{path}/memory.max"))?.trim().parse().ok()
        };
        let addresses = || by_addresses(&read("/proc/self/limits")?, &read("/proc/self/status")?);
        group().into_iter().chain(addresses()).min()
    })
}

/// What a limit of addresses leaves, from two files of `/proc`. Of those that are not in use yet a quarter is for what threads
/// reserve.
fn by_addresses(limits: &str, status: &str) -> Option<usize> {
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let limit: usize = limit.split_whitespace().next()?.parse().ok()?; // "unlimited" is no number
    let used = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let used: usize = used.split_whitespace().next()?.parse().ok()?;
    Some(PROGRAM + limit.saturating_sub(used << 10) / 4 * 3)
}

/// How a picture is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The side of tiles' cores in LR pixels.
    pub side: usize,
    /// How far around them is seen.
    pub overlap: usize,
    /// The bytes that this takes, about.
    pub bytes: usize,
}

/// The largest tiles such that a picture of `size` (height, width) with so many `planes` is upscaled within `memory` bytes; where
/// that cannot be, those that take the least.
///
/// Tiles see as far as the network. One that sees more than [`crate::OVERLAP`] LR pixels far is run on the whole picture, or, where
/// that does not fit, in tiles that see `overlap`.
pub fn fit(
    engine: &Engine,
    bytes_per_pixel: usize,
    (size, planes): ((usize, usize), usize),
    memory: usize,
    overlap: usize,
) -> Cut {
    let longest = size.0.max(size.1);
    let cut = |side: usize, overlap: usize| {
        let core = [even(size.0, side), even(size.1, side)];
        let seen = |core: usize, length: usize| overlap.saturating_mul(2).saturating_add(core).min(length);
        let rows = seen(core[0], size.0);
        let passes = if planes % 2 == 0 { 2 } else { 1 }; // opacity goes through the network too
        let tile = rows * seen(core[1], size.1) * bytes_per_pixel * passes;
        let held = size.1 * planes * size_of::<f32>() * (rows + core[0] * engine.scale * engine.scale);
        Cut { side, overlap, bytes: PROGRAM + tile + held }
    };
    let around = engine.overlap(overlap);
    let tiles = SIDES.iter().filter(|&&side| side < longest).map(|&side| cut(side, around));
    let cuts: Vec<Cut> = std::iter::once(cut(longest, engine.radius.min(longest))).chain(tiles).collect();
    let fitting = cuts.iter().find(|cut| cut.bytes <= memory);
    *fitting.or(cuts.iter().min_by_key(|cut| cut.bytes)).unwrap_or(&cuts[0])
}

#[cfg(test)]
mod tests {
    use abbe_models::{build, rrdbnet, srresnet};
    use tch::Kind;

    use super::*;

    #[test]
    fn more_memory_gives_larger_tiles_and_far_sight_is_run_whole_if_it_fits() {
        let near = build(&srresnet::Config { blocks: 2, ..srresnet::Config::paper(4) }.into(), Device::Cpu).unwrap();
        let near = Engine::of(near.as_ref(), Kind::Float);
        let sides = [600 << 20, 2 << 30, 16 << 30].map(|memory| {
            let Cut { side, overlap, bytes } = fit(&near, 16_384, ((4000, 6000), 3), memory, 8);
            assert!(overlap == near.radius && bytes <= memory, "{bytes}");
            side
        });
        assert!(sides.is_sorted() && sides[0] < sides[1] && sides[1] < sides[2], "{sides:?}");
        assert_eq!(fit(&near, 16_384, ((100, 90), 3), 1 << 30, 8).side, 100);
        // Too little for any: what takes the least.
        assert_eq!(fit(&near, 16_384, ((4000, 6000), 3), 1, 8).side, LEAST_TILE);

        let config = rrdbnet::Config { channels: 1, growth: 1, ..rrdbnet::Config::paper(4) };
        let far = build(&config.into(), Device::Cpu).unwrap();
        let far = Engine::of(far.as_ref(), Kind::Float);
        assert_eq!(fit(&far, 16_384, ((300, 200), 3), 4 << 30, 100).overlap, 300);
        assert_eq!(fit(&far, 16_384, ((1000, 2000), 3), 4 << 30, 100).overlap, 100);
    }

    #[test]
    fn a_gpu_has_no_limit_of_the_host() {
        assert_eq!(limit(Device::Cuda(0)), None);
    }

    #[test]
    fn a_limit_of_addresses_leaves_what_is_not_in_use() {
        // 2 GiB less 1 GiB in use, of which three quarters.
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax address space         2147483648           unlimited            bytes";
        let status = "Name:\tabbe\nVmSize:\t 1048576 kB\n";
        assert_eq!(by_addresses(limits, status), Some(PROGRAM + (768 << 20)));
        assert_eq!(by_addresses(&limits.replace("2147483648", "unlimited"), status), None);
        assert_eq!(by_addresses("", ""), None);
    }

    #[test]
    fn the_largest_layer_counts() {
        // x4 of 64 channels: 4 * 4 * 64 float32 for each LR pixel behind the second shuffle, as much before it.
        let model = build(&srresnet::Config { blocks: 1, ..srresnet::Config::paper(4) }.into(), Device::Cpu).unwrap();
        assert_eq!(bytes_per_pixel(model.as_ref()), LIVE * 4 * 4 * 64 * 4);
    }
}
