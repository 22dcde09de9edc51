// Convolutions of oneDNN with what follows them fused, which libtorch has as operators of its compiler and no header names,
// and loops over pixels that no operator has. Same rules as abbe_torch.cpp.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "call.hpp"

namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using Text = std::optional<std::string_view>;

template <typename Signature>
auto operation(const char *name, const char *overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

// oneDNN's names. Below zero `slope` times as much: 1 is no activation, 0 a rectifier.
std::string_view activation(double slope) { return slope == 1 ? "none" : slope == 0 ? "relu" : "leaky_relu"; }

Scalars scalars(double slope) {
  Scalars list;
  if (slope != 1 && slope != 0) list.push_back(at::Scalar(slope));
  return list;
}

at::Tensor convolve(const at::Tensor &x, const at::Tensor &weight, const std::optional<at::Tensor> &bias,
                    at::IntArrayRef padding, at::IntArrayRef stride, double slope) {
  static auto call = operation<at::Tensor(const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &,
                                          at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t, std::string_view,
                                          Scalars, Text)>("mkldnn::_convolution_pointwise", "");
  return call.call(x, weight, bias, padding, stride, {1, 1}, 1, activation(slope), scalars(slope), "");
}

// The sum with `other`, which is overwritten.
at::Tensor &convolve_onto(at::Tensor &other, const at::Tensor &x, const at::Tensor &weight,
                          const std::optional<at::Tensor> &bias, at::IntArrayRef padding, at::IntArrayRef stride,
                          double slope) {
  static auto call =
      operation<at::Tensor &(at::Tensor &, const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &,
                             at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t, std::string_view,
                             std::optional<at::Scalar>, Text, Scalars, Text)>("mkldnn::_convolution_pointwise_", "binary");
  auto unary = slope == 1 ? Text() : Text(activation(slope));
  return call.call(other, x, weight, bias, padding, stride, {1, 1}, 1, "add", std::nullopt, unary, scalars(slope), "");
}

// One row of a picture: for each pixel and colour the sum of `taps` neighbours in channels, each from a row of its own.
template <int64_t colors, typename Number>
void add_row(const Number *const *rows, const int64_t *taps, int64_t count, int64_t width, int64_t channels,
             const float *bias, float *out, int64_t plane) {
  constexpr int64_t block = 64;
  float sums[block][colors];
  for (int64_t start = 0; start < width; start += block) {
    const int64_t length = std::min(block, width - start);
    for (int64_t x = 0; x < length; ++x)
      for (int64_t c = 0; c < colors; ++c) sums[x][c] = bias[c];
    for (int64_t i = 0; i < count; ++i) {
      const Number *row = rows[i] + start * channels + taps[i] * colors;
      for (int64_t x = 0; x < length; ++x)
        for (int64_t c = 0; c < colors; ++c) sums[x][c] += static_cast<float>(row[x * channels + c]);
    }
    for (int64_t c = 0; c < colors; ++c)
      for (int64_t x = 0; x < length; ++x) out[c * plane + start + x] = sums[x][c];
  }
}

template <int64_t colors, typename Number>
void add_rows(const at::Tensor &parts, const float *bias, at::Tensor &out) {
  const int64_t channels = parts.size(1), height = parts.size(2), width = parts.size(3);
  const int64_t kernel = channels / colors, plane = height * width;
  const Number *from = parts.const_data_ptr<Number>();
  float *to = out.mutable_data_ptr<float>();
  at::parallel_for(0, parts.size(0) * height, 8, [&](int64_t begin, int64_t end) {
    std::vector<const Number *> rows(kernel);
    std::vector<int64_t> taps(kernel);
    for (int64_t line = begin; line < end; ++line) {
      const int64_t n = line / height, y = line % height;
      int64_t count = 0;
      for (int64_t tap = 0; tap < kernel; ++tap) {
        const int64_t row = y + tap - kernel / 2;
        if (row < 0 || row >= height) continue;
        rows[count] = from + (n * height + row) * width * channels;
        taps[count++] = tap;
      }
      add_row<colors>(rows.data(), taps.data(), count, width, channels, bias, to + (n * colors * height + y) * width, plane);
    }
  });
}

template <typename Number>
void rectify(at::Tensor &x, const float *slopes) {
  const int64_t channels = x.size(1);
  Number *data = x.mutable_data_ptr<Number>();
  at::parallel_for(0, x.numel() / channels, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      Number *at = data + pixel * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const float value = static_cast<float>(at[c]);
        at[c] = static_cast<Number>(value > 0 ? value : value * slopes[c]);
      }
    }
  });
}

