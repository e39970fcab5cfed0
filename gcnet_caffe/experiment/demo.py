"""The whole path on synthetic faces, small enough for two cores: every step is a command."""

import json
import shlex
import shutil
from pathlib import Path

from gcnet_caffe import caffe_tool
from gcnet_caffe.errors import GcnetError, UsageError

#: Iterations and batch sizes: a few minutes in real Caffe on two cores.
PRETRAIN = {"batch_size": 16, "max_iter": 200}
FINETUNE = {"batch_size": 16, "max_iter": 240}

_MARK = ".gcnet-demo"


def run_demo(out, gcnet):
    """Make faces, pack, pre-train, transfer, fine-tune S1R1 on fold 0, evaluate: all under `out`.

    Parameters
    ----------
    out : str
        A folder; an earlier demo's is replaced, another is refused.
    gcnet : callable
        Runs one `gcnet` command from its arguments; returns the exit status.

    Returns
    -------
    dict
        What `evaluate` found (see analysis.evaluation).
    """
    _start(Path(out))
    for command in _commands(out):
        print(f"$ {shlex.join(command)}", flush=True)
        if command[0] == "caffe":
            _train(command, out)
        elif gcnet(command[1:]):
            raise GcnetError(f"demo stopped at: {shlex.join(command)}")
    return json.loads(Path(out, "evaluation.json").read_text())


def _start(out):
    if out.exists() and not (out / _MARK).exists():
        raise UsageError(f"{out}: exists, and is no earlier demo; remove it or give another folder")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / _MARK).touch()


def _commands(out):
    """Yield the commands in order, each a list of words."""
    lines = f"""
gcnet make-faces -o {out}/faces --subjects 30
gcnet make-faces -o {out}/identities --identities 40 --images-per-identity 16 --seed 1
gcnet make-manifest ck --root {out}/faces -o {out}/faces.csv
gcnet make-lmdb sheet {out}/faces.csv -o {out}/packed.png
gcnet make-lmdb pairs {out}/faces.csv -o {out}/pairs --fold 0 --copies 2
gcnet make-lmdb identity {out}/identities/manifest.csv -o {out}/identity
{_net("pretrain-autoencoder", out, f"{out}/identity", PRETRAIN)}
{_net("pretrain-identity", out, f"{out}/identity", PRETRAIN, "--num-classes 40")}
{_net("S1R1", out, f"{out}/pairs/fold0", FINETUNE)}
{_solver("pretrain-autoencoder", out, f"{out}/identity", PRETRAIN)}
{_solver("pretrain-identity", out, f"{out}/identity", PRETRAIN)}
{_solver("S1R1", out, f"{out}/pairs/fold0", FINETUNE)}
caffe train -solver {out}/solvers/pretrain_autoencoder.prototxt
caffe train -solver {out}/solvers/pretrain_identity.prototxt
caffe train -solver {out}/solvers/demo_fold0.prototxt -weights {_pretrained(out)}
gcnet plot {out}/demo_fold0.log -o {out}/loss.png
gcnet evaluate --model {out}/prototxt/demo_S1R1_deploy.prototxt --weights {_trained(out)} \
--data {out}/pairs/fold0 -o {out}
"""
    return [shlex.split(line) for line in lines.strip().splitlines()]


def _net(variant, out, data, schedule, more=""):
    return (
        f"gcnet make-net --variant {variant} --name demo -o {out}/prototxt --data {data} "
        f"--fit-test --batch-size {schedule['batch_size']} --moving-average-fraction 0.95 {more}"
    )


def _solver(variant, out, data, schedule):
    stem = _stem(variant)
    return (
        f"gcnet make-solver --variant {variant} --name demo -o {out}/solvers --data {data} "
        f"--fit-test --net {out}/prototxt/{stem}_train_test.prototxt "
        f"--snapshot-prefix {out}/snapshots/{stem} --max-iter {schedule['max_iter']} "
        f"--display 10 --test-interval {schedule['max_iter']} --random-seed 1"
    )


def _stem(variant):
    return variant.replace("-", "_") if variant.startswith("pretrain") else f"demo_fold0_{variant}"


def _pretrained(out):
    names = ("pretrain_autoencoder", "pretrain_identity")
    return ",".join(
        f"{out}/snapshots/{name}_iter_{PRETRAIN['max_iter']}.caffemodel" for name in names
    )


def _trained(out):
    return f"{out}/snapshots/demo_fold0_S1R1_iter_{FINETUNE['max_iter']}.caffemodel"


def _train(command, out):
    solver = Path(command[command.index("-solver") + 1])
    weights = command[-1].split(",") if "-weights" in command else ()
    caffe_tool.train(solver, Path(out) / f"{solver.stem}.log", weights)
