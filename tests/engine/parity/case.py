"""One layer, or a chain of them, with its bottoms, run by both engines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.formats import caffe_pb, parse_text


@dataclass
class Case:
    """A layer of type `type` with `fields` (prototxt) on `bottoms`.

    Attributes
    ----------
    bottoms : list of float32 arrays
    tops : int
    labels : tuple
        Bottoms that get no gradient: 0 in Caffe, none or 0 in the engine.
    backward : bool
        False where Caffe has none.
    only_first : bool
        Whether the first top alone has a gradient.
    forced : bool
        Whether real Caffe's net has force_backward. Some layers refuse a gradient for a bottom
        then; the other bottoms go through a Bias of 0 that learns, and the tops are losses.
    """

    type: str
    fields: str
    bottoms: list[NDArray[np.float32]]
    tops: int = 1
    labels: tuple[int, ...] = ()
    backward: bool = True
    only_first: bool = False
    forced: bool = True
    phase: str = "TRAIN"
    name: str = field(default="")

    def __post_init__(self) -> None:
        shapes = ",".join("x".join(map(str, b.shape)) or "scalar" for b in self.bottoms)
        self.name = self.name or f"{self.type}[{' '.join(self.fields.split())}]({shapes})" + (
            " TEST" if self.phase == "TEST" else ""
        )

    def layers(self) -> list[Any]:
        """Return the LayerParameters."""
        names = "".join(f'bottom: "b{i}" ' for i in range(len(self.bottoms)))
        names += "".join(f'top: "t{i}" ' for i in range(self.tops))
        text = f'name: "layer" type: "{self.type}" {names} phase: {self.phase} {self.fields}'
        return [parse_text(text, caffe_pb.LayerParameter)]

    def net(self, in_caffe: bool = False) -> Any:
        """Return the NetParameter that the engine runs, or real Caffe."""
        forced = self.forced or not in_caffe
        net = caffe_pb.NetParameter(force_backward=forced)
        for index, bottom in enumerate(self.bottoms):
            name = f"b{index}"
            layer = net.layer.add(name=name, type="Input", top=[name])
            layer.input_param.shape.add().dim.extend(bottom.shape)
            if not forced and index not in self.labels:
                bias = net.layer.add(name=f"force {name}", type="Bias", bottom=[name], top=[name])
                bias.bias_param.axis = bias.bias_param.num_axes = 0
        net.layer.extend(self.layers())
        if not forced and not net.layer[-1].loss_weight:
            net.layer[-1].loss_weight.extend([1] * self.tops)
        return net


@dataclass
class Chain(Case):
    """Layers that each read the top of the one before; `type` is their types, joined by `+`.

    Attributes
    ----------
    fields : str
        The fields of each layer, separated by `;`.
    in_place : bool
        Whether all but the first write their top over their bottom.
    joined : bool
        Whether training does all in one step.
    """

    in_place: bool = True
    joined: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.name += "" if self.in_place else " apart"

    def layers(self) -> list[Any]:
        """Return the LayerParameters."""
        found, bottom, types = [], "b0", self.type.split("+")
        for index, (kind, fields) in enumerate(zip(types, self.fields.split(";"))):
            last = index == len(types) - 1
            top = "t0" if self.in_place or last else f"between{index}"
            text = f'name: "layer{index}" type: "{kind}" bottom: "{bottom}" top: "{top}"'
            text += f" phase: {self.phase} {fields}"
            found.append(parse_text(text, caffe_pb.LayerParameter))
            bottom = top
        return found


@dataclass
class Graph(Case):
    """Layers as `fields` has them in full, from `b0` to the last one's top, `t0`."""

    def layers(self) -> list[Any]:
        """Return the LayerParameters."""
        return list(parse_text(self.fields, caffe_pb.NetParameter).layer)


_RNG = np.random.default_rng(0)


def begin(seed: int) -> None:
    """Draw from `seed`: the cases of a module are then the same, whatever is imported first."""
    global _RNG
    _RNG = np.random.default_rng(seed)


def normal(*shape: int) -> NDArray[np.float32]:
    """Return normal numbers."""
    return _RNG.standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> NDArray[np.float32]:
    """Return numbers from 0.2 to 2."""
    return _RNG.uniform(0.2, 2, shape).astype(np.float32)


def ties(*shape: int) -> NDArray[np.float32]:
    """Return whole numbers of which many are equal, as after a ReLU."""
    return np.maximum(_RNG.integers(-3, 4, shape), 0).astype(np.float32)


def labels(count: int, *shape: int) -> NDArray[np.float32]:
    """Return class labels."""
    return _RNG.integers(0, count, shape).astype(np.float32)
