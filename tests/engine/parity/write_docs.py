"""Write the measured parts of docs/parity.md again, and its pictures.

    python -m tests.engine.parity.write_docs layers|runs|long [FOLDER]

`layers`: the table of layers. `runs`: every variant and both pre-trainings, 50 iterations in both
engines. `long`: 500 iterations of S1R1 in both, and the two logs. Takes minutes.
"""

import re
import sys
import tempfile
from pathlib import Path

import numpy as np

from gcnet_caffe.analysis.log import import_pyplot
from tests import real_caffe
from tests.engine import runs
from tests.engine.parity.cases import CASES
from tests.engine.parity.run import by_caffe, compare
from tests.scratch import ROOT, make_tree

DOCUMENT = ROOT / "docs/parity.md"
IMAGES = ROOT / "docs/images"


def replace(part, text):
    """Put `text` between the marks of `part` in docs/parity.md."""
    mark, end = f"<!-- {part} -->", f"<!-- /{part} -->"
    document = DOCUMENT.read_text()
    pattern = re.compile(f"{mark}.*?{end}", re.S)
    DOCUMENT.write_text(pattern.sub(lambda _: f"{mark}\n{text}\n{end}", document))


def layers(folder):
    theirs = by_caffe(real_caffe, folder)
    found = {}
    for case, results in zip(CASES, theirs):
        errors = [error for error, _, _ in compare(case, results).values()]
        found.setdefault(case.type, []).append(max(errors, default=0.0))
    lines = ["| layer | cases | worst error | equal bit for bit |", "|---|---|---|---|"]
    for kind, errors in sorted(found.items()):
        exact = sum(error == 0 for error in errors)
        lines.append(f"| {kind} | {len(errors)} | {max(errors):.0e} | {exact} |")
    replace("layers", "\n".join(lines))


def _cell(values):
    return f"{np.median(values):.0e} / {np.max(values):.0e}"


def run_tables(folder):
    make_tree(folder, batch_size=4)
    what = runs.VARIANTS + runs.PRETRAININGS
    found = {name: runs.measure(real_caffe, folder, name, 50) for name in what}
    head = "| net | loss, engine | loss, Caffe itself | worst blob, engine | Caffe itself |"
    forced = [head + " all blobs, engine | Caffe itself |", "|---|" + "---|" * 6]
    free = [
        "| net | loss, engine | two threads | one step off | weights, engine | two threads | "
        "one step off |",
        "|---|" + "---|" * 6,
    ]
    for name, one in found.items():
        pair = (one["forced"]["engine"], one["forced"]["caffe"])
        cells = [_cell(series[key]) for key in ("loss", "worst", "all") for series in pair]
        forced.append(f"| {name} | " + " | ".join(cells) + " |")
        series = [one["free"][key] for key in ("engine", "two threads", "one ulp")]
        cells = [f"{max(s['loss']):.0e}" for s in series] + [f"{s['weights']:.0e}" for s in series]
        free.append(f"| {name} | " + " | ".join(cells) + " |")
    replace("forced", "\n".join(forced))
    replace("free", "\n".join(free))
    _draw_deviations(found)


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
    import os

    make_tree(folder, batch_size=4, images=64)
    path = runs.solver_of(folder, "S1R1", max_iter=500, display=20)
    theirs = real_caffe.run_caffe(["train", "-solver", path], folder, timeout=3000).stderr
    os.chdir(folder)
    from io import StringIO

    from gcnet_caffe.engine.log import Log
    from gcnet_caffe.engine.solver import Solver
    from gcnet_caffe.schema import read_solver

    stream = StringIO()
    Solver(read_solver(path), path, log=Log(stream)).solve()
    curves = [_losses(log) for log in (theirs, stream.getvalue())]
    lines = ["```", f"{'real Caffe':44}  engine"]
    for iteration, (caffes, ours) in enumerate(zip(*curves)):
        if iteration < 4 or iteration % 5 == 0:
            text = f"Iteration {iteration * 20}, loss = "
            lines.append(f"{text + caffes:44}  {text + ours}")
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


def _losses(log):
    return re.findall(r"Iteration \d+ .*?loss = (\S+)", log)


if __name__ == "__main__":
    parts = {"layers": layers, "runs": run_tables, "long": long_run}
    with tempfile.TemporaryDirectory() as scratch:
        parts[sys.argv[1]](Path(scratch))
