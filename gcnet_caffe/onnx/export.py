"""A deploy prototxt and its weights as an ONNX model, checked.

Each layer becomes one ONNX node or a few, in the order of the layers, from the net and weights as
the torch engine has read them: no tracing, no exporter. The batch may have any size.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from gcnet_caffe import __version__, files
from gcnet_caffe.engine.layers import layer_types
from gcnet_caffe.engine.layers.python import is_own
from gcnet_caffe.engine.net import Net, open_trained
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats.net_state import layers_in_test
from gcnet_caffe.onnx.graph import OPSET, Graph, Value
from gcnet_caffe.onnx.layers import CONVERTERS

#: Version of the file format that goes with it.
IR_VERSION = 8


def onnx_model(
    net: str | Path,
    weights: str | Path,
    outputs: Iterable[str] = (),
    facts: Mapping[str, object] | None = None,
) -> ModelProto:
    """Make an ONNX model of a Caffe net.

    Parameters
    ----------
    net, weights : path
        Deploy prototxt and .caffemodel.
    outputs : iterable of str
        Blobs that the model gives besides those that no layer reads.
    facts : dict, optional
        Metadata: name -> text, or what can be written as JSON.

    Returns
    -------
    onnx.ModelProto
        Inputs and outputs have Caffe's names; the first axis of each is ``batch``.

    Raises
    ------
    NetError
        A layer cannot be converted, or there is no such blob.
    SchemaError, WeightsError
        A file cannot be read, or the weights do not fit.
    """
    for layer in layers_in_test(net):  # before data or weights are opened
        if layer.type in layer_types():  # of other types, the engine says that it lacks them
            _check_type(layer.type, layer.name, net)
    return convert(open_trained(net, weights, outputs), facts)


def convert(engine: Net, facts: Mapping[str, object] | None = None) -> ModelProto:
    """As `onnx_model`, from a net that the engine has opened, with the outputs that it has.

    Raises
    ------
    NetError
        A layer cannot be converted.
    """
    graph, values = _converted(engine)
    for name, number in zip(engine.outputs, engine.output_numbers):
        graph.publish(values[number], name)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            engine.name or "net",
            [_declared(name, engine.shape(name)) for name in engine.inputs],
            [_declared(name, engine.shape(name)) for name in engine.outputs],
            list(graph.constants.values()),
        ),
        producer_name="gcnet-caffe",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, {key: _text(value) for key, value in (facts or {}).items()})
    onnx.checker.check_model(model, full_check=True)
    return model


def write_onnx(model: ModelProto, path: str | Path) -> None:
    """Write `model` to `path` (replacing it), whole or not at all."""
    with files.atomic(path, overwrite=True) as scratch:
        onnx.save_model(model, scratch)


def _check_type(layer_type: str, layer: str, net: str | Path) -> str:
    """Return the type whose converter a layer has; one's own layers have Python's."""
    if is_own(layer_type):
        return "Python"
    if layer_type not in ("Input", *CONVERTERS):
        raise NetError(
            f"{net}: layer {layer!r}: type {layer_type!r} cannot be written as ONNX; "
            f"wanted one of Input, {', '.join(sorted(CONVERTERS))}"
        )
    return layer_type


def _converted(engine: Net) -> tuple[Graph, dict[int, str]]:
    """Return the Graph of the net, and {blob number: name of its value}."""
    graph, shapes = Graph(), engine.blob_shapes
    values: dict[int, str] = {}
    for step in engine.steps:
        layer = step.layer
        kind = _check_type(layer.layer_type, layer.name, engine.name or "the net")
        if layer.is_source:
            values.update((number, engine.blob_names[number]) for number in step.tops)
            continue
        graph.begin(layer, [shapes[number] for number in step.tops])
        names = [values[number] for number in step.bottoms]
        if not layer.takes_indices:
            names = [graph.as_float(name) for name in names]
        bottoms = [Value(name, shapes[i]) for name, i in zip(names, step.bottoms)]
        made = CONVERTERS[kind](graph, layer, *bottoms)
        values.update(zip(step.tops, made if isinstance(made, tuple) else (made,)))
    return graph, values


def _declared(name: str, shape: tuple[int, ...]) -> ValueInfoProto:
    sizes: list[str | int] = ["batch", *shape[1:]]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes[: len(shape)])


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
