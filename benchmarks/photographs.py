"""How often networks are right about photographs of people they were not trained on.

    python -m benchmarks.photographs runs/photographs --london DIR [--yale DIR] [--fer PYTHON]

The run is that of `experiments/photographs.yaml`, in which every network starts from one that
learnt from 2,000 rendered people; that one, which saw no photograph, is asked, too. A person of
London, and one of the 400 other rendered people, is shown to the network of the fold that held the
person out. Yale's nine people are shown to the network that ships (fold 10, or --model), which saw
none of them. Each photograph is shown with the generated reference and, where there is one, with
the person's own neutral photograph. --fer is a Python where the library fer is. The tables go to -o
as Markdown, with the counts as JSON beside them.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gcnet_caffe import files
from gcnet_caffe.datasets.expressions import CLASS_SETS
from gcnet_caffe.recognition.recognizer import Recognizer

CLASSES = CLASS_SETS["ck8"]
#: Yale's name of a picture -> the expression; its other names are not expressions, or not ours.
YALE = {"normal": "neutral", "happy": "happy", "sad": "sad", "surprised": "surprise"}
#: The names of the library fer.
FER = {"angry": "anger"}
#: One answer per line of standard input, for the Python that has fer.
_FER_PROGRAM = """
import sys
import numpy as np
from PIL import Image
from fer.fer import FER
detector = FER()
for path in sys.stdin.read().splitlines():
    picture = np.asarray(Image.open(path).convert("RGB"))[:, :, ::-1]
    found = detector.detect_emotions(np.ascontiguousarray(picture))
    best = max(found, key=lambda face: face["box"][2], default=None)
    print(max(best["emotions"], key=best["emotions"].get) if best else "no face")
