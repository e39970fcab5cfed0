"""A small net of stock layers and its solver, for tests that need many runs."""

from tests.scratch import write_lmdb

NET = """
name: "small"
layer {{ name: "data" type: "Data" top: "data" top: "label"
  transform_param {{ scale: 0.004 {transform} }}
  data_param {{ source: "lmdb" backend: LMDB batch_size: {batch} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 4 kernel_size: 5 stride: 2
    weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "score" type: "InnerProduct" bottom: "conv" top: "score"
  inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }}
"""

SOLVER = """
net: "net.prototxt" base_lr: 0.05 lr_policy: "fixed" momentum: 0.9 max_iter: 6 display: 2
random_seed: 1 snapshot_prefix: "small" weight_decay: 0.001
"""


def write_small(folder, batch=4, more="", transform="", net=NET, labels=None):
    """Write net.prototxt, solver.prototxt and lmdb into `folder`."""
    (folder / "net.prototxt").write_text(net.format(batch=batch, transform=transform))
    (folder / "solver.prototxt").write_text(SOLVER + more)
    if not (folder / "lmdb").exists():
        write_lmdb(folder / "lmdb", labels or [i % 3 for i in range(16)], 1, size=24)
