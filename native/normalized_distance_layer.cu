#include "normalized_distance_layer.hpp"

#include <vector>

#include "kernels.cuh"

namespace caffe {

template <typename Dtype>
void NormalizedDistanceLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                                 const vector<Blob<Dtype>*>& top) {
  gcnet::normalized_distance_gpu(top[0]->shape(0), top[0]->shape(1), bottom[0]->gpu_data(),
                                 bottom[1]->gpu_data(), inverse_a_.mutable_gpu_data(),
                                 inverse_b_.mutable_gpu_data(), top[0]->mutable_gpu_data());
  CUDA_POST_KERNEL_CHECK;
}

template <typename Dtype>
void NormalizedDistanceLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                                  const vector<bool>& propagate_down,
                                                  const vector<Blob<Dtype>*>& bottom) {
  gcnet::normalized_distance_backward_gpu(
      top[0]->shape(0), top[0]->shape(1), bottom[0]->gpu_data(), bottom[1]->gpu_data(),
      inverse_a_.gpu_data(), inverse_b_.gpu_data(), top[0]->gpu_diff(),
      propagate_down[0] ? bottom[0]->mutable_gpu_diff() : NULL,
      propagate_down[1] ? bottom[1]->mutable_gpu_diff() : NULL);
  CUDA_POST_KERNEL_CHECK;
}

INSTANTIATE_LAYER_GPU_FUNCS(NormalizedDistanceLayer);

}  // namespace caffe
