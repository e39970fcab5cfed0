"""The run's own tables: methods, folds, seeds, generated references, parameters."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from gcnet_caffe.evaluation.summary import Spread
from gcnet_caffe.nets.layer_names import GENERATED_REFERENCE, RECONSTRUCTION
from gcnet_caffe.report import compare
from gcnet_caffe.report.blocks import (
    EMPTY,
    Block,
    Cell,
    Hole,
    Section,
    Shown,
    Table,
    Text,
    number,
    percent,
    spread,
)
from gcnet_caffe.report.run import LABELS, Method, Run

#: (the paper's question, the comparison, method, other method)
QUESTIONS = (
    ("1 Is the generated reference useful?", "generated reference against none", "S0R0", "cnn"),
    ("1", "the whole method against none", "S1R1", "cnn"),
    ("1", "the true reference against none", "metric", "cnn"),
    ("2 What does the contrastive loss S do?", "S added", "S1R0", "S0R0"),
    ("2", "S added, with R", "S1R1", "S0R1"),
    ("3 How does generation affect recognition?", "generated against true", "S1R0", "metric"),
    ("3", "reconstruction R added", "S0R1", "S0R0"),
    ("3", "R added, with S", "S1R1", "S1R0"),
)


def methods_section(run: Run) -> Section:
    """Show all methods of the run, one line each, and each fold's accuracy."""
    section = Section("results", "Results of this run", short="Results")
    if not any(m.folds for m in run.main):
        section.blocks.append(Hole("No method has a result on any fold; see the holes below."))
        return section
    section.blocks += [methods_table(run), folds_table(run)]
    if len({m.seed for m in run.main if m.seed is not None}) > 1:
        section.blocks.append(seeds_table(run))
    return section


def methods_table(run: Run) -> Table:
    """Show accuracy per image and per sequence, over folds and pooled."""
    winner = compare.clear_winner(run.main)
    rows: list[list[Shown]] = []
    for m in run.main:
        mean = spread(m.accuracy)
        rows.append(
            [
                _name(run, m),
                Cell(str(mean), "best") if m.method == winner and mean is not EMPTY else mean,
                percent(m.accuracy and m.accuracy.get("pooled")),
                spread(m.sequence_accuracy),
                percent(m.sequence_accuracy and m.sequence_accuracy.get("pooled")),
                EMPTY if m.parameters is None else f"{m.parameters:,}",
                f"{len(m.folds)} of {len(run.folds)}",
            ]
        )
    chance = percent(run.chance)
    rows.append([Cell("always the largest class"), chance, *[EMPTY] * 4, ""])
    return Table(
        "methods",
        f"Accuracy (%) on {run.name}, mean ± standard deviation over folds. "
        "The counterpart of the paper's tables II to V for this run's data.",
        ["method", "images", "pooled", "sequences", "pooled ", "parameters", "folds"],
        rows,
        words=("method",),
        note=_winner_note(run, winner)
        + " Sequences: the majority of a sequence's test images decides.",
    )


def _winner_note(run: Run, winner: str | None) -> str:
    names = compare.ranking(run.main)
    if winner:
        return "Marked: the highest mean, more than two standard errors above the next."
    if len(names) < 2:
        return "One method: nothing to compare."
    return (
        f"Nothing is marked: {LABELS.get(names[0], names[0])} has the highest mean, but its lead "
        f"over {LABELS.get(names[1], names[1])} is within two standard errors of the differences "
        "over folds, or there are too few folds."
    )


def folds_table(run: Run) -> Table:
    """Show the accuracy of each method on each fold."""
    rows: list[list[Shown]] = [
        [_name(run, m), *(_fold_cell(m, fold) for fold in run.folds)] for m in run.main
    ]
    images = [_images(run, fold) for fold in run.folds]
    rows.append([Cell("test images"), *images])
    return Table(
        "folds",
        "Accuracy (%) per image on each fold (no counterpart in the paper, which has means).",
        ["method", *run.folds],
        rows,
        words=("method",),
        note="failed, – : no result; the reasons are listed under Holes."
        if any(m.missing for m in run.main)
        else "",
    )


def _fold_cell(method: Method, fold: str) -> Shown:
    if fold in method.folds:
        return percent(method.folds[fold]["accuracy"])
    return Cell("failed", "empty") if fold in method.missing else EMPTY


def _images(run: Run, fold: str) -> Shown:
    return next((str(m.folds[fold].get("images", "–")) for m in run.main if fold in m.folds), EMPTY)


def seeds_table(run: Run) -> Table:
    """Show how each net's mean accuracy varies over seeds."""
    rows: list[list[Shown]] = []
    for name in dict.fromkeys(m.method for m in run.main if m.seed is not None):
        seeds = [m for m in run.main if m.method == name and m.folds]
        means = [m.accuracy["mean"] for m in seeds if m.accuracy and m.accuracy["mean"] is not None]
        scores: Spread = {
            "mean": statistics.mean(means) if means else None,
            "std": statistics.stdev(means) if len(means) > 1 else None,
            "pooled": None,
        }
        rows.append([LABELS.get(name, name), ", ".join(str(m.seed) for m in seeds), spread(scores)])
    return Table(
        "seeds",
        "Mean accuracy (%) per image over folds, ± its standard deviation over seeds.",
        ["method", "seeds", "images"],
        rows,
        words=("method",),
    )


