"""Scoring a net's own test data, as `caffe test` does (Caffe tools/caffe.cpp, test)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from gcnet_caffe.engine.log import number, output_lines
from gcnet_caffe.engine.net import Net


def score(
    net: Net, iterations: int, log: Callable[[str], None]
) -> tuple[float, dict[str, np.ndarray]]:
    """Run `net` on `iterations` batches; log and return the mean of its loss and outputs.

    Returns
    -------
    loss : float
    scores : dict
        Output blob name -> float32 array of the means, one for each element.
    """
    log(f"Running for {iterations} iterations.")
    loss, sums = np.float32(0), {}
    for index in range(iterations):
        with torch.no_grad():
            part, outputs = net()
        loss += np.float32(float(part))
        for name, blob in outputs.items():
            values = blob.float().cpu().numpy().reshape(-1)
            sums[name] = sums[name] + values if name in sums else values
            for value in values:
                log(f"Batch {index}, {name} = {number(value)}")
    loss /= np.float32(iterations)
    log(f"Loss: {number(loss)}")
    scores = {name: total / np.float32(iterations) for name, total in sums.items()}
    for line in output_lines("", scores, net.loss_weights):
        log(line)
    return float(loss), scores
