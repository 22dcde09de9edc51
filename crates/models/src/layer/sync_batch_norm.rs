//! Batch statistics over the batches of all ranks, as `torch.nn.SyncBatchNorm` takes them.

use abbe_torch::ProcessGroup;
use tch::{Kind, Tensor};

use super::batch_norm::{EPS, MOMENTUM};

/// Of each channel, `[C]`, over N, H and W of every rank's batch.
struct Moments {
    mean: Tensor,
    /// Divided by the count.
    variance: Tensor,
    /// How many numbers of one channel all ranks have together, a scalar.
    count: Tensor,
}

/// The moments of `xs`, `[N, C, h, w]`, over every rank; N, h and w may differ between ranks.
///
/// Each rank fills one row with its own mean, sum of squared differences from it, and count, the sum of all ranks' rows is the table
/// of all, and the table's rows are joined as by Chan, Golub and LeVeque (1979), which loses no digits to large means.
fn moments(xs: &Tensor, group: &ProcessGroup) -> Moments {
    let size = xs.size();
    let (channels, options) = (size[1], (xs.kind(), xs.device()));
    let count = size.iter().product::<i64>() / channels;
    let (variance, mean) = xs.var_mean_dim([0i64, 2, 3].as_slice(), false, false);
    let row = Tensor::cat(&[mean, variance * count, Tensor::full([1], count, options)], 0);
    let rows = |ranks: usize| Tensor::zeros([ranks as i64, 2 * channels + 1], options);
    let own = Tensor::cat(&[rows(group.rank()), row.unsqueeze(0), rows(group.size() - group.rank() - 1)], 0);
    let table = group.sum(&own); // [ranks, 2 * C + 1]
    let [means, squares, counts]: [Tensor; 3] =
        table.split_with_sizes([channels, channels, 1], 1).try_into().expect("three parts were asked for");
    let sum = |values: Tensor| values.sum_dim_intlist(0i64, false, None::<Kind>);
    let total = sum(counts.shallow_clone());
    let mean = sum(&means * &counts) / &total;
    let between = sum((&means - &mean).square() * &counts);
    Moments { variance: (sum(squares) + between) / &total, mean, count: total }
}

