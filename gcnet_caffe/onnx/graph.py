"""The ONNX graph while it is made: nodes and constants, each under a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from gcnet_caffe.engine.layers import Layer

#: Version of the operators: every ONNX Runtime since 1.12 has them.
OPSET = 17


class Value(NamedTuple):
    """A blob of the graph: its name there, and its shape at the batch size of the prototxt.

    Axis 0 may have any size when the graph runs: a node may depend on the other sizes only.
    """

    name: str
    shape: tuple[int, ...]


class Graph:
    """Collects nodes in the order in which they run.

    Attributes
    ----------
    nodes : list of NodeProto
    constants : dict of str to TensorProto
    top_shapes : list of tuple of int
        Of the layer that is being added.
    """

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self.top_shapes: list[tuple[int, ...]] = []
        self._count: dict[str, int] = {}
        self._weights: dict[tuple[int, tuple[int, ...], bytes], str] = {}
        self._places: set[str] = set()
        self._prefix = ""

    def begin(self, layer: Layer, shapes: list[tuple[int, ...]]) -> None:
        """Start the nodes of `layer`, whose tops have the `shapes`."""
        self._prefix, self.top_shapes = layer.name, shapes

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of the type `op` that reads the values named `inputs`; return its output."""
        return self.add_several(op, *inputs, outputs=1, **attributes)[0]

    def add_several(
        self, op: str, *inputs: str, outputs: int, **attributes: Any
    ) -> tuple[str, ...]:
        """As `add` of a node with several `outputs`; return their names."""
        name = self._name(op)
        made = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, made, name=name, **attributes))
        return tuple(made)

    def constant(self, values: ArrayLike, dtype: type[np.generic] = np.float32) -> str:
        """Return the name of a constant array."""
        return self.constant_of(numpy_helper.from_array(np.asarray(values, dtype)))

    def constant_of(self, tensor: TensorProto) -> str:
        """Return the name of a constant that is ONNX's already."""
        name = self._name("const")
        self.constants[name] = made = TensorProto()
        made.CopyFrom(tensor)
        made.name = name
        return name

    def ints(self, values: int | Sequence[int]) -> str:
        """Return the name of a constant of whole numbers: a shape, axes, places."""
        return self.constant(values, np.int64)

    def weight(
        self,
        layer: Layer,
        index: int,
        change: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
    ) -> str:
        """Return the name of a layer's blob as a constant; layers that share it share the constant.

        Parameters
        ----------
        layer : Layer
        index : int
            Which of its blobs.
        change : callable, optional
            A function of the array (a transpose, another shape), applied before it is stored.
        """
        array = layer.blob(index).detach().numpy()
        array = np.ascontiguousarray(change(array) if change else array)
        key = (id(layer.blobs[index]), array.shape, array.tobytes())
        if key not in self._weights:
            self._weights[key] = self.constant(array)
        return self._weights[key]

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """Add a Reshape: 0 keeps the axis at that place, -1 takes what is left."""
        return self.add("Reshape", value, self.ints(shape))

    def as_top(self, value: str) -> str:
        """Add a Reshape to the shape of the layer's first top; axis 0 may have any size."""
        return self.reshape(value, [-1, *self.top_shapes[0][1:]])

    def places(self, op: str, *inputs: str, **attributes: Any) -> str:
        """As `add` of a node that gives 64-bit integers; all others give float32."""
        made = self.add(op, *inputs, **attributes)
        self._places.add(made)
        return made

    def as_places(self, value: str) -> str:
        """Add a Cast to 64-bit integers if `value` is float32."""
        return value if value in self._places else self.places("Cast", value, to=TensorProto.INT64)

    def as_float(self, value: str) -> str:
        """Add a Cast to float32 if `value` is integers."""
        return self.add("Cast", value, to=TensorProto.FLOAT) if value in self._places else value

    def publish(self, value: str, name: str) -> None:
        """Make `value` an output of the graph named `name`, as float32."""
        value = self.as_float(value)
        self.nodes.append(helper.make_node("Identity", [value], [name], name=f"{name}/output"))

    def _name(self, what: str) -> str:
        base = f"{self._prefix}/{what}"
        count = self._count[base] = self._count.get(base, 0) + 1
        return base if count == 1 else f"{base}.{count}"
