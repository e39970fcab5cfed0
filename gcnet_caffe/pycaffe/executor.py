"""Runs a net of the engine layer by layer, on blobs that anybody may read and write in between.

Source: Caffe src/caffe/net.cpp (ForwardFromTo, BackwardFromTo, Reshape), include/caffe/layer.hpp.
The engine's own passes fuse layers and keep no blobs; here each layer reads its bottoms' memory and
writes its tops', and its backward pass is autograd's of this one layer. The layers and the order of
summation are the engine's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch

from gcnet_caffe.engine.backward_needs import Needs, backward_needs
from gcnet_caffe.engine.blob import Blob, LearnableBlob
from gcnet_caffe.engine.fusion import Step
from gcnet_caffe.engine.layers.base import Layer, Tops
from gcnet_caffe.engine.layers.data import DummyData
from gcnet_caffe.engine.layers.python import Python, PythonLayer
from gcnet_caffe.engine.net import Net


class Unit:
    """One layer with its blobs: this class leaves the backward pass to autograd.

    Parameters
    ----------
    step : fusion.Step
    bottoms, tops : list of Blob
    needs : Needs
    op : callable
        Computes the tops from the bottoms: the layer, or its rule in Caffe's order of summation.

    Attributes
    ----------
    blobs : list of Blob
        The layer's learnable blobs.
    """

    def __init__(
        self,
        step: Step,
        bottoms: list[Blob],
        tops: list[Blob],
        needs: Needs,
        op: Callable[..., Tops],
    ) -> None:
        self.layer: Layer = step.layer
        self.bottoms, self.tops, self.needs, self.op = bottoms, tops, needs, op
        self.weighted = [top for top, weight in zip(tops, step.loss_weights) if weight]
        for top, weight in zip(tops, step.loss_weights):
            if weight:
                top.gradient.fill_(weight)
        self.blobs: list[Blob] = [
            LearnableBlob(step.layer, index) for index in range(len(step.layer.blobs))
        ]
        self._shapes = [blob.shape for blob in bottoms]
        self._graph: tuple[list[torch.Tensor], list[torch.Tensor]] | None = None

    def reshape(self) -> None:
        """Give the tops their shapes for the bottoms as they are now."""
        shapes = [blob.shape for blob in self.bottoms]
        if shapes == self._shapes:
            return
        made = self.layer.reshape(shapes)
        self.layer.to(self._device())  # buffers that were made anew
        self._shapes, self._graph = shapes, None
        for top, shape in zip(self.tops, made):
            top.reshape(*shape)

    def _device(self) -> torch.device:
        return (self.bottoms or self.tops)[0].tensor.device

    def forward(self, record: bool) -> np.float32:
        """Compute the tops; with `record` for a backward pass. Return the layer's part of the loss.

        Raises
        ------
        NetError
            The layer cannot run on its bottoms.
        """
        self.reshape()
        if self.layer.draws:
            self.layer.draw()
        for top, made in zip(self.tops, self._run(record and self.needs.layer)):
            top.put(made)
        return self.loss()

    def loss(self) -> np.float32:
        """Return the sum of the weighted tops; the weights are in their diffs, as in Caffe."""
        loss = np.float32(0)
        for top in self.weighted:
            loss += np.float32(torch.dot(top.tensor.reshape(-1), top.gradient.reshape(-1)).item())
        return loss

    def _run(self, record: bool) -> list[torch.Tensor]:
        """Return the tops; with `record` keep what the backward pass needs.

        The bottoms that autograd keeps are the blobs' memory, so that the backward pass sees what
        was written to it since, as Caffe's does. In place, what the layer overwrites is kept.
        """
        leaves = []
        for blob, needed in zip(self.bottoms, self.needs.bottoms):
            leaf = blob.tensor.data  # not detach(): its version would be the blob's
            if record:
                leaf = leaf.clone() if blob in self.tops else leaf
                leaf.requires_grad_(needed)
            leaves.append(leaf)
        for blob in self.blobs:
            _ = blob.tensor  # with a GPU: what was written to the array
        try:
            with torch.set_grad_enabled(record):
                made = self.op(*leaves)
        except RuntimeError as error:
            raise self._failed(error) from None
        tops = list(made) if isinstance(made, tuple) else [made]
        self._graph = (leaves, tops) if record else None
        return tops

    def _failed(self, error: RuntimeError) -> Exception:
        shapes = [blob.shape for blob in self.bottoms]
        return self.layer.error(f"cannot run on bottoms of {shapes}: {str(error).splitlines()[0]}")

    def backward(self) -> None:
        """Compute the bottoms' diffs from the tops', and add to the diffs of the learnable blobs.

        Where the layer has not run forward since its bottoms got other shapes, or not at all, it
        runs now, and its tops stay as they are.
        """
        if [blob.shape for blob in self.bottoms] != self._shapes:
            self.reshape()
        if self._graph is None:
            self._run(record=True)
        assert self._graph is not None
        leaves, tops = self._graph
        pairs = [(t, blob.gradient) for t, blob in zip(tops, self.tops) if t.requires_grad]
        for blob, param in zip(self.blobs, self.layer.blobs):
            if param.requires_grad:
                _ = blob.gradient  # its memory is there, and with a GPU as the array is
        for leaf in leaves:
            leaf.grad = None
        if pairs:
            made, gradients = zip(*pairs)
            try:
                torch.autograd.backward(made, gradients, retain_graph=True)
            except RuntimeError as error:
                raise self._failed(error) from None
        for blob, leaf, needed in zip(self.bottoms, leaves, self.needs.bottoms):
            if needed:
                found = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
                blob.gradient.copy_(found)

    def forget(self) -> None:
        """Forget the last forward pass: a blob's memory is another now."""
        self._graph = None


