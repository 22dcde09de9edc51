//! Two ranks over Gloo on this machine: a test starts itself twice.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use super::*;

const CHILD: &str = "ABBE_TEST_IS_A_RANK";
const LIMIT: Duration = Duration::from_secs(120);

/// In a rank: does `work` and gives nothing. In the test: both ranks when they have ended.
fn two_ranks(test: &str, limit: Duration, work: impl FnOnce(ProcessGroup)) -> Option<Vec<Output>> {
    if std::env::var_os(CHILD).is_some() {
        tch::set_num_threads(1);
        work(ProcessGroup::from_env(Device::Cpu, limit).unwrap().unwrap());
        return None;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ranks: Vec<Child> = (0..2).map(|rank| start(test, rank, port)).collect();
    Some(ranks.into_iter().map(|rank| rank.wait_with_output().unwrap()).collect())
}

fn start(test: &str, rank: usize, port: u16) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("process_group::tests::{test}"), "--nocapture"])
        .env("WORLD_SIZE", "2")
        .env("RANK", rank.to_string())
        .env("MASTER_ADDR", "127.0.0.1")
        .env("MASTER_PORT", port.to_string())
        .env("TORCHELASTIC_USE_AGENT_STORE", "False")
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Both ranks do `work` to its end.
fn both(test: &str, work: impl FnOnce(ProcessGroup)) {
    both_within(test, LIMIT, work);
}

/// The same with this limit of time.
fn both_within(test: &str, limit: Duration, work: impl FnOnce(ProcessGroup)) {
    for rank in two_ranks(test, limit, work).into_iter().flatten() {
        assert!(rank.status.success(), "{}", String::from_utf8_lossy(&rank.stderr));
    }
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.detach().contiguous().view(-1)).unwrap()
}

#[test]
fn collectives_of_tensors_of_several_types_and_shapes() {
    both("collectives_of_tensors_of_several_types_and_shapes", |group| {
        let rank = group.rank() as f32;
        // Rank 0 has [1, 2] and 10, rank 1 has [2, 4] and 20.
        let tensors =
            || [Tensor::from_slice(&[1.0f32, 2.0]) * (rank + 1.0) as f64, Tensor::from(10 * (rank as i64 + 1))];
        let sums = tensors();
        group.all_reduce_sum(&sums).unwrap();
        assert_eq!((floats(&sums[0]), sums[1].int64_value(&[])), (vec![3.0, 6.0], 30));
        let means = tensors();
        group.all_reduce_mean(&means[..1]).unwrap();
        assert_eq!(floats(&means[0]), [1.5, 3.0]);
        let first = tensors();
        group.broadcast(&first).unwrap();
        assert_eq!((floats(&first[0]), first[1].int64_value(&[])), (vec![1.0, 2.0], 10));
        // A column of a matrix: neither contiguous nor alone in its memory.
        let matrix = Tensor::zeros([2, 2], (Kind::Float, Device::Cpu)) + rank as f64;
        group.all_reduce_sum(&[matrix.select(1, 0)]).unwrap();
        assert_eq!(floats(&matrix), [1.0, rank, 1.0, rank]);
        group.barrier().unwrap();
        group.check_equal("experiment", &"the same").unwrap();
        let other = group.check_equal("experiment", &group.rank()).unwrap_err();
        assert!(other.to_string().starts_with("rank 1 has another experiment than rank 0"), "{other}");
    });
}

#[test]
fn gradients_flow_through_a_sum_twice() {
    both("gradients_flow_through_a_sum_twice", |group| {
        // x is 1 and 2, y = 1 + 2 = 3, both ranks' loss is y * y: dx = 2 * 2y = 12 on each. That as a loss, 4y: 2 * 4 = 8.
        let x = Tensor::from(1.0 + group.rank() as f64).set_requires_grad(true);
        let y = group.sum(&x);
        let first = Tensor::run_backward(&[&y * &y], &[&x], true, true).remove(0);
        let second = Tensor::run_backward(&[&first], &[&x], false, false).remove(0);
        assert_eq!([&y, &first, &second].map(|value| value.double_value(&[])), [3.0, 12.0, 8.0]);
    });
}

/// What a rank computes from the parameters in its micro-batch of this number. Parameter 0 fills a bucket alone, 2 is used
/// nowhere, 3 on rank 1 only.
fn loss(parameters: &[Tensor], rank: usize, micro: usize) -> Tensor {
    let slope = Tensor::arange(600_000, (Kind::Float, Device::Cpu)).sin() * (1 + rank + 2 * micro) as f64;
    let sum = (&parameters[0] * slope).sum(Kind::Float) * &parameters[1] / 7.0;
    if rank == 1 { sum + &parameters[3] * &parameters[1] } else { sum }
}

fn parameters() -> Vec<Tensor> {
    let large = Tensor::arange(600_000, (Kind::Float, Device::Cpu)).cos();
    let scalar = |value: f32| Tensor::from(value);
    let parameters = vec![large, scalar(0.3), scalar(1.0), scalar(5.0), scalar(6.0)];
    parameters[..4].iter().for_each(|parameter| drop(parameter.set_requires_grad(true)));
    parameters
}

