"""pycaffe's own API on this engine: `import gcnet_caffe.pycaffe as caffe`.

Names, arguments and numbers are those of real pycaffe (Caffe python/caffe); docs/pycaffe.md says
what differs. Under `gcnet python SCRIPT`, or after `provide()`, `import caffe` is this module.
"""

from __future__ import annotations

import sys

from gcnet_caffe.engine import import_torch

import_torch("gcnet_caffe.pycaffe")

from gcnet_caffe.engine.caffe_name import provide  # noqa: E402
from gcnet_caffe.engine.layers.base import TEST, TRAIN, layer_types  # noqa: E402
from gcnet_caffe.engine.layers.python import PythonLayer as Layer  # noqa: E402
from gcnet_caffe.pycaffe import coord_map, io, net_spec, proto  # noqa: E402
from gcnet_caffe.pycaffe.classifier import Classifier  # noqa: E402
from gcnet_caffe.pycaffe.detector import Detector  # noqa: E402
from gcnet_caffe.pycaffe.net import Net  # noqa: E402
from gcnet_caffe.pycaffe.net_spec import NetSpec, layers, params, to_proto  # noqa: E402
from gcnet_caffe.pycaffe.solver import (  # noqa: E402
    NCCL,
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    get_solver,
)
from gcnet_caffe.pycaffe.state import (  # noqa: E402
    has_nccl,
    init_log,
    log,
    set_device,
    set_mode_cpu,
    set_mode_gpu,
    set_multiprocess,
    set_random_seed,
    set_solver_count,
    set_solver_rank,
    set_summation,
    solver_count,
    solver_rank,
)
from gcnet_caffe.pycaffe.timer import Timer  # noqa: E402

#: The Caffe whose API this is.
__version__ = "1.0.0"

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Classifier",
    "Detector",
    "Layer",
    "NesterovSolver",
    "Net",
    "NetSpec",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
    "coord_map",
    "get_solver",
    "has_nccl",
    "init_log",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "net_spec",
    "params",
    "proto",
    "provide",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "set_summation",
    "solver_count",
    "solver_rank",
    "to_proto",
]

layer_type_list = layer_types
#: Real pycaffe's modules of these names: all that they have is here.
pycaffe = _caffe = sys.modules[__name__]
