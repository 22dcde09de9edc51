// A 3x3 convolution that takes 16 multiplications for 4 pixels instead of 36: F(2x2, 3x3) of Lavin and Gray 2016,
// arXiv 1509.09308, section 4.1, in the vectors of AVX-512. oneDNN has none that libtorch calls. Same rules as abbe_torch.cpp.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cstring>

#include "call.hpp"

namespace {

constexpr int64_t lanes = 16;    // float32 in a vector
constexpr int64_t points = 16;   // numbers of a transformed 4x4 square
constexpr int64_t squares = 48;  // worked on together: what is between the transforms stays in the second cache
constexpr int64_t panel = 64;    // channels out that are multiplied together at most

struct Shape {
  int64_t height, width, c_in, c_out;
  int64_t columns() const { return (width + 1) / 2; }
  int64_t count() const { return (height + 1) / 2 * columns(); }
};

struct Work {
  Shape shape;
  const float *x, *weight, *bias, *slopes, *other;
  float *out;
};

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx512f")))

typedef float Vector __attribute__((vector_size(4 * lanes)));

bool is_wide() { return __builtin_cpu_supports("avx512f"); }

WIDE inline Vector load(const float *from) {
  Vector value;
  memcpy(&value, from, sizeof value);
  return value;
}

WIDE inline void store(float *to, Vector value) { memcpy(to, &value, sizeof value); }

// The 4x4 pixels that a 2x2 square of the result depends on, in as many channels as a vector holds; zeros beyond the edge.
WIDE inline void gather(const Shape &shape, const float *x, int64_t top, int64_t left, Vector square[4][4]) {
#pragma GCC unroll 4
  for (int64_t i = 0; i < 4; ++i)
#pragma GCC unroll 4
    for (int64_t j = 0; j < 4; ++j) {
      const int64_t y = top + i, z = left + j;
      const bool is_inside = y >= 0 && y < shape.height && z >= 0 && z < shape.width;
      square[i][j] = is_inside ? load(x + (y * shape.width + z) * shape.c_in) : Vector{};
    }
}

// The paper's data transform: point i of the square goes to `to + i * stride`.
WIDE inline void transform(const Vector square[4][4], float *to, int64_t stride) {
  Vector half[4][4];
#pragma GCC unroll 4
  for (int64_t j = 0; j < 4; ++j) {
    half[0][j] = square[0][j] - square[2][j];
    half[1][j] = square[1][j] + square[2][j];
    half[2][j] = square[2][j] - square[1][j];
    half[3][j] = square[1][j] - square[3][j];
  }
#pragma GCC unroll 4
  for (int64_t i = 0; i < 4; ++i) {
    store(to + (4 * i) * stride, half[i][0] - half[i][2]);
    store(to + (4 * i + 1) * stride, half[i][1] + half[i][2]);
    store(to + (4 * i + 2) * stride, half[i][2] - half[i][1]);
    store(to + (4 * i + 3) * stride, half[i][1] - half[i][3]);
  }
}

// `rows` rows of a matrix product whose right side has `vectors` vectors in a row: all sums stay in registers.
template <int64_t vectors, int64_t rows>
WIDE inline void multiply_rows(const float *left, const float *right, int64_t depth, float *out) {
  Vector sums[rows][vectors] = {};
  for (int64_t k = 0; k < depth; ++k) {
    Vector factors[vectors];
#pragma GCC unroll 4
    for (int64_t v = 0; v < vectors; ++v) factors[v] = load(right + (k * vectors + v) * lanes);
#pragma GCC unroll 24
    for (int64_t row = 0; row < rows; ++row) {
      const Vector factor = Vector{} + left[row * depth + k];
#pragma GCC unroll 4
      for (int64_t v = 0; v < vectors; ++v) sums[row][v] += factor * factors[v];
    }
  }
#pragma GCC unroll 24
  for (int64_t row = 0; row < rows; ++row)
#pragma GCC unroll 4
    for (int64_t v = 0; v < vectors; ++v) store(out + (row * vectors + v) * lanes, sums[row][v]);
}

// A matrix product: [squares, depth] times [depth, vectors * lanes].
template <int64_t vectors>
WIDE void multiply(const float *left, const float *right, int64_t depth, float *out) {
  constexpr int64_t rows = 24 / vectors;  // of 32 registers 24 hold sums
  for (int64_t row = 0; row < squares; row += rows)
    multiply_rows<vectors, rows>(left + row * depth, right, depth, out + row * vectors * lanes);
}

// The paper's inverse transform to 2x2 sums, of which those inside the picture are finished and written.
WIDE inline void finish(const Work &work, const float *from, int64_t stride, int64_t picture, int64_t square, int64_t c) {
  const Shape &shape = work.shape;
  Vector half[2][4];
#pragma GCC unroll 4
  for (int64_t j = 0; j < 4; ++j) {
    const Vector a = load(from + j * stride), b = load(from + (4 + j) * stride);
    const Vector d = load(from + (8 + j) * stride), e = load(from + (12 + j) * stride);
    half[0][j] = a + b + d;
    half[1][j] = b - d - e;
  }
  const Vector bias = load(work.bias + c), slope = load(work.slopes + c);
  const int64_t top = square / shape.columns() * 2, left = square % shape.columns() * 2;
  for (int64_t i = 0; i < 2 && top + i < shape.height; ++i) {
    const Vector *row = half[i];
    const Vector sums[2] = {row[0] + row[1] + row[2], row[1] - row[2] - row[3]};
    for (int64_t j = 0; j < 2 && left + j < shape.width; ++j) {
      const int64_t at = (((picture * shape.height) + top + i) * shape.width + left + j) * shape.c_out + c;
      Vector value = sums[j] + bias;
      if (work.other) value += load(work.other + at);
      store(work.out + at, value > 0 ? value : value * slope);
    }
  }
}

// Squares `first .. end` of all pictures; `in` has room for their transforms, `out` for those of a panel of the result.
WIDE void convolve(const Work &work, int64_t first, int64_t end, float *in, float *out) {
  const Shape &shape = work.shape;
  // A little more than what lies there, so that points do not meet in the same lines of the cache.
  const int64_t in_stride = squares * shape.c_in + lanes;
  for (int64_t at = first; at < end; ++at) {
    const int64_t picture = at / shape.count(), square = at % shape.count();
    const int64_t top = square / shape.columns() * 2 - 1, left = square % shape.columns() * 2 - 1;
    const float *x = work.x + picture * shape.height * shape.width * shape.c_in;
    for (int64_t c = 0; c < shape.c_in; c += lanes) {
      Vector pixels[4][4];
      gather(shape, x + c, top, left, pixels);
      transform(pixels, in + (at - first) * shape.c_in + c, in_stride);
    }
  }
  for (int64_t start = 0; start < shape.c_out; start += panel) {
    const int64_t width = std::min(panel, shape.c_out - start), out_stride = squares * width + lanes;
    for (int64_t point = 0; point < points; ++point) {
      const float *left = in + point * in_stride, *right = work.weight + (point * shape.c_out + start) * shape.c_in;
      float *to = out + point * out_stride;
      switch (width / lanes) {
        case 4: multiply<4>(left, right, shape.c_in, to); break;
        case 3: multiply<3>(left, right, shape.c_in, to); break;
        case 2: multiply<2>(left, right, shape.c_in, to); break;
        default: multiply<1>(left, right, shape.c_in, to);
      }
    }
    for (int64_t at = first; at < end; ++at)
      for (int64_t c = 0; c < width; c += lanes)
        finish(work, out + (at - first) * width + c, out_stride, at / shape.count(), at % shape.count(), start + c);
  }
}
#else
bool is_wide() { return false; }

void convolve(const Work &, int64_t, int64_t, float *, float *) {}
#endif

void run(const Work &work, int64_t pictures) {
  const int64_t all = pictures * work.shape.count();
  at::parallel_for(0, (all + squares - 1) / squares, 1, [&](int64_t begin, int64_t end) {
    auto in = at::empty({points * (squares * work.shape.c_in + lanes)}, at::kFloat);
    auto out = at::empty({points * (squares * panel + lanes)}, at::kFloat);
    for (int64_t group = begin; group < end; ++group)
      convolve(work, group * squares, std::min(all, (group + 1) * squares), in.mutable_data_ptr<float>(),
               out.mutable_data_ptr<float>());
  });
}

}  // namespace

