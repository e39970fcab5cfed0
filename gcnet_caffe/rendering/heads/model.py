"""The head that every rendered face is a shape of: a mesh, and shapes to add to it.

`head.npz` is cut out of MakeHuman's body by `cut.py`; both the body and the face units are CC0 1.0
(MakeHuman/MPFB; "Face Units" by Mika Suominen). Coordinates are decimetres: x to the subject's
left, y up, z out of the face.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FILE = Path(__file__).with_name("head.npz")
#: What a triangle is made of; its number is the place in this list.
MATERIALS = ("skin", "eye", "teeth", "tongue", "lashes", "hair")
#: Decimetres of one step of a stored shape.
STEP = 0.001
#: Grey pictures over the texture coordinates.
TEXTURES = ("lips", "inside_mouth")


class Head:
    """The mesh and its shapes.

    Attributes
    ----------
    base : (n, 3) float32 array
        The vertices of the average head.
    vertex : (c,) array of int
        The vertex of each corner; a vertex on a seam of the textures has several corners.
    uv : (c, 2) float32 array
        Place of each corner in the textures, 0..1, v upwards.
    triangles : (t, 3) int32 array
        Corners.
    materials : (t,) uint8 array
        Numbers of MATERIALS.
    names : list of str
        The shapes, such as ``nose/nose-hump-incr`` or ``unit/mouthSmileLeft``.
    textures : dict
        Name of TEXTURES -> (512, 512) float32 array, 0..1.
    """

    def __init__(self) -> None:
        with np.load(FILE) as found:
            self.base: NDArray[np.float32] = found["base"]
            self.vertex = found["vertex"].astype(np.int32)
            self.uv: NDArray[np.float32] = found["uv"]
            self.triangles = found["triangles"].astype(np.int32)
            self.materials: NDArray[np.uint8] = found["materials"]
            self.names: list[str] = found["names"].tolist()
            self._targets: NDArray[np.int16] = found["targets"]
            self.textures = {name: found[name].astype(np.float32) / 240 for name in TEXTURES}
        self._place = {name: number for number, name in enumerate(self.names)}
        self.faces = self.vertex[self.triangles]  # (t, 3) vertices

    def __contains__(self, name: str) -> bool:
        return name in self._place

    def vertices_of(self, material: str) -> NDArray[np.int64]:
        """Return the numbers of the vertices that a material's triangles use."""
        return np.unique(self.faces[self.materials == MATERIALS.index(material)])

    def moved(self, weights: Mapping[str, float]) -> NDArray[np.float32]:
        """Return how the shapes in `weights` move the vertices, (n, 3): their weighted sum."""
        places = [self._place[name] for name in weights]
        amounts = np.fromiter(weights.values(), np.float32, len(weights)) * np.float32(STEP)
        moved: NDArray[np.float32] = np.einsum(
            "s,skn->nk", amounts, self._targets[places].astype(np.float32)
        )
        return moved


@functools.cache
def head() -> Head:
    """Return the head; it is read once."""
    return Head()
