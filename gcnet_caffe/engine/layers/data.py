"""Layers that make blobs from nothing: Data, DummyData, Input, MemoryData, Parameter.

Source: Caffe src/caffe/layers/<name>_layer.cpp, base_data_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.device import to_device
from gcnet_caffe.engine.fillers import fill
from gcnet_caffe.engine.layers.base import TEST, Layer, Shape, register
from gcnet_caffe.engine.records import Records
from gcnet_caffe.engine.transformer import Transformer
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.data_layer import DataRules, TransformRules
from gcnet_caffe.formats.datum import Shape as ImageShape


@register("Data")
class Data(Layer):
    """Batches of a database's records in the order of their keys; after the last comes the first.

    Where several ranks train together, each reads in TRAIN the records whose number modulo the
    count of ranks is its own. Threads decode the next batch while this one is used, as Caffe's
    prefetch thread does.
    """

    bottoms, tops, is_source, has_state = (0, 0), (1, 2), True, True

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        rules = self.rules = DataRules(self.param, self.context.origin)
        self.records = Records(rules.source, rules.color, self.context.feed, rules.leveldb)
        self.transformer = Transformer(self, rules)
        self.transformer.seed(self.context.rng)  # in Caffe the base class does so first
        self.transformer.seed(self.context.rng)
        self.context.rng.seed()  # the prefetch thread's
        self.offset = 0
        self._ranks = 1 if self.phase == TEST else self.context.world_size
        self._rank = self.context.rank if self._ranks > 1 else 0
        first = self.records.first_shape
        self._admitted: set[ImageShape] = set()
        for (shape, encoded), index in self.records.shapes.items():
            rules.check_alike(first, shape, self.records.name(index), encoded)
            self._admitted.add(shape)
        made = rules.output_shape(first, self.records.name(0))
        return [(rules.batch_size, *made), (rules.batch_size,)][: self.num_tops]

    def _admit(self, shape: ImageShape, index: int) -> None:
        """Refuse the encoded record `index`, whose `shape` does not suit the layer."""
        if shape not in self._admitted:
            name = self.records.name(index)
            self.rules.check_alike(self.records.first_shape, shape, name, encoded=True)
            self._admitted.add(shape)

    def state(self) -> dict[str, Any]:
        """Return the place in the data and the state of the random numbers, as JSON keeps them."""
        rng = self.transformer.rng
        return {"offset": self.offset, "rng": rng.state if rng else None}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from where `state` was taken."""
        self.offset = state["offset"]
        if state["rng"] is not None and self.transformer.rng is not None:
            self.transformer.rng.set_state(state["rng"])

    def _next(self) -> tuple[NDArray[np.int64], int]:
        """Return the numbers of the next batch's records, and the place after them."""
        first = self.offset + (self._rank - self.offset) % self._ranks
        offsets = first + self._ranks * np.arange(self.param.data_param.batch_size)
        return offsets % len(self.records), int(offsets[-1]) + 1

    def forward(self) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        indices, self.offset = self._next()
        images = self.records.images(indices)
        self.records.prefetch(self._next()[0])
        if isinstance(images, torch.Tensor):
            data = self.transformer.batch(images, indices)
        else:
            for image, index in zip(images, indices.tolist()):
                self._admit(image.shape, index)
            data = to_device(self.transformer.images(images), self.records.stack.device)
        if self.num_tops == 1:
            return data
        return data, to_device(self.records.labels[indices].astype(np.float32), data.device)


