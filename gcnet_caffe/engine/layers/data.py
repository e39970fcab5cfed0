"""Layers that make blobs from nothing: Data, DummyData, Input.

Source: Caffe src/caffe/layers/data_layer.cpp, base_data_layer.cpp, dummy_data_layer.cpp.
"""

from __future__ import annotations

import numpy as np
import torch

from gcnet_caffe.engine.fillers import fill
from gcnet_caffe.engine.layers.base import TEST, Layer, register
from gcnet_caffe.engine.records import Records, Shape
from gcnet_caffe.engine.transformer import Transformer
from gcnet_caffe.errors import LmdbError
from gcnet_caffe.schema import caffe_pb


@register("Data")
class Data(Layer):
    """Batches of an LMDB's records in the order of their keys, again and again.

    Of several ranks, each takes in TRAIN the records whose number modulo their count is its own.
    While a batch is used, threads decode the next one (in Caffe the prefetch thread does).
    """

    bottoms, tops, is_source = (0, 0), (1, 2), True

    def setup(self, shapes):
        param = self.param.data_param
        self.check(
            param.backend == caffe_pb.DataParameter.LMDB,
            f"{param.source}: backend LEVELDB is not read; convert the images to an LMDB with "
            "`gcnet make-lmdb`, or with Caffe's convert_imageset -backend lmdb, and say "
            "backend: LMDB",
        )
        self.check(param.batch_size > 0, "batch_size: found 0, wanted 1 or more")
        transform = self.param.transform_param
        color = True if transform.force_color else False if transform.force_gray else None
        self.records = Records(param.source, color, self.context.feed)
        self.transformer = Transformer(self)
        self.transformer.seed(self.context.rng)  # in Caffe the base class does so first
        self.transformer.seed(self.context.rng)
        self.context.rng.seed()  # the prefetch thread's
        self.offset = 0
        self._ranks = 1 if self.phase == TEST else self.context.world_size
        self._rank = self.context.rank if self._ranks > 1 else 0
        size, first = param.batch_size, self.records.first_shape
        self._size = self.transformer.output_shape(first, param.source)
        self._admitted = {first}
        for shape, index in self.records.shapes.items():
            self._admit(shape, index)
        return [(size, *self._size), (size,)][: self.num_tops]

    def _admit(self, shape: Shape, index: int) -> None:
        """Refuse an image of `shape`, the record `index`, that does not suit this layer."""
        if shape in self._admitted:
            return
        size = self.transformer.output_shape(shape, self.records.name(index))
        if size != self._size and self.param.data_param.batch_size > 1:
            raise LmdbError(
                f"{self.records.name(index)}: records of different shapes "
                f"{sorted([size, self._size])}; wanted one, a crop_size, or batch_size 1"
            )
        self._admitted.add(shape)

    def state(self):
        """Return the place in the data and of the random numbers, JSON-able."""
        rng = self.transformer.rng
        return {"offset": self.offset, "rng": rng.state if rng else None}

    def set_state(self, state):
        """Go on from where `state` was taken."""
        self.offset = state["offset"]
        if state["rng"] is not None and self.transformer.rng is not None:
            self.transformer.rng.set_state(state["rng"])

    def _next(self) -> tuple[np.ndarray, int]:
        """Return which records the next batch is, and the place after them."""
        first = self.offset + (self._rank - self.offset) % self._ranks
        offsets = first + self._ranks * np.arange(self.param.data_param.batch_size)
        return offsets % len(self.records), int(offsets[-1]) + 1

    def forward(self) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        indices, self.offset = self._next()
        images = self.records.images(indices)
        self.records.prefetch(self._next()[0])
        if images is self.records.stack:
            data = self.transformer.batch(images, indices)
        else:
            for image, index in zip(images, indices.tolist()):
                self._admit(image.shape, index)
            data = self.transformer.images(images).to(self.records.stack.device)
        if self.num_tops == 1:
            return data
        labels = torch.as_tensor(self.records.labels[indices], dtype=torch.float32)
        return data, labels.to(data.device)


@register("DummyData")
class DummyData(Layer):
    """Blobs filled by fillers: anew in each forward, or once where the filler is constant."""

    bottoms, tops, is_source, draws = (0, 0), (1, None), True, True

    def setup(self, shapes):
        param, count = self.param.dummy_data_param, self.num_tops
        old = [list(getattr(param, f)) for f in ("num", "channels", "height", "width")]
        given = max(len(param.shape), len(old[0]))
        self.check(not (param.shape and any(old)), "give shape, or num to width, not both")
        self.check(
            all(len(field) == len(old[0]) for field in old) and given in (1, count),
            f"shape: found {given}, wanted 1 or {count}",
        )
        fillers = list(param.data_filler)
        self.check(
            len(fillers) in (0, 1, count), f"data_filler: found {len(fillers)}, wanted 1 or {count}"
        )
        made = [tuple(s.dim) for s in param.shape] or list(zip(*old))
        self.shapes = made * (count if len(made) == 1 else 1)
        constant = caffe_pb.FillerParameter(type="constant")
        fillers = fillers or [constant]
        self.fillers = fillers * (count if len(fillers) == 1 else 1)
        for index, (shape, filler) in enumerate(zip(self.shapes, self.fillers)):
            empty = filler.type != "constant"
            self.register_buffer(
                f"top{index}",
                torch.zeros(shape) if empty else fill(filler, shape, self),
                persistent=False,
            )
        return self.shapes

    def draw(self):
        for index, (shape, filler) in enumerate(zip(self.shapes, self.fillers)):
            if filler.type != "constant":
                top = getattr(self, f"top{index}")
                setattr(self, f"top{index}", fill(filler, shape, self).to(top))

    def forward(self):
        return tuple(getattr(self, f"top{index}") for index in range(self.num_tops))


@register("Input")
class Input(Layer):
    """Blobs that the caller of the net gives; zeros until then."""

    bottoms, tops, is_source = (0, 0), (1, None), True

    def setup(self, shapes):
        given, count = self.param.input_param.shape, self.num_tops
        self.check(len(given) in (1, count), f"shape: found {len(given)}, wanted 1 or {count}")
        self.shapes = [tuple(s.dim) for s in given] * (count if len(given) == 1 else 1)
        self.register_buffer("like", torch.zeros(()), persistent=False)
        return self.shapes

    def forward(self):
        return tuple(self.like.new_zeros(shape) for shape in self.shapes)
