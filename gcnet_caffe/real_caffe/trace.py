"""What a pass through a net makes, layer by layer: a program for pycaffe's API.

It runs on real pycaffe, in the process of `worker.py`, and on gcnet_caffe.pycaffe. A *trace* is
{name: array}, as an .npz file has it::

    BLOB              the blob after the forward pass
    BLOB@LAYER        the top BLOB of LAYER, which a layer after it overwrites in place
    param:LAYER/0     learnable blob 0 of LAYER
    diff:BLOB         the gradient of the blob after the backward pass
    diff:BLOB@LAYER   the gradient of the top BLOB of LAYER, an in-place layer, which its own
                      backward pass overwrites
    diff:param:LAYER/0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRADIENT = "diff:"


class Value(NamedTuple):
    """A top of a layer.

    Attributes
    ----------
    blob : str
    data, diff : str
        The names of its numbers and of its gradient in a trace.
    """

    blob: str
    data: str
    diff: str


class Wires(NamedTuple):
    """What a layer reads and makes."""

    layer: str
    bottoms: list[Value]
    tops: list[Value]


def wires_of(net: Any) -> list[Wires]:
    """Return the wires of each layer of a pycaffe Net."""
    layers = list(net._layer_names)
    bottoms, tops = (
        [[net._blob_names[number] for number in ids(index)] for index in range(len(layers))]
        for ids in (net._bottom_ids, net._top_ids)
    )
    makers: dict[str, list[int]] = {}
    for index, names in enumerate(tops):
        for name in names:
            makers.setdefault(name, []).append(index)

    def value(blob: str, maker: int) -> Value:
        version = f"{blob}@{layers[maker]}"
        data = blob if maker == makers[blob][-1] else version
        diff = blob if maker == makers[blob][0] else version
        return Value(blob, data, GRADIENT + diff)

    found, made_by = [], dict[str, int]()
    for index, layer in enumerate(layers):
        read = [value(blob, made_by[blob]) for blob in bottoms[index]]
        found.append(Wires(layer, read, [value(blob, index) for blob in tops[index]]))
        made_by.update(dict.fromkeys(tops[index], index))
    return found


def trace(
    net: Any, given: Mapping[str, NDArray[Any]], like: Mapping[str, NDArray[Any]] | None = None
) -> dict[str, NDArray[Any]]:
    """Run a net forward and, where there is a gradient to start from, backward.

    Parameters
    ----------
    net : caffe.Net
        One that has not run yet.
    given : dict of str to array
        Tops of layers without bottoms: what they hold in the place of what the layer makes. With
        `diff:` before the name of an output: the gradient that the backward pass starts from; a
        loss has its weight in any case.
    like : dict of str to array, optional
        A trace. Each layer then runs on the numbers and gradients of this trace, where they are in
        it, and not on those that the layers before it have made.

    Returns
    -------
    dict of str to array
        The trace.
    """
    wires, like = wires_of(net), like or {}
    found = {}
    for index, (_, bottoms, tops) in enumerate(wires):
        for each in bottoms:
            fill(net.blobs[each.blob], like.get(each.data))
        net._forward(index, index)
        for each in tops:
            fill(net.blobs[each.blob], None if bottoms else given.get(each.blob))
            found[each.data] = net.blobs[each.blob].data.copy()
    starts = [name for name in given if name.startswith(GRADIENT)]
    backward = bool(starts) or any(net.blob_loss_weights.values())
    for name in starts:
        net.blobs[name[len(GRADIENT) :]].diff[...] = given[name]
    for index, (_, bottoms, tops) in reversed(list(enumerate(wires)) if backward else []):
        for each in tops:
            blob, numbers = net.blobs[each.blob], like.get(each.diff)
            blob.reshape(*found[each.data].shape)  # that of `like` may be another
            diff = blob.diff
            if numbers is not None and numbers.shape == diff.shape:
                diff[...] = numbers
            found.setdefault(each.diff, diff.copy())
        net._backward(index, index)
        for each in bottoms:
            found[each.diff] = net.blobs[each.blob].diff.copy()
    for layer, blobs in net.params.items():
        for number, blob in enumerate(blobs):
            found[f"param:{layer}/{number}"] = blob.data.copy()
            if backward:
                found[f"{GRADIENT}param:{layer}/{number}"] = blob.diff.copy()
    return found


def fill(blob: Any, numbers: NDArray[Any] | None) -> None:
    """Give a blob of pycaffe shape and data, if there are any."""
    if numbers is not None:
        blob.reshape(*numbers.shape)
        blob.data[...] = numbers
