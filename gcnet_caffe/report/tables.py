"""The run's own tables: methods, folds, seeds, generated references, parameters."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from gcnet_caffe.evaluation.evaluation import QUERY_IS_REFERENCE
from gcnet_caffe.nets.layer_names import GENERATED_REFERENCE, RECONSTRUCTION
from gcnet_caffe.report import compare
from gcnet_caffe.report.blocks import (
    EMPTY,
    MIXED,
    Block,
    Cell,
    Missing,
    Shown,
    Table,
    Text,
    number,
    percent,
    signed,
    spread,
    spread_of,
    words,
)
from gcnet_caffe.report.paper import paper_accuracy
from gcnet_caffe.report.run import Method, Run, label_of

#: Scores of an image blob that are shown.
_MEANS = ("mse", "mse_mean_image", "mse_query", "gain")
_MEANS_OF_REFERENCES = ("mse", "mse_mean_image", "gain")
#: The paper's question -> (the comparison, method, other method).
QUESTIONS = {
    "1 Is the generated reference useful?": (
        ("generated reference against none", "S0R0", "cnn"),
        ("the whole method against none", "S1R1", "cnn"),
        ("the true reference against none", "metric", "cnn"),
    ),
    "2 What does the contrastive loss S do?": (
        ("S added", "S1R0", "S0R0"),
        ("S added, with R", "S1R1", "S0R1"),
    ),
    "3 How does generation affect recognition?": (
        ("generated against true", "S1R0", "metric"),
        ("reconstruction R added", "S0R1", "S0R0"),
        ("R added, with S", "S1R1", "S1R0"),
    ),
}


def methods(run: Run) -> list[Block]:
    """Show all methods of the run, one line each, and each fold's accuracy."""
    if not any(m.folds for m in run.main):
        return [Missing("No method has a result on any fold; see Missing results below.")]
    blocks: list[Block] = [methods_table(run), folds_table(run)]
    if len({m.seed for m in run.main if m.seed is not None}) > 1:
        blocks.append(seeds_table(run))
    if run.started:
        blocks.append(start_table(run))
    return blocks


def methods_table(run: Run) -> Table:
    """Show accuracy per image and per sequence, over folds and pooled."""
    winner = compare.clear_winner(run)
    rows: list[list[Shown]] = []
    for m in run.main:
        mean = spread(m.accuracy)
        rows.append(
            [
                _name(run, m),
                Cell(str(mean), "best") if m.method == winner and mean is not EMPTY else mean,
                percent(m.accuracy["pooled"]),
                spread(m.sequence_accuracy),
                percent(m.sequence_accuracy["pooled"]),
                m.size,
                f"{len(m.folds)} of {len(run.folds)}",
            ]
        )
    rows.append(["always the largest class", percent(run.chance), *[EMPTY] * 4, ""])
    return Table(
        "methods",
        f"Accuracy (%) on {run.name}, mean ± standard deviation over folds. "
        "The counterpart of the paper's tables II to V for this run's data.",
        ["method", "images", "pooled", "sequences", "pooled ", "parameters", "folds"],
        rows,
        words=("method",),
        note=" ".join(
            [
                _winner_note(run, winner),
                "Sequences: the majority of a sequence's test images decides.",
                *run.notes,
            ]
        ),
    )


def _winner_note(run: Run, winner: str | None) -> str:
    names = compare.ranking(run.compared)
    if winner:
        return "Marked: the highest mean; the 95 % interval of its lead over the next excludes 0."
    if len(names) < 2:
        return "One method: nothing to compare."
    return (
        f"Nothing is marked: {label_of(names[0])} has the highest mean, but the 95 % interval over "
        f"subjects of its lead over {label_of(names[1])} includes 0, or there is none."
    )


def folds_table(run: Run) -> Table:
    """Show the accuracy of each method on each fold."""
    rows: list[list[Shown]] = [
        [_name(run, m), *(_fold_cell(m, fold) for fold in run.folds)] for m in run.main
    ]
    rows.append(["test images", *(_images(run, fold) for fold in run.folds)])
    return Table(
        "folds",
        "Accuracy (%) per image on each fold (no counterpart in the paper, which has means).",
        ["method", *run.folds],
        rows,
        words=("method",),
        note=" ".join([*_failed_note(run), *run.notes]),
    )


