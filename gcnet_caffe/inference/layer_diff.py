"""A net in our engine beside real Caffe, or beside what a file says: layer by layer.

Ours runs twice. The first time as it is; the second time each layer gets the other side's numbers,
so that it is seen alone. A trace (real_caffe.trace) is what is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe import pycaffe
from gcnet_caffe.engine.options import KERNELS
from gcnet_caffe.errors import NO_FILE, GcnetError, UsageError
from gcnet_caffe.files import atomic
from gcnet_caffe.formats.labels import label_sources
from gcnet_caffe.pycaffe.state import STATE
from gcnet_caffe.real_caffe.remote import RemoteNet
from gcnet_caffe.real_caffe.trace import GRADIENT, Wires, trace, wires_of

Arrays = dict[str, NDArray[np.float32]]
#: BLAS as `--summation caffe` has it.
_SAME_BLAS = {"OPENBLAS_CORETYPE": KERNELS, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Difference(NamedTuple):
    """How far an array is from the other side's.

    Attributes
    ----------
    name : str
        Its name in a trace.
    relative : float
        The largest difference over the largest number of the other side; absolute where that is 0.
        Of the gradients of a layer's learnable blobs: over the largest of them all.
        Infinite where the shapes differ, or a number is finite on one side only.
    where : str
        The place of the largest difference with both numbers, or both shapes.
    """

    name: str
    relative: float
    where: str


class LayerDifference(NamedTuple):
    """The largest differences of one layer; None where nothing can be compared.

    Attributes
    ----------
    layer, type : str
    weights, tops, gradients : Difference or None
        Of its learnable blobs, of its tops, and of what its backward pass makes.
    tops_alone, gradients_alone : Difference or None
        The same where the layer runs on the other side's numbers.
    """

    layer: str
    type: str
    weights: Difference | None
    tops: Difference | None
    tops_alone: Difference | None
    gradients: Difference | None
    gradients_alone: Difference | None

    def beyond(self, tolerance: float, *kinds: str) -> Difference | None:
        """Return the first of the differences `kinds` that is above `tolerance`."""
        found = (getattr(self, kind) for kind in kinds)
        return next((each for each in found if each and each.relative > tolerance), None)


class Setting(NamedTuple):
    """How both sides run the net.

    Attributes
    ----------
    net : path
        Prototxt.
    weights : path or None
        .caffemodel; None is what the fillers give.
    phase, level : int
    stages : sequence of str
    seed : int
        Of the fillers, dropout and random inputs.
    summation : str
        Our order of summation.
    """

    net: str | Path
    weights: str | Path | None = None
    phase: int = pycaffe.TEST
    level: int = 0
    stages: Sequence[str] = ()
    seed: int = 1
    summation: str = "torch"

    def open(self) -> pycaffe.Net:
        """Open the net in our engine."""
        before = STATE.options
        pycaffe.set_summation(self.summation)
        pycaffe.set_random_seed(self.seed)
        try:
            return pycaffe.Net(self.net, self.phase, self.level, self.stages, self.weights)
        finally:
            STATE.options = before

    def open_remote(self) -> RemoteNet:
        """Open the net in real Caffe."""
        told = {"phase": self.phase, "level": self.level, "seed": self.seed}
        environment = _SAME_BLAS if self.summation == "caffe" else {}
        return RemoteNet(self.net, self.weights, environment, stages=self.stages, **told)


def starts(
    setting: Setting, net: pycaffe.Net, given: Mapping[str, NDArray[Any]], draw: bool
) -> Arrays:
    """Return what both sides start from, and give the inputs of `net` their shapes.

    Parameters
    ----------
    setting : Setting
    net : pycaffe.Net
        As `Setting.open` opens it.
    given : dict of str to array
        What is given of it, and possibly more.
    draw : bool
        Whether an input that is not given is random: normal, or a class where a layer reads
        classes.

    Returns
    -------
    dict of str to array
        The tops of layers without bottoms that are given; all inputs; with `force_backward` the
        gradients of the outputs, which are random where they are not given.

    Raises
    ------
    UsageError
        An input is missing.
    NetError
        The net does not take such inputs.
    """
    random = np.random.RandomState(setting.seed)
    sources = {each.blob for wires in wires_of(net) if not wires.bottoms for each in wires.tops}
    found = {name: np.asarray(given[name], np.float32) for name in sources & given.keys()}
    classes = _classes(net)
    for name in net.inputs:
        blob = net.blobs[name]
        if name not in found and not draw:
            raise UsageError(
                f"{setting.net}: input {name!r}: wanted the other side's numbers of it"
            )
        if name not in found:
            high, shape = classes.get(name), blob.shape
            drawn = random.randint(0, high, shape) if high else random.standard_normal(shape)
            found[name] = drawn.astype(np.float32)
        blob.reshape(*found[name].shape)
    if net._net.force_backward:
        net.reshape()
        for name in net.outputs:
            if not net.blob_loss_weights[name]:
                numbers = given.get(GRADIENT + name)
                if numbers is None:
                    numbers = random.standard_normal(net.blobs[name].shape)
                found[GRADIENT + name] = numbers.astype(np.float32)
    return found


def _classes(net: pycaffe.Net) -> dict[str, int]:
    """Return {input that a layer reads classes from: how many}."""
    steps, found = net._net.steps, dict[str, int]()
    sources = label_sources([(s.layer.param, s.bottoms, s.tops) for s in steps], ("Input",))
    for step in steps:
        wanted = step.layer.label_range
        if wanted is None:
            continue
        for number, top in sources[step.bottoms[wanted.bottom]]:
            name = steps[number].layer.param.top[top]
            found[name] = min(wanted.classes, found.get(name, wanted.classes))
    return found


def read_trace(path: str | Path) -> Arrays:
    """Read an .npz of numbers.

    Raises
    ------
    GcnetError
        It is missing, or is no such file.
    """
    if not Path(path).is_file():
        raise UsageError(f"{path}: {NO_FILE}")
    try:
        with np.load(path) as file:
            found = {name: np.asarray(file[name], np.float32) for name in file.files}
    except (ValueError, TypeError, OSError, EOFError, AttributeError, BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise GcnetError(f"{path}: wanted an .npz of arrays of numbers: {reason}") from None
    return found


def save_trace(path: str | Path, found: Mapping[str, NDArray[np.float32]]) -> None:
    """Write a trace as an .npz, whole or not at all."""
    named: dict[str, Any] = dict(found)
    with atomic(path, overwrite=True) as scratch, open(scratch, "wb") as file:
        np.savez(file, **named)


def diff(
    setting: Setting, net: pycaffe.Net, given: Mapping[str, NDArray[Any]], against: str
) -> tuple[Arrays, list[LayerDifference]]:
    """Run the net on our side and compare it with another.

    Parameters
    ----------
    setting : Setting
    net : pycaffe.Net
        As `Setting.open` opens it; it has not run yet.
    given : dict of str to array
        Inputs, or tops of other layers without bottoms. What is left out is the file's or, beside
        real Caffe, random.
    against : str
        `caffe`, the path of an .npz, or nothing.

    Returns
    -------
    ours : dict of str to array
        Our trace.
    rows : list of LayerDifference
        Empty where there is no other side.

    Raises
    ------
    UsageError
        As `starts` and `compare`.
    GcnetError
        A file cannot be read, the net does not run on one side, or there is no real Caffe.
    """
    theirs = {} if against in ("", "caffe") else read_trace(against)
    started = starts(setting, net, {**theirs, **given}, draw=not theirs)
    if against == "caffe":
        theirs = setting.open_remote().trace(started)
    ours = trace(net, started)
    return ours, compare(setting, started, ours, theirs) if against else []


def compare(setting: Setting, given: Arrays, ours: Arrays, theirs: Arrays) -> list[LayerDifference]:
    """Compare our trace with the other side's, layer by layer; Split layers are left out.

    Parameters
    ----------
    setting : Setting
    given : dict of str to array
        What both sides started from.
    ours, theirs : dict of str to array
        Traces. Theirs may lack arrays; ours alone is made here.

    Raises
    ------
    UsageError
        Nothing of theirs belongs to this net.
    """
    if not ours.keys() & theirs.keys():
        wanted = ", ".join(list(ours)[:3])
        raise UsageError(f"{setting.net}: no blob of it on the other side; wanted {wanted}, ...")
    net = setting.open()
    alone = trace(net, given, theirs)

    def worst(names: Iterable[str], mine: Arrays, together: bool = False) -> Difference | None:
        both = [name for name in names if name in mine and name in theirs]
        size = max((_largest(theirs[name]) for name in both), default=0) if together else None
        found = [difference(name, mine[name], theirs[name], size) for name in both]
        return max(found, key=lambda each: each.relative, default=None)

    def gradients(wires: Wires, blobs: Iterable[str], mine: Arrays) -> Difference | None:
        # that of a bias under a BatchNorm is 0, but for rounding: all of a layer's have one size
        learned = worst((GRADIENT + name for name in blobs), mine, together=True)
        found = filter(None, [worst((each.diff for each in wires.bottoms), mine), learned])
        return max(found, key=lambda each: each.relative, default=None)

    rows = []
    for wires, layer in zip(wires_of(net), net.layers):
        if layer.type == "Split":
            continue
        weights = [f"param:{wires.layer}/{number}" for number in range(len(layer.blobs))]
        tops = [each.data for each in wires.tops]
        rows.append(
            LayerDifference(
                wires.layer,
                layer.type,
                worst(weights, ours),
                *(worst(tops, mine) for mine in (ours, alone)),
                *(gradients(wires, weights, mine) for mine in (ours, alone)),
            )
        )
    return rows


def _largest(array: NDArray[Any]) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0))


def difference(
    name: str, ours: NDArray[Any], theirs: NDArray[Any], size: float | None = None
) -> Difference:
    """Return the `Difference` of two arrays; equal infinities, and numbers that are none, agree.

    `size` is what it is relative to; default: the largest number of `theirs`.
    """
    if ours.shape != theirs.shape:
        return Difference(name, np.inf, f"shape {ours.shape}, theirs {theirs.shape}")
    if not ours.size:
        return Difference(name, 0.0, "")
    mine, its = (np.atleast_1d(array).astype(np.float64) for array in (ours, theirs))
    equal = (mine == its) | (np.isnan(mine) & np.isnan(its))
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(np.where(equal, 0, abs(mine - its)), nan=np.inf, posinf=np.inf)
    place = np.unravel_index(int(apart.argmax()), apart.shape)
    size = _largest(its) if size is None else size
    at = ", ".join(map(str, place))
    where = f"{mine[place]:.9g} at {at}, theirs {its[place]:.9g}"
    return Difference(name, float(apart[place] / (size or 1)), where)


def first_beyond(
    rows: Sequence[LayerDifference], tolerance: float
) -> tuple[LayerDifference, Difference] | None:
    """Return the first difference above `tolerance`, in the order in which a net computes.

    That is from the first layer to the last, weights before tops, and then gradients from the last
    layer to the first.
    """
    order = [(row, row.beyond(tolerance, "weights", "tops")) for row in rows]
    order += [(row, row.beyond(tolerance, "gradients")) for row in reversed(rows)]
    return next(((row, found) for row, found in order if found), None)
