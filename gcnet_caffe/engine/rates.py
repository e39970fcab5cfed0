"""The learning rate of each iteration.

Source: Caffe src/caffe/solvers/sgd_solver.cpp, GetLearningRate; in float32, as there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_F = np.float32


def learning_rate(param: Any, iteration: int, current_step: int) -> tuple[np.float32, int]:
    """Return the rate of `iteration`, and how many steps have been taken by then.

    Parameters
    ----------
    param : SolverParameter
    iteration : int
    current_step : int
        How many steps had been taken by the iteration before (`step` and `multistep`).

    Returns
    -------
    rate : float32
    current_step : int
    """
    base, gamma, power = _F(param.base_lr), _F(param.gamma), _F(param.power)
    policy = param.lr_policy
    if policy == "step":
        current_step = iteration // param.stepsize
    if policy == "multistep":
        reached = len(param.stepvalue) > current_step and iteration >= param.stepvalue[current_step]
        current_step += bool(reached)
    rate = base
    if policy in ("step", "multistep", "exp"):
        exponent = iteration if policy == "exp" else current_step
        # in double precision, as C++ does where the exponent is an int
        rate = _F(float(base) * float(gamma) ** exponent)
    elif policy == "inv":
        rate = base * (_F(1) + gamma * _F(iteration)) ** -power
    elif policy == "poly":
        rate = base * max(_F(1) - _F(iteration) / _F(max(param.max_iter, 1)), _F(0)) ** power
    elif policy == "sigmoid":
        raised = math.exp(-gamma * (_F(iteration) - _F(param.stepsize)))
        rate = base * (_F(1) / (_F(1) + _F(raised)))
    return rate, current_step
