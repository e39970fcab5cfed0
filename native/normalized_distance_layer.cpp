#include "normalized_distance_layer.hpp"

#include <vector>

#include "caffe/layer_factory.hpp"

#include "kernels.hpp"

namespace caffe {

template <typename Dtype>
void NormalizedDistanceLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                             const vector<Blob<Dtype>*>& top) {
  CHECK(bottom[0]->shape() == bottom[1]->shape())
      << "layer " << this->layer_param_.name() << ": NormalizedDistance needs two equal shapes, got "
      << bottom[0]->shape_string() << " and " << bottom[1]->shape_string();
  vector<int> shape(1, bottom[0]->shape(0));
  inverse_a_.Reshape(shape);
  inverse_b_.Reshape(shape);
  shape.push_back(bottom[0]->count(1));
  top[0]->Reshape(shape);
}

template <typename Dtype>
void NormalizedDistanceLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                                 const vector<Blob<Dtype>*>& top) {
  gcnet::normalized_distance(top[0]->shape(0), top[0]->shape(1), bottom[0]->cpu_data(),
                             bottom[1]->cpu_data(), inverse_a_.mutable_cpu_data(),
                             inverse_b_.mutable_cpu_data(), top[0]->mutable_cpu_data());
}

template <typename Dtype>
void NormalizedDistanceLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                                  const vector<bool>& propagate_down,
                                                  const vector<Blob<Dtype>*>& bottom) {
  gcnet::normalized_distance_backward(
      top[0]->shape(0), top[0]->shape(1), bottom[0]->cpu_data(), bottom[1]->cpu_data(),
      inverse_a_.cpu_data(), inverse_b_.cpu_data(), top[0]->cpu_diff(),
      propagate_down[0] ? bottom[0]->mutable_cpu_diff() : NULL,
      propagate_down[1] ? bottom[1]->mutable_cpu_diff() : NULL);
}

#ifdef CPU_ONLY
STUB_GPU(NormalizedDistanceLayer);
#endif

INSTANTIATE_CLASS(NormalizedDistanceLayer);
REGISTER_LAYER_CLASS(NormalizedDistance);

}  // namespace caffe
