"""The page: one self-contained HTML file from the sections, and its numbers as CSV and JSON."""

from __future__ import annotations

import csv
import importlib
import io
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gcnet_caffe import __version__
from gcnet_caffe.errors import GcnetError, UsageError, extra
from gcnet_caffe.evaluation.run_folder import RunFolder
from gcnet_caffe.files import write_text
from gcnet_caffe.report import (
    confusion,
    curves,
    embeddings,
    generators,
    headline,
    origin,
    paper,
    responses,
    sequences,
    sweeps,
    tables,
)
from gcnet_caffe.report.blocks import Figure, Hole, Listing, Section, Table, Text
from gcnet_caffe.report.run import Run, read_run

#: The optional libraries of the report, imported before the work starts.
_NEEDS = ("jinja2", "yaml", "matplotlib", "sklearn")
_COLUMNS = (
    "run", "method", "kind", "setting", "seed", "fold", "images", "accuracy", "sequences",
    "sequence_accuracy", "chance", "reason",
)  # fmt: skip


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
        `out` does not end in .html, a folder has no run, or a library is missing.
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
    write_text(out.with_suffix(".csv"), folds_csv(runs))
    write_text(out.with_suffix(".json"), json.dumps(_as_json(runs[0], sections), indent=1) + "\n")
    write_text(out, render(runs, sections, out.stem))
    return out


def build_sections(runs: Sequence[Run]) -> list[Section]:
    """Return the page's sections in order; `runs[0]` is the page's own run."""
    run = runs[0]
    return [
        tables.methods_section(run),
        tables.questions_section(run, paper.paper_accuracy("II")),
        paper.paper_section(runs),
        curves.curves_section(run),
        confusion.confusion_section(run),
        tables.generated_section(run),
        responses.responses_section(run),
        *generators.generators_sections(run),
        embeddings.figure5_section(run),
        sequences.figure6_section(run),
        sweeps.lambda_section(runs),
        sweeps.settings_section(runs),
        tables.parameters_section(run),
        origin.holes_section(run),
        origin.claims_section(run),
        origin.origin_section(run),
    ]


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
    kinds = {Table: "table", Figure: "figure", Text: "text", Hole: "hole", Listing: "listing"}
    run = runs[0]
    return environment.get_template("page.html.j2").render(
        run=run,
        runs=runs,
        title=run.experiment.get("title") or run.name,
        about=run.experiment.get("about"),
        facts=_facts(run),
        outcome=headline.outcome(run),
        sections=sections,
        kind=lambda block: kinds[type(block)],
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
        "data": headline.data_text(run),
        "protocol": run.protocol,
        "classes": f"{len(run.classes)}: {', '.join(run.classes)}",
        "folds": str(len(run.folds)),
        "iterations": solver.get("max_iter"),
        "seeds": ", ".join(str(seed) for seed in run.experiment.get("seeds") or []),
        "engine": run.experiment.get("engine"),
        "jobs with a result": f"{done} of {planned}",
    }
    return [(name, value) for name, value in facts.items() if value]


def folds_csv(runs: Sequence[Run]) -> str:
    """Return a CSV line for each method, setting, seed and fold of the runs; accuracies 0..1."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for run in runs:
        for m in run.methods:
            about = {name: getattr(m, name) for name in ("method", "kind", "setting", "seed")}
            for fold, scores in m.folds.items():
                writer.writerow({**scores, "run": run.name, "fold": fold, **about})
            for fold, reason in m.missing.items():
                writer.writerow({"run": run.name, "fold": fold, "reason": reason, **about})
    return stream.getvalue()


def _as_json(run: Run, sections: Sequence[Section]) -> dict[str, Any]:
    """Return every table of the page as words, and every hole."""
    found = {
        table.key: {
            "caption": table.caption,
            "columns": [column.strip() for column in table.columns],
            "rows": [[cell.text for cell in row] for row in table.cells()],
            "note": table.note,
        }
        for section in sections
        for table in section.of(Table)
    }
    return {
        "name": run.name,
        "synthetic": run.synthetic,
        "outcome": headline.outcome(run),
        "tables": found,
        "holes": {s.key: [h.text for h in s.of(Hole)] for s in sections if s.of(Hole)},
    }
