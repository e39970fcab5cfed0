#include "max_unpool_layer.hpp"

#include <climits>
#include <vector>

#include "caffe/util/math_functions.hpp"

#include "kernels.cuh"

namespace caffe {

template <typename Dtype>
void MaxUnpoolLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  const Dtype* mask = bottom[1]->gpu_data();
  misfit_.mutable_cpu_data()[0] = INT_MAX;
  gcnet::first_misfit_gpu(pooling_, planes_, mask, misfit_.mutable_gpu_data());
  gcnet::unpool_gpu(pooling_, planes_, bottom[0]->gpu_data(), mask, top[0]->mutable_gpu_data());
  CUDA_POST_KERNEL_CHECK;
  if (misfit_.cpu_data()[0] != INT_MAX) RefuseMask(*bottom[1], misfit_.cpu_data()[0]);
}

template <typename Dtype>
void MaxUnpoolLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  if (propagate_down[0]) {
    gcnet::unpool_backward_gpu(pooling_, planes_, top[0]->gpu_diff(), bottom[1]->gpu_data(),
                               bottom[0]->mutable_gpu_diff());
    CUDA_POST_KERNEL_CHECK;
  }
  for (size_t i = 1; i < bottom.size(); ++i) {
    if (propagate_down[i]) {
      caffe_gpu_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_gpu_diff());
    }
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(MaxUnpoolLayer);

}  // namespace caffe
