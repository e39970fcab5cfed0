"""The Oulu-CASIA reader on miniatures of its trees."""

import pytest

from gcnet_caffe.data.readers import oulu
from gcnet_caffe.errors import ManifestError, UsageError
from tests.data.trees import picture, plain


def build(top):
    for subject in ("P001", "P010", "P002"):
        for i in range(5):  # renumbered: the first is not 000
            picture(top / subject / "Anger" / f"{i + 7:03d}.jpeg")
    for name in ("009", "010", "9b"):
        picture(top / "P001/Happiness" / f"{name}.jpeg")
    (top / "P001/Sadness").mkdir()
    picture(top / "P002/Fear/000.jpeg")
    picture(top / "P002/Other/000.jpeg")
    (top / ".DS_Store").write_bytes(b"Bud1")


TREES = [
    "OriginalImg/VL/Strong",
    "B_OriginalImg/OriginalImg/VL/Strong",
    "B_OriginalImg/B_OriginalImg/OriginalImg/VL/Strong",
    "Oulu_CASIA_NIR_VIS/VL/Strong",
    "VL/Strong",
]


@pytest.mark.parametrize("tree", TREES)
def test_rows(tmp_path, tree):
    build(tmp_path / tree)
    rows, survey = oulu.read(tmp_path)

    def sequence(subject, name, expression, frames):
        folder, made = f"{tree}/{subject}/{name}", []
        for rank, frame in frames:
            made.append(
                (
                    f"{folder}/{frame}.jpeg",
                    subject,
                    expression if rank else "neutral",
                    f"{folder}/{frames[0][1]}.jpeg",
                    f"{subject}_{name}",
                    rank,
                    "Oulu-CASIA",
                )
            )
        return made

    anger = [(0, "007"), (2, "009"), (3, "010"), (4, "011")]
    assert plain(rows, tmp_path) == [
        *sequence("P001", "Anger", "anger", anger),
        *sequence("P001", "Happiness", "happy", [(0, "009"), (1, "9b"), (2, "010")]),
        *sequence("P002", "Anger", "anger", anger),
        *sequence("P010", "Anger", "anger", anger),
    ]
    assert survey.known == {"sequences": (4, 480), "subjects": (3, 80)}
    assert survey.skipped == {
        "sequences without frames": 1,
        "sequences of one frame": 1,
        "folders that name no expression": 1,
    }


@pytest.mark.parametrize("name", ["PreProcess_Img", "PreProcessImg", "PreProcess"])
def test_cropped_and_other_options(tmp_path, name):
    build(tmp_path / name / "NI_Acropped/Dark")
    rows, _ = oulu.read(
        tmp_path, frames=1, neutral_queries=False, camera="NI", light="Dark", cropped=True
    )
    assert [row.rank for row in rows] == [4, 2, 4, 4]


def test_bad_trees(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        oulu.read(tmp_path / "none")
    (tmp_path / "Photos").mkdir()
    with pytest.raises(ManifestError, match=r"looked for VL/Strong, .*; found Photos"):
        oulu.read(tmp_path)
    (tmp_path / "VL/Strong/P001/Anger").mkdir(parents=True)
    with pytest.raises(ManifestError, match="no sequence"):
        oulu.read(tmp_path)
    with pytest.raises(UsageError, match="--frames 0"):
        oulu.read(tmp_path, frames=0)
