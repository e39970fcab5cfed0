// The arithmetic of the two layers: plain functions, free of Caffe, the same on CPU and GPU.
// The loops over whole blobs are here for the CPU and in kernels.cuh for the GPU.
#ifndef GCNET_KERNELS_HPP_
#define GCNET_KERNELS_HPP_

#include <cmath>

#ifdef __CUDACC__
#define GCNET_HOST_DEVICE __host__ __device__
#else
#define GCNET_HOST_DEVICE
#endif

namespace gcnet {

// ---- MaxUnpool -------------------------------------------------------------------------------
//
// The transpose of max pooling: every pooled value goes back to the pixel its mask names, and where
// overlapping windows chose the same pixel their values add up. So the forward pass is exactly what
// stock max pooling does backward, and the backward pass is a plain look-up.

// One pooling: kernel, stride and padding, and the sizes of the full and of the pooled plane.
struct Pooling {
  int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
  int height, width;                // full plane
  int pooled_height, pooled_width;  // pooled plane
};

// Caffe's pooled size: rounded up, less a window that would begin beyond the image and its padding.
inline int pooled_size(int full, int kernel, int stride, int pad) {
  const int steps = full + 2 * pad - kernel;
  int pooled = (steps > 0 ? (steps + stride - 1) / stride : steps / stride) + 1;
  if (pad > 0 && (pooled - 1) * stride >= full + pad) --pooled;
  return pooled;
}

// The size that `pooled` windows fill without a remainder.
inline int unpooled_size(int pooled, int kernel, int stride, int pad) {
  return (pooled - 1) * stride + kernel - 2 * pad;
}

// Whether a mask entry lies in the full plane and in the window of the pooled cell it belongs to.
// A mask made for planes of another width fails here for all but the first row of windows.
template <typename T>
GCNET_HOST_DEVICE bool mask_fits(const Pooling& p, int cell, T entry) {
  if (!(entry >= T(0) && entry < T(p.height * p.width))) return false;
  const int index = static_cast<int>(entry);
  if (static_cast<T>(index) != entry) return false;
  const int top = cell / p.pooled_width * p.stride_h - p.pad_h;
  const int left = cell % p.pooled_width * p.stride_w - p.pad_w;
  const int row = index / p.width, column = index % p.width;
  return row >= top && row < top + p.kernel_h && column >= left && column < left + p.kernel_w;
}

// The sum of the pooled values whose mask names pixel `index`; `data`, `mask`: one pooled plane.
template <typename T>
GCNET_HOST_DEVICE T unpooled_pixel(const Pooling& p, const T* data, const T* mask, int index) {
  const int row = index / p.width + p.pad_h, column = index % p.width + p.pad_w;
  const int first_h = row < p.kernel_h ? 0 : (row - p.kernel_h) / p.stride_h + 1;
  const int first_w = column < p.kernel_w ? 0 : (column - p.kernel_w) / p.stride_w + 1;
  T sum = 0;
  for (int h = first_h; h <= row / p.stride_h && h < p.pooled_height; ++h) {
    for (int w = first_w; w <= column / p.stride_w && w < p.pooled_width; ++w) {
      const int cell = h * p.pooled_width + w;
      if (static_cast<int>(mask[cell]) == index) sum += data[cell];
    }
  }
  return sum;
}

// The first mask entry that does not fit, or -1; the blobs hold `planes` planes (N x C).
template <typename T>
int first_misfit(const Pooling& p, int planes, const T* mask) {
  const int cells = p.pooled_height * p.pooled_width;
  for (int i = 0; i < planes * cells; ++i) {
    if (!mask_fits(p, i % cells, mask[i])) return i;
  }
  return -1;
}

template <typename T>
void unpool(const Pooling& p, int planes, const T* data, const T* mask, T* output) {
  const int cells = p.pooled_height * p.pooled_width, pixels = p.height * p.width;
  for (int i = 0; i < planes * pixels; ++i) {
    const int first = i / pixels * cells;
    output[i] = unpooled_pixel(p, data + first, mask + first, i % pixels);
  }
}

template <typename T>
void unpool_backward(const Pooling& p, int planes, const T* output_diff, const T* mask,
                     T* data_diff) {
  const int cells = p.pooled_height * p.pooled_width, pixels = p.height * p.width;
  for (int i = 0; i < planes * cells; ++i) {
    data_diff[i] = output_diff[i / cells * pixels + static_cast<int>(mask[i])];
  }
}

// ---- NormalizedDistance ----------------------------------------------------------------------
//
//   y = | a / |a| - b / |b| |, element by element,   |x| = sqrt(sum of squares + 1e-6)
//
// With u = a / |a|, v = b / |b|, s = sign(u - v) dy (0 where u = v):
//   da = (s - u (u . s)) / |a|,   db = -(s - v (v . s)) / |b|
// |x| is at least 1e-3, so a row of da is at most 1e3 times as long as its dy, also where a is 0.

template <typename T>
GCNET_HOST_DEVICE T inverse_norm(T sum_of_squares) {
  return T(1) / sqrt(sum_of_squares + T(1e-6));
}

// A product that nvcc must not fuse into the subtraction after it: with a fused one the difference
// of equal vectors would be a rounding error instead of 0, and its sign would pass for a gradient.
GCNET_HOST_DEVICE inline float rounded_product(float x, float y) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(x, y);
#else
  return x * y;
#endif
}

