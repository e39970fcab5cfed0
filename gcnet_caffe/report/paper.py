"""Tables II to VI of the paper: its numbers and the literature's, ours where a run is theirs."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Optional

from gcnet_caffe.datasets.protocols import PROTOCOLS
from gcnet_caffe.report.blocks import EMPTY, Block, Cell, Shown, Table, Text, spread
from gcnet_caffe.report.run import Run, label_of

#: (protocol, data sets) that a line of the paper is about; None for the literature's.
_Target = Optional[tuple[str, tuple[str, ...]]]

_DATA = Path(__file__).with_name("paper_tables.json")


def paper_tables() -> list[dict[str, Any]]:
    """Return the paper's tables as a list of dicts (paper_tables.json)."""
    tables: list[dict[str, Any]] = json.loads(_DATA.read_text(encoding="utf-8"))["tables"]
    return tables


def paper_accuracy(number: str) -> dict[str, float]:
    """Return {variant: accuracy in percent} in the paper's table `number`."""
    table = next(t for t in paper_tables() if t["number"] == number)
    return {r["variant"]: float(r["accuracy"]) for r in table["rows"] if "variant" in r}


def refusal(run: Run, protocol: str, sources: Collection[str]) -> str | None:
    """Return why `run` fills no cell of `protocol` on the databases `sources`; None if it does."""
    if run.synthetic:
        return "its faces are synthetic, and a synthetic run fills no table of the paper"
    if run.protocol != protocol:
        return f"its protocol is {run.protocol}"
    found = run.sources
    if not found:
        return "it has no manifests/train.csv, which says what databases it was trained on"
    if set(found) != set(sources):
        return f"it was trained on {', '.join(found)}"
    wanted = max(PROTOCOLS[protocol].folds, 1)
    if len(run.folds) != wanted:
        return f"it has {len(run.folds)} of the protocol's {wanted} folds"
    return None


def paper(runs: Sequence[Run]) -> list[Block]:
    """Show the five tables with a column for each run that is comparable."""
    text = (
        "The paper's and the literature's numbers are copied from the paper. A column of ours "
        "appears only where a run with that protocol on that database was given, with every "
        "fold of it done; an empty cell means that there is none."
    )
    return [Text(text), *(_table(table, runs) for table in paper_tables())]


def _table(table: dict[str, Any], runs: Sequence[Run]) -> Table:
    rows = table["rows"]
    targets = [_target(table, row) for row in rows]
    wanted = {target for target in targets if target}
    filling = [run for run in runs if any(refusal(run, *target) is None for target in wanted)]
    given = [name for name in ("method", "test", "training", "accuracy") if name in rows[0]]
    columns = ["paper" if name == "accuracy" else name for name in given]
    for run in filling:
        columns += [f"{run.name}, images", f"{run.name}, sequences"]
    lines: list[list[Shown]] = []
    for row, target in zip(rows, targets):
        ours = [cell for run in filling for cell in _ours(run, row, target)]
        none = [EMPTY if target else Cell("", "empty")]
        lines.append([*(row[name] for name in given), *(ours if filling else none)])
    if "test" not in given:
        lines += _not_in_the_paper(table, filling)
    return Table(
        f"paper-{table['number']}",
        f"Table {table['number']} of the paper. {table['caption']}.",
        columns if filling else [*columns, "ours"],
        lines,
        words=("method", "test", "training"),
        note=" ".join(filter(None, [table.get("note"), _why(targets, runs, filling)])),
    )


def _target(table: dict[str, Any], row: dict[str, Any]) -> _Target:
    """Return (protocol, sources) of a row of ours, or None for the literature's."""
    if "variant" not in row:
        return None
    about = {**table, **row}
    return about["protocol"], tuple(about["sources"])


def _ours(run: Run, row: dict[str, Any], target: _Target) -> list[Shown]:
    if not target:
        return [Cell("", "empty")] * 2
    return _scores(run, row["variant"]) if refusal(run, *target) is None else [EMPTY] * 2


def _scores(run: Run, name: str) -> list[Shown]:
    """Return the accuracy per image and per sequence of a method that has every fold."""
    found = [m for m in run.main if m.method == name]
    if not found:
        return [EMPTY, EMPTY]
    if found[0].missing or len(found[0].folds) < len(run.folds):
        return [Cell(f"{len(found[0].folds)} of {len(run.folds)} folds", "empty"), EMPTY]
    return [spread(found[0].accuracy, 2), spread(found[0].sequence_accuracy, 2)]


def _not_in_the_paper(table: dict[str, Any], filling: Sequence[Run]) -> list[list[Shown]]:
    """Return lines of methods that a filling run has and the paper's table does not."""
    printed = {row.get("variant") for row in table["rows"]}
    names = dict.fromkeys(m.method for run in filling for m in run.compared)
    return [
        [
            f"{label_of(name)} (ours, not in the paper)",
            EMPTY,
            *(cell for run in filling for cell in _scores(run, name)),
        ]
        for name in names
        if name not in printed
    ]


def _why(targets: Sequence[_Target], runs: Sequence[Run], filling: Sequence[Run]) -> str:
    """Say what the columns of ours are, or why there is none."""
    if filling:
        made = "; ".join(_made(run) for run in filling)
        return f"Ours: {made}. Mean ± standard deviation over folds."
    wanted = sorted({protocol for protocol, _ in filter(None, targets)})
    reasons = []
    for run in runs:
        near = [t for t in targets if t and t[0] == run.protocol]
        reasons.append(f"{run.name}: {refusal(run, *(near or [next(filter(None, targets))])[0])}")
    return (
        f"Our column is empty, because no run of the protocol {' or '.join(wanted)} on the real "
        f"database was given ({'; '.join(reasons)})."
    )


def _made(run: Run) -> str:
    iterations = (run.experiment.get("solver") or {}).get("max_iter", "?")
    seed = next((m.seed for m in run.main if m.seed is not None), "?")
    commit = run.provenance.get("git_commit", "?")
    return f"{run.name}, {iterations} iterations, seed {seed}, commit {commit}"
