#ifndef GCNET_NORMALIZED_DISTANCE_LAYER_HPP_
#define GCNET_NORMALIZED_DISTANCE_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

/**
 * y = | a / |a| - b / |b| |, element by element, with |x| = sqrt(sum of squares + 1e-6).
 *
 * bottom[0], bottom[1]: N x ..., of one shape; each item's elements are one vector of length p.
 * top[0]:               N x p.
 *
 * The gradient is 0 where the two are equal, and bounded where a vector is zero (see kernels.hpp).
 */
template <typename Dtype>
class NormalizedDistanceLayer : public Layer<Dtype> {
 public:
  explicit NormalizedDistanceLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  virtual void Reshape(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top);

  virtual inline const char* type() const { return "NormalizedDistance"; }
  virtual inline int ExactNumBottomBlobs() const { return 2; }
  virtual inline int ExactNumTopBlobs() const { return 1; }

 protected:
  virtual void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top);
  virtual void Forward_gpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top);
  virtual void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                            const vector<Blob<Dtype>*>& bottom);
  virtual void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                            const vector<Blob<Dtype>*>& bottom);

  Blob<Dtype> inverse_a_, inverse_b_;  // N: 1 / |a|, 1 / |b| of the last forward pass
};

}  // namespace caffe

#endif  // GCNET_NORMALIZED_DISTANCE_LAYER_HPP_
