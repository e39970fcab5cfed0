"""Figure 11 (accuracy against lambda_S), numbers of people, and runs of other settings."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Sequence

from gcnet_caffe.evaluation.run_folder import people_of
from gcnet_caffe.nets.layer_names import GENERATED_REFERENCE
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.report import bands
from gcnet_caffe.report.blocks import Block, Figure, Missing, Shown, Table, number, spread_of
from gcnet_caffe.report.compare import by_fold
from gcnet_caffe.report.pictures import COLOURS, GREY, blank, style, svg_uri
from gcnet_caffe.report.run import Method, Run, in_paper_order

#: Value of a weight -> fold -> accuracy (0..1).
_Curve = dict[float, dict[str, float]]

_LAMBDA, _PEOPLE = "lambda_s=", "people="


def lambdas(runs: Iterable[Run]) -> list[Block]:
    """Show the accuracy of S1R1 over lambda_S: a figure and a table for each run that varies it."""
    blocks: list[Block] = []
    for run in runs:
        points = _lambda_points(run)
        if len(points) > 1:
            blocks += [_figure(run, points), _table(run, points)]
    text = "No run given here varies λₛ: its settings would be called lambda_s=0.1 and so on."
    return blocks or [Missing(text)]


def _lambda_points(run: Run) -> _Curve:
    """Return the accuracy of S1R1, mean over seeds, on the folds that every lambda_S has."""
    found: dict[float, list[Method]] = {}
    for method in run.methods:
        value = _weight(run, method.setting) if method.method == "S1R1" else None
        if value is not None and method.folds:
            found.setdefault(value, []).append(method)
    folds = _common(found.values())
    return {value: _shared(found[value], folds) for value in sorted(found)}


def _weight(run: Run, setting: str) -> float | None:
    """Return lambda_S of a setting; for `default`, that of the experiment or of our nets."""
    if setting == "default":
        return float((run.experiment.get("net") or {}).get("lambda_s", NetOptions.lambda_s))
    try:
        return float(setting[len(_LAMBDA) :]) if setting.startswith(_LAMBDA) else None
    except ValueError:
        return None


def _common(groups: Iterable[Iterable[Method]]) -> list[str]:
    """Return the folds that a method of every group has."""
    sets = [{fold for m in methods for fold in m.folds} for methods in groups]
    return sorted(set.intersection(*sets)) if sets else []


def _shared(
    methods: Iterable[Method], folds: Iterable[str], key: str = "accuracy"
) -> dict[str, float]:
    """Return {fold: mean over seeds} on `folds`."""
    found = by_fold(methods, key)
    return {fold: found[fold] for fold in folds if fold in found}


def _figure(run: Run, points: _Curve) -> Figure:
    places = range(len(points))
    with style():
        figure = blank((5.4, 2.9))
        axis = figure.subplots()
        for fold in next(iter(points.values())):
            line = [100 * by_fold[fold] for by_fold in points.values()]
            axis.plot(places, line, color=GREY, lw=0.8, alpha=0.6)
        means = [100 * statistics.mean(by_fold.values()) for by_fold in points.values()]
        axis.plot(places, means, color=COLOURS[5], lw=2, marker="o", ms=5, label="mean")
        axis.set_xticks(list(places), [f"{value:g}" for value in points])
        axis.set(xlabel="weight of the contrastive loss, $\\lambda_S$", ylabel="accuracy (%)")
        axis.set_ylim(0, 100)
        axis.grid(axis="y", color="#e6e6e6", lw=0.6)
        uri = svg_uri(figure)
    data = "synthetic faces" if run.synthetic else "its faces"
    return Figure(
        uri,
        "Accuracy of S1R1 against the weight of the contrastive loss; the values are in the table",
        f"As figure 11 of the paper: accuracy of GCNet S1R1 against λₛ in the run {run.name}, on "
        f"{data}. Thick: mean; thin: each fold. The weights are drawn at equal distances. (The "
        "paper's figure has no numbers to compare with.)",
    )


def _table(run: Run, points: _Curve) -> Table:
    return Table(
        f"lambda-{run.name}",
        f"The numbers of figure 11, run {run.name}: accuracy (%) per image on the folds that every "
        "weight has.",
        ["λₛ", "images", "folds"],
        [
            [f"{value:g}", spread_of([*found.values()]), str(len(found))]
            for value, found in points.items()
        ],
    )


def people(runs: Iterable[Run]) -> list[Block]:
    """Show accuracy over the number of training people, for each run that varies it."""
    blocks: list[Block] = []
    for run in runs:
        lines = _people_lines(run)
        if any(len(points) > 1 for points in lines.values()):
            blocks += _people_blocks(run, lines)
    text = "No run given here varies the number of training people: `sweep: {people: [10, 30]}`."
    return blocks or [Missing(text)]


def _people_lines(run: Run) -> bands.Lines:
    """Return method -> points: accuracy on the folds that all numbers have."""
    lines: dict[str, list[bands.Point]] = {}
    for name in in_paper_order({m.method for m in run.methods}):
        found: dict[int, list[Method]] = {}
        for method in run.methods:
            if method.method == name and method.classifies and method.folds:
                count = people_of(method.setting)
                if count and method.setting == f"{_PEOPLE}{count}":
                    found.setdefault(count, []).append(method)
        folds = _common(found.values())
        lines[name] = [bands.point(count, _each(found[count], folds)) for count in sorted(found)]
    return {name: points for name, points in lines.items() if points}


def _each(methods: Iterable[Method], folds: Collection[str]) -> dict[str, list[float]]:
    """Return {fold: accuracy of each seed} on `folds`."""
    return {
        fold: [m.folds[fold]["accuracy"] or 0.0 for m in methods if fold in m.folds]
        for fold in folds
    }


def _people_blocks(run: Run, lines: bands.Lines) -> list[Block]:
    counts = sorted({point.x for points in lines.values() for point in points})
    return [
        bands.figure(
            run,
            lines,
            "people in the training data",
            "Accuracy per image over the number of people to train on; the test people are the "
            "same (no counterpart in the paper).",
            ticks=counts,
        ),
        bands.table(
            run,
            lines,
            f"people-{run.name}",
            "The numbers of the figure: accuracy (%) by number of training people, ± standard "
            "error over folds and seeds.",
            {count: f"{count:g} people" for count in counts},
        ),
    ]


def settings(runs: Iterable[Run]) -> list[Block]:
    """Show a table for each run that compares other settings than lambda_S alone."""
    tables = []
    for run in runs:
        names = list(dict.fromkeys(m.setting for m in run.methods if m.kind == "net"))
        if any(name != "default" and not name.startswith((_LAMBDA, _PEOPLE)) for name in names):
            tables.append(_settings_table(run, names))
    return [*tables] or [Missing("No run given here compares padding, gamma or another setting.")]


def _settings_table(run: Run, settings: Collection[str]) -> Table:
    rows: list[list[Shown]] = []
    for name in dict.fromkeys(m.method for m in run.compared if m.kind == "net"):
        done = [m for m in run.methods if m.method == name and m.folds]
        groups = {s: [m for m in done if m.setting == s] for s in settings}
        groups = {setting: methods for setting, methods in groups.items() if methods}
        folds = _common(groups.values())
        if len(groups) > 1:
            rows += [_settings_row(methods, folds, run.mixed) for methods in groups.values()]
    return Table(
        f"settings-{run.name}",
        f"Choices the paper leaves open, run {run.name}: accuracy (%) on the folds that every "
        "setting has (no counterpart in the paper).",
        ["method", "setting", "images", "sequences", "gain", "parameters", "folds"],
        rows,
        words=("method", "setting"),
        note="gain: how many times closer the generated reference is than the mean image.",
    )


def _settings_row(methods: Sequence[Method], folds: Collection[str], mixed: bool) -> list[Shown]:
    generated = [] if mixed else [m.generated(GENERATED_REFERENCE) for m in methods]
    made = [scores for by_fold in generated for scores in by_fold.items()]
    gains = [scores["gain"] for fold, scores in made if fold in folds and "gain" in scores]
    return [
        methods[0].label,
        methods[0].setting,
        spread_of([*_shared(methods, folds).values()]),
        spread_of([*_shared(methods, folds, "sequence_accuracy").values()]),
        number(statistics.mean(gains) if gains else None, 3),
        number(methods[0].parameters, 8),
        str(len(folds)),
    ]
