"""LSTM, RNN and the LSTMUnit.

Source: Caffe src/caffe/layers/recurrent_layer.cpp, lstm_layer.cpp, rnn_layer.cpp,
lstm_unit_layer.cpp. Caffe makes a net of small layers, a group for each step in time; here the same
is computed step by step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.fillers import fill
from gcnet_caffe.engine.layers.base import Layer, Shape, Tops, register


class _Unit(torch.autograd.Function):
    """One step of an LSTM with Caffe's gradient, which takes cont for 0 or 1."""

    @staticmethod
    def forward(
        ctx: Any, before: torch.Tensor, gates: torch.Tensor, cont: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        i, f, o, g = gates.chunk(4, -1)
        i, o, g = i.sigmoid(), o.sigmoid(), g.tanh()
        cont = cont.unsqueeze(-1)
        f = torch.where(cont == 0, 0.0, cont * f.sigmoid())
        cell = f * before + i * g
        squashed = cell.tanh()
        ctx.save_for_backward(before, i, f, o, g, squashed)
        return cell, o * squashed

    @staticmethod
    def backward(ctx: Any, to_cell: torch.Tensor, to_hidden: torch.Tensor) -> Any:
        before, i, f, o, g, squashed = ctx.saved_tensors
        term = to_cell + to_hidden * o * (1 - squashed * squashed)
        to_gates = [
            term * g * i * (1 - i),
            term * before * f * (1 - f),
            to_hidden * squashed * o * (1 - o),
            term * i * (1 - g * g),
        ]
        return term * f, torch.cat(to_gates, -1), None


@register("LSTMUnit")
class LSTMUnit(Layer):
    """One step of an LSTM: cell and hidden state of the cell before, the gates' inputs, and cont.

    The gates are i, f, o, g = sigmoid, sigmoid, sigmoid, tanh of the quarters of their inputs;
    cell = cont * f * (cell before) + i * g, hidden = o * tanh(cell).
    """

    bottoms, tops = (3, 3), (2, 2)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        cell, gates, cont = shapes
        self.check(len(cell) == 3 and cell[0] == 1, f"found a cell of {cell}, wanted (1, N, size)")
        wanted = (1, cell[1], 4 * cell[2])
        self.check(gates == wanted, f"found gate inputs of {gates}, wanted {wanted}")
        self.check(cont == cell[:2], f"found cont of {cont}, wanted {cell[:2]}")

    def forward(self, before: torch.Tensor, gates: torch.Tensor, cont: torch.Tensor) -> Tops:
        tops: Tops = _Unit.apply(before, gates, cont.detach())
        return tops


class Recurrent(Layer):
    """Bottoms: x (T, N, ...), cont (T, N), a static input (N, ...), exposed states (1, N, size).

    Tops: the outputs (T, N, size), and with `expose_hidden` the states after the last step. A
    state is multiplied by cont before each step. Without `expose_hidden` the layer keeps its states
    from one forward to the next. Gradients do not pass from states to bottoms, or from exposed tops
    to what they were made of.
    """

    has_state = True
    is_compilable = False  # its backward would read the states that forward has changed
    #: How many states there are.
    states: int
    #: How many numbers x becomes, as multiples of num_output.
    gates: int

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.exposed = self.states if self.param.recurrent_param.expose_hidden else 0
        self.bottoms = (2 + self.exposed, 3 + self.exposed)
        self.tops = (1 + self.exposed, 1 + self.exposed)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        (x, cont, *others), size = shapes, self.param.recurrent_param.num_output
        self.check(size > 0, "num_output: found 0, wanted 1 or more")
        self.check(len(x) > 2, f"found x of shape {x}, wanted (T, N, ...)")
        self.check(cont == x[:2], f"found cont of shape {cont}, wanted {x[:2]}")
        self.static = len(others) > self.exposed
        if not self.is_new:
            self.check_steps(x[0])
        self.steps, streams = x[:2]
        rows = self.gates * size
        self._add("weight", (rows, math.prod(x[2:])))
        self._add("bias", (rows,))
        if self.static:
            given = others.pop(0)
            self.check(
                given[:1] == (streams,), f"found a static input of {given}, wanted {streams}"
            )
            self._add("weight", (rows, math.prod(given[1:])))
        state = (1, streams, size)
        for shape in others:
            self.check(shape == state, f"found an exposed state of {shape}, wanted {state}")
        self.first_of_step = len(self.blob_shapes)
        for kind, shape in self.blobs_of_step(size):
            self._add(kind, shape)
        if not self.is_new:
            return
        for _ in range(1, self.steps):  # Caffe fills them for every step, then shares the first
            for kind, shape in self.blobs_of_step(size):
                fill(self._filler(kind), shape, self)
        for index in range(self.states):
            self.register_buffer(f"state{index}", torch.zeros(state), persistent=False)

    def blobs_of_step(self, size: int) -> list[tuple[str, Shape]]:
        """Return "weight" or "bias" and the shape of the blobs that every step reads."""
        return [("weight", (self.gates * size, size))]

    def _filler(self, kind: str) -> Any:
        return getattr(self.param.recurrent_param, f"{kind}_filler")

    def _add(self, kind: str, shape: Shape) -> None:
        self.add_blob(shape, self._filler(kind))

    def step(
        self, states: list[torch.Tensor], inputs: torch.Tensor, cont: torch.Tensor
    ) -> torch.Tensor:
        """Put the states after one step into `states`; return its output, (N, size)."""
        raise NotImplementedError

    def check_steps(self, steps: int) -> None:
        """Check that x has as many `steps` as when the net was set up."""
        self.check(steps == self.steps, f"found {steps} steps, wanted {self.steps} as at first")

    def forward(self, x: torch.Tensor, cont: torch.Tensor, *others: torch.Tensor) -> Tops:
        self.check_steps(len(x))
        with torch.autocast(x.device.type, enabled=False):  # roundings would add up over the steps
            return self._run(x.float(), cont.detach(), *others)

    def _run(self, x: torch.Tensor, cont: torch.Tensor, *others: torch.Tensor) -> Tops:
        inputs = F.linear(x.flatten(2), self.blob(0), self.blob(1))
        if self.static:
            static = F.linear(others[0].float().flatten(1), self.blob(2))
            inputs, others = inputs + static, others[1:]
        before = others if self.exposed else self.kept(x.shape[1])
        states = [state[0].detach().float().clone() for state in before]  # those kept change below
        outputs = [self.step(states, inputs[t], cont[t]) for t in range(self.steps)]
        after = [state.detach().unsqueeze(0) for state in states]
        if self.exposed:
            return (torch.stack(outputs), *after)
        for kept, state in zip(before, after):
            kept.copy_(state)  # their place in memory stays, for CUDA graphs
        return torch.stack(outputs)

    def kept(self, streams: int) -> list[torch.Tensor]:
        """Return the states of `streams` streams: the first part of the memory, as in Caffe.

        Where there is less memory, it is made anew, of zeros.
        """
        found = []
        for index in range(self.states):
            state: torch.Tensor = getattr(self, f"state{index}")
            if streams > state.shape[1]:
                state = state.new_zeros(1, streams, state.shape[2])
                setattr(self, f"state{index}", state)
            found.append(state[:, :streams])
        return found

    def state(self) -> list[Any]:
        """Return the states as lists."""
        return [getattr(self, f"state{index}").tolist() for index in range(self.states)]

    def set_state(self, state: list[Any]) -> None:
        """Continue from where `state` was taken."""
        for index, values in enumerate(state):
            like = getattr(self, f"state{index}")
            setattr(self, f"state{index}", torch.tensor(values).to(like))


@register("LSTM")
class LSTM(Recurrent):
    """Blobs: weight and bias of x, weight of the static input, weight of the hidden state.

    The first axis of each is 4 * num_output: i, f, o, g. The states are hidden and cell. See
    LSTMUnit for the formula; the gates' inputs are the sum of what the weights make.
    """

    states, gates = 2, 4

    def step(
        self, states: list[torch.Tensor], inputs: torch.Tensor, cont: torch.Tensor
    ) -> torch.Tensor:
        hidden, cell = states
        gates = F.linear(hidden * cont[:, None], self.blob(self.first_of_step)) + inputs
        states[1], states[0] = _Unit.apply(cell, gates, cont)
        return states[0]


@register("RNN")
class RNN(Recurrent):
    """hidden = tanh(W_h (cont * hidden before) + W_x x + b); output = tanh(W_o hidden + b_o).

    Blobs: weight and bias of x, weight of the static input, W_h, W_o, b_o.
    """

    states, gates = 1, 1

    def blobs_of_step(self, size: int) -> list[tuple[str, Shape]]:
        """Return "weight" or "bias" and the shape of the blobs that every step reads."""
        return [*super().blobs_of_step(size), ("weight", (size, size)), ("bias", (size,))]

    def step(
        self, states: list[torch.Tensor], inputs: torch.Tensor, cont: torch.Tensor
    ) -> torch.Tensor:
        first = self.first_of_step
        past = F.linear(states[0] * cont[:, None], self.blob(first))
        states[0] = torch.tanh(past + inputs)
        return torch.tanh(F.linear(states[0], self.blob(first + 1), self.blob(first + 2)))
