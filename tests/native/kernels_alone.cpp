// The functions of native/kernels.hpp behind C names, in float and double, for ctypes.
#include "kernels.hpp"

using gcnet::Pooling;

#define EXPORT(T)                                                                                 \
  extern "C" int first_misfit_##T(const Pooling* p, int planes, const T* mask) {                  \
    return gcnet::first_misfit(*p, planes, mask);                                                 \
  }                                                                                               \
  extern "C" void unpool_##T(const Pooling* p, int planes, const T* data, const T* mask,          \
                             T* output) {                                                         \
    gcnet::unpool(*p, planes, data, mask, output);                                                \
  }                                                                                               \
  extern "C" void unpool_backward_##T(const Pooling* p, int planes, const T* output_diff,         \
                                      const T* mask, T* data_diff) {                              \
    gcnet::unpool_backward(*p, planes, output_diff, mask, data_diff);                             \
  }                                                                                               \
  extern "C" void distance_##T(int rows, int length, const T* a, const T* b, T* inverse_a,        \
                               T* inverse_b, T* y) {                                              \
    gcnet::normalized_distance(rows, length, a, b, inverse_a, inverse_b, y);                      \
  }                                                                                               \
  extern "C" void distance_backward_##T(int rows, int length, const T* a, const T* b,             \
                                        const T* inverse_a, const T* inverse_b, const T* dy,      \
                                        T* da, T* db) {                                           \
    gcnet::normalized_distance_backward(rows, length, a, b, inverse_a, inverse_b, dy, da, db);    \
  }

EXPORT(float)
EXPORT(double)

extern "C" int pooled_size(int full, int kernel, int stride, int pad) {
  return gcnet::pooled_size(full, kernel, stride, pad);
}

extern "C" int unpooled_size(int pooled, int kernel, int stride, int pad) {
  return gcnet::unpooled_size(pooled, kernel, stride, pad);
}