@register("DummyData")
class DummyData(Layer):
    """Blobs filled by fillers: anew in each forward, or once where the filler is constant."""

    bottoms, tops, is_source, draws = (0, 0), (1, None), True, True

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, count = self.param.dummy_data_param, self.num_tops
        old = [len(getattr(param, f)) for f in ("num", "channels", "height", "width")]
        given = max(len(param.shape), old[0])
        self.check(
            not (param.shape and any(old)),
            "give shape, or num, channels, height and width, not both",
        )
        self.check(
            len(set(old)) == 1 and given in (1, count),
            f"shape: found {given}, wanted 1 or {count}",
        )
        self.shapes = self.top_shapes(shapes)
        fillers = list(param.data_filler) or [caffe_pb.FillerParameter(type="constant")]
        self.check(
            len(fillers) in (1, count), f"data_filler: found {len(fillers)}, wanted 1 or {count}"
        )
        self.fillers = fillers * (count if len(fillers) == 1 else 1)
        for index, (shape, filler) in enumerate(zip(self.shapes, self.fillers)):
            empty = filler.type != "constant"
            self.register_buffer(
                f"top{index}",
                torch.zeros(shape) if empty else fill(filler, shape, self),
                persistent=False,
            )

    def draw(self) -> None:
        for index, (shape, filler) in enumerate(zip(self.shapes, self.fillers)):
            if filler.type != "constant":
                top = getattr(self, f"top{index}")
                setattr(self, f"top{index}", fill(filler, shape, self).to(top))

    def forward(self) -> tuple[torch.Tensor, ...]:
        return tuple(getattr(self, f"top{index}") for index in range(self.num_tops))


@register("Input")
class Input(Layer):
    """Blobs that the caller of the net gives; zeros until then."""

    bottoms, tops, is_source = (0, 0), (1, None), True
    like: torch.Tensor

    def prepare(self, shapes: Sequence[Shape]) -> None:
        given, count = self.param.input_param.shape, self.num_tops
        self.check(len(given) in (1, count), f"shape: found {len(given)}, wanted 1 or {count}")
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def forward(self) -> tuple[torch.Tensor, ...]:
        return tuple(self.like.new_zeros(shape) for shape in self.top_shapes(()))


@register("MemoryData")
class MemoryData(Layer):
    """Batches of the arrays that `reset` was given; after the last comes the first."""

    bottoms, tops, is_source, has_state = (0, 0), (2, 2), True, True
    data: torch.Tensor
    labels: torch.Tensor

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.memory_data_param
        for name in ("batch_size", "channels", "height", "width"):
            self.check(getattr(param, name) > 0, f"{name}: found 0, wanted 1 or more")
        transformer = Transformer(self, TransformRules(self.param, self.context.origin))
        transformer.seed(self.context.rng)  # what Caffe draws, although nothing is transformed
        self._image = (param.channels, param.height, param.width)
        self._place = 0
        for name in ("data", "labels"):
            self.register_buffer(name, torch.zeros(0), persistent=False)

    def reset(self, data: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
        """Take the images and labels of the next forwards; they are not transformed.

        Parameters
        ----------
        data : (N, channels, height, width) array
        labels : array of N numbers
            N is a multiple of the batch_size.

        Raises
        ------
        NetError
            The shapes are not these.
        """
        batch = self.param.memory_data_param.batch_size
        self.check(
            data.ndim == 4 and data.shape[1:] == self._image,
            f"found data of shape {data.shape}, wanted (N, {', '.join(map(str, self._image))})",
        )
        self.check(
            labels.size == len(data),
            f"found {labels.size} labels, wanted {len(data)}: one an image",
        )
        self.check(
            len(data) and len(data) % batch == 0,
            f"found {len(data)} images, wanted a multiple of batch_size {batch}",
        )
        device = self.data.device
        # on a CPU the arrays' own memory, as in Caffe: what is written to them later is given
        self.data = torch.as_tensor(data, dtype=torch.float32, device=device)
        self.labels = torch.as_tensor(labels, dtype=torch.float32, device=device).reshape(-1)
        self._place = 0

    def state(self) -> dict[str, Any]:
        """Return the place in the arrays."""
        return {"place": self._place}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from where `state` was taken."""
        self._place = state["place"]

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.check(len(self.data), "has no data; give it some with set_input_arrays, or reset")
        batch = slice(self._place, self._place + self.param.memory_data_param.batch_size)
        self._place = batch.stop % len(self.data)
        return self.data[batch], self.labels[batch].view(-1, 1, 1, 1)


@register("Parameter")
class Parameter(Layer):
    """top = a learned blob of the `shape` given. It starts as zeros."""

    bottoms = (0, 0)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.add_blob(self.param.parameter_param.shape.dim)

    def forward(self) -> torch.Tensor:
        blob = self.blob(0)
        return blob.view(blob.shape)
