"""Nets and a solver in the syntaxes of 2013-2016."""

V1 = """
name: "old"
layers {
  name: "d" type: DATA top: "data" top: "label"
  data_param { source: "x_lmdb" batch_size: 3 backend: LMDB scale: 0.5 mirror: true crop_size: 4 }
  include { phase: TRAIN }
}
layers {
  name: "c" type: CONVOLUTION bottom: "data" top: "c"
  param: "w" param: "b" blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  blob_share_mode: PERMISSIVE
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } }
}
layers { name: "r" type: RELU bottom: "c" top: "c" relu_param { negative_slope: 0.1 } }
layers { name: "l" type: LRN bottom: "c" top: "n" lrn_param { local_size: 3 } }
layers { name: "t" type: TANH bottom: "n" top: "t" }
layers { name: "b" type: BNLL bottom: "t" top: "b" }
layers { name: "v" type: MVN bottom: "b" top: "v" }
layers { name: "a" type: ABSVAL bottom: "v" top: "a" }
layers { name: "f" type: INNER_PRODUCT bottom: "a" top: "f" inner_product_param { num_output: 2 } }
layers {
  name: "g" type: SIGMOID_CROSS_ENTROPY_LOSS bottom: "f" bottom: "f" top: "g" loss_weight: 2
}
layers { name: "s" type: SOFTMAX_LOSS bottom: "f" bottom: "label" top: "s" }
"""

INPUT_DIM = """
input: "data"
input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 5
layer { name: "r" type: "ReLU" bottom: "data" top: "r" }
"""

INPUT_SHAPE = """
input: "a" input: "b"
input_shape { dim: 2 dim: 7 } input_shape { dim: 2 }
layer { name: "r" type: "ReLU" bottom: "a" top: "r" }
layer { name: "q" type: "ReLU" bottom: "b" top: "q" }
"""

BATCH_NORM = """
layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }
layer {
  name: "bn" type: "BatchNorm" bottom: "x" top: "y"
  param { name: "m" lr_mult: 1 } param { name: "v" } param { lr_mult: 0 }
}
"""

V0 = """
name: "older" force_backward: true debug_info: true
input: "given" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers {
  layer { name: "d" type: "data" source: "x_leveldb" meanfile: "m" batchsize: 3 scale: 0.5
    cropsize: 4 mirror: true rand_skip: 7 num_output: 3 }
  top: "data" top: "label"
}
layers {
  layer { name: "i" type: "images" source: "x.txt" batchsize: 2 new_height: 5 new_width: 6
    shuffle_images: true rand_skip: 2 }
  top: "images" top: "labels"
}
layers { layer { name: "h" type: "hdf5_data" source: "h.txt" batchsize: 4 } top: "h" top: "l" }
layers {
  layer { name: "w" type: "window_data" source: "w.txt" batchsize: 5 cropsize: 9
    det_fg_threshold: 0.6 det_bg_threshold: 0.4 det_fg_fraction: 0.3 det_context_pad: 2
    det_crop_mode: "square" }
  top: "w" top: "wl"
}
layers { layer { name: "p" type: "padding" pad: 2 } bottom: "data" top: "padded" }
layers {
  layer { name: "c" type: "conv" num_output: 4 biasterm: true kernelsize: 3 group: 2 stride: 2
    weight_filler { type: "gaussian" std: 0.1 } bias_filler { type: "constant" value: 0.2 }
    blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0 }
  bottom: "padded" top: "c"
}
layers {
  layer { name: "u" type: "pool" pool: AVE kernelsize: 3 stride: 2 pad: 1 } bottom: "c" top: "u"
}
layers {
  layer { name: "n" type: "lrn" local_size: 3 alpha: 0.1 beta: 0.7 k: 2 } bottom: "u" top: "n"
}
layers { layer { name: "r" type: "relu" pad: 3 } bottom: "n" top: "n" }
layers { layer { name: "o" type: "dropout" dropout_ratio: 0.2 } bottom: "n" top: "n" }
layers { layer { name: "j" type: "concat" concat_dim: 0 } bottom: "n" bottom: "n" top: "j" }
layers {
  layer { name: "f" type: "innerproduct" num_output: 2 biasterm: false kernelsize: 3
    weight_filler { type: "xavier" }
    blobs { num: 1 channels: 1 height: 2 width: 1 data: 1 data: 2 } }
  bottom: "j" top: "f"
}
layers { layer { name: "g" type: "infogain_loss" source: "gains" } bottom: "f" bottom: "label" }
layers {
  layer { name: "x" type: "hdf5_output" hdf5_output_param { file_name: "x.h5" } }
  bottom: "f" bottom: "label"
}
layers { top: "nothing" }
""" + "".join(
    f'layers {{ layer {{ name: "{kind}" type: "{kind}" }} bottom: "f" top: "{kind}" }}\n'
    for kind in (
        "accuracy bnll euclidean_loss flatten im2col multinomial_logistic_loss sigmoid softmax "
        "softmax_loss split tanh".split()
    )
)

NETS = {
    "V0": V0,
    "V1": V1,
    "input_dim": INPUT_DIM,
    "input_shape": INPUT_SHAPE,
    "BatchNorm": BATCH_NORM,
}
