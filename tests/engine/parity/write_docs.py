"""Write the measured parts of docs/parity.md again, and its pictures.

    python -m tests.engine.parity.write_docs layers|mutations|runs|long

`layers`: the table of layers. `mutations`: what a break of each layer, source and rule does in the
tests; exits with 1 if one survives. `runs`: every variant, both pre-trainings and two VAEs, 50
iterations in both engines. `long`: 500 iterations of S1R1 in both, and the two logs. Takes minutes.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import Counter
from io import StringIO
from pathlib import Path

import numpy as np

from gcnet_caffe.engine.caffe_order.compiled import use_one_thread
from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.formats import read_solver
from gcnet_caffe.plotting import import_pyplot
from tests import caffe_image
from tests.engine import rules, runs
from tests.engine.parity import mutations, other_mutations
from tests.engine.parity.cases import CASES
from tests.engine.parity.run import by_caffe, by_engine, error, wrong
from tests.scratch import ROOT, make_tree

DOCUMENT = mutations.DOCUMENT
IMAGES = ROOT / "docs/images"


def replace(part: str, text: str) -> None:
    """Put `text` between the marks of `part` in docs/parity.md."""
    mark, end = f"<!-- {part} -->", f"<!-- /{part} -->"
    pattern = re.compile(f"{mark}.*?{end}", re.S)
    document, count = pattern.subn(lambda _: f"{mark}\n{text}\n{end}", DOCUMENT.read_text())
    if count != 1:
        raise SystemExit(f"{DOCUMENT}: found the marks of {part!r} {count} times, wanted once")
    DOCUMENT.write_text(document)


def layers(folder: Path) -> None:
    theirs, _ = by_caffe(caffe_image, folder)
    use_one_thread()
    worst: dict[str, list[list[float]]] = {}
    equal: Counter[str] = Counter()
    for case, results in zip(CASES, theirs):
        of_ways = []
        for way in ("layer", "training"):
            ours = by_engine(case, way)
            of_ways.append(max((error(ours[name], results[name]) for name in ours), default=0.0))
        worst.setdefault(case.type, []).append(of_ways)
        equal[case.type] += not wrong(case, results, "caffe")
    lines = [
        "| layer | cases | worst error | in training | equal bit for bit | in Caffe's order |",
        "|---|---|---|---|---|---|",
    ]
    for kind, errors in sorted(worst.items()):
        alone, trained = zip(*errors)
        exact = sum(value == 0 for value in alone)
        largest = (f"{max(values):.0e}" for values in (alone, trained))
        cells = (kind, len(errors), *largest, exact, equal[kind])
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    replace("layers", "\n".join(lines))


def mutation_tables(folder: Path) -> None:
    for name in ("layers", "rules"):
        (folder / name).mkdir()
    theirs, of_sources = by_caffe(caffe_image, folder / "layers")
    use_one_thread()
    rules.write_rules(folder / "rules")
    paths = map(rules.path_of, rules.RULES)
    of_rules = rules.by_caffe(caffe_image, folder / "rules", paths, rules.ITERATIONS)
    os.chdir(folder / "layers")
    of_layers = {**mutations.break_layers(theirs), **other_mutations.break_onnx()}
    sources = other_mutations.break_sources(of_sources)
    os.chdir(folder / "rules")
    survived = []
    for part, found, heads in (
        ("mutations", of_layers, mutations.LAYER_HEADS),
        ("sources", sources, mutations.SOURCE_HEADS),
        ("rules", other_mutations.break_rules(of_rules), mutations.RULE_HEADS),
    ):
        replace(part, mutations.table(found, heads))
        survived += mutations.survivors(found)
        red, tried = (sum(column) for column in zip(*found.values()))
        print(f"{part}: {len(found)} breaks, {red} of {tried} runs red")
    os.chdir(mutations.ROOT)
    if survived:
        raise SystemExit(f"not red in every case: {survived}")


def _cell(values):
    return f"{np.median(values):.0e} / {np.max(values):.0e}"


#: Which series are in the tables, and their heads.
FORCED = {"engine": "engine", "caffe": "Caffe itself", "Caffe's order": "in Caffe's order"}
FREE = {
    "engine": "engine",
    "two threads": "two threads",
    "one ulp": "one step off",
    "Caffe's order": "in Caffe's order",
}


def run_tables(folder):
    make_tree(folder, batch_size=4)
    found = {
        name: runs.measure(caffe_image, folder, name, 50, list(runs.ORDERS), two_threads=True)
        for name in runs.VARIANTS + runs.PRETRAININGS + runs.VAES
    }
    parts = {"loss": "loss", "worst": "worst blob", "all": "all blobs"}
    forced = _heads(parts, FORCED)
    free = _heads({"loss": "loss", "weights": "weights"}, FREE)
    for name, one in found.items():
        cells = [_cell(one["forced"][series][part]) for part in parts for series in FORCED]
        forced.append(f"| {name} | " + " | ".join(cells) + " |")
        cells = [f"{max(one['free'][series]['loss']):.0e}" for series in FREE]
        cells += [f"{one['free'][series]['weights']:.0e}" for series in FREE]
        free.append(f"| {name} | " + " | ".join(cells) + " |")
    replace("forced", "\n".join(forced))
    replace("free", "\n".join(free))
    _draw_deviations({name: found[name] for name in runs.VARIANTS + runs.PRETRAININGS})


def _heads(parts, series):
    """Return the two first lines of a table: each part in each series."""
    heads = [
        f"{part}, {head}" if index == 0 else head
        for part in parts.values()
        for index, head in enumerate(series.values())
    ]
    return ["| net | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]


def _draw_deviations(found):
    plt = import_pyplot()
    figure, axes = plt.subplots(2, 4, figsize=(15, 6), sharex=True, sharey=True)
    labels = {"engine": "engine", "two threads": "Caffe, 2 threads", "one ulp": "Caffe, 1 ulp off"}
    for axis, (name, one) in zip(axes.flat, found.items()):
        for key, label in labels.items():
            values = np.maximum(one["free"][key]["loss"], 1e-8)
            axis.semilogy(values, label=label, lw=1.2, ls="-" if key == "engine" else "--")
        axis.set_title(name, fontsize=9)
    axes[0, 0].legend(fontsize=7)
    for axis in axes[1]:
        axis.set_xlabel("iteration")
    figure.supylabel("deviation of the loss from real Caffe's", fontsize=9)
    figure.tight_layout()
    figure.savefig(IMAGES / "parity_free_runs.png", dpi=80)


def long_run(folder):
    make_tree(folder, batch_size=4, images=64)
    path = runs.solver_of(folder, "S1R1", max_iter=500, display=20)
    theirs = caffe_image.run_caffe(["train", "-solver", path], folder).stderr
    os.chdir(folder)
    logs = [theirs, *(_log_of(path, options) for options in runs.ORDERS.values())]
    curves = [_losses(log) for log in logs]
    lines = ["```", f"{'':18}{'real Caffe':14}{'engine':14}in Caffe's order"]
    for index, values in enumerate(zip(*curves)):
        if index < 4 or index % 5 == 0:
            text = f"Iteration {index * 20},"
            lines.append(f"{text:18}{values[0]:14}{values[1]:14}{values[2]}")
    apart = sum(caffes != ours for caffes, _, ours in zip(*curves))
    lines.append(f"lines that differ in Caffe's order: {apart} of {len(curves[0])}")
    replace("long", "\n".join([*lines, "```"]))
    plt = import_pyplot()
    figure, axis = plt.subplots(figsize=(8, 3.2))
    for curve, label, style in zip(curves, ("real Caffe", "engine"), ("-", "--")):
        axis.semilogy(np.arange(len(curve)) * 20, [float(v) for v in curve], style, label=label)
    axis.set_xlabel("iteration")
    axis.set_ylabel("loss")
    axis.legend()
    figure.tight_layout()
    figure.savefig(IMAGES / "parity_500.png", dpi=90)


def _log_of(path, options):
    """Return the log of a run of the engine."""
    stream = StringIO()
    Solver(read_solver(path), path, options=options, log=Log(stream)).solve()
    return stream.getvalue()


def _losses(log):
    return re.findall(r"Iteration \d+ .*?loss = (\S+)", log)


if __name__ == "__main__":
    parts = {"layers": layers, "mutations": mutation_tables, "runs": run_tables, "long": long_run}
    with tempfile.TemporaryDirectory() as scratch:
        parts[sys.argv[1]](Path(scratch))
