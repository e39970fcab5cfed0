"""Section IV-E and appendix A: the generators compared, figures 8 to 10."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.run_folder import ResultFolder
from gcnet_caffe.formats.log import read_log
from gcnet_caffe.inference.images import read_images
from gcnet_caffe.nets.layer_names import (
    GENERATED_REFERENCE,
    LOSS_GENERATED,
    LOSS_GENERATION,
    LOSS_KL,
    LOSS_REAL,
    RECONSTRUCTED_QUERY,
)
from gcnet_caffe.nets.plain import PLAIN
from gcnet_caffe.report.blocks import (
    EMPTY,
    Block,
    Cell,
    Figure,
    Hole,
    Section,
    Shown,
    Table,
    number,
    percent,
)
from gcnet_caffe.report.curves import Points, small_multiples
from gcnet_caffe.report.faces import chosen_faces, draw_faces, made_by
from gcnet_caffe.report.responses import draw_responses
from gcnet_caffe.report.run import Method, Run

#: Generator -> the paper's name, and what it says of the parameters (section IV-E).
_GENERATORS = {"ae": ("Conv.AE", "1.7 M"), "vae": ("Conv.VAE", "9.6 M"), "dcgan": ("DCGAN", "")}
_SCORES = ("ssim", "psnr", "identity", "mse")
#: Output of the log -> what it is.
_LOSSES = {
    ("Train", LOSS_GENERATION): "the generator's, training",
    ("Test", LOSS_GENERATION): "the generator's, test subjects",
    ("Train", LOSS_KL): "Kullback-Leibler term",
    ("Train", LOSS_REAL): "the discriminator's, real images",
    ("Train", LOSS_GENERATED): "the discriminator's, generated images",
}
_TRIVIAL = {
    "mean_image": "the mean image of the training set",
    "query": "the query itself",
    "other": "another subject's image",
}
_FIGURE_OF = {"reconstruct": "9", "disentangle": "10"}


def generators_sections(run: Run) -> list[Section]:
    """Return the section, where the run has nets with other generators or generators alone."""
    nets = [m for m in run.methods if m.kind == "net" and _is_of_it(m)]
    if not nets:
        return []
    nets.sort(key=_order)
    section = Section("generators", "Figures 8 to 10: other generators", short="Figs. 8-10")
    section.blocks += [*_tables(nets), *_curves(run, nets)]
    if not run.pictures:
        text = "The experiment says `pictures: false`: its faces may not be passed on."
        section.blocks.append(Hole(text))
        return [section]
    for m in nets:
        for fold, scores in list(m.folds.items())[:1]:
            try:
                section.blocks.append(_figure(run, m, fold, run.folder.at(scores["folder"])))
            except (GcnetError, OSError) as error:
                section.blocks.append(Hole(f"{_name(m)} cannot be drawn: {error}"))
    return [section]


def _is_of_it(method: Method) -> bool:
    return "generator" in _options(method) or not method.classifies


def _options(method: Method) -> dict[str, str]:
    """Return the setting's options: name -> text."""
    return dict(part.split("=", 1) for part in method.setting.split("+") if "=" in part)


def _generator(method: Method) -> str:
    return _options(method).get("generator", "ae")


def _order(method: Method) -> tuple[int, int, int]:
    place = (*_FIGURE_OF,).index(method.method) + 2 if method.method in PLAIN else 0
    place += 0 if method.classifies or place else 1
    return place, [*_GENERATORS].index(_generator(method)), method.seed or 0


def _name(method: Method) -> str:
    name, _ = _GENERATORS[_generator(method)]
    if method.method in PLAIN:
        return f"{name} alone, to {method.method}"
    return f"{method.method}, {name}" + ("" if method.classifies else ", no classifier")


