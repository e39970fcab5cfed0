"""How well generated images match their targets, beside the trivial answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from skimage import metrics  # imports a measure, and what it needs, when that is first called

#: The PSNR, in dB, of an image that equals its target, where it would be infinite.
MAX_PSNR = 100.0

_Images = NDArray[np.float32]
#: Images (N, 1, 64, 64) -> embeddings (N, p).
_Embed = Callable[[_Images], NDArray[np.float32]]


def image_scores(
    images: _Images,
    targets: _Images,
    trivial: Mapping[str, _Images],
    embed: _Embed | None = None,
) -> dict[str, float]:
    """Score generated images, and the trivial answers, by how close they are to the targets.

    Parameters
    ----------
    images, targets : (N, 64, 64) array
        What the net gives and what it should, values 0..1.
    trivial : dict
        Name -> (N, 64, 64) array, or one image: other answers. ``mean_image`` must be there, the
        mean of the targets seen in training: the constant predictor.
    embed : callable, optional
        (N, 1, 64, 64) images to (N, p) embeddings of a net that knows identities.

    Returns
    -------
    dict
        `mse` per pixel, `psnr` (dB) and `ssim` (Wang et al. 2004, scikit-image's windows of 7 x 7),
        means over the images, and the same of each trivial answer, as `mse_mean_image`; `gain` =
        mse_mean_image / mse, `zero_share` of exactly zero output pixels, and `std_ratio`: spread
        between output images relative to that between targets (0 for a constant output; left out
        where all targets are equal). With `embed` also `identity`: the mean cosine distance of the
        embeddings of image and target (0: the same direction, 1: at right angles), and the same of
        each trivial answer. `count` is N.
    """
    wanted = _unit(embed(targets[:, None])) if embed else None
    scores: dict[str, float] = {}
    for name, answers in {"": images, **trivial}.items():
        answers = np.broadcast_to(answers, targets.shape)
        end = f"_{name}" if name else ""
        scores[f"mse{end}"] = float(((answers - targets) ** 2).mean())
        scores[f"psnr{end}"] = _mean(_psnr, answers, targets)
        scores[f"ssim{end}"] = _mean(_ssim, answers, targets)
        if embed and wanted is not None:
            found = _unit(embed(np.array(answers, np.float32)[:, None]))
            scores[f"identity{end}"] = float(1 - (found * wanted).sum(1).mean())
    scores["gain"] = scores["mse_mean_image"] / max(scores["mse"], 1e-12)
    scores["zero_share"] = float((images == 0).mean())
    if spread := targets.std(0).mean():
        scores["std_ratio"] = float(images.std(0).mean() / spread)
    scores["count"] = len(targets)
    return scores


def others(subjects: Sequence[str]) -> list[int] | None:
    """Return for each image the place of another subject's: the first of the next subject.

    Parameters
    ----------
    subjects : sequence of str

    Returns
    -------
    list of int, or None
        None where there is one subject only.
    """
    names = list(dict.fromkeys(subjects))
    if len(names) < 2:
        return None
    following = [*names[1:], names[0]]
    place = {name: subjects.index(other) for name, other in zip(names, following)}
    return [place[subject] for subject in subjects]


def _mean(score: Callable[[_Images, _Images], float], answers: _Images, targets: _Images) -> float:
    return float(np.mean([score(*pair) for pair in zip(answers, targets)]))


def _psnr(answer: _Images, target: _Images) -> float:
    error = np.mean((target - answer) ** 2, dtype=np.float64)
    return min(MAX_PSNR, float(10 * np.log10(1 / error))) if error else MAX_PSNR


def _ssim(answer: _Images, target: _Images) -> float:
    return float(metrics.structural_similarity(target, answer, data_range=1.0))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    norms: NDArray[np.float64] = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.maximum(norms, 1e-12)
