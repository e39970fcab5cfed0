"""Small runs: one really trained and evaluated, and results.json files of chosen numbers."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import yaml

from gcnet_caffe.cli import main
from gcnet_caffe.evaluation.evaluation import evaluate, write_evaluation
from gcnet_caffe.formats.log import read_log
from gcnet_caffe.inference.images import read_images
from tests.scratch import write_lmdb

CLASSES = ["anger", "contempt", "disgust", "fear", "happy", "sad", "surprise"]


def result(method, accuracies, missing=None, **more):
    """A method of results.json with these accuracies, by fold from fold0."""
    folds = {f"fold{k}": {"images": 100, "accuracy": a} for k, a in enumerate(accuracies)}
    for fold in missing or ():
        folds.pop(fold, None)
    values = [scores["accuracy"] for scores in folds.values()]
    mean = float(np.mean(values)) if values else None
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    both = {"mean": mean, "std": std, "pooled": mean}
    kind = "baseline" if "svm" in method else "net"
    return {
        "method": method,
        "kind": kind,
        "setting": "default",
        "seed": 1 if kind == "net" else None,
        "parameters": 2736365 if method == "S1R1" else None,
        "folds": folds,
        "missing": missing or {},
        "accuracy": both,
        "sequence_accuracy": both,
        "recall": [],
        "confusion": [],
        **more,
    }


def answered(folder, method, right, seed=1, **more):
    """A method of the run `folder`, with a predictions.csv of each fold.

    `right`: for each fold, {subject: for each of its images whether the method is right}.
    """
    folds = {}
    for k, subjects in enumerate(right):
        place = f"nets/{method}/fold{k}/seed{seed}"
        images = [(subject, r) for subject, found in subjects.items() for r in found]
        rows = [f"{i:03d},1,{int(r)},{subject}" for i, (subject, r) in enumerate(images)]
        (folder / place).mkdir(parents=True)
        text = "\n".join(["key,label,predicted,subject", *rows])
        (folder / place / "predictions.csv").write_text(text + "\n")
        accuracy = sum(r for _, r in images) / len(images)
        folds[f"fold{k}"] = {"images": len(images), "accuracy": accuracy, "folder": place}
    found = result(method, [scores["accuracy"] for scores in folds.values()], **more)
    return {**found, "folds": folds, "seed": None if "svm" in method else seed}


def everybody(count, images, start=0):
    """A fold of {subject: images} for `count` subjects, all alike."""
    return {f"S{start + k:03d}": list(images) for k in range(count)}


def write_results(
    folder,
    methods,
    synthetic=True,
    protocol="ck7",
    sources=(),
    pretrain=(),
    started=(),
    classes=CLASSES,
    **experiment,
):
    """Write results.json and experiment.yaml of a run, and a manifest of rows of `sources`."""
    folder.mkdir(parents=True, exist_ok=True)
    if sources:
        (folder / "manifests").mkdir()
        rows = "".join(f"{source}.png,{source}\n" for source in sources)
        (folder / "manifests/train.csv").write_text(f"path,source\n{rows}")
    results = {
        "name": folder.name,
        "synthetic": synthetic,
        "protocol": protocol,
        "classes": classes,
        "chance": 0.143,
        "methods": methods,
        "pretrain": list(pretrain),
        "start": list(started),
    }
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    return folder


def train_run(folder):
    """A run of one fold with a CNN and an S1R1, two iterations each, evaluated by the engine."""
    data = folder / "data/pairs/fold0"
    write_lmdb(data / "train_lmdb", [i % 8 for i in range(8)], 2)
    _test_set(data, 14, 1)
    _test_set(folder / "sequences/fold0", 28, 2)
    methods = []
    for variant in ("cnn", "S1R1"):
        net = folder / f"nets/default/{variant}/fold0/seed1"
        _train(net, variant, data)
        scores = _evaluate(net, data, net)
        methods.append(_method(folder, net, variant, scores))
        _evaluate(net, folder / "sequences/fold0", net / "sequences", images=False)
    write_results(
        folder, methods, title="Two small nets", folds=["fold0"], variants=["cnn", "S1R1"]
    )
    provenance = {"git_commit": "0123abc", "versions": {"torch": "2"}, "commands": ["gcnet <one>"]}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


def _test_set(folder, count, seed):
    labels = [i % 7 for i in range(count)]
    write_lmdb(folder / "test_lmdb", labels, 2, seed=seed)
    keys = read_images(folder / "test_lmdb").keys
    with open(folder / "test.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow("key,path,subject,sequence,rank,expression,label".split(","))
        for i, (key, label) in enumerate(zip(keys, labels)):
            row = [key, "x.png", f"S{i // 7 % 2}", f"q{i % 14}", 1 + i // 14, CLASSES[label], label]
            writer.writerow(row)


def _train(net, variant, data):
    target = f"--variant {variant} --data {data} --fit-test"
    made = net / "made"
    words = f"make-net {target} -o {made} --batch-size 4 --with-reconstruction".split()
    assert main(words if variant == "S1R1" else words[:-1]) == 0
    for path in made.glob("*.prototxt"):
        ends = ("train_test", "deploy_reconstruction", "deploy")
        shutil.move(path, net / f"{next(e for e in ends if path.stem.endswith(e))}.prototxt")
    solver = f"make-solver {target} -o {made} --net {net}/train_test.prototxt --max-iter 2"
    prefix = f"--snapshot-prefix {made}/x --display 1 --test-interval 1 --random-seed 1"
    assert main(f"{solver} {prefix}".split()) == 0
    solver = next(made.glob("*.prototxt"))
    assert main(f"train -solver {solver} --log {net}/train.log".split()) == 0
    shutil.move(made / "x_iter_2.caffemodel", net / "weights.caffemodel")


def _evaluate(net, data, out, images=True):
    model, weights = net / "deploy.prototxt", str(net / "weights.caffemodel")
    scores, outputs = evaluate(model, weights, data, images=images)
    out.mkdir(parents=True, exist_ok=True)
    write_evaluation(scores, outputs, out)
    return {**scores, "predicted": outputs["prob"].argmax(1), "labels": outputs["records"].labels}


def _method(folder, net, variant, scores):
    confusion = np.zeros((7, 7), int)
    counts = Counter(zip(scores.pop("labels").tolist(), scores.pop("predicted").tolist()))
    for place, count in counts.items():
        confusion[place] = count
    fold = {
        **scores,
        "curve": read_log(net / "train.log")["Test", "accuracy"],
        "folder": str(Path(net).relative_to(folder)),
    }
    recall = (confusion.diagonal() / confusion.sum(1)).tolist()
    more = {"folds": {"fold0": fold}, "confusion": confusion.tolist(), "recall": recall}
    return result(variant, [scores["accuracy"]], **more)
