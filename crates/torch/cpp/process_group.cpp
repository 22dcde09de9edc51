// Data-parallel training over libtorch's c10d, without Python. The conventions of abbe_torch.cpp hold. A store is a
// `c10::intrusive_ptr<c10d::Store> *` and a group a `c10::intrusive_ptr<c10d::ProcessGroup> *` that the caller frees.

// ProcessGroupGloo.hpp names these types of Gloo, whose headers libtorch does not bring. Only pointers to them are made here.
#include <chrono>
#include <memory>
#include <string>
#include <vector>
namespace gloo {
struct Context {
  void setTimeout(std::chrono::milliseconds);
};
namespace rendezvous {
struct Store {
  virtual ~Store() = default;
  virtual void set(const std::string &, const std::vector<char> &) = 0;
  virtual std::vector<char> get(const std::string &) = 0;
  virtual void wait(const std::vector<std::string> &) = 0;
  virtual void wait(const std::vector<std::string> &, const std::chrono::milliseconds &) = 0;
};
}  // namespace rendezvous
namespace transport {
struct Device;
struct UnboundBuffer;
}  // namespace transport
}  // namespace gloo

#include "call.hpp"

#include <ATen/ops/cat.h>
#include <c10/util/Exception.h>
#include <c10/util/Logging.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <mutex>
#include <numeric>
#include <utility>

namespace {

using Store = c10::intrusive_ptr<c10d::Store>;
using Group = c10::intrusive_ptr<c10d::ProcessGroup>;

// Tensors of one type and device are sent together, up to this many bytes.
constexpr size_t bucket_bytes = c10d::kDefaultBucketBytesCap;

// The sum over all ranks, on each of them. Its derivative is the sum of their derivatives, by the same function, so that it
// can be differentiated again.
struct AllReduce : torch::autograd::Function<AllReduce> {
  static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &xs, const Group &group) {
    context->saved_data["group"] = c10::IValue::make_capsule(group);
    std::vector<at::Tensor> sum{xs.clone(at::MemoryFormat::Contiguous)};
    group->allreduce(sum)->wait();
    return sum[0];
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list gradients) {
    auto group = c10::static_intrusive_pointer_cast<c10d::ProcessGroup>(context->saved_data["group"].toCapsule());
    return {AllReduce::apply(gradients[0], group), at::Tensor()};
  }
};

// c10d logs a connection that broke, with all of the stack, before it throws: what is thrown is enough. The level is the whole
// process's, so this is for short calls, one at a time.
struct Hush {
  static inline std::mutex one;
  std::lock_guard<std::mutex> lock{one};
  decltype(FLAGS_caffe2_log_level) before = std::exchange(FLAGS_caffe2_log_level, c10::GLOG_ERROR);
  ~Hush() { FLAGS_caffe2_log_level = before; }
};

// Drops warnings.
struct Silence : c10::WarningHandler {
  void process(const c10::Warning &) override {}
};

}  // namespace

