#include "max_unpool_layer.hpp"

#include <vector>

#include "caffe/layer_factory.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {

template <typename Dtype>
void MaxUnpoolLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>& top) {
  const PoolingParameter& param = this->layer_param_.pooling_param();
  const string& name = this->layer_param_.name();
  CHECK(param.pool() == PoolingParameter_PoolMethod_MAX)
      << "layer " << name << ": MaxUnpool undoes MAX pooling only";
  CHECK(!param.global_pooling()) << "layer " << name << ": MaxUnpool cannot undo global_pooling";
  pooling_.kernel_h = param.has_kernel_h() ? param.kernel_h() : param.kernel_size();
  pooling_.kernel_w = param.has_kernel_w() ? param.kernel_w() : param.kernel_size();
  pooling_.stride_h = param.has_stride_h() ? param.stride_h() : param.stride();
  pooling_.stride_w = param.has_stride_w() ? param.stride_w() : param.stride();
  pooling_.pad_h = param.has_pad_h() ? param.pad_h() : param.pad();
  pooling_.pad_w = param.has_pad_w() ? param.pad_w() : param.pad();
  CHECK(pooling_.kernel_h > 0 && pooling_.kernel_w > 0)
      << "layer " << name << ": MaxUnpool needs the kernel_size of its pooling";
  CHECK(pooling_.stride_h > 0 && pooling_.stride_w > 0)
      << "layer " << name << ": MaxUnpool needs a stride above 0";
  CHECK(pooling_.pad_h < pooling_.kernel_h && pooling_.pad_w < pooling_.kernel_w)
      << "layer " << name << ": MaxUnpool needs a pad below its kernel_size";
  sized_ = bottom.size() == 3;
  misfit_.Reshape(vector<int>(1, 1));
}

template <typename Dtype>
void MaxUnpoolLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  const string& name = this->layer_param_.name();
  CHECK_EQ(bottom[0]->num_axes(), 4) << "layer " << name << ": MaxUnpool needs N x C x h x w";
  CHECK(bottom[0]->shape() == bottom[1]->shape())
      << "layer " << name << ": data is " << bottom[0]->shape_string() << " but its mask is "
      << bottom[1]->shape_string();
  gcnet::Pooling& p = pooling_;
  planes_ = bottom[0]->num() * bottom[0]->channels();
  p.pooled_height = bottom[0]->height();
  p.pooled_width = bottom[0]->width();
  p.height = sized_ ? bottom[2]->height()
                    : gcnet::unpooled_size(p.pooled_height, p.kernel_h, p.stride_h, p.pad_h);
  p.width = sized_ ? bottom[2]->width()
                   : gcnet::unpooled_size(p.pooled_width, p.kernel_w, p.stride_w, p.pad_w);
  CHECK(p.height > 0 && p.width > 0 &&
        gcnet::pooled_size(p.height, p.kernel_h, p.stride_h, p.pad_h) == p.pooled_height &&
        gcnet::pooled_size(p.width, p.kernel_w, p.stride_w, p.pad_w) == p.pooled_width)
      << "layer " << name << ": pooling " << p.height << " x " << p.width << " does not give "
      << p.pooled_height << " x " << p.pooled_width << ", the size of the pooled data";
  top[0]->Reshape(bottom[0]->num(), bottom[0]->channels(), p.height, p.width);
}

template <typename Dtype>
void MaxUnpoolLayer<Dtype>::RefuseMask(const Blob<Dtype>& mask, int entry) const {
  const int cell = entry % (pooling_.pooled_height * pooling_.pooled_width);
  LOG(FATAL) << "layer " << this->layer_param_.name() << ": mask entry " << mask.cpu_data()[entry]
             << " of pooled cell (" << cell / pooling_.pooled_width << ", "
             << cell % pooling_.pooled_width << ") is outside its window in a plane of "
             << pooling_.height << " x " << pooling_.width
             << (sized_ ? ": the mask comes from another pooling, or from data that are not numbers"
                        : ": the pooled size was odd, or the mask comes from another pooling; give "
                          "the pooled blob as third bottom");
}

template <typename Dtype>
void MaxUnpoolLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  const Dtype* mask = bottom[1]->cpu_data();
  const int misfit = gcnet::first_misfit(pooling_, planes_, mask);
  if (misfit >= 0) RefuseMask(*bottom[1], misfit);
  gcnet::unpool(pooling_, planes_, bottom[0]->cpu_data(), mask, top[0]->mutable_cpu_data());
}

template <typename Dtype>
void MaxUnpoolLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  if (propagate_down[0]) {
    gcnet::unpool_backward(pooling_, planes_, top[0]->cpu_diff(), bottom[1]->cpu_data(),
                           bottom[0]->mutable_cpu_diff());
  }
  // A net that trains the encoder asks for these: the mask is a top of its pooling, and the size
  // bottom is usually a Split of the pooled blob, which adds up the diffs of its tops.
  for (size_t i = 1; i < bottom.size(); ++i) {
    if (propagate_down[i]) {
      caffe_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_cpu_diff());
    }
  }
}

#ifdef CPU_ONLY
STUB_GPU(MaxUnpoolLayer);
#endif

INSTANTIATE_CLASS(MaxUnpoolLayer);
REGISTER_LAYER_CLASS(MaxUnpool);

}  // namespace caffe
