"""Holes, and where the numbers come from: versions, seeds, commit, options, commands."""

from __future__ import annotations

from gcnet_caffe.report.blocks import Hole, Listing, Section, Shown, Table, Text, words
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


def holes_section(run: Run) -> Section:
    """Return the jobs that failed, with their reason, and what was never run."""
    section = Section("holes", "Holes", short="Holes")
    rows: list[list[Shown]] = [
        [m.label, m.setting, "" if m.seed is None else str(m.seed), fold, str(reason)]
        for m in run.methods
        for fold, reason in m.missing.items()
    ]
    rows += [
        [
            f"pre-training: {net.get('net')}",
            net.get("setting", ""),
            str(net.get("seed", "")),
            "",
            reason,
        ]
        for net in run.pretrained
        if (reason := net.get("reason"))
    ]
    if rows:
        section.blocks.append(
            Table(
                "holes",
                f"{len(rows)} job{'s' * (len(rows) > 1)} of this run without a result.",
                ["method", "setting", "seed", "fold", "reason"],
                rows,
                words=("method", "setting", "fold", "reason"),
            )
        )
    absent = [name for name in _planned(run) if name not in {m.method for m in run.methods}]
    if absent:
        section.blocks.append(
            Hole(f"In the experiment, but not among the results: {', '.join(absent)}.")
        )
    if not section.blocks:
        section.blocks.append(Text("None: every job of the experiment has a result."))
    return section


def _planned(run: Run) -> list[str]:
    return [
        str(name) for key in ("variants", "baselines") for name in run.experiment.get(key) or []
    ]


def claims_section(run: Run) -> Section:
    """Say how the numbers were made, and what is not claimed."""
    texts = (*_NOT_CLAIMED, *([_SYNTHETIC] if run.synthetic else []))
    return Section(
        "claims", "How to read this, and what is not claimed", [Text(t) for t in texts], "Claims"
    )


def origin_section(run: Run) -> Section:
    """Return versions, machine, options and the commands in order."""
    section = Section("origin", "Where the numbers come from", short="Origin")
    made = run.provenance
    told = [
        ("git commit", made.get("git_commit")),
        ("command", made.get("command")),
        ("engine", run.experiment.get("engine")),
        ("seeds", words(run.experiment.get("seeds"))),
        ("versions", words(made.get("versions"))),
        ("machine", words(made.get("machine"))),
        ("started", made.get("started")),
        ("duration", _duration(made.get("seconds"))),
    ]
    facts = [[name, str(value)] for name, value in told if value]
    if not made:
        section.blocks.append(Hole(f"The run has no {run.folder.path.name}/provenance.json."))
    for key, title in (("net", "network"), ("solver", "solver"), ("pretrain", "pre-training")):
        if run.experiment.get(key):
            facts.append([f"{title} options", words(run.experiment[key])])
    section.blocks.append(
        Table("origin", f"The run {run.name}.", ["what", "value"], facts, words=("what", "value"))
    )
    if made.get("commands"):
        count = len(made["commands"])
        section.blocks.append(Listing(f"All {count} commands, in order", made["commands"]))
    return section


def _duration(seconds: object) -> str:
    if not isinstance(seconds, (int, float)):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