def _failed_note(run: Run) -> list[str]:
    failed = any(m.missing for m in run.main)
    return (
        ["failed, – : no result; the reasons are listed under Missing results."] if failed else []
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
    for name in dict.fromkeys(m.method for m in run.compared if m.seed is not None):
        seeds = [m for m in run.compared if m.method == name and m.folds]
        means = [mean for m in seeds if (mean := m.accuracy["mean"]) is not None]
        rows.append([label_of(name), words([m.seed for m in seeds]), spread_of(means)])
    return Table(
        "seeds",
        "Mean accuracy (%) per image over folds, ± its standard deviation over seeds.",
        ["method", "seeds", "images"],
        rows,
        words=("method",),
    )


def start_table(run: Run) -> Table:
    """Show the nets that those of the folds started from, on the people that they held out."""
    rows: list[list[Shown]] = []
    for net in run.started:
        scores = net["evaluation"] or {}
        about = [label_of(net["net"]), net["setting"], str(net["seed"])]
        shares = [percent(scores.get(name)) for name in ("accuracy", "chance")]
        rows.append([*about, *shares, str(scores.get("images", EMPTY))])
    return Table(
        "start",
        "Accuracy (%) of the nets that those of the folds started from, on people that these were "
        "not trained on. No other number of this page is about these people.",
        ["method", "setting", "seed", "images", "largest class", "test images"],
        rows,
        words=("method", "setting"),
    )


def questions(run: Run) -> list[Block]:
    """Show the paper's three questions as differences on the same folds."""
    rows: list[list[Shown]] = []
    by_fold: list[list[Shown]] = []
    for question, comparisons in QUESTIONS.items():
        found = [(c, compare.difference(run, *c[1:])) for c in comparisons]
        answered = [(c, difference) for c, difference in found if difference]
        for place, (comparison, difference) in enumerate(answered):
            rows.append(["" if place else question, *_answer(*comparison, difference)])
            by_fold.append(_each_fold(run, *comparison[1:], difference))
    if not rows:
        return [Missing("No two variants of this run on the same fold answer them.")]
    return [
        Table(
            "questions",
            "Differences of accuracy (points, per image) on the same folds, for the questions of "
            "the paper's introduction.",
            [
                "question",
                "comparison",
                "difference",
                "95 % interval",
                "subjects",
                "excludes 0",
                "paper, CK+",
            ],
            rows,
            words=("question", "comparison"),
            note=f"{compare.ABOUT_INTERVAL} The last column is the difference of the paper's own "
            "numbers in its table II, CK+ with 7 expressions, for orientation: other faces, "
            "another schedule.",
        ),
        Table(
            "questions-by-fold",
            "The same differences (points) fold by fold (no counterpart in the paper, which has "
            "means).",
            ["comparison", "mean", "std", *run.folds],
            by_fold,
            words=("comparison",),
            note="std: standard deviation over folds. Each fold's value is the mean over seeds.",
        ),
    ]


def _answer(what: str, name: str, other: str, found: compare.Difference) -> list[Shown]:
    paper = paper_accuracy("II")
    both = name in paper and other in paper
    none = f"fewer than {compare.FEWEST} subjects" if found.subjects else "no subjects"
    return [
        f"{what}: {name} − {other}",
        signed(100 * found.mean),
        str(found.interval) if found.interval else Cell(none, "note"),
        str(found.subjects) if found.subjects else EMPTY,
        EMPTY if found.clear is None else "yes" if found.clear else "no",
        signed(paper[name] - paper[other], 2) if both else EMPTY,
    ]


def _each_fold(run: Run, name: str, other: str, found: compare.Difference) -> list[Shown]:
    std = found.std
    return [
        f"{name} − {other}",
        signed(100 * found.mean),
        EMPTY if std is None else f"{100 * std:.1f}",
        *(signed(100 * found.folds[f]) if f in found.folds else EMPTY for f in run.folds),
    ]


def generated(run: Run) -> list[Block]:
    """Show how close generated references come, beside the trivial predictors."""
    if run.mixed:
        return [MIXED, _pretraining(run)]
    own = f"{GENERATED_REFERENCE}{QUERY_IS_REFERENCE}"
    apart = _generated_rows(run, own, _MEANS_OF_REFERENCES)
    blocks: list[Block] = []
    if rows := _generated_rows(run, GENERATED_REFERENCE, _MEANS):
        note = " Queries that are their own reference are in the next table." if apart else ""
        blocks.append(_generated_table(rows, note))
    if apart:
        blocks.append(_generated_from_references(apart))
    missing = Missing("The run has no net that generates a reference.")
    return [*(blocks or [missing]), _pretraining(run)]


def _generated_rows(run: Run, scores: str, keys: Sequence[str]) -> list[list[Shown]]:
    """Return a row of each method that has these image scores: means over the folds."""
    rows: list[list[Shown]] = []
    for m in run.main:
        found = m.generated(scores).values()
        if found:
            values = ([f[key] for f in found if key in f] for key in keys)
            means = [number(statistics.mean(v), 3) if v else EMPTY for v in values]
            rows.append([_name(run, m), *means, str(len(found))])
    return rows


def _generated_table(rows: Sequence[Sequence[Shown]], note: str) -> Table:
    return Table(
        "generated",
        "Mean squared error per pixel (values 0 to 1) of the generated reference on the "
        "test subjects, mean over folds; the paper shows figure 4 and gives no number.",
        ["method", "mse", "mean image", "query", "gain", "folds"],
        rows,
        words=("method",),
        note="mean image: the error of the training references' mean, a constant; query: "
        "of the query itself, unchanged; gain: mean image / mse; 1 means no better than "
        "a constant." + note,
    )


def _generated_from_references(rows: Sequence[Sequence[Shown]]) -> Table:
    return Table(
        "generated-from-references",
        "Mean squared error per pixel where the test query is its own reference, as a neutral one "
        "may be. These queries are in no other number about generated references (no counterpart "
        "in the paper).",
        ["method", "mse", "mean image", "gain", "folds"],
        rows,
        words=("method",),
        note="Here the query itself, unchanged, would have no error.",
    )


def _pretraining(run: Run) -> Block:
    if not run.pretrained:
        which = "The first nets" if run.started else "The nets"
        return Text(f"{which} started from random weights: the run has no pre-training.")
    rows = []
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
    return Table(
        "pretraining",
        "The pre-trained nets of section IV-A on held-out faces.",
        ["net", "seed", "mse", "gain", "accuracy (%)", "largest class (%)", "images"],
        rows,
        words=("net",),
    )


def parameters(run: Run) -> list[Block]:
    """Show the learnable parameters, beside what the paper says about them."""
    nets: dict[tuple[str, Shown], dict[str, bool]] = {}
    for m in [*run.main, *run.methods]:
        if m.parameters is not None:
            nets.setdefault((m.label, m.size), {})[m.setting] = True
    if not nets:
        return [Missing("The run does not say how many parameters its nets have.")]
    return [
        Table(
            "parameters",
            "Learnable parameters, each shared blob once.",
            ["method", "settings", "parameters"],
            [[label, ", ".join(found), count] for (label, count), found in nets.items()],
            words=("method", "settings"),
            note="The paper: 3 M for GCNet S1R1 and 11 M for FN2EN (section IV-C); 1.7 M for its "
            "own and 9.6 M for the Conv.VAE generator (section IV-E). Same padding gives the "
            "first, valid padding the third.",
        )
    ]


def _name(run: Run, method: Method) -> str:
    seeds = {m.seed for m in run.main if m.method == method.method}
    name = method.label if len(seeds) < 2 else f"{method.label}, seed {method.seed}"
    return name if method in run.compared else f"{name} (not compared)"
