"""Figure 5: t-SNE of one fold's pixels, CNN features and GCNet features."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import NO_FILE, GcnetError
from gcnet_caffe.inference.images import read_images
from gcnet_caffe.report.blocks import Block, Figure, or_missing
from gcnet_caffe.report.pictures import class_colours, class_name, panels, style, svg_uri
from gcnet_caffe.report.run import LABELS, Run

#: For the start of t-SNE only: the same features give the same map.
SEED = 0
_MOST = 1500  # points of a map; of more, as many spread evenly are drawn
_PERPLEXITY = 30


class Features(NamedTuple):
    """(N, 384) feature, (N,) labels and keys of a features.npz."""

    feature: NDArray[np.float32]
    labels: NDArray[np.int64]
    keys: list[str]


def read_features(path: Path) -> Features:
    """Read the features.npz at `path` into `Features`.

    Raises
    ------
    GcnetError
        It is missing, or not what `write_evaluation` writes.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as found:
            keys = [k.decode() if isinstance(k, bytes) else str(k) for k in found["keys"]]
            return Features(found["feature"], found["labels"].astype(int), keys)
    except FileNotFoundError:
        raise GcnetError(f"{path}: {NO_FILE}") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise GcnetError(f"{path}: no features can be read: {error}") from None


def tsne(features: NDArray[np.floating], seed: int = SEED) -> NDArray[np.float32]:
    """Return the (N, 2) t-SNE map of (N, p) features; equal features and seed give equal maps.

    Raises
    ------
    GcnetError
        There are fewer than 4 images.

    References
    ----------
    Paper, section IV-D; van der Maaten and Hinton, 2008.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if len(features) < 4:
        raise GcnetError(f"{len(features)} images are too few for a map")
    perplexity = min(_PERPLEXITY, (len(features) - 1) / 3)
    with threadpool_limits(1):  # sums in another order would give another map
        maker = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
        places: NDArray[np.float32] = maker.fit_transform(np.asarray(features, np.float64))
    return places


def silhouette(features: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Return how well (N, p) features separate the classes, -1..1 (0: not at all).

    It is NaN where all labels are equal, or all different.
    """
    from sklearn.metrics import silhouette_score

    if not 1 < len(set(labels)) < len(labels):
        return float("nan")
    return float(silhouette_score(features, labels))


def thin(count: int) -> NDArray[np.int64]:
    """Return at most _MOST places, spread evenly over `count`."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST)).astype(int))


def figure5(run: Run) -> list[Block]:
    """Draw t-SNE of pixels, of the CNN's and of GCNet's features on the first fold both have."""
    return [or_missing(partial(_figure5, run), "The map cannot be drawn")]


def _figure5(run: Run) -> Figure:
    nets = {name: net for name in ("cnn", "S1R1") if (net := run.first(name))}
    if not nets:
        raise GcnetError("the run has no trained CNN or S1R1")
    folds = [f for f in run.folds if all(f in net.method.folds for net in nets.values())]
    if not folds:
        raise GcnetError("CNN and S1R1 share no fold")
    fold = folds[0]
    records = read_images(run.folder.pairs(fold) / "test_lmdb")
    chosen = thin(len(records.labels))
    shown = {"image pixels": records.images[:, 0].reshape(len(records.labels), -1)[chosen]}
    for name, net in nets.items():
        path = run.folder.at(net.method.folds[fold]["folder"]).features
        found = read_features(path)
        if found.keys != records.keys:
            raise GcnetError(f"{path}: not the images of {fold}'s test_lmdb")
        shown[f"{LABELS[name]}, {found.feature.shape[1]}-d"] = found.feature[chosen]
    labels = records.labels[chosen]
    scores = {name: silhouette(x, labels) for name, x in shown.items()}
    missing = " ".join(
        f"There is no {LABELS[n]} in this run." for n in ("cnn", "S1R1") if n not in nets
    )
    return Figure(
        _draw({name: tsne(x) for name, x in shown.items()}, labels, run.classes),
        f"Three scatter plots of {len(labels)} test images, coloured by expression",
        f"As figure 5 of the paper: t-SNE of the {len(labels)} test images of {fold}, perplexity "
        f"{_PERPLEXITY} at most, random_state {SEED}. A map is no measure; the silhouette by "
        "expression, of the features themselves, is one (1: apart, 0: not): "
        + ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
        + f". {missing}",
        wide=True,
    )


def _draw(
    maps: Mapping[str, NDArray[np.float32]], labels: NDArray[np.int64], classes: Sequence[str]
) -> str:
    colours = class_colours(classes)
    with style():
        figure, axes = panels(len(maps), 3, (3.1, 3.0))
        for letter, axis, (title, points) in zip("abc", axes, maps.items()):
            scaled = points / np.abs(points).max()
            for label in np.unique(labels):
                x, y = scaled[labels == label].T.round(4)
                axis.scatter(
                    x, y, s=14, color=colours[int(label)], alpha=0.85, linewidths=0,
                    label=class_name(classes, int(label)),
                )  # fmt: skip
            axis.set(title=f"({letter}) {title}", xticks=[], yticks=[])
            axis.spines[:].set_visible(True)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=8, fontsize=8)
        return svg_uri(figure)
