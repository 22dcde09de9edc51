// The few calls into libtorch that tch does not offer. Each is extern "C", takes tch's own tensor pointers (at::Tensor*),
// lets no exception through, and returns null or a message that the caller frees with abbe_free_message.

#include "call.hpp"

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_foreach_sub.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/_prelu_kernel_backward.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/leaky_relu_backward.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/headeronly/version.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <vector>

namespace {

// The CPU, or the GPU of this number.
at::Device device(int gpu) { return gpu < 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, gpu); }

// PReLU with one weight: the leaky rectifier with that slope. libtorch's own gradient works number by number.
struct ScalarPRelu : torch::autograd::Function<ScalarPRelu> {
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::variable_list;

  static at::Tensor forward(Context *context, const at::Tensor &xs, const at::Tensor &weight) {
    context->save_for_backward({xs, weight});
    return at::leaky_relu(xs, weight.item());
  }

  static Tensors backward(Context *context, Tensors grads) {
    auto saved = context->get_saved_variables();
    const auto &xs = saved[0], &weight = saved[1], &grad = grads[0];
    if (at::GradMode::is_enabled()) {  // the gradient's gradient is wanted
      auto [of_xs, of_weight] = at::_prelu_kernel_backward(grad, xs, weight.to(xs.scalar_type()).reshape({1}));
      return {of_xs, of_weight.sum(weight.scalar_type()).view_as(weight)};
    }
    auto of_weight = (grad * xs.clamp_max(0)).sum(weight.scalar_type()).view_as(weight);
    return {at::leaky_relu_backward(grad, xs, weight.item(), /*self_is_result=*/false), of_weight};
  }
};

}  // namespace