def _tables(nets: Sequence[Method]) -> list[Table]:
    tables = []
    for blob, what in (
        (GENERATED_REFERENCE, "the generated reference, against the true one"),
        (RECONSTRUCTED_QUERY, "the reconstructed query, against the query"),
    ):
        rows: list[list[Shown]] = []
        found: list[dict[str, float]] = []
        for m in nets:
            scores = m.generated(blob)
            if scores:
                found += scores
                parameters = EMPTY if m.parameters is None else f"{m.parameters:,}"
                accuracy = percent(m.accuracy and m.accuracy.get("mean"))
                paper = _GENERATORS[_generator(m)][1] if m.method == "S1R1" else ""
                rows.append([_name(m), parameters, paper, accuracy, *_means(scores, "")])
        for key, name in _TRIVIAL.items() if found else ():
            if any(f"mse_{key}" in s for s in found):
                rows.append([Cell(name), *[EMPTY] * 3, *_means(found, f"_{key}")])
        if rows:
            tables.append(_table(blob, what, rows))
    return tables


def _means(found: Sequence[Mapping[str, float]], end: str) -> list[Shown]:
    values = ([s[f"{key}{end}"] for s in found if f"{key}{end}" in s] for key in _SCORES)
    return [number(statistics.mean(v), 3) if v else EMPTY for v in values]


def _table(blob: str, what: str, rows: Sequence[Sequence[Shown]]) -> Table:
    return Table(
        f"generators-{blob}",
        f"Section IV-E: {what}, on test subjects; below, the answers that need no net.",
        [
            "net", "parameters", "the paper's", "accuracy (%)",
            "SSIM", "PSNR (dB)", "identity distance", "mse",
        ],
        rows,
        words=("net",),
        note="SSIM and PSNR: higher is closer; SSIM is 1 where two images are equal. Identity "
        "distance: cosine distance of the embeddings by a net that was trained to tell other "
        "people apart, 0 is the same. The paper shows accuracies (figure 8e) as bars without "
        "numbers.",
    )  # fmt: skip


def _curves(run: Run, nets: Iterable[Method]) -> list[Block]:
    """Draw generative losses over the iterations, a panel per net."""
    names: list[str] = []
    lines: dict[str, dict[str, Points | None]] = {text: {} for text in _LOSSES.values()}
    for m in nets:
        for fold, scores in list(m.folds.items())[:1]:
            try:
                log = read_log(run.folder.at(scores["folder"]).log)
            except (GcnetError, OSError) as error:
                return [Hole(f"{_name(m)}, {fold}: no losses: {error}")]
            names.append(",\n".join(_name(m).rsplit(", ", 1)))  # in two lines
            for key, text in _LOSSES.items():
                lines[text][names[-1]] = log.get(key)
    return [
        Figure(
            small_multiples(names, lines, "loss", log=True),
            f"Generative losses over the iterations, {len(names)} panels, one for each net",
            "What trains the generators, unweighted, over the iterations: for section IV-E, which "
            "shows no curves. Eq. (5) where there is no DCGAN, else the cross entropy of what the "
            "discriminator says.",
            wide=True,
        )
    ]


def _figure(run: Run, method: Method, fold: str, folder: ResultFolder) -> Figure:
    faces = "synthetic faces" if run.synthetic else "faces"
    words = f"{_name(method)}, {fold}, {faces} of subjects it was not trained on."
    if method.method not in PLAIN:
        return Figure(
            draw_responses(run, fold, folder),
            "Rows: query, true reference, generated and reconstructed reference, reconstructed "
            "query",
            f"As figure 8 of the paper: {words}",
            wide=True,
        )
    data = run.folder.pairs(fold)
    records = read_images(data / "test_lmdb")
    chosen = chosen_faces(records, data)
    images, blob = records.images[chosen], PLAIN[method.method][1]
    rows = {}
    for channel, name in enumerate(("expression", "neutral")):
        given = images[:, [channel, channel]]
        rows[name] = images[:, channel]
        rows[f"made of {name}"] = made_by(folder.deploy, folder, given, [blob])[blob]
    return Figure(
        draw_faces(rows, run.classes, records.labels[chosen]),
        "Rows: expressive face, what the generator makes of it, neutral face, what it makes of it",
        f"As figure {_FIGURE_OF[method.method]} of the paper: {words}",
        wide=True,
    )
