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

#: lr_policy -> the fields that it reads, of those that are checked.
_POLICIES: dict[str, tuple[str, ...]] = {
    "fixed": (),
    "step": ("gamma", "stepsize"),
    "exp": ("gamma",),
    "inv": ("gamma",),
    "multistep": ("gamma",),
    "poly": (),
    "sigmoid": ("gamma", "stepsize"),
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
    read = _POLICIES.get(solver.lr_policy, ())
    for field, holds, wanted in (
        ("average_loss", solver.average_loss >= 1, "1 or more"),
        ("iter_size", solver.iter_size >= 1, "1 or more"),
        ("lr_policy", solver.lr_policy in _POLICIES, f"one of {', '.join(_POLICIES)}"),
        ("gamma", solver.gamma >= 0 or "gamma" not in read, "0 or more"),
        ("stepsize", solver.stepsize > 0 or "stepsize" not in read, "1 or more"),
        ("type", solver.type in TYPES, f"one of {', '.join(TYPES)}"),
        ("regularization_type", solver.regularization_type in ("L1", "L2"), "L1 or L2"),
        ("rms_decay", 0 <= solver.rms_decay < 1 or solver.type != "RMSProp", "0 to below 1"),
    ):
        if not holds:
            value = getattr(solver, field)
            found = f"{value:g}" if isinstance(value, float) else repr(value)
            raise NetError(f"{origin}: {field}: found {found}, wanted {wanted}")
    if solver.momentum and not TYPES[solver.type]:
        raise NetError(f"{origin}: momentum: cannot be used with {solver.type}")