#[test]
fn a_reducers_gradients_are_the_mean_bit_for_bit() {
    both("a_reducers_gradients_are_the_mean_bit_for_bit", |group| {
        let ours = parameters();
        // What rank 1 begins with does not count.
        tch::no_grad(|| {
            ours.iter().for_each(|parameter| drop(parameter.shallow_clone().g_add_scalar_(group.rank() as f64)))
        });
        let reducer = Reducer::new(&group, &ours).unwrap();
        for _ in 0..3 {
            let expected: [Vec<Tensor>; 2] = [0, 1].map(|rank| {
                let alone = parameters();
                (0..2).for_each(|micro| loss(&alone, rank, micro).backward());
                alone.iter().map(Tensor::grad).collect()
            });
            // As where a discriminator only passes gradients on.
            ours[..4].iter().for_each(|parameter| drop(parameter.set_requires_grad(false).set_requires_grad(true)));
            ours.iter().for_each(|parameter| parameter.shallow_clone().zero_grad());
            loss(&ours, group.rank(), 0).backward();
            reducer.backward(&loss(&ours, group.rank(), 1)).unwrap();
            for index in [0, 1] {
                let mean = (&expected[0][index] + &expected[1][index]) / 2.0;
                assert!(ours[index].grad() == mean, "parameter {index}");
            }
            assert!(!ours[2].grad().defined() && !ours[4].grad().defined());
            assert_eq!(floats(&(ours[3].grad() * 2.0)), floats(&expected[1][3]));
        }
        let first = Tensor::from(group.rank() as i64);
        group.broadcast(std::slice::from_ref(&first)).unwrap(); // the group works on
        assert_eq!(first.int64_value(&[]), 0);
    });
}

#[test]
fn parameters_that_differ_in_number_are_refused() {
    both("parameters_that_differ_in_number_are_refused", |group| {
        let parameters = &parameters()[1..3 + group.rank()];
        let refused = Reducer::new(&group, parameters).map(drop).unwrap_err().to_string();
        let part = format!("rank {} has inconsistent {} params", 1 - group.rank(), 3 - group.rank());
        assert!(refused.contains(&part), "{refused}");
    });
}

/// Rank `goes` goes by `leaves` after a first step, and the other meets an error that holds `expected` in what `fails`.
fn one_goes(
    test: &str,
    goes: usize,
    leaves: fn(ProcessGroup),
    fails: fn(&ProcessGroup, &Reducer, &Tensor) -> Result<(), ProcessGroupError>,
    expected: &str,
) {
    let ranks = two_ranks(test, LIMIT, |group| {
        let one = Tensor::from(1.0f32).set_requires_grad(true);
        let reducer = Reducer::new(&group, &[one.shallow_clone()]).unwrap();
        reducer.backward(&(&one * 2.0)).unwrap();
        if group.rank() == goes {
            drop(reducer);
            return leaves(group);
        }
        let message = fails(&group, &reducer, &one).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    });
    for rank in ranks.iter().flatten() {
        let stderr = String::from_utf8_lossy(&rank.stderr);
        assert!(rank.status.success() && !stderr.contains("frame #"), "{stderr}");
    }
}

fn dies(_: ProcessGroup) {
    std::process::exit(0);
}

#[test]
fn a_lost_rank_is_named_by_the_next_backward_pass() {
    let expected = "averaging gradients failed on rank 0 of 2: rank 1 is lost";
    let fails = |_: &ProcessGroup, reducer: &Reducer, one: &Tensor| reducer.backward(&(one * 2.0));
    one_goes("a_lost_rank_is_named_by_the_next_backward_pass", 1, dies, fails, expected);
}

#[test]
fn a_lost_rank_0_that_served_the_store_is_named() {
    let expected = "waiting for all ranks failed on rank 1 of 2: rank 0 is lost";
    let fails = |group: &ProcessGroup, _: &Reducer, _: &Tensor| group.barrier();
    one_goes("a_lost_rank_0_that_served_the_store_is_named", 0, dies, fails, expected);
}

#[test]
fn ranks_meet_after_longer_than_the_limit_and_collectives_go_on() {
    let limit = Duration::from_secs(8);
    both_within("ranks_meet_after_longer_than_the_limit_and_collectives_go_on", limit, |group| {
        for late in [0, 1] {
            if group.rank() == late {
                std::thread::sleep(limit + Duration::from_secs(1)); // which a barrier would not bear
            }
            group.meet().unwrap();
            group.barrier().unwrap();
        }
    });
}

#[test]
fn a_lost_rank_is_named_where_ranks_meet() {
    let expected = "waiting for all ranks failed on rank 0 of 2: rank 1 is lost";
    let fails = |group: &ProcessGroup, _: &Reducer, _: &Tensor| group.meet();
    one_goes("a_lost_rank_is_named_where_ranks_meet", 1, dies, fails, expected);
}

#[test]
fn a_rank_that_left_early_is_named_after_a_sum_in_a_network() {
    let expected = "all-reduce inside of the network failed on rank 1 of 2: rank 0 ended before the others";
    let fails = |group: &ProcessGroup, reducer: &Reducer, one: &Tensor| {
        let sum = group.sum(one);
        assert!(sum.double_value(&[]).is_nan());
        reducer.backward(&sum)
    };
    one_goes("a_rank_that_left_early_is_named_after_a_sum_in_a_network", 0, drop, fails, expected);
}
