"""The whole path on synthetic faces, small enough for two cores: every step is a command."""

import json
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.real_caffe import tool as caffe_tool


class Size(NamedTuple):
    """How much of everything; by default a few minutes on two cores."""

    subjects: int = 30
    identities: int = 40
    images_per_identity: int = 16
    copies: int = 2
    batch_size: int = 16
    pretrain_iterations: int = 200
    finetune_iterations: int = 240


#: What can train the nets: the torch engine, or real Caffe.
ENGINES = ("torch", "caffe")

_MARK = ".gcnet-demo"


def run_demo(out, gcnet, size=None, engine="torch"):
    """Make faces, pack, pre-train, transfer, fine-tune S1R1 on fold 0, evaluate: all under `out`.

    Parameters
    ----------
    out : str
        A folder; an earlier demo's is replaced, another is refused.
    gcnet : callable
        Runs one `gcnet` command from its arguments; returns the exit status.
    size : Size, optional
    engine : str
        One of ENGINES.

    Returns
    -------
    dict
        What `evaluate` found (see analysis.evaluation).
    """
    _start(Path(out))
    for command in _commands(out, size or Size(), engine):
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


def _commands(out, size, engine):
    """Return the commands in order, each a list of words."""
    pairs, identity = f"{out}/pairs/fold0", f"{out}/identity"
    autoencoder = _Network("pretrain-autoencoder", out, identity, size.pretrain_iterations, engine)
    identities = _Network("pretrain-identity", out, identity, size.pretrain_iterations, engine)
    s1r1 = _Network("S1R1", out, pairs, size.finetune_iterations, engine)
    lines = f"""
gcnet make-faces -o {out}/faces --subjects {size.subjects}
gcnet make-faces -o {out}/identities --identities {size.identities} \
--images-per-identity {size.images_per_identity} --seed 1
gcnet make-manifest ck --root {out}/faces --source synthetic -o {out}/faces.csv
gcnet make-lmdb sheet {out}/faces.csv -o {out}/packed.png
gcnet make-lmdb pairs {out}/faces.csv -o {out}/pairs --fold 0 --copies {size.copies}
gcnet make-lmdb identity {out}/identities/manifest.csv -o {identity}
{autoencoder.net(size)}
{identities.net(size, f"--num-classes {size.identities}")}
{s1r1.net(size)}
{autoencoder.solver()}
{identities.solver()}
{s1r1.solver()}
{autoencoder.train()}
{identities.train()}
{s1r1.train(f"-weights {autoencoder.weights},{identities.weights}")}
gcnet plot {out}/demo_fold0.log -o {out}/loss.png
gcnet evaluate --model {out}/prototxt/demo_S1R1_deploy.prototxt --weights {s1r1.weights} \
--data {pairs} --engine {engine} -o {out}
"""
    return [shlex.split(line) for line in lines.strip().splitlines()]


class _Network:
    """The commands that write and train one network of the demo."""

    def __init__(self, variant, out, data, iterations, engine):
        pretraining = variant.startswith("pretrain")
        self.stem = variant.replace("-", "_") if pretraining else f"demo_fold0_{variant}"
        self.target = f"--variant {variant} --name demo --data {data} --fit-test"
        self.solver_path = f"{out}/solvers/{self.stem if pretraining else 'demo_fold0'}.prototxt"
        self.out, self.iterations, self.engine = out, iterations, engine
        self.weights = f"{out}/snapshots/{self.stem}_iter_{iterations}.caffemodel"

    def net(self, size, more=""):
        return (
            f"gcnet make-net {self.target} -o {self.out}/prototxt "
            f"--batch-size {size.batch_size} --moving-average-fraction 0.95 {more}"
        )

    def solver(self):
        return (
            f"gcnet make-solver {self.target} -o {self.out}/solvers "
            f"--net {self.out}/prototxt/{self.stem}_train_test.prototxt "
            f"--snapshot-prefix {self.out}/snapshots/{self.stem} --max-iter {self.iterations} "
            f"--display 10 --test-interval {max(1, self.iterations // 4)} --random-seed 1"
        )

    def train(self, more=""):
        if self.engine == "caffe":
            return f"caffe train -solver {self.solver_path} {more}"
        log = f"{self.out}/{Path(self.solver_path).stem}.log"
        return f"gcnet train -solver {self.solver_path} {more} --log {log}"


def _train(command, out):
    solver = Path(command[command.index("-solver") + 1])
    weights = command[-1].split(",") if "-weights" in command else ()
    caffe_tool.train(solver, Path(out) / f"{solver.stem}.log", weights)
