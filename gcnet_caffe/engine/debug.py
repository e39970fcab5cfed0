"""The lines of `debug_info`, and which number of a net is the first that is not finite.

Source of the lines: Caffe src/caffe/net.cpp, ForwardDebugInfo and BackwardDebugInfo. Caffe prints
a blob that several layers read once for each copy of its Split layer; here it has one line, with
the sum of its gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from gcnet_caffe.engine.layers import Layer
from gcnet_caffe.engine.net import Blobs, Loss, Net
from gcnet_caffe.formats.log import number


def _mean(tensor: torch.Tensor) -> str:
    return number(tensor.detach().float().abs().mean()) if tensor.numel() else "0"


def _params(layer: Layer) -> Iterator[tuple[str, torch.Tensor]]:
    specs = layer.param.param
    for index, blob in enumerate(layer.blobs):
        name = specs[index].name if index < len(specs) else ""
        yield name or str(index), blob


def forward_backward(
    net: Net, batch: Blobs, log: Callable[[str], None]
) -> tuple[Loss, dict[str, torch.Tensor]]:
    """Run `net` forward and backward on `batch`, and log every blob.

    Parameters
    ----------
    net : Net
    batch : dict
        Of `Net.next_batch`.
    log : callable
        Takes each line.

    Returns
    -------
    loss : 0-d tensor, or 0.0 of a net without a loss
    outputs : dict
        Output blob name -> tensor.
    """
    loss, values = net.run_keeping(batch, retain_grad=True)
    for step in net.steps:
        layer = f"    [Forward] Layer {step.layer.name}"
        for blob_number in step.tops:
            name = net.blob_names[blob_number]
            log(f"{layer}, top blob {name} data: {_mean(values[blob_number])}")
        for name, blob in _params(step.layer):
            log(f"{layer}, param blob {name} data: {_mean(blob)}")
    if torch.is_tensor(loss) and loss.requires_grad:
        loss.backward()
    for step in reversed(net.steps):
        layer = f"    [Backward] Layer {step.layer.name}"
        for blob_number in step.bottoms:
            diff = values[blob_number].grad
            if diff is not None:
                log(f"{layer}, bottom blob {net.blob_names[blob_number]} diff: {_mean(diff)}")
        for name, blob in _params(step.layer):
            if blob.grad is not None:
                log(f"{layer}, param blob {name} diff: {_mean(blob.grad)}")
    _log_norms(net, log)
    return loss, {net.blob_names[n]: values[n] for n in net.output_numbers}


def _log_norms(net: Net, log: Callable[[str], None]) -> None:
    datas = [learnable.param.detach() for learnable in net.learnable]
    diffs = [
        torch.zeros_like(data) if learnable.param.grad is None else learnable.param.grad
        for data, learnable in zip(datas, net.learnable)
    ]
    both = (datas, diffs)
    l1 = [number(sum(float(one.abs().sum()) for one in tensors)) for tensors in both]
    l2 = [number(sum(float((one * one).sum()) for one in tensors) ** 0.5) for tensors in both]
    log(
        f"    [Backward] All net params (data, diff): L1 norm = ({l1[0]}, {l1[1]}); "
        f"L2 norm = ({l2[0]}, {l2[1]})"
    )


def first_bad_blob(net: Net, batch: Blobs) -> str:
    """Run `net` on `batch` of `Net.next_batch` once more.

    Returns
    -------
    str
        The end of an error's line: which blob is the first that is not finite.
    """
    for learnable in net.learnable:
        if not bool(torch.isfinite(learnable.param).all()):
            return (
                f"the first bad blob is param {learnable.display_name} of layer "
                f"{learnable.owner.name!r}: the update before made it so"
            )
    with torch.no_grad():
        _, values = net.run_keeping(batch)
    for step in net.steps:
        for blob_number in step.tops:
            if not bool(torch.isfinite(values[blob_number]).all()):
                name = net.blob_names[blob_number]
                return f"the first bad blob is {name!r}, a top of layer {step.layer.name!r}"
    return "every blob is finite when the batch is run again"