class Source(Unit):
    """A layer without bottoms; what it does not make anew stays as it is in the blob."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._made_anew = [self.layer.layer_type != "Input"] * len(self.tops)
        if isinstance(self.layer, DummyData):
            for top, made in zip(self.tops, self.layer.forward()):
                top.put(made)
            self._made_anew = [filler.type != "constant" for filler in self.layer.fillers]

    def reshape(self) -> None:
        """Nothing: no bottom can change."""

    def forward(self, record: bool) -> np.float32:
        """Take what the layer makes anew."""
        if not any(self._made_anew):
            return self.loss()
        if self.layer.draws:
            self.layer.draw()
        for top, made, anew in zip(self.tops, self._run(record=False), self._made_anew):
            if anew:
                top.put(made)
        return self.loss()

    def backward(self) -> None:
        """Nothing."""


class Sharing(Unit):
    """A layer whose tops are its bottom's memory: Split, and those that only change the shape."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.reshape()

    def reshape(self) -> None:
        """Share the memory, too: a bottom of another shape may have other memory."""
        super().reshape()
        for top in self.tops:
            top.share_data(self.bottoms[0])
            if self.layer.layer_type != "Split":
                top.share_diff(self.bottoms[0])

    def forward(self, record: bool) -> np.float32:
        """Share the memory."""
        self.reshape()
        return self.loss()

    def backward(self) -> None:
        """Add up what the copies of a Split got, from the first to the last."""
        if self.layer.layer_type == "Split" and self.needs.bottoms[0]:
            first, *others = (top.gradient for top in self.tops)
            total = self.bottoms[0].gradient.copy_(first)
            for other in others:
                total.add_(other)


class OneOfOnesOwn(Unit):
    """A PythonLayer: it reads and writes the net's blobs itself."""

    @property
    def instance(self) -> PythonLayer:
        """The object of the class."""
        return cast(PythonLayer, cast(Python, self.layer).own.instance)

    def reshape(self) -> None:
        """Let the class give its tops their shapes."""
        self.instance.reshape(self.bottoms, self.tops)

    def forward(self, record: bool) -> np.float32:
        """Let the class compute the tops."""
        self.reshape()
        self.instance.forward(self.bottoms, self.tops)
        return self.loss()

    def backward(self) -> None:
        """Let the class compute the diffs."""
        self.instance.backward(self.tops, self.needs.bottoms, self.bottoms)


