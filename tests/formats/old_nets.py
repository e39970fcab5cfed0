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

NETS = {"V1": V1, "input_dim": INPUT_DIM, "input_shape": INPUT_SHAPE, "BatchNorm": BATCH_NORM}
