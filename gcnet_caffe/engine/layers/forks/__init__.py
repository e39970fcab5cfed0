"""Layers of other Caffes: each class says whose, in which file, and by which formula.

No packaged build of those Caffes exists. tests/engine/forks holds every layer to a float64
evaluation of its own, written from these sources, and to numeric gradients.
"""

from __future__ import annotations

from gcnet_caffe.engine.layers.forks import (  # noqa: F401  each registers its layer types
    detection,
    faces,
    images,
    losses,
    mobile,
    neuron,
    normalization,
    regions,
    segmentation,
)