"""


class Shown(NamedTuple):
    """A photograph and what is to be answered."""

    path: Path
    truth: str
    neutral: Path  # the person's neutral photograph


class Answers(NamedTuple):
    """What was answered about some photographs."""

    pairs: Counter[tuple[str, str]]  # (truth, answer)
    happy: list[tuple[bool, float]]  # whether it is a smile, and the probability of happy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="the folder of the run")
    parser.add_argument("--london", type=Path, required=True)
    parser.add_argument("--yale", type=Path)
    parser.add_argument("--model", type=Path, help="for Yale, instead of fold 10")
    parser.add_argument("--fer", metavar="PYTHON", help="a Python where the library fer is")
    parser.add_argument("-o", "--output", type=Path, help="Markdown to write; default: print")
    args = parser.parse_args()
    nets = args.run / "nets/default/S1R1"
    tables: dict[str, Answers] = {}
    london = list(_london(args.london))
    with open(args.run / "data/pairs/folds.csv") as file:
        folds = {row["subject"]: row["fold"] for row in csv.DictReader(file)}
    for own in (False, True):
        parts = []
        for fold in sorted({_fold(folds, one) for one in london}, key=int):
            shown = [one for one in london if _fold(folds, one) == fold]
            parts.append(_answers(Recognizer.load(nets / f"fold{fold}/seed1"), shown, own))
        tables[f"London, {_reference(own)}"] = _joined(parts)
    tables["rendered people held out"] = _joined(map(_rendered, sorted(nets.glob("fold*/seed1"))))
    yale = list(_yale(args.yale)) if args.yale else []
    before = Recognizer.load(args.run / "start/default/S1R1/seed1")
    tables["London, before it saw photographs"] = _answers(before, london, own=False)
    if yale:
        tables["Yale 01-09, before it saw photographs"] = _answers(before, yale, own=False)
        shipped = Recognizer.load(args.model or nets / "fold10/seed1")
        for own in (False, True):
            tables[f"Yale 01-09, {_reference(own)}"] = _answers(shipped, yale, own)
    if args.fer:
        tables["London, fer"] = _of_fer(args.fer, london)
        if yale:
            tables["Yale 01-09, fer"] = _of_fer(args.fer, yale)
    text = "\n".join(_table(name, answers) for name, answers in tables.items())
    if args.output:
        files.write_text(args.output, text)
        counts = {
            name: {f"{truth}: {answer}": n for (truth, answer), n in sorted(found.pairs.items())}
            for name, found in tables.items()
        }
        files.write_text(args.output.with_suffix(".json"), json.dumps(counts, indent=1) + "\n")
    print(text)


def _fold(folds: dict[str, str], shown: Shown) -> str:
    return folds["London:" + shown.path.name.split("_")[0]]


def _reference(own: bool) -> str:
    return "own neutral photograph" if own else "generated reference"


def _london(folder: Path) -> Iterator[Shown]:
    for neutral in sorted(folder.glob("*_neutral.jpg")):
        yield Shown(neutral, "neutral", neutral)
        yield Shown(neutral.with_name(neutral.name.replace("neutral", "smiling")), "happy", neutral)


def _yale(folder: Path) -> Iterator[Shown]:
    for number in range(1, 10):
        (neutral,) = folder.glob(f"subject{number:02d}.normal*")
        for name, truth in YALE.items():
            (path,) = folder.glob(f"subject{number:02d}.{name}*")
            yield Shown(path, truth, neutral)


def _answers(recognizer: Recognizer, shown: Iterable[Shown], own: bool) -> Answers:
    """Ask about each photograph; with `own`, a neutral one is its own reference: left out."""
    found = Answers(Counter(), [])
    for one in shown:
        if own and one.path == one.neutral:
            continue
        faces = recognizer.predict(one.path, reference=one.neutral if own else None)
        answer = faces[0].expression if faces else "no face"
        found.pairs[one.truth, answer] += 1
        if faces:
            found.happy.append((one.truth == "happy", faces[0].probabilities["happy"]))
    return found


def _rendered(training: Path) -> Answers:
    """Read the answers about the rendered people that a fold held out."""
    found = Answers(Counter(), [])
    with open(training / "predictions.csv") as file:
        for row in csv.DictReader(file):
            if row["subject"].startswith("synthetic:"):
                found.pairs[row["expression"], row["predicted_expression"]] += 1
    return found


def _of_fer(python: str, shown: list[Shown]) -> Answers:
    paths = "\n".join(str(one.path) for one in shown)
    done = subprocess.run(
        [python, "-c", _FER_PROGRAM], input=paths, capture_output=True, text=True, check=True
    )
    answers = done.stdout.split("\n")[-len(shown) - 1 : -1]
    pairs = ((one.truth, FER.get(answer, answer)) for one, answer in zip(shown, answers))
    return Answers(Counter(pairs), [])


def _joined(parts: Iterable[Answers]) -> Answers:
    whole = Answers(Counter(), [])
    for part in parts:
        whole.pairs.update(part.pairs)
        whole.happy.extend(part.happy)
    return whole


def _table(name: str, answers: Answers) -> str:
    """The confusion table, and what it comes to."""
    pairs = answers.pairs
    truths = [one for one in CLASSES if any(truth == one for truth, _ in pairs)]
    given = [*CLASSES, *sorted({answer for _, answer in pairs} - set(CLASSES))]
    right, total = sum(pairs[one, one] for one in truths), sum(pairs.values())
    lines = [f"### {name}", "", f"{right} of {total} right ({right / total:.1%})."]
    if {"neutral", "happy"} == set(truths):
        either = sum(pairs[t, a] for t in truths for a in truths)
        lines[-1] += f" Of the {either} answers that are neutral or happy, {right} are right."
    smiles = np.array([p for smile, p in answers.happy if smile])
    others = np.array([p for smile, p in answers.happy if not smile])
    if len(smiles) and len(others):
        above = (smiles[:, None] > others).mean() + (smiles[:, None] == others).mean() / 2
        lines[-1] += f" AUC of p(happy): {above:.3f}."
    lines += ["", f"| shown | {' | '.join(given)} |", "|---" * (len(given) + 1) + "|"]
    for truth in truths:
        lines.append(f"| {truth} | {' | '.join(str(pairs[truth, one]) for one in given)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
