// The loops of kernels.hpp on the GPU: one thread a pixel, or one block a row. All pointers are to
// device memory; launches go to the default stream and are not waited for.
#ifndef GCNET_KERNELS_CUH_
#define GCNET_KERNELS_CUH_

#include <climits>

#include "kernels.hpp"

namespace gcnet {

const int kThreads = 256;  // a power of two: block_sum halves it

inline int blocks_for(int threads) { return (threads + kThreads - 1) / kThreads; }

// ---- MaxUnpool -------------------------------------------------------------------------------

// Lowers *misfit to the first mask entry that does not fit.
template <typename T>
__global__ void mask_kernel(const Pooling p, int count, const T* mask, int* misfit) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const int cells = p.pooled_height * p.pooled_width;
  if (i < count && !mask_fits(p, i % cells, mask[i])) atomicMin(misfit, i);
}

template <typename T>
__global__ void unpool_kernel(const Pooling p, int count, const T* data, const T* mask, T* output) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const int pixels = p.height * p.width;
  const int first = i / pixels * p.pooled_height * p.pooled_width;
  output[i] = unpooled_pixel(p, data + first, mask + first, i % pixels);
}

template <typename T>
__global__ void unpool_backward_kernel(const Pooling p, int count, const T* output_diff,
                                       const T* mask, T* data_diff) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const int plane = i / (p.pooled_height * p.pooled_width);
  data_diff[i] = output_diff[plane * p.height * p.width + static_cast<int>(mask[i])];
}

// Sets *misfit (device memory, INT_MAX before) to the first entry that does not fit.
template <typename T>
void first_misfit_gpu(const Pooling& p, int planes, const T* mask, int* misfit) {
  const int count = planes * p.pooled_height * p.pooled_width;
  mask_kernel<T><<<blocks_for(count), kThreads>>>(p, count, mask, misfit);
}

template <typename T>
void unpool_gpu(const Pooling& p, int planes, const T* data, const T* mask, T* output) {
  const int count = planes * p.height * p.width;
  unpool_kernel<T><<<blocks_for(count), kThreads>>>(p, count, data, mask, output);
}

template <typename T>
void unpool_backward_gpu(const Pooling& p, int planes, const T* output_diff, const T* mask,
                         T* data_diff) {
  const int count = planes * p.pooled_height * p.pooled_width;
  unpool_backward_kernel<T><<<blocks_for(count), kThreads>>>(p, count, output_diff, mask,
                                                             data_diff);
}

// ---- NormalizedDistance ----------------------------------------------------------------------

// The sum of `value` over the threads of the block, known to all of them.
template <typename T>
__device__ T block_sum(T value) {
  __shared__ T sums[kThreads];
  sums[threadIdx.x] = value;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  __syncthreads();
  const T sum = sums[0];
  __syncthreads();  // before another call overwrites it
  return sum;
}

// One block a row.
template <typename T>
__global__ void normalized_distance_kernel(int length, const T* a, const T* b, T* inverse_a,
                                           T* inverse_b, T* y) {
  const int first = blockIdx.x * length, end = first + length;
  T squares_a = 0, squares_b = 0;
  for (int i = first + threadIdx.x; i < end; i += kThreads) {
    squares_a += a[i] * a[i];
    squares_b += b[i] * b[i];
  }
  const T ia = inverse_norm(block_sum(squares_a)), ib = inverse_norm(block_sum(squares_b));
  for (int i = first + threadIdx.x; i < end; i += kThreads) {
    const T difference = normalized_difference(a[i], ia, b[i], ib);
    y[i] = difference < T(0) ? -difference : difference;
  }
  if (threadIdx.x == 0) {
    inverse_a[blockIdx.x] = ia;
    inverse_b[blockIdx.x] = ib;
  }
}

template <typename T>
__global__ void normalized_distance_backward_kernel(int length, const T* a, const T* b,
                                                    const T* inverse_a, const T* inverse_b,
                                                    const T* dy, T* da, T* db) {
  const int first = blockIdx.x * length, end = first + length;
  const T ia = inverse_a[blockIdx.x], ib = inverse_b[blockIdx.x];
  T u_dot_s = 0, v_dot_s = 0;
  for (int i = first + threadIdx.x; i < end; i += kThreads) {
    const T s = signed_diff(normalized_difference(a[i], ia, b[i], ib), dy[i]);
    u_dot_s += a[i] * ia * s;
    v_dot_s += b[i] * ib * s;
  }
  u_dot_s = block_sum(u_dot_s);
  v_dot_s = block_sum(v_dot_s);
  for (int i = first + threadIdx.x; i < end; i += kThreads) {
    const T s = signed_diff(normalized_difference(a[i], ia, b[i], ib), dy[i]);
    if (da) da[i] = normalized_gradient(a[i], ia, s, u_dot_s);
    if (db) db[i] = normalized_gradient(b[i], ib, -s, -v_dot_s);
  }
}

template <typename T>
void normalized_distance_gpu(int rows, int length, const T* a, const T* b, T* inverse_a,
                             T* inverse_b, T* y) {
  normalized_distance_kernel<T><<<rows, kThreads>>>(length, a, b, inverse_a, inverse_b, y);
}

template <typename T>
void normalized_distance_backward_gpu(int rows, int length, const T* a, const T* b,
                                      const T* inverse_a, const T* inverse_b, const T* dy, T* da,
                                      T* db) {
  normalized_distance_backward_kernel<T>
      <<<rows, kThreads>>>(length, a, b, inverse_a, inverse_b, dy, da, db);
}

}  // namespace gcnet

#endif  // GCNET_KERNELS_CUH_
