"""A run small enough for a test: 2 folds, 2 variants, both pre-trainings, synthetic faces."""

import os
import subprocess
import sys

import yaml

SMALL = {
    "title": "A run for the tests",
    "data": {"synthetic": {"kind": "2d", "subjects": 4, "frames": 4, "size": 96}},
    "protocol": "ck7",
    "folds": 2,
    "variants": ["cnn", "S1R1"],
    "pretrain": {
        "data": {
            "synthetic": {
                "kind": "2d",
                "identities": 4,
                "images_per_identity": 4,
                "size": 96,
                "seed": 1,
            }
        },
        "solver": {"max_iter": 6},
    },
    "pack": {"copies": 1},
    "net": {"batch_size": 4, "moving_average_fraction": 0.9},
    "solver": {"max_iter": 12, "display": 3, "snapshot": 3, "test_interval": 6},
    "baselines": ["hog-svm"],
    "sequences": True,
}


def write_experiment(folder, name="small", **changes):
    """Write the experiment to `folder`/NAME.yaml and return the path."""
    path = folder / f"{name}.yaml"
    experiment = {**SMALL, **changes}
    kept = {key: value for key, value in experiment.items() if value is not None}
    path.write_text(yaml.safe_dump(kept))
    return path


def start(*words, cwd):
    """Start `gcnet run` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gcnet_caffe.cli", "run", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(*words, cwd, status=0):
    """Run `gcnet run` to its end; return (stdout, stderr)."""
    process = start(*words, cwd=cwd)
    out, err = process.communicate()
    assert process.returncode == status, err[-3000:]
    return out, err
