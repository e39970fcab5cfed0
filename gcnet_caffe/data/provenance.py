"""What was packed, from what, with what: the text of packed.json."""

import hashlib
import json
import platform
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from gcnet_caffe import __version__
from gcnet_caffe.data import align, augment


def provenance_text(plan, rows, lmdbs, left_out):
    """Describe some LMDBs of `plan` as JSON.

    Parameters
    ----------
    plan : Plan
    rows : list of Row
        The manifest's rows with the landmarks that were used.
    lmdbs : dict of str to LmdbFacts
        By folder name.
    left_out : dict of int to str
        Row number, from 1 -> reason.
    """
    facts = {
        "manifest": _file(plan.manifest),
        **({"test_manifest": _file(plan.test_manifest)} if plan.test_manifest else {}),
        "options": {**plan.options, "seed": plan.seed},
        "lmdbs": {name: _lmdb(facts) for name, facts in sorted(lmdbs.items())},
        "landmarks": Counter(row.route for row, copies in zip(rows, plan.copies()) if copies),
        "left_out": left_out,
        "crop": {
            "size": align.SIZE,
            "five_points": align.CANONICAL.tolist(),
            "clahe_clip_limit": align.CLAHE_CLIP_LIMIT,
            "clahe_tiles": align.CLAHE_TILES,
            "scale_range": augment.SCALE_RANGE,
            "angle_range_degrees": augment.ANGLE_RANGE,
            "gain_range": augment.GAIN_RANGE,
        },
        "versions": {
            "gcnet-caffe": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
    }
    return json.dumps(facts, indent=2) + "\n"


def _lmdb(facts):
    return {"records": facts.count, "labels": facts.labels, "sha256": facts.sha256}


def _file(path):
    return {
        "name": Path(path).name,
        "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(),
    }
