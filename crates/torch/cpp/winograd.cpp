// A 3x3 convolution that takes 16 multiplications for 4 pixels instead of 36: F(2x2, 3x3) of Lavin and Gray 2016,
// arXiv 1509.09308, section 4.1, in the vectors of AVX-512. oneDNN has none that libtorch calls. Same rules as abbe_torch.cpp.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>

#include "call.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

constexpr int64_t lanes = 16;    // float32 in a vector, or pairs of bfloat16
constexpr int64_t points = 16;   // numbers of a transformed 4x4 square
constexpr int64_t squares = 48;  // worked on together: what is between the transforms stays in the second cache
constexpr int64_t panel = 64;    // channels out that are multiplied together at most

struct Shape {
  int64_t height, width, c_in, c_out;
  int64_t columns() const { return (width + 1) / 2; }
  int64_t count() const { return (height + 1) / 2 * columns(); }
};

template <typename Number>
struct Work {
  Shape shape;
  const Number *x, *weight;
  const float *bias, *slopes;
  const Number *other;
  Number *out;
};

// One float32, or two bfloat16 that are multiplied and added together.
typedef uint32_t Word __attribute__((may_alias));

#if defined(__x86_64__)
typedef float Vector __attribute__((vector_size(4 * lanes)));

namespace single {
#define WIDE __attribute__((target("avx512f")))
typedef float Number;

bool is_there() { return __builtin_cpu_supports("avx512f"); }

WIDE inline Vector load(const float *from) {
  Vector value;
  memcpy(&value, from, sizeof value);
  return value;
}

WIDE inline void store(float *to, Vector value) { memcpy(to, &value, sizeof value); }

WIDE inline Vector repeated(Word word) {
  float value;
  memcpy(&value, &word, sizeof value);
  return Vector{} + value;
}

WIDE inline Vector accumulated(Vector sum, Vector a, Vector b) { return sum + a * b; }

#include "winograd_kernel.hpp"
#undef WIDE
}  // namespace single

namespace half {
#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
typedef at::BFloat16 Number;

// Where there are AMX's matrices too, oneDNN's own convolution by them takes less time.
bool is_there() { return __builtin_cpu_supports("avx512bf16") && !__builtin_cpu_supports("amx-bf16"); }

WIDE inline Vector load(const float *from) { return Vector(_mm512_loadu_ps(from)); }

WIDE inline Vector load(const Number *from) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)));
  return Vector(_mm512_slli_epi32(wide, 16));
}

WIDE inline void store(float *to, Vector value) { _mm512_storeu_ps(to, __m512(value)); }

WIDE inline void store(Number *to, Vector value) {
  const __m256bh rounded = _mm512_cvtneps_pbh(__m512(value));
  memcpy(to, &rounded, sizeof rounded);
}

WIDE inline Vector repeated(Word word) { return Vector(_mm512_set1_epi32(static_cast<int>(word))); }

WIDE inline Vector accumulated(Vector sum, Vector a, Vector b) {
  return Vector(_mm512_dpbf16_ps(__m512(sum), __m512bh(a), __m512bh(b)));
}

#include "winograd_kernel.hpp"
#undef WIDE
}  // namespace half

bool is_there(at::ScalarType kind) { return kind == at::kFloat ? single::is_there() : kind == at::kBFloat16 && half::is_there(); }

void convolve(const Work<float> &work, int64_t first, int64_t end, float *in, float *out) {
  single::convolve(work, first, end, in, out);
}

void convolve(const Work<at::BFloat16> &work, int64_t first, int64_t end, at::BFloat16 *in, float *out) {
  half::convolve(work, first, end, in, out);
}
#else
bool is_there(at::ScalarType) { return false; }

template <typename Number>
void convolve(const Work<Number> &, int64_t, int64_t, Number *, float *) {}
#endif

template <typename Number>
void run(const Shape &shape, int64_t pictures, const at::Tensor &x, const at::Tensor &weight, const float *bias,
         const float *slopes, const at::Tensor &other, at::Tensor &out) {
  const Number *added = other.defined() ? other.const_data_ptr<Number>() : nullptr;
  const Work<Number> work{shape, x.const_data_ptr<Number>(), weight.const_data_ptr<Number>(), bias, slopes, added,
                          out.mutable_data_ptr<Number>()};
  const int64_t all = pictures * shape.count();
  at::parallel_for(0, (all + squares - 1) / squares, 1, [&](int64_t begin, int64_t end) {
    auto between = at::empty({points * (squares * shape.c_in + 2 * lanes)}, x.options());
    auto sums = at::empty({points * (squares * panel + lanes)}, at::kFloat);
    for (int64_t group = begin; group < end; ++group)
      convolve(work, group * squares, std::min(all, (group + 1) * squares), between.mutable_data_ptr<Number>(),
               sums.mutable_data_ptr<float>());
  });
}

}  // namespace

extern "C" {

// Whether this processor has the vectors, for bfloat16 if `half`, else for float32.
bool abbe_has_winograd(bool half) { return is_there(half ? at::kBFloat16 : at::kFloat); }

// `x` [N, c_in, h, w] convolved with 3x3 kernels, padded with zeros, plus `bias` [c_out] and, unless null, `other`, shaped
// like the result; below zero times `slopes` [c_out]. `weight` [16, c_in * c_out] are the transformed kernels: for each point
// the panels of up to 64 channels out, each [c_in, channels], of bfloat16 [c_in / 2, channels, 2]. `bias` and `slopes` are
// float32, the others all float32 or all bfloat16; c_in and c_out are multiples of 16. With `onto` the result is written over
// `other`.
char *abbe_winograd(at::Tensor *x, at::Tensor *weight, at::Tensor *bias, at::Tensor *slopes, at::Tensor *other, bool onto,
                    at::Tensor **out) {
  return message_of([&] {
    at::NoGradGuard guard;
    const int64_t c_in = x->size(1), c_out = bias->size(0);
    const auto kind = weight->scalar_type();
    TORCH_CHECK(is_there(kind) && x->scalar_type() == kind, "no Winograd convolution of these numbers here");
    TORCH_CHECK(c_in % lanes == 0 && c_out % lanes == 0 && weight->numel() == points * c_in * c_out, "other channels");
    TORCH_CHECK(bias->is_contiguous() && slopes->is_contiguous() && slopes->numel() == c_out, "no slope for each channel");
    for (const at::Tensor *tensor : {x, weight, bias, slopes, other})
      TORCH_CHECK(!tensor || tensor->is_cpu(), "a tensor is not in the CPU's memory");
    auto input = x->contiguous(at::MemoryFormat::ChannelsLast);
    auto like = input.options().memory_format(at::MemoryFormat::ChannelsLast);
    auto added = other ? other->contiguous(at::MemoryFormat::ChannelsLast) : at::Tensor();
    auto sums = onto && other ? added : at::empty({x->size(0), c_out, x->size(2), x->size(3)}, like);
    TORCH_CHECK(!other || added.sizes() == sums.sizes(), "a sum of other shapes");
    const Shape shape{x->size(2), x->size(3), c_in, c_out};
    const float *start = bias->const_data_ptr<float>(), *below = slopes->const_data_ptr<float>();
    kind == at::kFloat ? run<float>(shape, x->size(0), input, *weight, start, below, added, sums)
                       : run<at::BFloat16>(shape, x->size(0), input, *weight, start, below, added, sums);
    *out = new at::Tensor(sums);
  });
}

}  // extern "C"