extern "C" {

// Whether this processor has the vectors.
bool abbe_has_winograd() { return is_wide(); }

// `x` [N, c_in, h, w] convolved with 3x3 kernels, padded with zeros, plus `bias` [c_out] and, unless null, `other`, shaped
// like the result; below zero times `slopes` [c_out]. `weight` [16, c_in * c_out] are the transformed kernels: for each point
// the panels of up to 64 channels out, each [c_in, channels]. All are float32, c_in and c_out multiples of 16. With `onto`
// the result is written over `other`.
char *abbe_winograd(at::Tensor *x, at::Tensor *weight, at::Tensor *bias, at::Tensor *slopes, at::Tensor *other, bool onto,
                    at::Tensor **out) {
  return message_of([&] {
    at::NoGradGuard guard;
    TORCH_CHECK(is_wide(), "no AVX-512");
    const int64_t c_in = x->size(1), c_out = bias->size(0);
    TORCH_CHECK(c_in % lanes == 0 && c_out % lanes == 0 && weight->numel() == points * c_in * c_out, "other channels");
    auto input = x->contiguous(at::MemoryFormat::ChannelsLast);
    auto like = input.options().memory_format(at::MemoryFormat::ChannelsLast);
    auto added = other ? other->contiguous(at::MemoryFormat::ChannelsLast) : at::Tensor();
    auto sums = onto && other ? added : at::empty({x->size(0), c_out, x->size(2), x->size(3)}, like);
    TORCH_CHECK(!other || added.sizes() == sums.sizes(), "a sum of other shapes");
    Work work{{x->size(2), x->size(3), c_in, c_out},
              input.const_data_ptr<float>(),
              weight->const_data_ptr<float>(),
              bias->const_data_ptr<float>(),
              slopes->const_data_ptr<float>(),
              other ? added.const_data_ptr<float>() : nullptr,
              sums.mutable_data_ptr<float>()};
    run(work, x->size(0));
    *out = new at::Tensor(sums);
  });
}

}  // extern "C"
