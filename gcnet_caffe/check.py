"""Hold a net's LMDBs against the net that will read them, before Caffe does.

Debian's Caffe is built without its debug checks: a label out of range corrupts memory without a
word. A net that compares the wrong channel trains without a word, too.
"""

import re
from pathlib import Path
from typing import NamedTuple

from gcnet_caffe.data.lmdb_file import describe
from gcnet_caffe.errors import CheckError
from gcnet_caffe.schema import caffe_pb, read_file, read_net, read_solver

_PHASES = {caffe_pb.TRAIN: "TRAIN", caffe_pb.TEST: "TEST"}


class Findings(NamedTuple):
    """`facts` say what each LMDB holds; `warnings` what will not be as one might think."""

    facts: list
    warnings: list


def check(path):
    """Check the net at `path`, or the net of the solver at `path`, and return `Findings`.

    Paths inside the prototxts are relative to the current folder, as in Caffe.

    Raises
    ------
    CheckError
        An LMDB is empty, or has the wrong channels or size, or labels the net has no output for;
        or the folder of the solver's snapshots is missing.
    LmdbError, SchemaError
        A file cannot be read.
    """
    solver = None if _is_net(path) else read_solver(path)
    net = read_net(_net_of(solver, path) if solver else path)
    findings = Findings([], [])
    for layer in net.layer:
        if layer.type == "Data":
            _check_data(layer, net, solver, findings)
    if solver and solver.snapshot_prefix:
        folder = Path(solver.snapshot_prefix).parent
        if not folder.is_dir():
            raise CheckError(f"{path}: snapshot_prefix: there is no folder {folder}; make it")
    return findings


def _is_net(path):
    return re.search(r"^\s*layers?\s*[:{]", read_file(path), re.M) is not None


def _net_of(solver, path):
    for name in (solver.net, solver.train_net):
        if name:
            return name
    raise CheckError(f"{path}: names no net; wanted 'net' or 'train_net'")


def _check_data(layer, net, solver, findings):
    source = layer.data_param.source
    if layer.data_param.backend != caffe_pb.DataParameter.LMDB:
        findings.warnings.append(f"{source}: a LEVELDB, which is not looked into")
        return
    facts = describe(source)
    phase = _phase(layer)
    if not facts.count:
        raise CheckError(f"{source}: holds no records")
    _check_shape(layer, net, source, facts)
    _check_labels(layer, net, source, facts)
    shapes = " ".join("x".join(map(str, shape)) for shape in facts.shapes)
    labels = f"{min(facts.labels)}..{max(facts.labels)}"
    findings.facts.append(f"{phase} {source}: {facts.count} records, {shapes}, labels {labels}")
    _check_count(layer, phase, solver, facts, findings)


def _check_shape(layer, net, source, facts):
    if facts.shapes == ((0, 0, 0),):  # encoded images carry no shape
        return
    if len(facts.shapes) > 1 and layer.data_param.batch_size > 1:
        raise CheckError(f"{source}: records of different shapes: {facts.shapes[:2]}")
    channels, height, width = facts.shapes[0]
    wanted = _wanted_channels(layer, net)
    if wanted and channels != wanted:
        raise CheckError(f"{source}: {channels} channel(s), {net.name} wants {wanted}")
    crop = layer.transform_param.crop_size
    if crop > min(height, width):
        raise CheckError(f"{source}: {height}x{width} images, crop_size wants {crop}x{crop}")


def _wanted_channels(layer, net):
    """Return how many channels the net needs: one for each image a Slice takes out, else 1.

    Another's net may take any number: it cannot be told from the prototxt.
    """
    if not net.name.startswith("gcnet_"):
        return None
    for reader in net.layer:
        if reader.type == "Slice" and layer.top[0] in reader.bottom:
            return len(reader.top)
    return 1


def _check_labels(layer, net, source, facts):
    if len(layer.top) < 2:
        return
    for loss in net.layer:
        if loss.type != "SoftmaxWithLoss" or loss.bottom[1] != layer.top[1]:
            continue
        outputs = _num_output(loss.bottom[0], net)
        allowed = set(range(outputs))
        if loss.loss_param.HasField("ignore_label"):
            allowed.add(loss.loss_param.ignore_label)
        bad = sorted(set(facts.labels) - allowed)
        if outputs and bad:
            raise CheckError(
                f"{source}: label {bad[0]} ({facts.labels[bad[0]]} records), "
                f"layer {loss.name!r} of {net.name} wants {min(allowed)}..{max(allowed)}"
            )


def _num_output(blob, net):
    for layer in net.layer:
        if blob in layer.top and layer.type == "InnerProduct":
            return layer.inner_product_param.num_output
    return 0


def _check_count(layer, phase, solver, facts, findings):
    batch = layer.data_param.batch_size
    source = layer.data_param.source
    if batch > facts.count:
        findings.warnings.append(
            f"{source}: {facts.count} records, fewer than batch_size {batch}: batches repeat some"
        )
    if phase == "TEST" and solver and solver.test_iter:
        covered = batch * solver.test_iter[0]
        if covered != facts.count:
            findings.warnings.append(
                f"{source}: test_iter {solver.test_iter[0]} x batch_size {batch} = {covered} of "
                f"{facts.count} records; make_net.py and make_solver.py --fit-test match them"
            )


def _phase(layer):
    phases = {rule.phase for rule in layer.include if rule.HasField("phase")}
    return _PHASES[phases.pop()] if len(phases) == 1 else "TRAIN"
