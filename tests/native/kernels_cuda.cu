// The kernels of native/kernels.cuh on a GPU beside the loops of native/kernels.hpp on the CPU.
// Exit status: 0 equal, 1 not, 77 no GPU to ask.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernels.cuh"

using gcnet::Pooling;

namespace {

bool equal = true;

// Device copy of a vector; `fetch` brings it back.
template <typename T>
struct Device {
  T* data;
  size_t size;
  explicit Device(const std::vector<T>& host) : size(host.size()) {
    cudaMalloc(&data, size * sizeof(T));
    cudaMemcpy(data, host.data(), size * sizeof(T), cudaMemcpyHostToDevice);
  }
  ~Device() { cudaFree(data); }
  std::vector<T> fetch() const {
    std::vector<T> host(size);
    cudaMemcpy(host.data(), data, size * sizeof(T), cudaMemcpyDeviceToHost);
    return host;
  }
};

template <typename T>
void compare(const char* what, const std::vector<T>& cpu, const std::vector<T>& gpu, double bound) {
  double worst = 0;
  for (size_t i = 0; i < cpu.size(); ++i) {
    const double error = std::fabs(double(cpu[i]) - double(gpu[i]));
    if (!(error <= worst)) worst = error;  // keeps a NaN
  }
  const bool good = worst <= bound;
  std::printf("%-28s %zu bytes/number, largest difference %g%s\n", what, sizeof(T), worst,
              good ? "" : "  <- too much");
  equal = equal && good;
}

template <typename T>
std::vector<T> random_vector(size_t size) {
  std::vector<T> numbers(size);
  for (T& number : numbers) number = T(std::rand()) / T(RAND_MAX) - T(0.5);
  return numbers;
}

// A mask as 3 x 3 / 2 pooling of 17 x 15 makes it: any pixel of each window.
template <typename T>
void check_unpool() {
  Pooling p = {3, 3, 2, 2, 0, 0, 17, 15, 8, 7};
  const int planes = 40, cells = 8 * 7, pixels = 17 * 15;
  const std::vector<T> data = random_vector<T>(planes * cells);
  const std::vector<T> upstream = random_vector<T>(planes * pixels);
  std::vector<T> mask(planes * cells), top(planes * pixels), diff(planes * cells);
  for (int i = 0; i < planes * cells; ++i) {
    const int row = i % cells / 7 * 2 + std::rand() % 3, column = i % 7 * 2 + std::rand() % 3;
    mask[i] = T(row * 15 + column);
  }
  gcnet::unpool(p, planes, data.data(), mask.data(), top.data());
  gcnet::unpool_backward(p, planes, upstream.data(), mask.data(), diff.data());

  const Device<T> d_data(data), d_upstream(upstream), d_top(top), d_diff(diff);
  Device<T> d_mask(mask);
  cudaMemset(d_top.data, 0xff, top.size() * sizeof(T));
  cudaMemset(d_diff.data, 0xff, diff.size() * sizeof(T));
  gcnet::unpool_gpu(p, planes, d_data.data, d_mask.data, d_top.data);
  gcnet::unpool_backward_gpu(p, planes, d_upstream.data, d_mask.data, d_diff.data);
  compare("MaxUnpool", top, d_top.fetch(), 0);
  compare("MaxUnpool backward", diff, d_diff.fetch(), 0);

  std::vector<int> misfit(1, INT_MAX);
  const Device<int> none(misfit), two(misfit);
  gcnet::first_misfit_gpu(p, planes, d_mask.data, none.data);
  mask[70] = mask[1234] = T(-1);
  const Device<T> spoilt(mask);
  gcnet::first_misfit_gpu(p, planes, spoilt.data, two.data);
  compare("MaxUnpool mask", misfit, none.fetch(), 0);
  compare("MaxUnpool spoilt mask", std::vector<int>(1, 70), two.fetch(), 0);
}

template <typename T>
void check_distance(int length, double bound) {
  const int rows = 6;
  std::vector<T> a = random_vector<T>(rows * length), b = random_vector<T>(rows * length);
  for (int i = 0; i < length; ++i) a[i] = b[length + i] = 0;                  // zero vectors
  for (int i = 2 * length; i < 3 * length; ++i) b[i] = a[i];                  // equal ones
  const std::vector<T> dy = random_vector<T>(rows * length);
  std::vector<T> ia(rows), ib(rows), y(rows * length), da(y), db(y);
  gcnet::normalized_distance(rows, length, a.data(), b.data(), ia.data(), ib.data(), y.data());
  gcnet::normalized_distance_backward(rows, length, a.data(), b.data(), ia.data(), ib.data(),
                                      dy.data(), da.data(), db.data());
  const Device<T> d_a(a), d_b(b), d_dy(dy), d_ia(ia), d_ib(ib), d_y(y), d_da(da), d_db(db);
  cudaMemset(d_y.data, 0xff, y.size() * sizeof(T));
  cudaMemset(d_da.data, 0xff, y.size() * sizeof(T));
  cudaMemset(d_db.data, 0xff, y.size() * sizeof(T));
  gcnet::normalized_distance_gpu(rows, length, d_a.data, d_b.data, d_ia.data, d_ib.data, d_y.data);
  gcnet::normalized_distance_backward_gpu(rows, length, d_a.data, d_b.data, d_ia.data, d_ib.data,
                                          d_dy.data, d_da.data, d_db.data);
  const std::vector<T> found = d_y.fetch();
  compare("NormalizedDistance", y, found, bound);
  // 1e3: the gradients at zero vectors are that much larger
  compare("NormalizedDistance da", da, d_da.fetch(), 1e3 * bound);
  compare("NormalizedDistance db", db, d_db.fetch(), 1e3 * bound);
  const std::vector<T> zeros(length), same(found.begin() + 2 * length, found.begin() + 3 * length);
  compare("equal vectors", zeros, same, 0);
}

}  // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("no GPU");
    return 77;
  }
  check_unpool<float>();
  check_unpool<double>();
  for (int length : {1, 100, 6144}) {
    check_distance<float>(length, 1e-6);
    check_distance<double>(length, 1e-14);
  }
  const cudaError_t error = cudaDeviceSynchronize();
  if (error != cudaSuccess) std::printf("%s\n", cudaGetErrorString(error));
  return equal && error == cudaSuccess ? 0 : 1;
}
