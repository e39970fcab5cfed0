"""A deploy net that is given a person's true neutral face in the place of the generated one."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from gcnet_caffe.errors import UsageError
from gcnet_caffe.formats import caffe_pb, read_net, to_text
from gcnet_caffe.formats.net_state import layers_in_test
from gcnet_caffe.inference.images import CROP
from gcnet_caffe.inference.network import Network, open_network
from gcnet_caffe.nets.layer_names import GENERATED_REFERENCE, REFERENCE


def net_with_own_reference(net: str | Path, outputs: Sequence[str]) -> str:
    """Return the prototxt of a deploy net whose generator is replaced by an input.

    Parameters
    ----------
    net : path
        Deploy prototxt with the blob `generated_reference`.
    outputs : sequence of str
        The blobs that are wanted; layers that none of them needs are left out.

    Returns
    -------
    str
        A prototxt with the input `reference`, n x 1 x 64 x 64 of 0..1, beside those of `net`. The
        other layers keep their names, so the weights are those of `net`.

    Raises
    ------
    UsageError
        The net generates no reference: there is nothing to replace.
    """
    layers = layers_in_test(net)
    if not any(GENERATED_REFERENCE in layer.top for layer in layers):
        raise UsageError(
            f"{net}: no blob {GENERATED_REFERENCE!r}; wanted a network that compares a face with "
            "a reference"
        )
    needed, kept = set(outputs), []
    for layer in reversed(layers):
        layer.ClearField("phase")
        layer.bottom[:] = [
            REFERENCE if blob == GENERATED_REFERENCE else blob for blob in layer.bottom
        ]
        if needed.intersection(layer.top):
            needed.update(layer.bottom)
            kept.append(layer)
    reference = caffe_pb.LayerParameter(name=REFERENCE, type="Input", top=[REFERENCE])
    reference.input_param.shape.add(dim=[1, 1, CROP, CROP])
    name = f"{read_net(net).name}_own_reference"
    return to_text(caffe_pb.NetParameter(name=name, layer=[reference, *reversed(kept)]))


def open_with_own_reference(
    engine: str, net: str | Path, weights: str | Path, outputs: Sequence[str], fast: bool = False
) -> Network:
    """Open `net_with_own_reference` with the weights of `net`, as `open_network` does.

    Raises
    ------
    UsageError
        As `net_with_own_reference` and `open_network`.
    NetError, WeightsError, SchemaError, GcnetError
        As `open_network`.
    """
    with tempfile.TemporaryDirectory(prefix="gcnet-") as folder:
        path = Path(folder, Path(net).name)
        path.write_text(net_with_own_reference(net, outputs), encoding="utf-8")
        return open_network(engine, path, weights, outputs, fast)
