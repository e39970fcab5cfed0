"""The loss that the log shows: the mean over the last `average_loss` iterations.

Source: Caffe src/caffe/solver.cpp, UpdateSmoothedLoss. Caffe keeps a running float32 sum.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np


class SmoothedState(TypedDict):
    """What a resumed run needs of a SmoothedLoss, as numbers that JSON keeps exactly."""

    losses: list[float]
    first: int
    value: float


class SmoothedLoss:
    """Caffe's running mean of the last `window` losses; `value` is what is logged."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._resumed = False
        self._begin(0)

    def _begin(self, iteration: int) -> None:
        self._losses: list[np.float32] = []
        self._first, self.value = iteration, np.float32(0)

    def start(self, iteration: int) -> None:
        """Forget the losses before `iteration`, unless they were just restored."""
        if not self._resumed:
            self._begin(iteration)
        self._resumed = False

    def add(self, found: float, iteration: int) -> None:
        """Take the loss `found` of `iteration` into the mean."""
        loss, window = np.float32(found), self._window
        if len(self._losses) < window:
            self._losses.append(loss)
            size = np.float32(len(self._losses))
            self.value = (self.value * (size - 1) + loss) / size
        else:
            index = (iteration - self._first) % window
            self.value += (loss - self._losses[index]) / np.float32(window)
            self._losses[index] = loss

    @property
    def state(self) -> SmoothedState:
        """What a resumed run needs."""
        return {
            "losses": [float(loss) for loss in self._losses],
            "first": self._first,
            "value": float(self.value),
        }

    @state.setter
    def state(self, state: SmoothedState) -> None:
        self._losses = [np.float32(loss) for loss in state["losses"]]
        self._first, self.value = state["first"], np.float32(state["value"])
        self._resumed = True
