#ifndef GCNET_MAX_UNPOOL_LAYER_HPP_
#define GCNET_MAX_UNPOOL_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"
#include "caffe/proto/caffe.pb.h"

#include "kernels.hpp"

namespace caffe {

/**
 * Undoes a MAX pooling: each pooled value goes back to the pixel it came from, all others are 0.
 *
 * bottom[0]: N x C x h x w, the pooled values.
 * bottom[1]: N x C x h x w, the pooling's second top (flat indices into a plane of H x W).
 * bottom[2]: optional; the top takes its height and width. Without it the top has the size that the
 *            windows fill without a remainder. After an odd-sized pooling that is another size than
 *            the original one, and the indices betray it: they leave their windows. So every entry
 *            of the mask is checked in every forward pass, and a misfit stops Caffe.
 * top[0]:    N x C x H x W.
 *
 * The pooling's own `pooling_param` is this layer's. Mask and size get a gradient of 0.
 */
template <typename Dtype>
class MaxUnpoolLayer : public Layer<Dtype> {
 public:
  explicit MaxUnpoolLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  virtual void LayerSetUp(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top);
  virtual void Reshape(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top);

  virtual inline const char* type() const { return "MaxUnpool"; }
  virtual inline int MinBottomBlobs() const { return 2; }
  virtual inline int MaxBottomBlobs() const { return 3; }
  virtual inline int ExactNumTopBlobs() const { return 1; }
  virtual inline bool AllowForceBackward(const int bottom_index) const { return bottom_index == 0; }

 protected:
  virtual void Forward_cpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top);
  virtual void Forward_gpu(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top);
  virtual void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                            const vector<Blob<Dtype>*>& bottom);
  virtual void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                            const vector<Blob<Dtype>*>& bottom);

  /// Stops Caffe, saying which entry of the mask does not fit.
  void RefuseMask(const Blob<Dtype>& mask, int entry) const;

  gcnet::Pooling pooling_;
  int planes_;        // N x C
  bool sized_;        // whether a size bottom is given
  Blob<int> misfit_;  // one number of the GPU's check
};

}  // namespace caffe

#endif  // GCNET_MAX_UNPOOL_LAYER_HPP_