GCNET_HOST_DEVICE inline double rounded_product(double x, double y) {
#ifdef __CUDA_ARCH__
  return __dmul_rn(x, y);
#else
  return x * y;
#endif
}

template <typename T>
GCNET_HOST_DEVICE T normalized_difference(T a, T inverse_a, T b, T inverse_b) {
  return rounded_product(a, inverse_a) - rounded_product(b, inverse_b);
}

// s above.
template <typename T>
GCNET_HOST_DEVICE T signed_diff(T difference, T dy) {
  return difference > T(0) ? dy : difference < T(0) ? -dy : T(0);
}

// da above; db with the sign of `s` turned.
template <typename T>
GCNET_HOST_DEVICE T normalized_gradient(T x, T inverse_x, T s, T unit_dot_s) {
  return (s - x * inverse_x * unit_dot_s) * inverse_x;
}

// `a`, `b`, `y`: rows x length; `inverse_a`, `inverse_b`: rows, kept for the backward pass.
template <typename T>
void normalized_distance(int rows, int length, const T* a, const T* b, T* inverse_a, T* inverse_b,
                         T* y) {
  for (int row = 0; row < rows; ++row, a += length, b += length, y += length) {
    double squares_a = 0, squares_b = 0;
    for (int i = 0; i < length; ++i) {
      squares_a += a[i] * a[i];
      squares_b += b[i] * b[i];
    }
    inverse_a[row] = inverse_norm<T>(squares_a);
    inverse_b[row] = inverse_norm<T>(squares_b);
    for (int i = 0; i < length; ++i) {
      y[i] = std::abs(normalized_difference(a[i], inverse_a[row], b[i], inverse_b[row]));
    }
  }
}

// `da` or `db` may be null: not wanted.
template <typename T>
void normalized_distance_backward(int rows, int length, const T* a, const T* b, const T* inverse_a,
                                  const T* inverse_b, const T* dy, T* da, T* db) {
  for (int row = 0; row < rows; ++row) {
    const int first = row * length;
    const T ia = inverse_a[row], ib = inverse_b[row];
    double u_dot_s = 0, v_dot_s = 0;
    for (int i = first; i < first + length; ++i) {
      const T s = signed_diff(normalized_difference(a[i], ia, b[i], ib), dy[i]);
      u_dot_s += a[i] * ia * s;
      v_dot_s += b[i] * ib * s;
    }
    for (int i = first; i < first + length; ++i) {
      const T s = signed_diff(normalized_difference(a[i], ia, b[i], ib), dy[i]);
      if (da) da[i] = normalized_gradient<T>(a[i], ia, s, u_dot_s);
      if (db) db[i] = normalized_gradient<T>(b[i], ib, -s, -v_dot_s);
    }
  }
}

}  // namespace gcnet

#endif  // GCNET_KERNELS_HPP_
