"""How many parameters of a trained net were learnt."""

from __future__ import annotations

from pathlib import Path

from gcnet_caffe.formats import read_weights


def learnable_parameters(weights: str | Path) -> int:
    """Count the learnable parameters in the .caffemodel at `weights`.

    Each shared blob counts once; blobs with lr_mult 0 and the statistics of BatchNorm, which the
    solver does not move, do not count.
    """
    sizes: dict[str | tuple[str, int], int] = {}
    for layer in read_weights(weights).layer:
        if layer.type == "BatchNorm":
            continue
        for index, blob in enumerate(layer.blobs):
            spec = layer.param[index] if index < len(layer.param) else None
            if spec is None or spec.lr_mult:
                name = spec.name if spec is not None else ""
                sizes[name or (layer.name, index)] = len(blob.data) + len(blob.double_data)
    return sum(sizes.values())
