"""An LSTM and an RNN over several batches of more and fewer streams, with gradients."""

import caffe
import numpy as np

HEAD = """
force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 dim: 2 dim: 4 } } }
layer { name: "cont" type: "Input" top: "cont" input_param { shape { dim: 3 dim: 2 } } }
"""
RECURRENT = """
layer {{ name: "{name}" type: "{type}" bottom: "x" bottom: "cont" top: "{name}" recurrent_param {{
  num_output: 3 weight_filler {{ type: "gaussian" std: 0.7 }} bias_filler {{ type: "uniform"
  min: -1 }} }} }}
"""


def run(record):
    with open("recurrent.prototxt", "w") as out:
        out.write(HEAD)
        for name in ("LSTM", "RNN"):
            out.write(RECURRENT.format(name=name.lower(), type=name))
    caffe.set_random_seed(7)
    net = caffe.Net("recurrent.prototxt", caffe.TRAIN)
    draws = np.random.RandomState(1)
    for turn, streams in enumerate((2, 2, 1, 4, 2)):
        for name, shape in (("x", (3, streams, 4)), ("cont", (3, streams))):
            net.blobs[name].reshape(*shape)
        net.blobs["x"].data[...] = draws.normal(size=(3, streams, 4))
        net.blobs["cont"].data[...] = draws.randint(3, size=(3, streams)) > 0
        net.forward()
        for name in ("lstm", "rnn"):
            record(f"{name} {turn}", net.blobs[name].data)
            net.blobs[name].diff[...] = draws.normal(size=(3, streams, 3))
        net.clear_param_diffs()
        net.backward()
        record(f"x diff {turn}", net.blobs["x"].diff)
        for name, blobs in net.params.items():
            for index, blob in enumerate(blobs):
                record(f"{name}:{index} diff {turn}", blob.diff)
    caffe.set_random_seed(7)
    record("weights", caffe.Net("recurrent.prototxt", caffe.TEST).params["rnn"][3].data)
