"""Figure 11 (accuracy against lambda_S), and runs that compare other settings."""

import statistics

from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.report.blocks import Figure, Hole, Section, Table, number, spread
from gcnet_caffe.report.pictures import COLOURS, GREY, drawing, svg_uri

_LAMBDA = "lambda_s="


def lambda_section(runs):
    """Accuracy of S1R1 against lambda_S, a picture and a table for each run that varies it."""
    section = Section("figure11", "Figure 11: the weight λₛ", short="Fig. 11")
    for run in runs:
        points = _lambda_points(run)
        if len(points) > 1:
            section.blocks += [_figure(run, points), _table(run, points)]
    if not section.blocks:
        text = "No run given here varies λₛ: its settings would be called lambda_s=0.1 and so on."
        section.blocks.append(Hole(text))
    return section


def _lambda_points(run):
    """{lambda_S: {fold: accuracy}} of S1R1 on the folds that every weight has, mean over seeds."""
    found = {}
    for method in run.methods:
        value = _weight(run, method.setting) if method.method == "S1R1" else None
        if value is not None and method.folds:
            found.setdefault(value, []).append(method)
    found = {value: found[value] for value in sorted(found)}
    return {value: _shared(methods, _common(found.values())) for value, methods in found.items()}


def _weight(run, setting):
    """lambda_S of a setting; that of `default` is the experiment's or the network's default."""
    if setting == "default":
        return float((run.experiment.get("net") or {}).get("lambda_s", NetOptions.lambda_s))
    try:
        return float(setting[len(_LAMBDA) :]) if setting.startswith(_LAMBDA) else None
    except ValueError:
        return None


def _common(groups):
    """The folds that a method of every group has."""
    sets = [set().union(*(m.folds for m in methods)) for methods in groups]
    return sorted(set.intersection(*sets)) if sets else []


def _shared(methods, folds, key="accuracy"):
    """{fold: mean over seeds} on `folds`."""
    return {
        f: statistics.mean(values)
        for f in folds
        if (values := [v for m in methods if (v := m.folds.get(f, {}).get(key)) is not None])
    }


def _scores(by_fold):
    values = list(by_fold.values())
    return {
        "mean": statistics.mean(values) if values else None,
        "std": statistics.stdev(values) if len(values) > 1 else None,
    }


def _figure(run, points):
    places = range(len(points))
    with drawing() as plt:
        figure, axis = plt.subplots(figsize=(5.4, 2.9), layout="constrained")
        for fold in next(iter(points.values())):
            line = [100 * by_fold[fold] for by_fold in points.values()]
            axis.plot(places, line, color=GREY, lw=0.8, alpha=0.6)
        means = [100 * statistics.mean(by_fold.values()) for by_fold in points.values()]
        axis.plot(places, means, color=COLOURS[5], lw=2, marker="o", ms=5, label="mean")
        axis.set_xticks(list(places), [f"{value:g}" for value in points])
        axis.set_xlabel("weight of the contrastive loss, $\\lambda_S$")
        axis.set_ylabel("accuracy (%)")
        axis.set_ylim(0, 100)
        axis.grid(axis="y", color="#e6e6e6", lw=0.6)
        uri = svg_uri(figure)
    data = "synthetic faces" if run.synthetic else "its faces"
    return Figure(
        uri,
        "Accuracy of S1R1 against the weight of the contrastive loss; the values are in the table",
        f"As figure 11 of the paper: accuracy of GCNet S1R1 against λₛ in the run {run.name}, on "
        f"{data}. Thick: mean; thin: each fold. The weights stand at equal distances. (The "
        "paper's figure prints no numbers to put beside these.)",
    )


def _table(run, points):
    return Table(
        f"lambda-{run.name}",
        f"The numbers of figure 11, run {run.name}: accuracy (%) per image on the folds that every "
        "weight has.",
        ["λₛ", "images", "folds"],
        [
            [f"{value:g}", spread(_scores(found)), str(len(found))]
            for value, found in points.items()
        ],
    )


def settings_section(runs):
    """A table for each run that compares settings other than lambda_S, or more than it."""
    section = Section("settings", "Other settings compared", short="Settings")
    for run in runs:
        names = list(dict.fromkeys(m.setting for m in run.methods if m.kind == "net"))
        if any(name != "default" and not name.startswith(_LAMBDA) for name in names):
            section.blocks.append(_settings_table(run, names))
    if not section.blocks:
        text = "No run given here compares padding, gamma or another setting."
        section.blocks.append(Hole(text))
    return section


def _settings_table(run, settings):
    rows = []
    for name in dict.fromkeys(m.method for m in run.main if m.kind == "net"):
        groups = {
            s: [m for m in run.methods if (m.method, m.setting) == (name, s)] for s in settings
        }
        groups = {s: methods for s, methods in groups.items() if any(m.folds for m in methods)}
        folds = _common(groups.values())
        for setting, methods in groups.items() if len(groups) > 1 else ():
            gains = [m.folds[f].get("generated_reference", {}) for m in methods for f in folds]
            gains = [gain["gain"] for gain in gains if "gain" in gain]
            rows.append(
                [
                    methods[0].label,
                    setting,
                    spread(_scores(_shared(methods, folds))),
                    spread(_scores(_shared(methods, folds, "sequence_accuracy"))),
                    number(statistics.mean(gains) if gains else None, 3),
                    number(methods[0].parameters, 8),
                    str(len(folds)),
                ]
            )
    return Table(
        f"settings-{run.name}",
        f"Choices the paper leaves open, run {run.name}: accuracy (%) on the folds that every "
        "setting has (no counterpart in the paper).",
        ["method", "setting", "images", "sequences", "gain", "parameters", "folds"],
        rows,
        words=("method", "setting"),
        note="gain: how many times closer the generated reference is than the mean image.",
    )
