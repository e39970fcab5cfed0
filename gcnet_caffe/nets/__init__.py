"""GCNet's networks and solvers as Caffe messages; nothing here imports torch or caffe."""

from gcnet_caffe.nets.catalog import (
    VARIANTS,
    committed,
    net_defaults,
    net_files,
    solver_defaults,
    solver_files,
)
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.solver import SolverOptions, exact_test

__all__ = [
    "VARIANTS",
    "NetOptions",
    "SolverOptions",
    "committed",
    "exact_test",
    "net_defaults",
    "net_files",
    "solver_defaults",
    "solver_files",
]
