"""Layers of one's own: what PyTorch's exporter makes of a torch function or module."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import torch
from onnx import NodeProto
from torch import nn

from gcnet_caffe.engine.layers.base import Tops
from gcnet_caffe.engine.layers.python import Python
from gcnet_caffe.onnx.graph import OPSET, Graph, Value
from gcnet_caffe.onnx.layers.base import converts


class _Module(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Tops]) -> None:
        super().__init__()
        self._run = function

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        return self._run(*bottoms)


def _module(layer: Python) -> nn.Module:
    """Return a module that the exporter can trace, with the layer's blobs as they are."""
    instance = layer.own.instance
    if not isinstance(instance, nn.Module):
        return _Module(layer.forward)
    for index, param in enumerate(instance.parameters()):
        param.data = layer.blob(index).detach()
    return instance


@converts("Python")
def own(graph: Graph, layer: Python, *bottoms: Value) -> str | tuple[str, ...]:
    """The nodes of the traced function or module.

    Raises
    ------
    NetError
        The layer computes with numpy, or with an operation that ONNX does not have.
    """
    layer.check(not layer.of_caffe, "computes with numpy, which cannot be written as ONNX")
    names = [f"bottom{index}" for index in range(len(bottoms))]
    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "layer.onnx")
            warnings.simplefilter("ignore")  # of the exporter that traces, there is a newer one
            torch.onnx.export(
                _module(layer),
                tuple(torch.zeros(bottom.shape) for bottom in bottoms),
                path,
                dynamo=False,
                opset_version=OPSET,
                input_names=names,
                dynamic_axes={name: {0: "batch"} for name in names},
            )
            traced = onnx.load_model(path).graph
    except (RuntimeError, ValueError) as error:  # the exporter's own errors are RuntimeErrors
        text = str(error).splitlines()[0]
        raise layer.error(f"cannot be written as ONNX: {text}") from None
    known = {name: bottom.name for name, bottom in zip(names, bottoms)}
    known.update({one.name: graph.constant_of(one) for one in traced.initializer})
    for node in traced.node:
        _add(graph, node, known)
    tops = tuple(known[top.name] for top in traced.output)
    return tops if len(tops) > 1 else tops[0]


def _add(graph: Graph, node: NodeProto, known: dict[str, str]) -> None:
    """Add a traced node; `known` are the names of its values in the graph."""
    inputs = [known[name] if name else "" for name in node.input]
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    made = graph.add_several(node.op_type, *inputs, outputs=len(node.output), **attributes)
    known.update(zip(node.output, made))
