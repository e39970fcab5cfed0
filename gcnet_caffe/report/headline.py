"""The outcome in a few sentences, computed from the results."""

from __future__ import annotations

from collections.abc import Sequence

from gcnet_caffe.report import compare
from gcnet_caffe.report.blocks import percent, signed
from gcnet_caffe.report.run import Method, Run, label_of

#: Which net the headline is about: the first of these that the run has.
_PREFERRED = ("S1R1", "S0R1", "S1R0", "S0R0", "metric", "cnn")


def outcome(run: Run) -> list[str]:
    """Return sentences: the proposed net beside the other nets, the baselines and chance."""
    methods = [m for m in run.compared if m.folds]
    names = list(dict.fromkeys(m.method for m in methods))
    if not names:
        return ["No method of this run has a result to compare.", *run.notes]
    kinds = {m.method: m.kind for m in methods}
    shown = next((n for n in _PREFERRED if kinds.get(n) == "net"), names[0])
    sentences = [_accuracy(run, methods, shown)]
    ranked = [n for n in compare.ranking(methods) if n != shown]
    others = [f"{label_of(n)} {_mean(methods, n)} %" for n in ranked]
    if others:
        sentences.append(f"On the same folds: {', '.join(others)}.")
    rivals = [n for n in compare.ranking(methods) if kinds[n] == "baseline"]
    for rival in dict.fromkeys([*rivals[:1], *(["cnn"] if "cnn" in names else [])]):
        if rival != shown and (found := compare.difference(run, shown, rival)):
            sentences.append(_versus(shown, rival, found))
    return [*sentences, *run.notes]


def _accuracy(run: Run, methods: Sequence[Method], name: str) -> str:
    folds = compare.accuracies(methods, name)
    images = next(
        sum(s.get("images", 0) for s in m.folds.values()) for m in methods if m.method == name
    )
    chance = "?" if run.chance is None else percent(run.chance)
    over = f"mean of {len(folds)} folds" if len(folds) > 1 else "one fold"
    return (
        f"{label_of(name)} recognises the expression in {_mean(methods, name)} % of the test "
        f"images ({over}, {images} images). Always answering the largest class gives {chance} %."
    )


def _versus(name: str, other: str, found: compare.Difference) -> str:
    points = 100 * found.mean
    interval = f"95 % interval over {found.subjects} test subjects: {found.interval}"
    if found.clear:
        apart = f"{abs(points):.1f} points {'above' if points > 0 else 'below'}"
        return f"{label_of(name)} is {apart} {label_of(other)} ({interval})."
    if found.clear is None:
        known = f"only {found.subjects} test subjects" if found.subjects else "no list of subjects"
        interval = f"{known}: nothing to exclude chance with"
    return (
        f"No difference between {label_of(name)} and {label_of(other)} is shown: "
        f"{signed(points)} points ({interval})."
    )


def _mean(methods: Sequence[Method], name: str) -> str:
    values = list(compare.accuracies(methods, name).values())
    return f"{100 * sum(values) / len(values):.1f}"
