"""Training on arrays, which the script goes on writing to."""

import caffe
import numpy as np

NET = """
layer { name: "data" type: "MemoryData" top: "data" top: "label" memory_data_param { batch_size: 2
  channels: 3 height: 4 width: 5 } }
layer { name: "score" type: "InnerProduct" bottom: "data" top: "score" inner_product_param {
  num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "memory.prototxt" base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" max_iter: 100 display: 0
random_seed: 2 snapshot_prefix: "memory"
"""


def run(record):
    for name, text in (("memory", NET), ("memory_solver", SOLVER)):
        with open(f"{name}.prototxt", "w") as out:
            out.write(text)
    solver = caffe.SGDSolver("memory_solver.prototxt")
    data = np.random.RandomState(0).uniform(-1, 1, (6, 3, 4, 5)).astype(np.float32)
    labels = np.arange(6, dtype=np.float32) % 3
    solver.net.set_input_arrays(data, labels)
    for iteration in range(4):
        solver.step(1)
        record(f"loss {iteration}", solver.net.blobs["loss"].data)
        record(f"labels {iteration}", solver.net.blobs["label"].data)
    data[...] = 0.5
    record("loss of other data", solver.net.forward()["loss"])
    solver.net.set_input_arrays(data[:2].copy(), labels[:2].reshape(-1, 1, 1, 1))
    record("loss of other arrays", solver.net.forward()["loss"])
