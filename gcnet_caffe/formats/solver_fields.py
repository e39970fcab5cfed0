"""The fields of a SolverParameter that training needs, or that exclude each other.

Source: Caffe src/caffe/solver.cpp and src/caffe/solvers/*.cpp.
"""

from __future__ import annotations

from typing import Any

from gcnet_caffe.errors import NetError

#: The solver types of Caffe, and whether they take a momentum.
TYPES = {
    "SGD": True,
    "Nesterov": True,
    "AdaGrad": False,
    "RMSProp": False,
    "AdaDelta": True,
    "Adam": True,
}

#: lr_policy -> the fields that must be 0 or more.
_POLICIES: dict[str, tuple[str, ...]] = {
    "fixed": (),
    "step": ("gamma",),
    "exp": ("gamma",),
    "inv": ("gamma",),
    "multistep": ("gamma",),
    "poly": (),
    "sigmoid": ("gamma",),
}


def check_fields(solver: Any, origin: str) -> None:
    """Check that nets can be trained with a SolverParameter.

    Parameters
    ----------
    solver : SolverParameter
    origin : str
        What errors call it.

    Raises
    ------
    NetError
        A count below 1; an unknown lr_policy, type or regularization_type; a field that is missing
        or does not go with them.
    """
    for field in ("average_loss", "iter_size"):
        if getattr(solver, field) < 1:
            raise NetError(f"{origin}: {field}: found {getattr(solver, field)}, wanted 1 or more")
    _check_rate(solver, origin)
    _check_updates(solver, origin)


def _check_rate(solver: Any, origin: str) -> None:
    policy = solver.lr_policy
    if policy not in _POLICIES:
        raise NetError(
            f"{origin}: lr_policy: found {policy!r}, wanted one of {', '.join(_POLICIES)}"
        )
    for field in _POLICIES[policy]:
        if getattr(solver, field) < 0:
            raise NetError(f"{origin}: {field}: found {getattr(solver, field):g}, wanted 0 or more")
    if policy in ("step", "sigmoid") and solver.stepsize <= 0:
        raise NetError(f"{origin}: stepsize: found {solver.stepsize}, wanted 1 or more")


def _check_updates(solver: Any, origin: str) -> None:
    if solver.type not in TYPES:
        raise NetError(f"{origin}: type: found {solver.type!r}, wanted one of {', '.join(TYPES)}")
    if solver.regularization_type not in ("L1", "L2"):
        raise NetError(
            f"{origin}: regularization_type: found {solver.regularization_type!r}, wanted L1 or L2"
        )
    if solver.momentum and not TYPES[solver.type]:
        raise NetError(f"{origin}: momentum: cannot be used with {solver.type}")
    if solver.type == "RMSProp" and not 0 <= solver.rms_decay < 1:
        raise NetError(f"{origin}: rms_decay: found {solver.rms_decay:g}, wanted 0 to below 1")