def _unit_class(layer: Layer, count: int) -> type[Unit]:
    if isinstance(layer, Python) and layer.of_caffe:
        return OneOfOnesOwn
    if layer.is_source:
        return Source
    alone = layer.layer_type in ("Concat", "Slice") and count == 2  # one bottom, one top
    return Sharing if alone or layer.layer_type in ("Flatten", "Reshape", "Split") else Unit


class Executor:
    """The blobs of `net`, and its layers one by one.

    Parameters
    ----------
    net : Net
        With Caffe's Split layers (formats.splits); where it is on a GPU, so are the blobs.
    device : torch.device

    Attributes
    ----------
    net : Net
    blobs : list of Blob
        Those that Caffe's net has, in its order. An in-place top is its bottom's.
    names : list of str
        The name of each.
    bottoms, tops : list of list of int
        Numbers of each layer's blobs.
    units : list of Unit
    """

    def __init__(self, net: Net, device: torch.device) -> None:
        self.net = net
        self.blobs: list[Blob] = []
        self.names: list[str] = []
        self.bottoms: list[list[int]] = []
        self.tops: list[list[int]] = []
        self.units: list[Unit] = []
        numbers: dict[int, int] = {}  # the engine's -> Caffe's
        for step, needs in zip(net.steps, backward_needs(net)):
            self._number(step, numbers, device)
            bottoms, tops = (
                [self.blobs[number] for number in those]
                for those in (self.bottoms[-1], self.tops[-1])
            )
            kind = _unit_class(step.layer, len(bottoms) + len(tops))
            self.units.append(kind(step, bottoms, tops, needs, _op_of(net, step.layer)))
        self.output_numbers = [numbers[number] for number in net.output_numbers]

    def _number(self, step: Step, numbers: dict[int, int], device: torch.device) -> None:
        """Number the blobs of `step`, and make those that are new."""
        bottoms = [numbers[number] for number in step.bottoms]
        in_place = {self.names[number]: number for number in bottoms}
        own = step.layer.own if isinstance(step.layer, Python) else None
        for index, top in enumerate(step.tops):
            name = self.net.blob_names[top]
            if name in in_place:
                numbers[top] = in_place[name]
                continue
            numbers[top] = len(self.blobs)
            made = getattr(own, "top", None)  # a PythonLayer may have written to it in setup
            blob = made[index] if made else Blob(self.net.blob_shapes[top])
            blob.move(device)
            self.blobs.append(blob)
            self.names.append(name)
        self.bottoms.append(bottoms)
        self.tops.append([numbers[top] for top in step.tops])

    def forward(self, start: int = 0, end: int | None = None, record: bool = True) -> np.float32:
        """Run the layers from `start` to `end`, both included; return their loss.

        Without `record` a backward pass runs the layers forward once more.
        """
        loss = np.float32(0)
        for unit in self.units[start : len(self.units) if end is None else end + 1]:
            loss += unit.forward(record)
        return loss

    def backward(self, start: int | None = None, end: int = 0) -> None:
        """Run the layers from `start` back to `end`, both included."""
        last = len(self.units) - 1 if start is None else start
        for unit in reversed(self.units[end : last + 1]):
            if unit.needs.layer:
                unit.backward()

    def reshape(self) -> None:
        """Give every blob its shape for the inputs as they are now."""
        for unit in self.units:
            unit.reshape()

    def forget(self) -> None:
        """Forget the last forward pass: learnable blobs have other numbers or memory now."""
        for unit in self.units:
            unit.forget()

    def outputs(self) -> dict[str, torch.Tensor]:
        """Return {name: copy} of the blobs that no layer reads."""
        return {
            self.names[number]: self.blobs[number].tensor.clone() for number in self.output_numbers
        }

    def clear_diffs(self) -> None:
        """Set the diffs of the learnable blobs to 0."""
        for unit in self.units:
            for blob, param in zip(unit.blobs, unit.layer.blobs):
                if param.grad is not None:
                    blob.gradient.zero_()


def _op_of(net: Net, layer: Layer) -> Callable[..., Tops]:
    if net.context.summation == "caffe":
        from gcnet_caffe.engine.caffe_order import op_of

        return op_of(layer)
    return layer
