"""packed.json: what was packed, from which files, with which settings; and a digest of all that."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

import cv2
import numpy as np

from gcnet_caffe import __version__, files
from gcnet_caffe.errors import NO_FILE, LmdbError, UsageError
from gcnet_caffe.faces import align, augment
from gcnet_caffe.formats.lmdb_file import LmdbFacts
from gcnet_caffe.packing.plan import Plan

#: Its name; it is in the folder of the LMDBs.
PACKED = "packed.json"


class Packed(TypedDict):
    """The content of packed.json, as others read it.

    `options` has `classes` (pairs) or `identities` (single faces, their number); `crop` says how
    faces were prepared.
    """

    manifest: dict[str, str]
    options: dict[str, Any]
    lmdbs: dict[str, Any]
    crop: dict[str, Any]
    versions: dict[str, str]


def read_packed(folder: str | Path) -> Packed:
    """Return the content of ``packed.json``.

    Parameters
    ----------
    folder : str or Path
        The folder of the LMDBs.

    Raises
    ------
    UsageError
        There is none.
    LmdbError
        It cannot be read, or lacks a key.
    """
    path = Path(folder) / PACKED
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        for name in Packed.__annotations__:
            if not isinstance(found[name], dict):
                raise TypeError(name)
    except FileNotFoundError:
        raise UsageError(f"{path}: {NO_FILE}; wanted LMDBs of `gcnet make-lmdb`") from None
    except (ValueError, KeyError, TypeError) as error:
        raise LmdbError(f"{path}: not what gcnet make-lmdb writes: {error!r}") from None
    return cast(Packed, found)


def read_classes(folder: str | Path) -> tuple[str, ...] | None:
    """Return the class names in ``packed.json``: position = label.

    Parameters
    ----------
    folder : str or Path
        The folder of ``packed.json``.

    Returns
    -------
    tuple of str, or None
        None if there is no ``packed.json``, or its labels are identities.

    Raises
    ------
    LmdbError
        ``packed.json`` cannot be read.
    """
    if not (Path(folder) / PACKED).exists():
        return None
    return tuple(read_packed(folder)["options"].get("classes") or ()) or None


def provenance_text(
    plan: Plan,
    routes: Mapping[str, int],
    lmdbs: Mapping[str, LmdbFacts],
    left_out: Mapping[int, str],
) -> str:
    """Return the text of packed.json beside some LMDBs of `plan`.

    Parameters
    ----------
    plan : Plan
    routes : dict of str to int
        Where landmarks come from -> number of images.
    lmdbs : dict of str to LmdbFacts
        By folder name.
    left_out : dict of int to str
        Row number, from 1 -> reason.

    Returns
    -------
    str
        JSON.
    """
    facts = {
        **_inputs(plan),
        "lmdbs": {name: _lmdb(facts) for name, facts in sorted(lmdbs.items())},
        "landmarks": routes,
        "left_out": left_out,
        **_settings(plan.photometric),
    }
    return json.dumps(facts, indent=2) + "\n"


def plan_digest(plan: Plan) -> str:
    """Return a digest of all that a plan's records depend on, except images and landmarks.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    str
        SHA-256, in hexadecimal.
    """
    facts = {
        **_inputs(plan),
        "lmdbs": [target.path for target in plan.targets],
        "folds": plan.fold_table,
        **_settings(plan.photometric),
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _inputs(plan: Plan) -> dict[str, Any]:
    return {
        "manifest": _file(plan.manifest),
        **({"test_manifest": _file(plan.test_manifest)} if plan.test_manifest else {}),
        "options": {
            **plan.options,
            **({"photometric": True} if plan.photometric else {}),
            "seed": plan.seed,
        },
    }


def _settings(photometric: bool) -> dict[str, Any]:
    more = {
        "slope_range": augment.SLOPE_RANGE,
        "blur_range_pixels": augment.BLUR_RANGE,
        "sharpening_range": augment.SHARPENING_RANGE,
        "gamma_range": augment.GAMMA_RANGE,
        "contrast_range": augment.CONTRAST_RANGE,
        "noise_range_grey": augment.NOISE_RANGE,
        "patch_probability": augment.PATCH_PROBABILITY,
        "patch_sides_pixels": augment.PATCH_SIDES,
    }
    return {
        "crop": {
            "size": align.SIZE,
            "five_points": align.CANONICAL.tolist(),
            "clahe_clip_limit": align.CLAHE_CLIP_LIMIT,
            "clahe_tiles": align.CLAHE_TILES,
            "scale_range": augment.SCALE_RANGE,
            "angle_range_degrees": augment.ANGLE_RANGE,
            "gain_range": augment.GAIN_RANGE,
            **(more if photometric else {}),
        },
        "versions": {
            "gcnet-caffe": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
    }


def _lmdb(facts: LmdbFacts) -> dict[str, Any]:
    return {"records": facts.count, "labels": facts.labels, "sha256": facts.sha256}


def _file(path: str | Path) -> dict[str, str]:
    return {"name": Path(path).name, "sha256": files.sha256(path)}
