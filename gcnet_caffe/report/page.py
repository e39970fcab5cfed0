"""The page: one self-contained HTML file from the sections, and its numbers as CSV and JSON."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gcnet_caffe import __version__
from gcnet_caffe.errors import GcnetError, UsageError, extra
from gcnet_caffe.evaluation.run_folder import RunFolder
from gcnet_caffe.evaluation.told import note_of
from gcnet_caffe.files import write_csv, write_text
from gcnet_caffe.report import (
    confusion,
    curves,
    embeddings,
    generators,
    headline,
    intensity,
    origin,
    paper,
    responses,
    sequences,
    sweeps,
    tables,
)
from gcnet_caffe.report.blocks import Missing, Section, Table, words
from gcnet_caffe.report.run import Run, read_run

#: The optional libraries of the report, imported before the work starts.
_NEEDS = ("jinja2", "yaml", "matplotlib", "sklearn")
#: Columns of NAME.csv.
_ABOUT = ("run", "method", "kind", "setting", "seed", "fold")
_SCORES = ("images", "accuracy", "sequences", "sequence_accuracy", "chance", "reason")


def write_report(folders: Sequence[str | Path], out: str | Path | None = None) -> Path:
    """Write the page of the first run; the others fill the paper's tables and the comparisons.

    Beside the page NAME.html it writes NAME.csv (a line per method and fold, of all runs) and
    NAME.json (every table of the page).

    Parameters
    ----------
    folders : sequence of path
        Runs, each with a results.json.
    out : path, optional
        The page; by default report.html in the first folder.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    UsageError
        `out` does not end in .html or .htm, a folder has no run, or a library is missing.
    GcnetError
        A file of a run is broken.
    """
    with extra("report", "gcnet report"):
        for module in _NEEDS:
            importlib.import_module(module)
    out = Path(out) if out else RunFolder(Path(folders[0])).report
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{out}: wanted a name that ends in .html")
    runs = [read_run(folder) for folder in folders]
    try:
        sections = build_sections(runs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        names = ", ".join(str(run.folder.results_file) for run in runs)
        what = f"{type(error).__name__}: {error}"
        raise GcnetError(f"{names}: not as `gcnet summarize` writes it ({what})") from error
    write_csv(out.with_suffix(".csv"), [*_ABOUT, *_SCORES, "note"], _rows(runs))
    write_text(out.with_suffix(".json"), json.dumps(_as_json(runs[0], sections), indent=1) + "\n")
    write_text(out, render(runs, sections, out.stem))
    return out


def build_sections(runs: Sequence[Run]) -> list[Section]:
    """Return the page's sections in order; `runs[0]` is the page's own run."""
    run = runs[0]
    sections = [
        Section("results", "Results of this run", "Results", tables.methods(run)),
        Section("questions", "The paper's three questions", "Questions", tables.questions(run)),
        Section("paper", "Beside the paper: tables II to VI", "Paper’s tables", paper.paper(runs)),
        Section("curves", "Accuracy and loss curves", "Curves", curves.curves(run)),
        Section("confusion", "Confusion matrices", "Confusion", confusion.confusions(run)),
        Section("generated", "Generated references", "Generation", tables.generated(run)),
        Section("responses", "Figure 4: response maps", "Fig. 4", responses.responses(run)),
        Section(
            "generators",
            "Figures 8 to 10: other generators",
            "Figs. 8-10",
            generators.generators(run),
        ),
        Section("figure5", "Figure 5: t-SNE of one fold", "Fig. 5", embeddings.figure5(run)),
        Section("figure6", "Figure 6: t-SNE over sequences", "Fig. 6", sequences.figure6(run)),
        Section("intensity", "Accuracy by intensity", "Intensity", intensity.intensity(run)),
        Section("figure11", "Figure 11: the weight λₛ", "Fig. 11", sweeps.lambdas(runs)),
        Section("people", "Fewer people to train on", "People", sweeps.people(runs)),
        Section("settings", "Other settings compared", "Settings", sweeps.settings(runs)),
        Section("parameters", "Parameter counts", "Parameters", tables.parameters(run)),
        Section("missing", "Missing results", "Missing", origin.missing(run)),
        Section(
            "claims", "How to read this, and what is not claimed", "Claims", origin.claims(run)
        ),
        Section("origin", "Where the numbers come from", "Origin", origin.origin(run)),
    ]
    return [section for section in sections if section.blocks]


def render(runs: Sequence[Run], sections: Sequence[Section], stem: str) -> str:
    """Return the page as text; it loads nothing from elsewhere.

    Parameters
    ----------
    runs : sequence of Run
    sections : sequence of Section
    stem : str
        File name of the page, without its ending: that of the CSV and JSON files too.
    """
    import jinja2

    here = Path(__file__).parent
    loader = jinja2.FileSystemLoader(here)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    run = runs[0]
    return environment.get_template("page.html.j2").render(
        run=run,
        runs=runs,
        title=run.experiment.get("title") or run.name,
        about=run.experiment.get("about"),
        facts=_facts(run),
        outcome=headline.outcome(run),
        sections=sections,
        kind=lambda block: type(block).__name__.lower(),
        css=(here / "page.css").read_text(encoding="utf-8"),
        stem=stem,
        version=__version__,
        made=datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    )


def _facts(run: Run) -> list[tuple[str, str]]:
    """Return (name, value) of what stands under the title."""
    done = sum(len(m.folds) for m in run.methods)
    planned = done + sum(len(m.missing) for m in run.methods)
    solver = run.experiment.get("solver") or {}
    facts = {
        "data": words(run.experiment.get("data")) or "unknown: experiment.yaml does not say",
        "first trained on": words((run.experiment.get("start") or {}).get("data")),
        "protocol": run.protocol,
        "classes": f"{len(run.classes)}: {', '.join(run.classes)}",
        "folds": str(len(run.folds)),
        "iterations": solver.get("max_iter"),
        "seeds": words(run.experiment.get("seeds")),
        "engine": run.experiment.get("engine"),
        "jobs with a result": f"{done} of {planned}",
    }
    return [(name, value) for name, value in facts.items() if value]


def _rows(runs: Sequence[Run]) -> Iterator[list[object]]:
    """Yield a line for each method, setting, seed and fold of the runs; accuracies 0..1."""
    for run in runs:
        for m in run.methods:
            note = note_of(m.method, run.classes)
            reasons = {fold: {"reason": reason} for fold, reason in m.missing.items()}
            for fold, scores in {**m.folds, **reasons}.items():
                about = [run.name, m.method, m.kind, m.setting, m.seed, fold]
                yield [*about, *(scores.get(name) for name in _SCORES), note]


def _as_json(run: Run, sections: Sequence[Section]) -> dict[str, Any]:
    """Return every table of the page as words, and all that is missing."""
    found = {
        table.key: {
            "caption": table.caption,
            "columns": [column.strip() for column in table.columns],
            "rows": [[cell.text for cell in row] for row in table.cells()],
            "note": table.note,
        }
        for section in sections
        for table in section.blocks
        if isinstance(table, Table)
    }
    missing = {
        section.key: texts
        for section in sections
        if (texts := [block.text for block in section.blocks if isinstance(block, Missing)])
    }
    return {
        "name": run.name,
        "synthetic": run.synthetic,
        "outcome": headline.outcome(run),
        "tables": found,
        "missing": missing,
    }