void require(bool holds, const char *what) { TORCH_CHECK(holds, what); }

// None of these calls is part of a graph.
template <typename Call>
char *without_gradient(Call call) {
  return message_of([&] {
    at::NoGradGuard guard;
    call();
  });
}

}  // namespace

extern "C" {

// Whether this libtorch has oneDNN's fused convolutions.
bool abbe_has_fused_convolutions() {
  return c10::Dispatcher::singleton().findSchema({"mkldnn::_convolution_pointwise", ""}).has_value();
}

// The weight of a convolution in the order that oneDNN wants for inputs of about this size.
char *abbe_reorder_weight(at::Tensor *weight, const int64_t *padding, const int64_t *stride, const int64_t *size,
                          at::Tensor **out) {
  return without_gradient([&] {
    static auto call = operation<at::Tensor(const at::Tensor &, at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t,
                                            at::OptionalIntArrayRef)>("mkldnn::_reorder_convolution_weight", "");
    auto last = weight->contiguous(at::MemoryFormat::ChannelsLast);
    *out = new at::Tensor(call.call(last, {padding, 2}, {stride, 2}, {1, 1}, 1, at::IntArrayRef(size, 4)));
  });
}

// A convolution, plus `other` unless null, then the activation with this slope. With `onto` the sum is written to `other`.
char *abbe_convolution(at::Tensor *x, at::Tensor *weight, at::Tensor *bias, at::Tensor *other, const int64_t *padding,
                       const int64_t *stride, double slope, bool onto, at::Tensor **out) {
  return without_gradient([&] {
    auto last = x->contiguous(at::MemoryFormat::ChannelsLast);
    std::optional<at::Tensor> added = bias ? std::optional<at::Tensor>(*bias) : std::nullopt;
    at::IntArrayRef pad(padding, 2), step(stride, 2);
    if (!other) {
      *out = new at::Tensor(convolve(last, *weight, added, pad, step, slope));
      return;
    }
    auto sum = onto ? *other : other->clone(at::MemoryFormat::ChannelsLast);
    *out = new at::Tensor(convolve_onto(sum, last, *weight, added, pad, step, slope));
  });
}

// `parts` is [N, kernel * colors, h, w] with colors the shape of `bias`, float32 on the CPU, 1 or 3. The result, float32
// [N, colors, h, w], has in row y the sum over tap of the channels tap * colors .. of row y + tap - kernel / 2, and the bias.
char *abbe_add_rows(at::Tensor *parts, at::Tensor *bias, at::Tensor **out) {
  return without_gradient([&] {
    const int64_t colors = bias->size(0);
    auto from = parts->contiguous(at::MemoryFormat::ChannelsLast);
    require(colors == 1 || colors == 3, "one or three colours");
    require(from.size(1) % colors == 0, "channels that are taps times colours");
    require(bias->scalar_type() == at::kFloat && bias->is_contiguous(), "a float32 bias");
    auto sums = at::empty({from.size(0), colors, from.size(2), from.size(3)}, at::kFloat);
    auto add = [&](auto number) {
      using Number = decltype(number);
      const float *start = bias->const_data_ptr<float>();
      colors == 1 ? add_rows<1, Number>(from, start, sums) : add_rows<3, Number>(from, start, sums);
    };
    from.scalar_type() == at::kBFloat16 ? add(at::BFloat16()) : add(float());
    *out = new at::Tensor(sums);
  });
}

// x above 0, else its channel's slope times x, written over x, [N, C, h, w] with channels last.
char *abbe_rectify(at::Tensor *x, at::Tensor *slopes) {
  return without_gradient([&] {
    require(x->is_contiguous(at::MemoryFormat::ChannelsLast), "channels last");
    require(slopes->numel() == x->size(1) && slopes->scalar_type() == at::kFloat, "a float32 slope for each channel");
    const float *start = slopes->const_data_ptr<float>();
    x->scalar_type() == at::kBFloat16 ? rectify<at::BFloat16>(*x, start) : rectify<float>(*x, start);
  });
}

}  // extern "C"
