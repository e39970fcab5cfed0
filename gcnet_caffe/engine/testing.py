"""Scoring a net's own test data, as `caffe test` does (Caffe tools/caffe.cpp, test)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.net import Net
from gcnet_caffe.formats.log import number, output_lines


def score(net: Net, iterations: int, log: Callable[[str], None]) -> dict[str, NDArray[np.float32]]:
    """Run `net` on `iterations` batches; log the means of its loss and outputs.

    Parameters
    ----------
    net : Net
    iterations : int
        1 or more.
    log : callable
        Takes each line of `caffe test`.

    Returns
    -------
    dict
        Output blob name -> the mean over the batches, a float32 array of the blob's shape.
    """
    log(f"Running for {iterations} iterations.")
    loss = np.float32(0)
    sums: dict[str, NDArray[np.float32]] = {}
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
    return {name: mean.reshape(outputs[name].shape) for name, mean in scores.items()}
