"""One layer with its bottoms, run by both engines."""

from dataclasses import dataclass, field

import numpy as np

from gcnet_caffe.schema import caffe_pb, parse_text


@dataclass
class Case:
    """A layer of type `type` with `fields` (prototxt) on `bottoms`.

    Attributes
    ----------
    bottoms : list of float32 arrays
    tops : int
    labels : tuple
        Bottoms that get no gradient.
    backward : bool
        False where Caffe has none.
    only_first : bool
        Whether the first top alone has a gradient.
    """

    type: str
    fields: str
    bottoms: list
    tops: int = 1
    labels: tuple = ()
    backward: bool = True
    only_first: bool = False
    phase: str = "TRAIN"
    name: str = field(default="")

    def __post_init__(self):
        shapes = ",".join("x".join(map(str, b.shape)) or "scalar" for b in self.bottoms)
        self.name = self.name or f"{self.type}[{' '.join(self.fields.split())}]({shapes})" + (
            " TEST" if self.phase == "TEST" else ""
        )

    def layer(self):
        """Return the LayerParameter."""
        names = "".join(f'bottom: "b{i}" ' for i in range(len(self.bottoms)))
        names += "".join(f'top: "t{i}" ' for i in range(self.tops))
        text = f'name: "layer" type: "{self.type}" {names} phase: {self.phase} {self.fields}'
        return parse_text(text, caffe_pb.LayerParameter)

    def net(self):
        """Return the NetParameter that real Caffe runs."""
        net = caffe_pb.NetParameter(force_backward=True)
        for index, bottom in enumerate(self.bottoms):
            layer = net.layer.add(name=f"b{index}", type="Input")
            layer.top.append(f"b{index}")
            layer.input_param.shape.add().dim.extend(bottom.shape)
        net.layer.add().CopyFrom(self.layer())
        return net


_RNG = np.random.default_rng(0)


def normal(*shape):
    """Return normal numbers."""
    return _RNG.standard_normal(shape).astype(np.float32)


def positive(*shape):
    """Return numbers from 0.2 to 2."""
    return _RNG.uniform(0.2, 2, shape).astype(np.float32)


def ties(*shape):
    """Return whole numbers of which many are equal, as after a ReLU."""
    return np.maximum(_RNG.integers(-3, 4, shape), 0).astype(np.float32)


def labels(count, *shape):
    """Return class labels."""
    return _RNG.integers(0, count, shape).astype(np.float32)
