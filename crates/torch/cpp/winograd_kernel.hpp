// The kernel of winograd.cpp, which includes it once for each type of number, within a namespace that has `Number`, `WIDE` (the
// instructions that may be used), `load`, `store`, and, for what takes 32 bits of a row, `repeated` and `accumulated`.

// The 4x4 pixels that a 2x2 square of the result depends on, in as many channels as a vector holds; zeros beyond the edge.
WIDE inline void gather(const Shape &shape, const Number *x, int64_t top, int64_t left, Vector square[4][4]) {
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
WIDE inline void transform(const Vector square[4][4], Number *to, int64_t stride) {
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
WIDE inline void multiply_rows(const Word *left, const Word *right, int64_t depth, float *out) {
  Vector sums[rows][vectors] = {};
  for (int64_t k = 0; k < depth; ++k) {
    Vector factors[vectors];
#pragma GCC unroll 4
    for (int64_t v = 0; v < vectors; ++v) memcpy(&factors[v], right + (k * vectors + v) * lanes, sizeof factors[v]);
#pragma GCC unroll 24
    for (int64_t row = 0; row < rows; ++row) {
      const Vector factor = repeated(left[row * depth + k]);
#pragma GCC unroll 4
      for (int64_t v = 0; v < vectors; ++v) sums[row][v] = accumulated(sums[row][v], factor, factors[v]);
    }
  }
#pragma GCC unroll 24
  for (int64_t row = 0; row < rows; ++row)
#pragma GCC unroll 4
    for (int64_t v = 0; v < vectors; ++v) store(out + (row * vectors + v) * lanes, sums[row][v]);
}

// A matrix product: [squares, depth] times [depth, vectors * lanes], in words.
template <int64_t vectors>
WIDE void multiply(const Word *left, const Word *right, int64_t depth, float *out) {
  constexpr int64_t rows = 24 / vectors;  // of 32 registers 24 hold sums
  for (int64_t row = 0; row < squares; row += rows)
    multiply_rows<vectors, rows>(left + row * depth, right, depth, out + row * vectors * lanes);
}

// The paper's inverse transform to 2x2 sums, of which those inside the picture are finished and written.
WIDE inline void finish(const Work<Number> &work, const float *from, int64_t stride, int64_t picture, int64_t square, int64_t c) {
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
WIDE void convolve(const Work<Number> &work, int64_t first, int64_t end, Number *in, float *out) {
  const Shape &shape = work.shape;
  // A little more than what lies there, so that points do not meet in the same lines of the cache.
  const int64_t in_stride = squares * shape.c_in + 2 * lanes;
  for (int64_t at = first; at < end; ++at) {
    const int64_t picture = at / shape.count(), square = at % shape.count();
    const int64_t top = square / shape.columns() * 2 - 1, left = square % shape.columns() * 2 - 1;
    const Number *x = work.x + picture * shape.height * shape.width * shape.c_in;
    for (int64_t c = 0; c < shape.c_in; c += lanes) {
      Vector pixels[4][4];
      gather(shape, x + c, top, left, pixels);
      transform(pixels, in + (at - first) * shape.c_in + c, in_stride);
    }
  }
  for (int64_t start = 0; start < shape.c_out; start += panel) {
    const int64_t width = std::min(panel, shape.c_out - start), out_stride = squares * width + lanes;
    for (int64_t point = 0; point < points; ++point) {
      auto left = reinterpret_cast<const Word *>(in + point * in_stride);
      auto right = reinterpret_cast<const Word *>(work.weight + (point * shape.c_out + start) * shape.c_in);
      const int64_t depth = shape.c_in * sizeof(Number) / sizeof(Word);
      float *to = out + point * out_stride;
      switch (width / lanes) {
        case 4: multiply<4>(left, right, depth, to); break;
        case 3: multiply<3>(left, right, depth, to); break;
        case 2: multiply<2>(left, right, depth, to); break;
        default: multiply<1>(left, right, depth, to);
      }
    }
    for (int64_t at = first; at < end; ++at)
      for (int64_t c = 0; c < width; c += lanes)
        finish(work, out + (at - first) * width + c, out_stride, at / shape.count(), at % shape.count(), start + c);
  }
}
