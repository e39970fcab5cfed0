"""GCNet's networks and solvers as Caffe messages; nothing here imports torch or caffe."""

from gcnet_caffe.nets.generated_files import (
    ALL_VARIANTS,
    committed,
    net_defaults,
    net_files,
    solver_defaults,
    solver_files,
)
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.solver import SolverOptions, exact_test

__all__ = [
    "ALL_VARIANTS",
    "NetOptions",
    "SolverOptions",
    "committed",
    "exact_test",
    "net_defaults",
    "net_files",
    "solver_defaults",
    "solver_files",
]
