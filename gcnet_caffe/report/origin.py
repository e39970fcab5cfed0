"""Missing results, and where the numbers come from: versions, seeds, commit, options, commands."""

from __future__ import annotations

from datetime import timedelta

from gcnet_caffe.report.blocks import Block, Listing, Missing, Table, Text, words
from gcnet_caffe.report.run import Run

_NOT_CLAIMED = (
    "Accuracies are of the last snapshot, from the deploy net's prediction for each test image; "
    "the curve over the iterations is shown, and no best iteration is chosen on the test fold.",
    "Folds are by subject: nobody is in both the training and the test set of a fold. The "
    "standard deviation is over folds; it says nothing about other databases.",
    "Nothing is claimed about databases that were not used here: the paper's tables have the "
    "paper's numbers there, and an empty cell.",
)
_SYNTHETIC = (
    "Synthetic faces test the method and its code. What they show about the variants "
    "may be different for photographs of people, and no number here is one of the paper's."
)


def missing(run: Run) -> list[Block]:
    """Return the jobs that failed, with their reason, and what was never run."""
    rows = [
        [m.label, m.setting, words(m.seed), fold, str(reason)]
        for m in run.methods
        for fold, reason in m.missing.items()
    ]
    rows += [
        [f"{what}: {net.get('net')}", net.get("setting", ""), words(net.get("seed")), "", why]
        for what, nets in (("pre-training", run.pretrained), ("start", run.started))
        for net in nets
        if (why := net.get("reason"))
    ]
    blocks: list[Block] = []
    if rows:
        blocks.append(
            Table(
                "missing",
                f"{len(rows)} job{'s' * (len(rows) > 1)} of this run without a result.",
                ["method", "setting", "seed", "fold", "reason"],
                rows,
                words=("method", "setting", "fold", "reason"),
            )
        )
    planned = [*(run.experiment.get("variants") or ()), *(run.experiment.get("baselines") or ())]
    absent = [str(name) for name in planned if name not in {m.method for m in run.methods}]
    if absent:
        text = f"In the experiment, but not among the results: {', '.join(absent)}."
        blocks.append(Missing(text))
    return blocks or [Text("Nothing is missing.")]


def claims(run: Run) -> list[Block]:
    """Say how the numbers were made, and what is not claimed."""
    return [Text(text) for text in (*_NOT_CLAIMED, *([_SYNTHETIC] if run.synthetic else []))]


def origin(run: Run) -> list[Block]:
    """Return versions, machine, options and the commands in order."""
    made, asked = run.provenance, run.experiment
    seconds, commands = made.get("seconds"), made.get("commands")
    facts = {
        "git commit": made.get("git_commit"),
        "command": made.get("command"),
        "engine": asked.get("engine"),
        "seeds": asked.get("seeds"),
        "versions": made.get("versions"),
        "machine": made.get("machine"),
        "precision": made.get("precision"),
        "started": made.get("started"),
        "duration (h:mm:ss)": None if seconds is None else timedelta(seconds=round(seconds)),
        "network options": asked.get("net"),
        "solver options": asked.get("solver"),
        "pre-training options": asked.get("pretrain"),
        "options of the start": asked.get("start"),
    }
    rows = [[name, words(value)] for name, value in facts.items() if value]
    caption = f"The run {run.name}."
    blocks: list[Block] = [
        Table("origin", caption, ["what", "value"], rows, words=("what", "value"))
    ]
    if not made:
        blocks.insert(0, Missing(f"The run has no {run.folder.path.name}/provenance.json."))
    if commands:
        blocks.append(Listing(f"All {len(commands)} commands, in order", commands))
    return blocks
