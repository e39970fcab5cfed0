"""Eltwise and Reduction."""

from __future__ import annotations

import functools

from gcnet_caffe.engine.layers.combine import Eltwise, Reduction
from gcnet_caffe.onnx.graph import Graph, Value
from gcnet_caffe.onnx.layers.base import converts


@converts("Eltwise")
def eltwise(graph: Graph, layer: Eltwise, *bottoms: Value) -> str:
    """Product, weighted sum or maximum of the bottoms."""
    param, names = layer.param.eltwise_param, [bottom.name for bottom in bottoms]
    op = {param.PROD: "Mul", param.SUM: "Add", param.MAX: "Max"}[param.operation]
    if param.operation == param.SUM:
        names = [
            name if coeff == 1 else graph.add("Mul", name, graph.constant(coeff))
            for name, coeff in zip(names, layer.coeffs)
        ]
    return functools.reduce(functools.partial(graph.add, op), names)


@converts("Reduction")
def reduction(graph: Graph, layer: Reduction, bottom: Value) -> str:
    """Sum, mean, sum of absolute values or of squares over the last axes, times a factor."""
    param, axes = layer.param.reduction_param, list(range(layer.first, len(bottom.shape)))
    ops = {param.ASUM: "ReduceL1", param.SUMSQ: "ReduceSumSquare", param.MEAN: "ReduceMean"}
    if param.operation == param.SUM:  # its axes are an input
        top = graph.add("ReduceSum", bottom.name, graph.ints(axes), keepdims=0)
    else:
        top = graph.add(ops[param.operation], bottom.name, axes=axes, keepdims=0)
    return top if param.coeff == 1 else graph.add("Mul", top, graph.constant(param.coeff))
