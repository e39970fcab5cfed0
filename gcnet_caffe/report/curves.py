"""Losses and accuracies over the iterations, fold by fold."""

import numpy as np

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats.log import read_log
from gcnet_caffe.report.blocks import Figure, Hole, Section, Text
from gcnet_caffe.report.pictures import COLOURS, GREY, drawing, panels, svg_uri

_POINTS = 60  # of a curve; more are averaged in groups
#: Losses of the train log -> how the paper calls them.
_LOSSES = {
    "loss_classification": "classification, eq. (4)",
    "loss_contrastive": "contrastive, eq. (6)",
    "loss_generation": "generation, eq. (5)",
    "loss_query": "reconstruction of the query, eq. (8)",
    "loss_reference": "reconstruction of the reference, eq. (9)",
}


def curves_section(run):
    """Test accuracy, training loss, and the losses of S1R1: a panel for each fold."""
    section = Section("curves", "Accuracy and loss curves", short="Curves")
    nets = [m for m in run.main if m.kind == "net"]
    first = {m.method: m for m in reversed(nets)}  # the first seed of each
    nets = [m for m in nets if first[m.method] is m]
    folds = [fold for fold in run.folds if any(fold in m.folds for m in nets)]
    if not folds:
        section.blocks.append(Hole("No net of this run was trained to its end."))
        return section
    section.blocks.append(
        Text(
            "Every accuracy in this report is that of the last snapshot. The curves are shown so "
            "that it can be judged; no best iteration is chosen on the test fold."
        )
    )
    section.blocks += _accuracies(run, nets, folds)
    logs, reasons = _logs(run, nets)
    section.blocks += [Hole(reason) for reason in reasons]
    section.blocks += _losses(nets, folds, logs)
    return section


def _accuracies(run, nets, folds):
    curves = {(m.method, f): m.folds[f].get("curve") for m in nets for f in folds if f in m.folds}
    lines = {key: [(i, 100 * a) for i, a in curve] for key, curve in curves.items() if curve}
    if not lines:
        return [Hole("results.json holds no accuracy over the iterations.")]
    chance = run.results.get("chance")
    uri = small_multiples(
        folds,
        {m.label: {f: lines.get((m.method, f)) for f in folds} for m in nets},
        "accuracy (%)",
        level=100 * (chance or 0),
    )
    alt = f"Test accuracy over iterations, {len(folds)} panels, one line for each of {_names(nets)}"
    caption = (
        "Test accuracy over the iterations of training, one panel a fold (no counterpart in the "
        "paper). Dashed: always answering the largest class."
    )
    return [Figure(uri, alt, caption, wide=True)]


def _losses(nets, folds, logs):
    blocks = []
    name = "loss_classification"
    found = {
        m.label: {f: logs.get((m.method, f), {}).get(("Train", name)) for f in folds} for m in nets
    }
    if any(any(lines.values()) for lines in found.values()):
        uri = small_multiples(folds, found, "classification loss")
        alt = f"Training loss of {_names(nets)} over iterations, {len(folds)} panels"
        text = (
            "Classification loss on the training batches, one panel a fold, averaged over "
            "neighbouring display lines (no counterpart in the paper)."
        )
        blocks.append(Figure(uri, alt, text, wide=True))
    shown = next((m for m in nets if m.method == "S1R1"), None)
    own = {f: logs.get(("S1R1", f), {}) for f in folds} if shown else {}
    found = {
        text: {f: log.get(("Train", name)) for f, log in own.items()}
        for name, text in _LOSSES.items()
    }
    if any(any(lines.values()) for lines in found.values()):
        uri = small_multiples(folds, found, "loss of S1R1", log=True)
        text = (
            "The five losses of GCNet S1R1 (equations 4 to 9 of the paper) on the training "
            "batches, unweighted, one panel a fold."
        )
        alt = f"Five training losses of S1R1 over iterations, {len(folds)} panels"
        blocks.append(Figure(uri, alt, text, wide=True))
    return blocks


def _logs(run, nets):
    """({(method, fold): series}, reasons why some are missing)."""
    logs, reasons = {}, []
    for m in nets:
        for fold, scores in m.folds.items():
            path = run.folder / (scores.get("folder") or ".") / "train.log"
            try:
                logs[m.method, fold] = read_log(path)
            except (GcnetError, OSError) as error:
                reasons.append(f"{m.label}, {fold}: no training loss: {error}")
    return logs, reasons


def small_multiples(folds, lines, ylabel, level=None, log=False):
    """An SVG with a panel for each fold (or net); `lines` is {name: {fold: series or None}}."""
    columns = min(len(folds), 5)
    with drawing() as plt:
        figure, axes = panels(plt, len(folds), columns, (min(9.6 / columns, 3.2), 1.9))
        handles = {}
        for place, axis in enumerate(axes):
            if level is not None:
                axis.axhline(level, color=GREY, lw=0.8, ls="--")
            for colour, (name, by_fold) in zip(COLOURS, lines.items()):
                if by_fold.get(folds[place]):
                    x, y = _thinned(by_fold[folds[place]])
                    handles[name] = axis.plot(x, y, color=colour, lw=1.2)[0]
            axis.set_title(folds[place])
            if place + columns >= len(folds):
                axis.set_xlabel("iteration")
                axis.tick_params(labelbottom=True)
            if place % columns == 0:
                axis.set_ylabel(ylabel)
            _scale(axis, log)
        if level is not None:
            axes[0].set_ylim(0, 100)
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, fontsize=8)
        return svg_uri(figure)


def _scale(axis, log):
    axis.grid(axis="y", color="#e6e6e6", lw=0.6)
    axis.locator_params(axis="x", nbins=4)
    if log:
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("")
    else:
        axis.set_ylim(bottom=0)


def _thinned(series):
    """x and y with at most _POINTS points, neighbours averaged."""
    values = np.array(series, float)
    groups = np.array_split(values, min(_POINTS, len(values)))
    return np.array([group.mean(0) for group in groups]).T.round(5)


def _names(nets):
    return ", ".join(m.label for m in nets)