def questions_section(run: Run, paper_accuracy: Mapping[str, float]) -> Section:
    """Show the paper's three questions as differences on the same folds.

    Parameters
    ----------
    run : Run
    paper_accuracy : mapping
        Variant -> accuracy in percent, of the paper's table II.
    """
    section = Section("questions", "The paper's three questions", short="Questions")
    rows: list[list[Shown]] = []
    asked: set[str] = set()
    for question, what, name, other in QUESTIONS:
        found = compare.difference(run.main, name, other)
        if not found:
            continue
        first = question[0] not in asked
        asked.add(question[0])
        whole = next(q for q, *_ in QUESTIONS if q[0] == question[0])
        paper = None
        if name in paper_accuracy and other in paper_accuracy:
            paper = paper_accuracy[name] - paper_accuracy[other]
        rows.append(
            [
                whole if first else "",
                f"{what}: {name} − {other}",
                _signed(100 * found.mean, 1),
                EMPTY if found.error is None else f"{200 * found.error:.1f}",
                {None: "too few folds", True: "yes", False: "no"}[found.clear],
                str(found.folds),
                EMPTY if paper is None else _signed(paper, 2),
            ]
        )
    if not rows:
        section.blocks.append(Hole("No two variants of this run on the same fold answer them."))
        return section
    section.blocks.append(
        Table(
            "questions",
            "Differences of accuracy (points, per image) on the same folds, for the questions of "
            "the paper's introduction.",
            ["question", "comparison", "difference", "2 s.e.", "clear", "folds", "paper, CK+"],
            rows,
            words=("question", "comparison"),
            note="Clear: larger than two standard errors of the fold-wise differences (three folds "
            "or more); with several comparisons, one may be clear by chance. The last column is "
            "the difference of the paper's own numbers in its table II, CK+ with 7 expressions, "
            "for orientation: other faces, another schedule.",
        )
    )
    return section


def generated_section(run: Run) -> Section:
    """Show how close generated references come, beside the trivial predictors."""
    section = Section("generated", "Generated references", short="Generation")
    rows: list[list[Shown]] = []
    for m in run.main:
        found = m.generated(GENERATED_REFERENCE)
        if found:
            means = {
                key: statistics.mean([f[key] for f in found if key in f] or [float("nan")])
                for key in ("mse", "mse_mean_image", "mse_query", "gain")
            }
            rows.append([_name(run, m), *(number(v, 3) for v in means.values()), str(len(found))])
    if not rows:
        section.blocks.append(Hole("The run has no net that generates a reference."))
    else:
        section.blocks.append(
            Table(
                "generated",
                "Mean squared error per pixel (values 0 to 1) of the generated reference on the "
                "test subjects, mean over folds; the paper shows figure 4 and gives no number.",
                ["method", "mse", "mean image", "query", "gain", "folds"],
                rows,
                words=("method",),
                note="mean image: the error of the training references' mean, a constant; query: "
                "of the query itself, unchanged; gain: mean image / mse; 1 means no better than "
                "a constant.",
            )
        )
    section.blocks += _pretraining(run)
    return section


def _pretraining(run: Run) -> list[Block]:
    rows: list[list[Shown]] = []
    for net in run.pretrained:
        scores = net.get("evaluation") or {}
        image = scores.get(RECONSTRUCTION) or {}
        rows.append(
            [
                str(net.get("net", "?")),
                str(net.get("seed", "")),
                number(image.get("mse"), 3),
                number(image.get("gain"), 3),
                percent(scores.get("accuracy")),
                percent(scores.get("chance")),
                str(scores.get("images", "–")),
            ]
        )
    if not rows:
        return [Text("The nets started from random weights: the run has no pre-training.")]
    return [
        Table(
            "pretraining",
            "The pre-trained nets of section IV-A on held-out faces.",
            ["net", "seed", "mse", "gain", "accuracy (%)", "largest class (%)", "images"],
            rows,
            words=("net",),
        )
    ]


def parameters_section(run: Run) -> Section:
    """Show the learnable parameters, beside what the paper says about them."""
    section = Section("parameters", "Parameter counts", short="Parameters")
    nets: dict[tuple[str, int], dict[str, bool]] = {}
    for m in [*run.main, *run.methods]:
        if m.parameters is not None:
            nets.setdefault((m.label, m.parameters), {})[m.setting] = True
    if not nets:
        section.blocks.append(Hole("The run does not say how many parameters its nets have."))
        return section
    section.blocks.append(
        Table(
            "parameters",
            "Learnable parameters, each shared blob once.",
            ["method", "settings", "parameters"],
            [[label, ", ".join(found), f"{count:,}"] for (label, count), found in nets.items()],
            words=("method", "settings"),
            note="The paper: 3 M for GCNet S1R1 and 11 M for FN2EN (section IV-C); 1.7 M for its "
            "own and 9.6 M for the Conv.VAE generator (section IV-E). Same padding gives the "
            "first, valid padding the third.",
        )
    )
    return section


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _name(run: Run, method: Method) -> str:
    seeds = {m.seed for m in run.main if m.method == method.method}
    return method.label if len(seeds) < 2 else f"{method.label}, seed {method.seed}"
