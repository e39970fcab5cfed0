"""Check that the LMDBs match the nets that a solver trains and tests, before training starts.

Debian's Caffe is built without its debug checks: with a label out of range it writes to memory of
others without a message. The engine refuses the same faults, by the same rules (data_layer, labels,
solver_nets and solver_fields of `formats`). A layer that the check does not know gives a warning.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gcnet_caffe.errors import NetError, UsageError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.data_layer import DataRules, check_layer_labels
from gcnet_caffe.formats.hdf5_data import HDF5Files
from gcnet_caffe.formats.image_list import ImageList, ImageRules, check_file
from gcnet_caffe.formats.in_place import in_place_fault
from gcnet_caffe.formats.labels import Step, label_range, label_sources, reads_labels
from gcnet_caffe.formats.lmdb_survey import Survey, read_survey
from gcnet_caffe.formats.net_state import merged_state, select_layers
from gcnet_caffe.formats.shapes import top_shapes
from gcnet_caffe.formats.snapshots import check_folder, check_hdf5_names, snapshot_folder
from gcnet_caffe.formats.solver_fields import check_fields
from gcnet_caffe.formats.solver_nets import NetSource, test_nets, train_net
from gcnet_caffe.formats.solver_or_net import read_solver_or_net
from gcnet_caffe.formats.window_file import CHANNELS, WindowRules
from gcnet_caffe.formats.wiring import Wiring

_PHASES = {caffe_pb.TRAIN: "TRAIN", caffe_pb.TEST: "TEST"}
#: Layers that read files.
_READERS = ("Data", "HDF5Data", "ImageData", "WindowData")
#: Layers without a bottom whose blobs the prototxt itself describes.
_DESCRIBED = (*_READERS, "DummyData", "Input", "MemoryData", "Parameter")


class Findings(NamedTuple):
    """What a check has found.

    Attributes
    ----------
    facts : list of str
        What each database or list of files holds.
    warnings : list of str
        What is allowed, but may be a mistake.
    """

    facts: list[str]
    warnings: list[str]


def check(path: str | Path, level: int = 0, stages: Sequence[str] = ()) -> Findings:
    """Check the nets of a solver, or one net in both phases.

    Paths inside the prototxts are relative to the current folder, as in Caffe.

    Parameters
    ----------
    path : str or Path
        The prototxt of a solver or of a net.
    level : int
    stages : sequence of str
        As for `caffe train -level -stage`.

    Returns
    -------
    Findings

    Raises
    ------
    GcnetError
        Training would not start, or Caffe would use memory that is not its own.
    """
    param = read_solver_or_net(path)
    if isinstance(param, caffe_pb.SolverParameter):
        param.train_state.level = level
        param.train_state.stage.extend(stages)
        return check_solver(param, str(path))
    checker = _Checker()
    for phase in _PHASES:
        net = copy.deepcopy(param)
        given = caffe_pb.NetState(phase=phase, level=level, stage=stages)
        net.state.CopyFrom(merged_state(phase, param.state, given))
        if any(layer.type in _READERS for layer in select_layers(net, str(path))):
            checker.check_net(NetSource(net, str(path)))
    return checker.findings


def check_solver(solver: Any, origin: str) -> Findings:
    """Check a solver and its nets.

    Parameters
    ----------
    solver : SolverParameter
        In today's form.
    origin : str
        The solver's file, for messages.

    Returns
    -------
    Findings

    Raises
    ------
    GcnetError
        As of `check`.
    """
    check_fields(solver, origin)
    check_folder(solver, origin)
    checker = _Checker()
    checker.warn_of_folder(solver, origin)
    net = train_net(solver, origin)
    if solver.snapshot_format == solver.HDF5 and (solver.snapshot or solver.snapshot_after_train):
        layers = select_layers(net.param, net.origin)
        check_hdf5_names((layer.name for layer in layers), net.origin)
    checker.check_net(net)
    for index, source in enumerate(test_nets(solver, origin)):
        checker.check_net(source, solver.test_iter[index])
    return checker.findings


class _Checker:
    """Checks nets one after the other; an LMDB that several nets read is read once."""

    def __init__(self) -> None:
        self.findings = Findings([], [])
        self._survey = functools.lru_cache(maxsize=None)(read_survey)

    def warn_of_folder(self, solver: Any, origin: str) -> None:
        """Warn of a missing folder of snapshots: the engine makes it at the end, Caffe does not."""
        folder = snapshot_folder(solver)
        if solver.snapshot_after_train and not folder.is_dir():
            self.findings.warnings.append(
                f"{origin}: snapshot_prefix: there is no folder {folder}; make it: Caffe cannot "
                "write the last snapshot"
            )

    def check_net(self, net: NetSource, test_iter: int = 0) -> None:
        """Check one net; `test_iter` is the number of batches of a test net."""
        wiring, steps = Wiring(net.origin), list[Step]()
        shapes: dict[int, Any] = {}
        surveys: dict[int, tuple[Any, Any]] = {}
        for layer in select_layers(net.param, net.origin):
            bottoms = wiring.bottoms(layer)
            if layer.type == "Data" and (found := self._check_data(layer, net)):
                surveys[len(steps)] = found
                self._check_count(layer, found[1], test_iter)
                made = _batch_shapes(*found)
            elif layer.type == "ImageData":
                surveys[len(steps)], made = self._check_images(layer, net)
            elif layer.type == "HDF5Data":
                made = self._check_hdf5(layer, net)
            elif layer.type == "WindowData":
                made = self._check_windows(layer, net)
            else:
                made = top_shapes(layer, [shapes.get(b) for b in bottoms], len(layer.top))
            self._warn_of_others(layer)
            tops = wiring.tops(layer, len(layer.top))
            fault = in_place_fault(layer, [shapes.get(b) for b in bottoms], made)
            if fault:
                raise NetError(f"{net.origin}: layer {layer.name!r} ({layer.type}): {fault}")
            shapes.update(zip(tops, made))
            steps.append((layer, bottoms, tops))
        wiring.check_not_empty(net.param.state.phase)
        self._check_labels(steps, shapes, surveys, net)
        self._check_channels(net.param, surveys, steps)

    def _warn_of_others(self, layer: Any) -> None:
        if not layer.bottom and layer.top and layer.type not in _DESCRIBED:
            self.findings.warnings.append(
                f"layer {layer.name!r} ({layer.type}): its data is not checked"
            )

    def _check_data(self, layer: Any, net: NetSource) -> tuple[DataRules, Survey] | None:
        rules = DataRules(layer, net.origin)
        try:
            survey = self._survey(rules.source, rules.color, rules.batch_size, rules.leveldb)
        except UsageError as error:  # only Caffe can read it
            self.findings.warnings.append(f"{rules.source}: is not checked: {error}")
            return None
        for (shape, encoded), index in survey.shapes.items():
            rules.check_alike(survey.first_shape, shape, survey.name(index), encoded)
        self._say(_PHASES[layer.phase], survey)
        return rules, survey

    def _say(self, phase: str, survey: Survey) -> None:
        shapes = [
            "x".join(map(str, shape)) for shape in sorted({shape for shape, _ in survey.shapes})
        ]
        more = f" and {len(shapes) - 3} other sizes" if len(shapes) > 3 else ""
        self.findings.facts.append(
            f"{phase} {survey.source}: {len(survey.keys)} records, {' '.join(shapes[:3])}{more}, "
            f"labels {survey.labels.min()}..{survey.labels.max()}"
        )

    def _check_images(
        self, layer: Any, net: NetSource
    ) -> tuple[tuple[ImageRules, ImageList], list[Any]]:
        rules = ImageRules(layer, net.origin)
        images = rules.read_list()
        for index, path in enumerate(images.paths):
            check_file(path, images.name(index))
        made = rules.output_shape(rules.read(images, 0).shape, images.name(0))
        self.findings.facts.append(
            f"{_PHASES[layer.phase]} {images.source}: {len(images)} images, "
            f"{'x'.join(map(str, made))}, labels {images.labels.min()}..{images.labels.max()}"
        )
        return (rules, images), [(rules.batch_size, *made), (rules.batch_size,)]

    def _check_hdf5(self, layer: Any, net: NetSource) -> list[Any]:
        hdf5 = HDF5Files(layer, net.origin)
        shapes = [hdf5.shapes(index) for index in range(len(hdf5.paths))]
        rows = sum(of_file[0][0] for of_file in shapes)
        source = layer.hdf5_data_param.source
        self.findings.facts.append(
            f"{_PHASES[layer.phase]} {source}: {len(shapes)} files, {rows} rows"
        )
        return [(hdf5.batch_size, *shape[1:]) for shape in shapes[0]]

    def _check_windows(self, layer: Any, net: NetSource) -> list[Any]:
        rules = WindowRules(layer, net.origin)
        file = rules.read_windows()
        for path in file.paths:
            check_file(path, f"{file.source}: {path}")
        background, foreground = map(len, file.windows)
        self.findings.facts.append(
            f"{_PHASES[layer.phase]} {file.source}: {len(file.paths)} images, {foreground} windows "
            f"of foreground, {background} of background"
        )
        size = rules.crop_size
        return [(rules.batch_size, CHANNELS, size, size), (rules.batch_size,)]

    def _check_count(self, layer: Any, survey: Survey, test_iter: int) -> None:
        batch, count = layer.data_param.batch_size, len(survey.keys)
        if batch > count:
            self.findings.warnings.append(
                f"{survey.source}: {count} records, fewer than batch_size {batch}: a batch repeats "
                "some"
            )
        if test_iter and test_iter * batch != count:
            self.findings.warnings.append(
                f"{survey.source}: test_iter {test_iter} x batch_size {batch} = "
                f"{test_iter * batch} of {count} records; `gcnet make-net` and `gcnet make-solver` "
                "with --fit-test match them"
            )

    def _check_labels(
        self,
        steps: list[Step],
        shapes: dict[int, Any],
        surveys: dict[int, tuple[Any, Any]],
        net: NetSource,
    ) -> None:
        sources = label_sources(steps)
        for layer, bottoms, _ in steps:
            number = reads_labels(layer)
            if number is None or number >= len(bottoms):
                continue
            found = sorted(place for place in sources[bottoms[number]] if place[0] in surveys)
            reader = f"layer {layer.name!r} ({layer.type})"
            wanted = label_range(layer, shapes[bottoms[0]])
            if found and wanted is None:
                self.findings.warnings.append(
                    f"{net.origin}: {reader}: its number of classes is unknown, so its labels are "
                    "not checked"
                )
            elif wanted is not None:
                for step, top in found:
                    check_layer_labels(*surveys[step], top, wanted, reader)

    def _check_channels(
        self, net: Any, surveys: dict[int, tuple[Any, Any]], steps: list[Step]
    ) -> None:
        """Warn if the LMDB of one of our nets has another number of channels than the net needs."""
        if not net.name.startswith("gcnet_"):
            return
        for step, (_, survey) in surveys.items():
            if not isinstance(survey, Survey):
                continue
            data = steps[step][2][:1]
            cuts = [cut for cut, bottoms, _ in steps if cut.type == "Slice" and bottoms[:1] == data]
            wanted = len(cuts[0].top) if cuts else 1
            for channels in sorted({shape[0] for shape, _ in survey.shapes} - {wanted}):
                self.findings.warnings.append(
                    f"{survey.source}: {channels} channel(s), {net.name} needs {wanted}"
                )


def _batch_shapes(rules: DataRules, survey: Survey) -> list[Any]:
    made = rules.output_shape(survey.first_shape, survey.name(0))
    return [(rules.batch_size, *made), (rules.batch_size,)]
