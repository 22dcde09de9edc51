// The few calls into libtorch that tch does not offer. Each is extern "C", takes tch's own tensor pointers (at::Tensor*),
// lets no exception through, and returns null or a message that the caller frees with abbe_free_message.

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <torch/headeronly/version.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <vector>

namespace {

std::vector<at::Tensor> list(at::Tensor *const *tensors, size_t count) {
  std::vector<at::Tensor> out;
  out.reserve(count);
  for (size_t i = 0; i < count; ++i) out.push_back(*tensors[i]);
  return out;
}

template <typename Call>
char *message_of(Call call) {
  try {
    call();
    return nullptr;
  } catch (const std::exception &error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("an exception that is not a std::exception");
  }
}

}  // namespace

extern "C" {

// One step of Adam, or of AdamW if `decoupled`, on every tensor of five lists of equal length; `steps` are float32 scalars
// that already count this step.
char *abbe_fused_adam(at::Tensor *const *params, at::Tensor *const *grads, at::Tensor *const *exp_avgs,
                      at::Tensor *const *exp_avg_sqs, at::Tensor *const *steps, size_t count, double lr, double beta1,
                      double beta2, double eps, double weight_decay, bool decoupled) {
  return message_of([&] {
    auto kernel = [&](auto step) {
      step(list(params, count), list(grads, count), list(exp_avgs, count), list(exp_avg_sqs, count), at::TensorList(),
           list(steps, count), lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false,
           std::optional<at::Tensor>(), std::optional<at::Tensor>());
    };
    decoupled ? kernel(at::_ops::_fused_adamw_::call) : kernel(at::_ops::_fused_adam_::call);
  });
}

// One step of SGD without dampening on every tensor of two lists of equal length. `buffers` is as long, or empty (null)
// where there is no momentum. A buffer of zeros is one before its first step: it becomes the gradient itself.
char *abbe_fused_sgd(at::Tensor *const *params, at::Tensor *const *grads, at::Tensor *const *buffers, size_t count,
                     double lr, double momentum, double weight_decay, bool nesterov) {
  return message_of([&] {
    at::_fused_sgd_(list(params, count), list(grads, count), list(buffers, buffers ? count : 0), weight_decay, momentum,
                    lr, /*dampening=*/0.0, nesterov, /*maximize=*/false, /*is_first_step=*/false);
  });
}

const char *abbe_libtorch_version() { return TORCH_VERSION; }

// The vector instructions of libtorch's CPU kernels, such as AVX2. The caller frees it with abbe_free_message.
char *abbe_cpu_capability() { return strdup(at::get_cpu_capability().c_str()); }

// Whether float32 convolutions and products may be computed in TF32 on a GPU.
void abbe_allow_tf32(bool allowed) {
  at::globalContext().setAllowTF32CuDNN(allowed);
  at::globalContext().setAllowTF32CuBLAS(allowed);
}

// From here on this thread computes in float16 or bfloat16 where PyTorch's autocast does, on a GPU or on the CPU.
void abbe_begin_autocast(bool cuda, bool bfloat16) {
  auto device = cuda ? at::kCUDA : at::kCPU;
  at::autocast::increment_nesting();
  at::autocast::set_autocast_dtype(device, bfloat16 ? at::kBFloat16 : at::kHalf);
  at::autocast::set_autocast_enabled(device, true);
}

// Ends it.
void abbe_end_autocast(bool cuda) {
  at::autocast::set_autocast_enabled(cuda ? at::kCUDA : at::kCPU, false);
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
}

void abbe_free_message(char *message) { std::free(message); }

}  // extern "C"
