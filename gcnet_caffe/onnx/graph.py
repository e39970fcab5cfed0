"""The ONNX graph while it is made: nodes and constants, each under a name of its own."""

from typing import NamedTuple

import numpy as np
from onnx import TensorProto, helper, numpy_helper


class Value(NamedTuple):
    """A blob of the graph: its name there, and its shape at the batch size of the prototxt.

    Axis 0 may be of any size when the graph runs; only the other axes' sizes may be built in.
    """

    name: str
    shape: tuple


class Graph:
    """Collects nodes in the order they run in.

    Attributes
    ----------
    nodes : list of NodeProto
    constants : dict of str to TensorProto
    top_shapes : list of tuple of int
        Of the layer that is being added.
    """

    def __init__(self):
        self.nodes, self.constants = [], {}
        self._count, self._weights, self._prefix = {}, {}, ""
        self.top_shapes, self._places = [], set()

    def begin(self, layer, shapes):
        """Say that nodes for `layer` follow, and the `shapes` of its tops."""
        self._prefix, self.top_shapes = layer.name, shapes

    def add(self, op, *inputs, outputs=1, **attributes):
        """Add a node of the type `op` that reads the values named `inputs`.

        Returns
        -------
        str, or tuple of str
            The name of its output; of several `outputs`, their names.
        """
        name = self._name(op)
        made = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, made, name=name, **attributes))
        return made[0] if outputs == 1 else tuple(made)

    def constant(self, values, dtype=np.float32):
        """Return the name of a constant array."""
        array = np.asarray(values, dtype)
        name = self._name("const")
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def ints(self, values):
        """Return the name of a constant of whole numbers: a shape, axes, places."""
        return self.constant(values, np.int64)

    def weight(self, layer, index, change=None):
        """Return the name of a layer's blob as a constant; layers that share it share the constant.

        `change` is a function of the array (a transpose, a shape), applied before it is stored.
        """
        array = layer.blob(index).detach().numpy()
        array = np.ascontiguousarray(change(array) if change else array)
        key = (id(layer.blobs[index]), array.shape, array.tobytes())
        if key not in self._weights:
            self._weights[key] = self.constant(array)
        return self._weights[key]

    def reshape(self, value, shape):
        """Add a Reshape: 0 keeps the axis at that place, -1 is what is left."""
        return self.add("Reshape", value, self.ints(shape))

    def as_top(self, value):
        """Add a Reshape to the shape of the layer's first top, at any size of its axis 0."""
        return self.reshape(value, [-1, *self.top_shapes[0][1:]])

    def places(self, op, *inputs, **attributes):
        """As `add` of a node whose output is of 64-bit integers: all others are of float32."""
        made = self.add(op, *inputs, **attributes)
        self._places.add(made)
        return made

    def as_places(self, value):
        """Add a Cast to 64-bit integers if `value` is of float32."""
        return value if value in self._places else self.places("Cast", value, to=TensorProto.INT64)

    def as_float(self, value):
        """Add a Cast to float32 if `value` is of integers."""
        return self.add("Cast", value, to=TensorProto.FLOAT) if value in self._places else value

    def publish(self, value, name):
        """Give `value` as an output named `name`, as float32."""
        value = self.as_float(value)
        self.nodes.append(helper.make_node("Identity", [value], [name], name=f"{name}/output"))

    def prune(self, outputs):
        """Forget the nodes and constants that none of `outputs` depends on."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self.constants = {n: array for n, array in self.constants.items() if n in needed}

    def _name(self, what):
        base = f"{self._prefix}/{what}"
        count = self._count[base] = self._count.get(base, 0) + 1
        return base if count == 1 else f"{base}.{count}"