extern "C" {

// max(x, 0) + slope * min(x, 0) in `ys`, a new tensor that the caller owns.
char *abbe_leaky_relu(at::Tensor *xs, double slope, at::Tensor **ys) {
  return message_of([&] { *ys = new at::Tensor(at::leaky_relu(*xs, slope)); });
}

// The same with a slope that is learnt, a tensor of one number on the CPU.
char *abbe_scalar_prelu(at::Tensor *xs, at::Tensor *weight, at::Tensor **ys) {
  return message_of([&] { *ys = new at::Tensor(ScalarPRelu::apply(*xs, *weight)); });
}

// Memory that was freed stays with the program, large blocks too, in place of new pages from the system each time.
void abbe_keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

// One step of Adam, or of AdamW if `decoupled`, on every tensor of five lists of equal length; `steps` are float32 scalars
// that already count this step. With `rate`, a float32 scalar on the device that takes the place of `lr`, the step is left
// out where the scalar `left_out` is 1 and not 0, and is counted here.
char *abbe_fused_adam(at::Tensor *const *params, at::Tensor *const *grads, at::Tensor *const *exp_avgs,
                      at::Tensor *const *exp_avg_sqs, at::Tensor *const *steps, size_t count, double lr, double beta1,
                      double beta2, double eps, double weight_decay, bool decoupled, at::Tensor *rate,
                      at::Tensor *left_out) {
  return message_of([&] {
    if (count == 0) return;  // libtorch finds no kernel for nothing
    auto step = [&](auto kernel, const auto &lr, const std::optional<at::Tensor> &left_out) {
      kernel(list(params, count), list(grads, count), list(exp_avgs, count), list(exp_avg_sqs, count), at::TensorList(),
             list(steps, count), lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false,
             /*grad_scale=*/std::nullopt, left_out);
    };
    if (!rate) {
      return decoupled ? step(at::_ops::_fused_adamw_::call, lr, std::nullopt)
                       : step(at::_ops::_fused_adam_::call, lr, std::nullopt);
    }
    at::_foreach_add_(list(steps, count), 1 - *left_out);
    decoupled ? step(at::_ops::_fused_adamw__tensor_lr::call, *rate, *left_out)
              : step(at::_ops::_fused_adam__tensor_lr::call, *rate, *left_out);
  });
}

// One step of SGD without dampening on every tensor of two lists of equal length. `buffers` is as long, or empty (null)
// where there is no momentum. A buffer of zeros is one before its first step: it becomes the gradient itself. `rate` and
// `left_out` as above.
char *abbe_fused_sgd(at::Tensor *const *params, at::Tensor *const *grads, at::Tensor *const *buffers, size_t count,
                     double lr, double momentum, double weight_decay, bool nesterov, at::Tensor *rate,
                     at::Tensor *left_out) {
  return message_of([&] {
    if (count == 0) return;
    auto step = [&](auto kernel, const auto &lr, const std::optional<at::Tensor> &left_out) {
      kernel(list(params, count), list(grads, count), list(buffers, buffers ? count : 0), weight_decay, momentum, lr,
             /*dampening=*/0.0, nesterov, /*maximize=*/false, /*is_first_step=*/false, /*grad_scale=*/std::nullopt,
             left_out);
    };
    rate ? step(at::_ops::_fused_sgd__tensor_lr::call, *rate, *left_out)
         : step(at::_ops::_fused_sgd_::call, lr, std::nullopt);
  });
}

// The norm of all gradients together, a new scalar in `norm` that the caller owns; where it is above `most`, every gradient is
// scaled by most / (norm + 1e-6), as torch.nn.utils.clip_grad_norm_ does.
char *abbe_clip_norm(at::Tensor *const *grads, size_t count, double most, at::Tensor **norm) {
  return message_of([&] {
    auto all = list(grads, count);
    auto total = at::linalg_vector_norm(at::stack(at::_foreach_norm(all, 2)), 2);
    if (std::isfinite(most)) at::_foreach_mul_(all, (most / (total + 1e-6)).clamp_max(1.0));
    *norm = new at::Tensor(total);
  });
}

// Moves every tensor of `from` towards its partner in `to` by this part of the way.
char *abbe_lerp(at::Tensor *const *from, at::Tensor *const *to, size_t count, double weight) {
  return message_of([&] { at::_foreach_lerp_(list(from, count), list(to, count), weight); });
}

// The same where the part is a scalar on the device.
char *abbe_lerp_by(at::Tensor *const *from, at::Tensor *const *to, size_t count, at::Tensor *weight) {
  return message_of([&] {
    auto moved = list(from, count);
    auto way = at::_foreach_sub(list(to, count), moved);
    at::_foreach_mul_(way, *weight);
    at::_foreach_add_(moved, way);
  });
}

// Multiplies every gradient with the scalar `inverse_scale`, and sets the scalar `found` to 1 if one is not finite.
char *abbe_unscale(at::Tensor *const *grads, size_t count, at::Tensor *found, at::Tensor *inverse_scale) {
  return message_of([&] { at::_amp_foreach_non_finite_check_and_unscale_(list(grads, count), *found, *inverse_scale); });
}

// Switches autocast to this type (a c10::ScalarType) and tells what was set before.
char *abbe_autocast_enter(int gpu, signed char type, bool *was_on, signed char *was_type) {
  return message_of([&] {
    auto kind = device(gpu).type();
    *was_on = at::autocast::is_autocast_enabled(kind);
    *was_type = static_cast<signed char>(at::autocast::get_autocast_dtype(kind));
    at::autocast::set_autocast_enabled(kind, true);
    at::autocast::set_autocast_dtype(kind, static_cast<at::ScalarType>(type));
    at::autocast::increment_nesting();
  });
}

// Sets autocast back. Past the outermost region the weights that were converted in it are forgotten: they will change.
char *abbe_autocast_exit(int gpu, bool was_on, signed char was_type) {
  return message_of([&] {
    auto kind = device(gpu).type();
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(kind, was_on);
    at::autocast::set_autocast_dtype(kind, static_cast<at::ScalarType>(was_type));
  });
}

// The most bytes that a GPU's tensors ever took at once, as libtorch's allocator counts them.
char *abbe_peak_memory(int gpu, uint64_t *bytes) {
  return message_of([&] {
    auto index = static_cast<c10::DeviceIndex>(gpu);
    auto stats = c10::getDeviceAllocator(at::kCUDA)->getDeviceStats(index);
    auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    *bytes = static_cast<uint64_t>(stats.allocated_bytes[all].peak);
  });
}

// The state of libtorch's random numbers on a device: a new byte tensor that the caller owns.
char *abbe_generator_state(int gpu, at::Tensor **state) {
  return message_of([&] {
    auto generator = at::globalContext().defaultGenerator(device(gpu));
    std::lock_guard<std::mutex> lock(generator.mutex());
    *state = new at::Tensor(generator.get_state());
  });
}

char *abbe_set_generator_state(int gpu, at::Tensor *state) {
  return message_of([&] {
    auto generator = at::globalContext().defaultGenerator(device(gpu));
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(*state);
  });
}

// Algorithms that give the same bits every time; an operation that has none is an error where it runs.
char *abbe_deterministic(bool on) {
  return message_of([&] {
    auto &context = at::globalContext();
    context.setDeterministicAlgorithms(on, /*warn_only=*/false);
    context.setDeterministicCuDNN(on);
    if (on) context.setBenchmarkCuDNN(false);
  });
}

// Whether float32 products on a GPU may round their factors to TensorFloat-32.
char *abbe_allow_tf32(bool on) {
  return message_of([&] {
    at::globalContext().setAllowTF32CuBLAS(on);
    at::globalContext().setAllowTF32CuDNN(on);
  });
}

const char *abbe_libtorch_version() { return TORCH_VERSION; }

// The vector instructions of libtorch's CPU kernels, such as AVX2. The caller frees it with abbe_free_message.
char *abbe_cpu_capability() { return strdup(at::get_cpu_capability().c_str()); }

void abbe_free_message(char *message) { std::free(message); }

}  // extern "C"
