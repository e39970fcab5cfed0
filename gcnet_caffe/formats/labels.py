"""Class labels: which blobs hold those of an LMDB, and which of them a layer can take.

Caffe does not check them: a label that is no class makes it read or write memory of something else.
Source: Caffe src/caffe/layers/<name>_layer.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gcnet_caffe.errors import LmdbError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Layers whose tops hold values of their bottoms and no others.
_MOVES = {
    *("Split", "Slice", "Concat", "Reshape", "Flatten", "Tile", "Crop", "BatchReindex"),
    *("Permute", "Flip"),  # of other Caffes
}


class LabelRange(NamedTuple):
    """Bottom number `bottom` holds labels 0 to `classes` - 1, or `ignored` ones."""

    bottom: int
    classes: int
    ignored: int | None = None


def reads_labels(layer: Any) -> int | None:
    """Return which bottom of the LayerParameter `layer` holds class labels, if one does."""
    return 0 if layer.type == "Embed" else 1 if layer.type in _CLASSES else None


def label_range(layer: Any, shape: Sequence[int] | None) -> LabelRange | None:
    """Return the labels that `layer`, which `reads_labels`, can take.

    Parameters
    ----------
    layer : LayerParameter
    shape : sequence of int
        Of its first bottom, the predictions. Where the class axis is missing, or its size or the
        whole shape is None, so is what is returned.
    """
    if layer.type == "Embed":
        return LabelRange(0, layer.embed_param.input_dim)
    try:
        classes = _CLASSES[layer.type](layer, shape)
    except (TypeError, IndexError):
        classes = None
    if classes is None:
        return None
    ignoring = layer.accuracy_param if layer.type == "Accuracy" else layer.loss_param
    can_ignore = layer.type in _CAN_IGNORE
    ignored = can_ignore and ignoring.HasField("ignore_label")
    return LabelRange(1, classes, ignoring.ignore_label if ignored else None)


_CAN_IGNORE = ("SoftmaxWithLoss", "SoftmaxWithLossOHEM", "InfogainLoss", "Accuracy")
_CLASSES: dict[str, Callable[[Any, Any], Any]] = {
    "SoftmaxWithLoss": lambda layer, shape: shape[layer.softmax_param.axis],
    "InfogainLoss": lambda layer, shape: shape[layer.infogain_loss_param.axis],
    "Accuracy": lambda layer, shape: shape[layer.accuracy_param.axis],
    "HingeLoss": lambda layer, shape: math.prod(shape[1:]),
    "MultinomialLogisticLoss": lambda layer, shape: math.prod(shape[1:]),
    # of other Caffes
    "CenterLoss": lambda layer, shape: layer.center_loss_param.num_output,
    "MarginInnerProduct": lambda layer, shape: layer.margin_inner_product_param.num_output,
    "SoftmaxWithLossOHEM": lambda layer, shape: shape[layer.softmax_param.axis],
}


Step = tuple[Any, Sequence[int], Sequence[int]]


def label_sources(
    steps: Iterable[Step], kinds: Sequence[str] = ("Data", "ImageData")
) -> dict[int, set[tuple[int, int]]]:
    """Follow what source layers give through layers that move values.

    Parameters
    ----------
    steps : iterable of (LayerParameter, numbers of the bottoms, numbers of the tops)
        In the order of the net (see wiring.Wiring).
    kinds : sequence of str
        Types of the source layers.

    Returns
    -------
    dict
        Number of each blob -> (step, top) of those layers whose values it holds: the step's number
        from 0 on, and 1 for the labels, 0 for the images.
    """
    sources: dict[int, set[tuple[int, int]]] = {}
    for number, (layer, bottoms, tops) in enumerate(steps):
        if layer.type in kinds:
            sources.update({top: {(number, index)} for index, top in enumerate(tops)})
        else:
            moved = bottoms if layer.type in _MOVES else ()
            found = set().union(*(sources[bottom] for bottom in moved))
            sources.update({top: found for top in tops})
    return sources


def check_labels(
    labels: NDArray[np.int64], wanted: LabelRange, reader: str, record: Callable[[int], str]
) -> None:
    """Check that a layer can take all `labels`.

    Parameters
    ----------
    labels : (N,) array of int
        Of the records in their order.
    wanted : LabelRange
    reader : str
        What errors call the layer.
    record : callable
        Returns what errors call the record of a number.

    Raises
    ------
    LmdbError
        The message names the first such record.
    """
    wrong = (labels < 0) | (labels >= wanted.classes)
    if wanted.ignored is not None:
        wrong &= labels != wanted.ignored
    if wrong.any():
        first = int(wrong.argmax())
        also = "" if wanted.ignored is None else f" or {wanted.ignored}"
        raise LmdbError(
            f"{record(first)}: label {labels[first]}, {reader} needs 0..{wanted.classes - 1}{also}"
        )