extern "C" {

// The store of a job at host:port, which this process serves if `serves`, under keys of its own by `prefix`.
char *abbe_store_join(const char *host, unsigned short port, bool serves, size_t size, const char *prefix,
                      long long limit_ms, Store **store) {
  return message_of([&] {
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = serves;
    options.numWorkers = size;
    options.timeout = std::chrono::milliseconds(limit_ms);
    auto tcp = c10::make_intrusive<c10d::TCPStore>(host, options);
    *store = new Store(c10::make_intrusive<c10d::PrefixStore>(prefix, tcp));
  });
}

// Adds to the number under a key, which begins at 0, and tells the sum.
char *abbe_store_add(Store *store, const char *key, long long amount, long long *sum) {
  return message_of([&] {
    Hush hush;
    *sum = (*store)->add(key, amount);
  });
}

void abbe_store_free(Store *store) { delete store; }

// Connects to the other ranks by Gloo, for tensors on the CPU and, through its memory, on a GPU.
char *abbe_group_join(Store *store, int rank, int size, long long limit_ms, Group **group) {
  return message_of([&] {
    auto options = c10d::ProcessGroupGloo::Options::create_default(std::chrono::milliseconds(limit_ms));
    auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(*store, rank, size, options);
    auto all = c10::make_intrusive<c10d::ProcessGroup>(*store, rank, size);
    for (auto device : {at::kCPU, at::kCUDA}) all->setBackend(device, c10d::ProcessGroup::BackendType::GLOO, gloo);
    all->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    all->setGroupName("abbe");
    *group = new Group(all);
  });
}

void abbe_group_free(Group *group) { delete group; }

// Replaces each tensor by its sum over the ranks: flattened into few, all on their way at once.
char *abbe_group_all_reduce(Group *group, at::Tensor *const *tensors, size_t count) {
  return message_of([&] {
    at::NoGradGuard no_grad;
    auto all = list(tensors, count);
    auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(all, {bucket_bytes}));
    std::vector<std::pair<std::vector<at::Tensor>, c10::intrusive_ptr<c10d::Work>>> sums;
    for (const auto &bucket : buckets) {
      std::vector<at::Tensor> parts;
      for (auto i : bucket) parts.push_back(all[i].reshape(-1));
      std::vector<at::Tensor> flat{at::cat(parts)};
      auto work = (*group)->allreduce(flat);
      sums.emplace_back(flat, work);
    }
    for (size_t b = 0; b < buckets.size(); ++b) {
      sums[b].second->wait();
      int64_t start = 0;
      for (auto i : buckets[b]) {
        all[i].copy_(sums[b].first[0].narrow(0, start, all[i].numel()).view_as(all[i]));
        start += all[i].numel();
      }
    }
  });
}

// Replaces each tensor by that of rank 0.
char *abbe_group_broadcast(Group *group, at::Tensor *const *tensors, size_t count) {
  return message_of([&] {
    at::NoGradGuard no_grad;
    c10d::broadcast_coalesced(*group, list(tensors, count), bucket_bytes, /*rank=*/0);
  });
}

// Waits for all ranks.
char *abbe_group_barrier(Group *group) {
  return message_of([&] { (*group)->barrier()->wait(); });
}

// A new tensor, the sum over the ranks, through which gradients flow. The caller owns it.
char *abbe_group_sum(Group *group, at::Tensor *tensor, at::Tensor **sum) {
  return message_of([&] { *sum = new at::Tensor(AllReduce::apply(*tensor, *group)); });
}

// The reducer of DistributedDataParallel over these parameters, which must all want a gradient. Buckets are filled from the
// last parameter to the first, as backward reaches them; the first is small, so that sending begins early.
char *abbe_reducer_new(Group *group, at::Tensor *const *parameters, size_t count, c10d::Reducer **reducer) {
  return message_of([&] {
    auto all = list(parameters, count);
    c10d::verify_params_across_processes(*group, all, std::nullopt);
    std::vector<at::Tensor> backwards(all.rbegin(), all.rend());
    std::vector<int64_t> indices(count);
    std::iota(indices.rbegin(), indices.rend(), 0);
    auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(
        backwards, {c10d::kDefaultFirstBucketBytes, bucket_bytes}, /*expect_sparse_gradient=*/{}, indices));
    *reducer = new c10d::Reducer(all, buckets, *group, std::vector<bool>(count, false), bucket_bytes,
                                 /*find_unused_parameters=*/true, /*gradient_as_bucket_view=*/false, /*param_names=*/{},
                                 c10d::kDefaultFirstBucketBytes, /*skip_all_reduce_unused_params=*/false,
                                 /*use_python_reducer=*/false, /*bucket_bytes_cap_list=*/{});
  });
}

// The next backward pass, that of `loss`, averages gradients over the ranks. The reducer warns when there is no parameter
// without a gradient, which is what training hopes for.
char *abbe_reducer_prepare(c10d::Reducer *reducer, at::Tensor *loss) {
  return message_of([&] {
    Silence silence;
    c10::WarningUtils::WarningHandlerGuard guard(&silence);
    reducer->prepare_for_backward({*loss});
  });
}

char *abbe_reducer_free(c10d::Reducer *reducer) {
  return message_of([&] { delete reducer; });
}

}  // extern "C"
