"""Section IV-E and appendix A: the generators compared, figures 8 to 10."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import partial

from gcnet_caffe.evaluation.evaluation import QUERY_IS_REFERENCE
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
    MIXED,
    NO_PICTURES,
    Block,
    Cell,
    Figure,
    Shown,
    Table,
    number,
    or_missing,
    percent,
)
from gcnet_caffe.report.curves import Points, small_multiples
from gcnet_caffe.report.faces import chosen_faces, draw_faces, made_by
from gcnet_caffe.report.responses import draw_responses
from gcnet_caffe.report.run import Method, Run, Trained

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


def generators(run: Run) -> list[Block]:
    """Compare the nets with other generators and the generators alone; [] where there are none."""
    nets = sorted((m for m in run.methods if m.kind == "net" and _is_of_it(m)), key=_order)
    if not nets:
        return []
    trained = [
        Trained(m, fold, run.folder.at(m.folds[fold]["folder"]))
        for m in nets
        for fold in list(m.folds)[:1]
    ]
    blocks: list[Block] = [MIXED] if run.mixed else [*_tables(nets)]
    if trained:
        blocks.append(or_missing(partial(_curves, trained), "The losses cannot be drawn"))
    for net in trained if run.pictures else ():
        figure = or_missing(partial(_figure, run, net), f"{_name(net.method)} cannot be drawn")
        blocks.append(figure)
    return blocks if run.pictures else [*blocks, NO_PICTURES]


def _is_of_it(method: Method) -> bool:
    return "generator" in _options(method) or not method.classifies


def _options(method: Method) -> dict[str, str]:
    """Return the setting's options: name -> text."""
    return dict(part.split("=", 1) for part in method.setting.split("+") if "=" in part)


def _generator(method: Method) -> str:
    return _options(method).get("generator", "ae")


def _order(method: Method) -> tuple[int, int, int]:
    place = 1 - method.classifies
    if method.method in PLAIN:
        place = 2 + [*PLAIN].index(method.method)
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
        (
            f"{GENERATED_REFERENCE}{QUERY_IS_REFERENCE}",
            "the generated reference of queries that are their own reference",
        ),
        (RECONSTRUCTED_QUERY, "the reconstructed query, against the query"),
    ):
        rows: list[list[Shown]] = []
        found: list[dict[str, float]] = []
        for m in nets:
            scores = [*m.generated(blob).values()]
            if scores:
                found += scores
                accuracy = percent(m.accuracy["mean"])
                paper = _GENERATORS[_generator(m)][1] if m.method == "S1R1" else ""
                rows.append([_name(m), m.size, paper, accuracy, *_means(scores, "")])
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


def _curves(trained: Sequence[Trained]) -> Figure:
    """Draw generative losses over the iterations, a panel per net."""
    names: list[str] = []
    lines: dict[str, dict[str, Points]] = {text: {} for text in _LOSSES.values()}
    for net in trained:
        names.append(",\n".join(_name(net.method).rsplit(", ", 1)))  # in two lines
        log = read_log(net.folder.log)
        for key, text in _LOSSES.items():
            if key in log:
                lines[text][names[-1]] = log[key]
    return Figure(
        small_multiples(names, lines, "loss", log=True),
        f"Generative losses over the iterations, {len(names)} panels, one for each net",
        "What trains the generators, unweighted, over the iterations: for section IV-E, which "
        "shows no curves. Eq. (5) where there is no DCGAN, else the cross entropy of what the "
        "discriminator says.",
        wide=True,
    )


def _figure(run: Run, net: Trained) -> Figure:
    method, fold, folder = net
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
