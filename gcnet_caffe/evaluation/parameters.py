"""How many learnable parameters a trained net has."""

from __future__ import annotations

from itertools import chain, repeat
from pathlib import Path

from gcnet_caffe.formats import caffe_pb, read_weights


def learnable_parameters(weights: str | Path) -> int:
    """Count the learnable parameters in a .caffemodel.

    Each shared blob counts once; blobs with lr_mult 0 and the statistics of BatchNorm, which the
    solver does not move, do not count.

    Parameters
    ----------
    weights : str or Path
        Binary: an HDF5 file has no layer types and no lr_mult.

    Raises
    ------
    SchemaError, WeightsError
        It cannot be read.
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
