"""Learnable blobs: who owns them, who shares them, and their multipliers.

Source: Caffe src/caffe/net.cpp, AppendParam and ShareTrainedLayersWith.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from gcnet_caffe.errors import NetError, WeightsError
from gcnet_caffe.formats import caffe_pb

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer
    from gcnet_caffe.engine.net import Net


@dataclass
class Learnable:
    """A blob that the solver updates, once however many layers share it.

    Attributes
    ----------
    param : torch.nn.Parameter
    owner : Layer
    index : int
        Which blob of the owner.
    spec : ParamSpec
        Its name, and the multipliers that the owner or a layer that shares it gives.
    """

    param: nn.Parameter
    owner: Layer
    index: int
    spec: Any

    @property
    def lr_mult(self) -> float:
        """What the learning rate is multiplied by."""
        return float(self.spec.lr_mult)

    @property
    def decay_mult(self) -> float:
        """What the weight decay is multiplied by."""
        return float(self.spec.decay_mult)

    @property
    def display_name(self) -> str:
        """The name that debug lines give it: its `param { name }`, or its index."""
        return self.spec.name or str(self.index)


class LearnableBlobs:
    """Collects the learnable blobs of a net, layer by layer, with Caffe's rules of sharing."""

    def __init__(self, origin: str) -> None:
        self.all: list[Learnable] = []
        self._origin = origin
        self._owners: dict[str, Learnable] = {}

    def add(self, layer: Layer) -> None:
        """Own or share each blob of `layer`, which is set up.

        Raises
        ------
        NetError
            There are more `param` than blobs; or a shared blob differs from the owner's: in shape
            (share_mode STRICT), count (PERMISSIVE) or multipliers.
        """
        specs = layer.param.param
        if len(specs) > len(layer.blobs):
            raise layer.error(f"found {len(specs)} param, the layer has {len(layer.blobs)} blobs")
        for index in range(len(layer.blobs)):
            spec = caffe_pb.ParamSpec()
            if index < len(specs):
                spec.CopyFrom(specs[index])
            if spec.name in self._owners:
                self._share(layer, index, spec, self._owners[spec.name])
                continue
            learnable = Learnable(layer.blobs[index], layer, index, spec)
            self.all.append(learnable)
            if spec.name:
                self._owners[spec.name] = learnable

    def _share(self, layer: Layer, index: int, spec: Any, owner: Learnable) -> None:
        mine, theirs = layer.blob_shapes[index], owner.owner.blob_shapes[owner.index]
        permissive = spec.share_mode == caffe_pb.ParamSpec.PERMISSIVE
        same = layer.blobs[index].numel() == owner.param.numel() if permissive else mine == theirs
        if not same:
            raise NetError(
                f"{self._origin}: Cannot share param '{spec.name}' owned by layer "
                f"'{owner.owner.name}' with layer '{layer.name}'; "
                f"{'count' if permissive else 'shape'} mismatch: the owner's is {theirs}, the "
                f"sharing layer's {mine}"
            )
        layer.blobs[index] = owner.param
        for field in ("lr_mult", "decay_mult"):
            self._agree(spec, owner, field)

    def _agree(self, spec: Any, owner: Learnable, field: str) -> None:
        """Any layer may give the multiplier of a blob that it shares; two must give the same."""
        if not spec.HasField(field):
            return
        given, found = getattr(owner.spec, field), getattr(spec, field)
        if owner.spec.HasField(field) and found != given:
            raise NetError(
                f"{self._origin}: Shared param '{spec.name}' has mismatched {field}: "
                f"{given:g} in layer '{owner.owner.name}', {found:g} elsewhere"
            )
        setattr(owner.spec, field, found)


def share_trained_layers(net: Net, source: Net) -> None:
    """Let the layers of `net` share the blobs of the layers of `source` that have their names.

    Where several layers of `net` have one name, the first of them shares, as in Caffe.

    Raises
    ------
    WeightsError
        Number or shape of the blobs differ.
    """
    layers = {layer.name: layer for layer in reversed(list(net.layers))}
    for other in source.layers:
        layer = layers.get(other.name)
        if layer is None:
            continue
        if layer.blob_shapes != other.blob_shapes:
            raise WeightsError(
                f"{net.origin}: layer {layer.name!r}: blobs of shapes {layer.blob_shapes}, the "
                f"train net's are {other.blob_shapes}"
            )
        for index in range(len(layer.blobs)):
            layer.blobs[index] = other.blobs[index]
