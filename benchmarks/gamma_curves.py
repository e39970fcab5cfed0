"""Draw the learning rate under the three readings of the paper's gamma.

python benchmarks/gamma_curves.py docs/images/gamma_readings.png
"""

import sys

import numpy as np

from gcnet_caffe.nets.solver import GAMMA_READINGS, SolverOptions
from gcnet_caffe.plotting import import_pyplot

plt = import_pyplot()
options = SolverOptions()
iterations = np.concatenate([[0], np.logspace(0, np.log10(options.max_iter), 200)])
figure, axis = plt.subplots(figsize=(6, 3))
for reading, (gamma, power) in GAMMA_READINGS.items():
    rate = options.base_lr * (1 + gamma * iterations) ** -(power or 0)
    axis.plot(iterations + 1, rate, label=f"{reading}: ends at {rate[-1]:.2g}")
axis.set_xscale("log")
axis.set_yscale("log")
axis.set_xlabel("iteration + 1")
axis.set_ylabel("learning rate")
axis.legend(fontsize=8)
figure.tight_layout()
figure.savefig(sys.argv[1], dpi=100)
