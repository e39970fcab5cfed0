"""LSTM, RNN and LSTMUnit.

Source: Caffe src/caffe/layers/recurrent_layer.cpp, lstm_layer.cpp, rnn_layer.cpp,
lstm_unit_layer.cpp. Caffe makes a net of small layers, a group for each step in time. Its backward
pass goes from the last step to the first, and in this order the weights that all steps share get
their gradients. The static input is split: its gradients add up from the first step to the last.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import Array, column_sums, gate, gemm, squashed, tanh
from gcnet_caffe.engine.caffe_order.rule import Back, Top, gradient_of, values

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer
    from gcnet_caffe.engine.layers.recurrent import LSTM, RNN, LSTMUnit, Recurrent

_F = np.float32

#: Gradients of a step's output and of the states after it -> of the gates' inputs, and of the
#: states before it, but for the part of the first state that comes through the gates.
_BackOfStep = Callable[[Array, Sequence[Array]], tuple[Array, list[Array]]]
#: (layer, states before, gates' inputs, cont) -> output, states after, back
_Step = Callable[[Any, Sequence[Array], Array, Array], tuple[Array, list[Array], _BackOfStep]]


def _linear(layer: Layer, rows: Array, weight: int, bias: int | None = None) -> Array:
    """Return the product of `rows` and blob `weight`, plus blob `bias`."""
    factors = values(layer, weight)
    top = gemm(False, True, rows, factors, np.empty((len(rows), len(factors)), _F))
    if bias is not None:
        top += values(layer, bias)
    return top


def _linear_back(
    layer: Layer, rows: Array, gradient: Array, weight: int, bias: int | None = None
) -> Array:
    """Add to the gradients of the blobs; return that of `rows`."""
    to_weight = gradient_of(layer, weight)
    to_bias = None if bias is None else gradient_of(layer, bias)
    if to_weight is not None:
        gemm(True, False, gradient, rows, to_weight, beta=1.0)
    if to_bias is not None:
        column_sums(gradient, out=to_bias)
    return gemm(False, False, gradient, values(layer, weight), np.empty_like(rows))


def _unit(
    before: Array, gates: Array, cont: Array
) -> tuple[Array, Array, Callable[[Array, Array], tuple[Array, Array]]]:
    """Return cell, hidden state and back of a step of an LSTM: one row for each stream."""
    inputs = gates.reshape(len(gates), 4, -1)
    i, f, o = (gate(inputs[:, index]) for index in range(3))
    g, cont = squashed(inputs[:, 3]), cont.reshape(-1, 1)
    f = np.where(cont == 0, _F(0), cont * f)
    cell = f * before + i * g
    out = squashed(cell)

    def back(to_cell: Array, to_hidden: Array) -> tuple[Array, Array]:
        term = to_cell + to_hidden * o * (1 - out * out)
        to_gates = [
            term * g * i * (1 - i),
            term * before * f * (1 - f),
            to_hidden * out * o * (1 - o),
            term * i * (1 - g * g),
        ]
        return term * f, np.concatenate(to_gates, 1)

    return cell, o * out, back


def lstm_unit(layer: LSTMUnit, before: Array, gates: Array, cont: Array) -> tuple[Top, Back]:
    """LSTMUnit."""
    cell, hidden, unit_back = _unit(before[0], gates[0], cont[0])

    def back(to_cell: Array, to_hidden: Array) -> list[Array | None]:
        to_before, to_gates = unit_back(to_cell[0], to_hidden[0])
        return [to_before[None], to_gates[None], None]

    return (cell[None], hidden[None]), back


def _lstm_step(
    layer: LSTM, states: Sequence[Array], gates: Array, cont: Array
) -> tuple[Array, list[Array], _BackOfStep]:
    cell, hidden, unit_back = _unit(states[1], gates, cont)

    def back(to_output: Array, to_states: Sequence[Array]) -> tuple[Array, list[Array]]:
        to_before, to_gates = unit_back(to_states[1], to_states[0] + to_output)
        return to_gates, [np.zeros_like(to_output), to_before]

    return hidden, [hidden, cell], back


def _rnn_step(
    layer: RNN, states: Sequence[Array], gates: Array, cont: Array
) -> tuple[Array, list[Array], _BackOfStep]:
    first = layer.first_of_step
    hidden = tanh(gates)
    output = tanh(_linear(layer, hidden, first + 1, first + 2))

    def back(to_output: Array, to_states: Sequence[Array]) -> tuple[Array, list[Array]]:
        change = to_output * (1 - output * output)
        to_hidden = _linear_back(layer, hidden, change, first + 1, first + 2) + to_states[0]
        return to_hidden * (1 - hidden * hidden), [np.zeros_like(to_output)]

    return output, [hidden], back


def _recurrent(
    step: _Step, layer: Recurrent, x: Array, cont: Array, *others: Array
) -> tuple[Top, Back]:
    layer.check_steps(len(x))
    steps, streams = cont.shape
    rows = x.reshape(steps * streams, -1)
    inputs = _linear(layer, rows, 0, 1).reshape(steps, streams, -1)
    given = others[0].reshape(streams, -1) if layer.static else None
    static = None if given is None else _linear(layer, given, 2)
    exposed = others[layer.static :]
    kept = exposed or [state.numpy() for state in layer.kept(streams)]
    states = [state[0].copy() for state in kept]  # the memory changes below
    outputs, backs, hidden = [], [], []
    for t in range(steps):
        hidden.append(states[0] * cont[t][:, None])
        gates = _linear(layer, hidden[t], layer.first_of_step) + inputs[t]
        gates = gates if static is None else gates + static
        output, states, back_of_step = step(layer, states, gates, cont[t])
        outputs.append(output)
        backs.append(back_of_step)
    after = [state[None] for state in states]
    if not exposed:
        for memory, state in zip(kept, after):
            memory[...] = state

    def back(to_outputs: Array, *_: Array) -> list[Array | None]:
        changes = np.empty_like(inputs)
        to_states = [np.zeros_like(state) for state in states]
        for t in reversed(range(steps)):
            changes[t], to_states = backs[t](to_outputs[t], to_states)
            to_hidden = _linear_back(layer, hidden[t], changes[t], layer.first_of_step)
            to_states[0] = to_hidden * cont[t][:, None]
        found: list[Array | None] = [None] * len(others)
        if given is not None:
            to_static = functools.reduce(np.add, changes)
            found[0] = _linear_back(layer, given, to_static, 2).reshape(others[0].shape)
        to_x = _linear_back(layer, rows, changes.reshape(len(rows), -1), 0, 1)
        return [to_x.reshape(x.shape), None, *found]

    return (np.stack(outputs), *(after if exposed else ())), back


def lstm(layer: LSTM, *bottoms: Array) -> tuple[Top, Back]:
    """LSTM; keeps its states in the layer."""
    return _recurrent(_lstm_step, layer, *bottoms)


def rnn(layer: RNN, *bottoms: Array) -> tuple[Top, Back]:
    """RNN; keeps its state in the layer."""
    return _recurrent(_rnn_step, layer, *bottoms)
