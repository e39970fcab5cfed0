"""How many parameters of a trained net were learnt."""

from __future__ import annotations

from itertools import chain, repeat
from pathlib import Path

from gcnet_caffe.formats import caffe_pb, read_weights


def learnable_parameters(weights: str | Path) -> int:
    """Count the learnable parameters in the .caffemodel at `weights`.

    Each shared blob counts once; blobs with lr_mult 0 and the statistics of BatchNorm, which the
    solver does not move, do not count.
    """
    sizes: dict[str | tuple[str, int], int] = {}
    for layer in read_weights(weights).layer:
        if layer.type == "BatchNorm":
            continue
        specs = chain(layer.param, repeat(caffe_pb.ParamSpec()))
        for index, (blob, spec) in enumerate(zip(layer.blobs, specs)):
            if spec.lr_mult:
                sizes[spec.name or (layer.name, index)] = len(blob.data) + len(blob.double_data)
    return sum(sizes.values())