/// Normalises `xs`, `[N, C, h, w]`, by the moments of every rank's batch and moves the running statistics towards them (the
/// variance divided by the count less one). Statistics are float32 where `xs` is shorter.
pub(super) fn forward(xs: &Tensor, affine: [&Tensor; 2], running: [&Tensor; 2], group: &ProcessGroup) -> Tensor {
    let [weight, bias] = affine;
    let long = xs.to_kind(weight.kind());
    let Moments { mean, variance, count } = moments(&long, group);
    tch::no_grad(|| {
        let unbiased = &variance * &count / (&count - 1.0);
        for (running, now) in running.into_iter().zip([&mean, &unbiased]) {
            let _ = running.shallow_clone().g_mul_scalar_(1.0 - MOMENTUM).g_add_(&(now * MOMENTUM));
        }
    });
    let scale = (variance + EPS).rsqrt() * weight;
    let shift = bias - mean * &scale;
    let spread = |of_channels: Tensor| of_channels.view([1, -1, 1, 1]);
    (long * spread(scale) + spread(shift)).to_kind(xs.kind())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::{Child, Command};
    use std::time::Duration;

    use abbe_torch::{SynchronisedBatchNorm, batch_norm_group};
    use tch::Device;

    use super::*;
    use crate::Store;
    use crate::layer::BatchNorm2d;

    const CHILD: &str = "ABBE_TEST_IS_A_RANK";
    const TEST: &str = "layer::sync_batch_norm::tests::two_ranks_normalise_as_one_with_both_batches";

    fn start(rank: usize, port: u16) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST])
            .env("WORLD_SIZE", "2")
            .env("RANK", rank.to_string())
            .env("MASTER_ADDR", "127.0.0.1")
            .env("MASTER_PORT", port.to_string())
            .env("TORCHELASTIC_USE_AGENT_STORE", "False")
            .env(CHILD, "1")
            .spawn()
            .unwrap()
    }

    /// Of one pass of `xs` in training, whose loss weighs the outputs by `cost`: the outputs; the gradients of input, weight and
    /// bias; those of input and weight for the squares of the first as a loss; running mean and variance.
    fn pass(xs: &Tensor, cost: &Tensor) -> Vec<Tensor> {
        let store = Store::new(Device::Cpu);
        let bn = BatchNorm2d::new(store.root(), 3);
        let parameters = store.parameters();
        tch::no_grad(|| parameters[0].shallow_clone().copy_(&Tensor::from_slice(&[0.5f32, 1.0, 2.0])));
        let xs = xs.detach().set_requires_grad(true);
        let ys = bn.forward(&xs, true);
        let loss = (&ys * cost).sum(Kind::Float);
        let wanted = [&xs, &parameters[0], &parameters[1]];
        let first = Tensor::run_backward(&[&loss], &wanted, true, true);
        let squares = first[0].square().sum(Kind::Float);
        let second = Tensor::run_backward(&[&squares], &wanted[..2], false, false);
        let state = store.state_dict();
        let running = ["running_mean", "running_var"].map(|name| Tensor::from_slice(&state[name].to_f32().unwrap()));
        [ys.detach()].into_iter().chain(first).chain(second).chain(running).collect()
    }

    /// The names of what `pass` gives, and whether there is some for each picture, for each rank or for all.
    const PARTS: [(&str, Of); 8] = [
        ("outputs", Of::Pictures),
        ("gradient of the input", Of::Pictures),
        ("gradient of the weight", Of::Rank),
        ("gradient of the bias", Of::Rank),
        ("second gradient of the input", Of::Pictures),
        ("second gradient of the weight", Of::Rank),
        ("running mean", Of::All),
        ("running variance", Of::All),
    ];

    #[derive(Clone, Copy)]
    enum Of {
        Pictures,
        Rank,
        All,
    }

    /// A rank of two, with two pictures or with three, against plain batch norm over all five.
    fn compare(group: &ProcessGroup) {
        tch::set_num_threads(1);
        tch::manual_seed(7);
        let pictures = Tensor::randn([5, 3, 4, 6], (Kind::Float, Device::Cpu)) * 0.5 + 3.0;
        let cost = Tensor::randn([5, 3, 4, 6], (Kind::Float, Device::Cpu));
        let (start, count) = [(0, 2), (2, 3)][group.rank()];
        let own = |all: &Tensor| all.narrow(0, start, count);
        let together = pass(&pictures, &cost);
        let synchronised = SynchronisedBatchNorm::over(group);
        let ours = pass(&own(&pictures), &own(&cost));
        drop(synchronised);
        assert!(batch_norm_group().is_none());
        for (((what, of), ours), together) in PARTS.iter().zip(&ours).zip(&together) {
            let expected = match of {
                Of::Pictures => own(together),
                Of::Rank => {
                    group.all_reduce_sum(std::slice::from_ref(ours)).unwrap();
                    together.shallow_clone()
                }
                Of::All => together.shallow_clone(),
            };
            let difference = (ours - &expected).abs().max().double_value(&[]) / expected.abs().max().double_value(&[]);
            println!("{what}: {difference:.1e}");
            assert!(difference < 5e-6, "{what}: {difference:e}");
        }
    }

    #[test]
    fn two_ranks_normalise_as_one_with_both_batches() {
        if std::env::var_os(CHILD).is_some() {
            let group = ProcessGroup::from_env(Device::Cpu, Duration::from_secs(120)).unwrap().unwrap();
            return compare(&group);
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let ranks: Vec<Child> = (0..2).map(|rank| start(rank, port)).collect();
        ranks.into_iter().for_each(|mut rank| assert!(rank.wait().unwrap().success()));
    }
}
