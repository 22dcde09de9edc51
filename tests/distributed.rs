//! Ranks that PyTorch's launcher starts. Needs PyTorch, as `python.rs` does.

use std::time::Duration;

use abbe_torch::ProcessGroup;
use tch::{Device, Tensor};

use crate::support::Scratch;

/// Under torchrun this test is each of the ranks; `TORCHELASTIC_RUN_ID` is what torchrun alone sets.
#[test]
fn torchrun_starts_ranks_that_find_each_other() {
    if std::env::var_os("TORCHELASTIC_RUN_ID").is_some() {
        let group = ProcessGroup::from_env(Device::Cpu, Duration::from_secs(120)).unwrap().unwrap();
        let sum = Tensor::from(group.rank() as i64 + 1);
        group.all_reduce_sum(std::slice::from_ref(&sum)).unwrap();
        println!("rank {} of {}: {}", group.rank(), group.size(), sum.int64_value(&[]));
        return;
    }
    let this = std::env::current_exe().unwrap();
    let name = "distributed::torchrun_starts_ranks_that_find_each_other";
    let code = format!(
        "from torch.distributed.run import main\n\
         main(['--standalone', '--nproc-per-node=2', '--no-python', {this:?}, '--exact', '{name}', '--nocapture'])"
    );
    let said = Scratch::new().python(&code).ok();
    // 1 + 2 = 3, on both.
    assert!(said.contains("rank 0 of 2: 3") && said.contains("rank 1 of 2: 3"), "{said}");
}
