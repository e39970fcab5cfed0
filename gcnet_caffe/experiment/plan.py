"""The jobs of an experiment: which files, made from which, with which flags.

Where the files are is in `evaluation.run_folder`. The Snakefile reads the plan and connects the
files. When a flag changes, the outputs of its job are made again.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from gcnet_caffe.datasets.protocols import PROTOCOLS
from gcnet_caffe.errors import UsageError
from gcnet_caffe.evaluation.run_folder import RunFolder
from gcnet_caffe.experiment.schema import PACKING
from gcnet_caffe.experiment.settings import (
    PEOPLE,
    Setting,
    flags,
    net_and_solver,
    options_of,
    pretraining_setting,
    setting_name,
    settings,
    trained,
    with_own,
)
from gcnet_caffe.nets.gcnet import VARIANTS
from gcnet_caffe.nets.names import NAMING
from gcnet_caffe.nets.plain import PLAIN
from gcnet_caffe.nets.pretrain import IDENTITY, PRETRAININGS

#: The paths of a plan are relative to the folder of its run.
_RUN = RunFolder(Path())
#: Data sets whose images are sequences, and how many frames are all of them.
_ALL_FRAMES = "--frames 100000"
_WITH_SEQUENCES = ("ck", "oulu", "mmi")
#: The share of the people of `start` that are tested on.
_HELD_OUT = 0.05
#: Values of options for which make-lmdb has no flag.
_WITHOUT_A_FLAG = {
    "neutral_queries": True,
    "skip_failures": False,
    "detect": False,
    "photometric": False,
}


class Manifest(TypedDict):
    """How a manifest is made: arguments of make-manifest, and the files that it reads."""

    arguments: str
    inputs: list[str]


class Pairs(TypedDict):
    """How the pairs are packed: manifests (`test` only across data sets), flags of make-lmdb.

    `folders`: all that they are packed into.
    """

    train: str
    test: str | None
    flags: str
    folders: list[str]


class Packing(TypedDict):
    """How the faces for the trainings before those of the folds are packed."""

    manifest: str
    flags: str


class Training(TypedDict):
    """A training: flags of make-net and make-solver, folder of the LMDBs, start weights."""

    variant: str
    net: str
    solver: str
    engine: str
    data: str
    weights: list[str]


class Sequences(TypedDict):
    """The evaluation of every frame of the test sequences.

    `folders`: what they are packed into; `nets`: folder of a training -> one of these.
    """

    manifest: str
    flags: str
    folders: list[str]
    nets: dict[str, str]


class Plan(TypedDict, total=False):
    """The jobs of an experiment, as plan.json has them; paths are relative to the run's folder.

    `identity` (single faces for the pre-trainings), `start` (pairs for the trainings that those of
    the folds start from), `identity_net` (a folder of `training`) and `sequences` are there only
    if they are asked for.
    """

    faces: dict[str, str]  # set -> flags of make-faces
    manifests: dict[str, Manifest]
    folds: list[str]
    pairs: Pairs
    identity: Packing
    start: Packing
    training: dict[str, Training]
    identity_net: str
    baselines: list[str]
    sequences: Sequences


def make_plan(experiment: Mapping[str, Any]) -> Plan:
    """Return the plan of an experiment.

    Parameters
    ----------
    experiment : mapping
        See `config.read_experiment`.

    Raises
    ------
    UsageError
        The experiment asks for sequences that its data do not have.
    """
    plan: Plan = {"faces": {}, "manifests": {}, "folds": fold_names(experiment), "training": {}}
    data = experiment["data"]
    train = _add_sources(plan, "train", data if isinstance(data, list) else [data])
    test = _add_sources(plan, "test", [experiment["test"]]) if "test" in experiment else None
    sizes = list(dict.fromkeys(setting.get(PEOPLE) for _, setting, _ in trained(experiment)))
    plan["pairs"] = {
        "train": train,
        "test": test,
        "flags": _pair_flags(experiment),
        "folders": [
            str(_RUN.pairs(fold, size))
            for fold in plan["folds"]
            for size in dict.fromkeys((None, *sizes))
        ],
    }
    if experiment["pretrain"]:
        pretrain = experiment["pretrain"]
        source = _add_sources(plan, "pretrain", [pretrain["data"]])
        packing = {name: pretrain[name] for name in ("copies", "held_out") if name in pretrain}
        plan["identity"] = {"manifest": source, "flags": flags(packing)}
    if experiment["start"]:
        source = _add_sources(plan, "start", [experiment["start"]["data"]])
        plan["start"] = {"manifest": source, "flags": _start_flags(experiment)}
    for name, setting, variant in trained(experiment):
        pretrained = _add_pretraining(plan, experiment, setting)
        for seed in experiment["seeds"]:
            weights = pretrained
            if experiment["start"]:
                before = _RUN.start(name, variant, seed)
                own, data = with_own(experiment, "start"), str(_RUN.start_data)
                job = _training(own, variant, setting, seed, data, pretrained)
                plan["training"][str(before.path)] = job
                weights = [str(before.weights)]
            for fold in plan["folds"]:
                folder = _RUN.net(name, variant, fold, seed).path
                data = str(_RUN.pairs(fold, setting.get(PEOPLE)))
                job = _training(experiment, variant, setting, seed, data, weights)
                plan["training"][str(folder)] = job
    plan["baselines"] = [
        str(_RUN.baseline(name, fold, size).path)
        for name in experiment["baselines"]
        for size in sizes
        for fold in plan["folds"]
    ]
    if experiment["sequences"]:
        plan["sequences"] = _sequences(plan, experiment)
    return plan


def fold_names(experiment: Mapping[str, Any]) -> list[str]:
    """Return the names of the experiment's test sets, as `make-lmdb` names their folders."""
    protocol = PROTOCOLS[experiment["protocol"]]
    if not protocol.folds:
        return ["cross"]
    only = experiment.get("only") or protocol.only or range(experiment.get("folds", protocol.folds))
    if protocol.together:
        return ["fold" + "+".join(map(str, sorted(only)))]
    return [f"fold{k}" for k in sorted(only)]


def is_synthetic(experiment: Mapping[str, Any]) -> bool:
    """Return whether every image of the folds, and of a set to test on, is rendered."""
    data = experiment["data"]
    sources = data if isinstance(data, list) else [data]
    if "test" in experiment:
        sources = [*sources, experiment["test"]]
    return all("synthetic" in source for source in sources)


def _add_sources(plan: Plan, name: str, sources: Sequence[dict[str, Any]]) -> str:
    """Plan the manifest `name` of one or more data sets; return its path."""
    paths = []
    for number, source in enumerate(sources, start=1):
        one = name if len(sources) == 1 else f"{name}{number}"
        paths.append(_add_source(plan, one, source))
    if len(paths) > 1:
        path = str(_RUN.manifest(name))
        plan["manifests"][path] = {"arguments": f"manifest {' '.join(paths)}", "inputs": paths}
        return path
    return paths[0]


def _add_source(plan: Plan, name: str, source: dict[str, Any]) -> str:
    path = str(_RUN.manifest(name))
    if "synthetic" in source:
        plan["faces"][name] = flags(source["synthetic"])
        faces = str(_RUN.faces(name))
        stills = source["synthetic"].keys() & {"identities", "pairs"}
        reader = (
            f"manifest {faces}/manifest.csv" if stills else f"ck --root {faces} --source synthetic"
        )
        job: Manifest = {"arguments": reader, "inputs": [faces]}
    elif "reader" in source:
        more = flags({"root": source.get("root"), **source.get("options", {})})
        job = {"arguments": f"{source['reader']} {more}".strip(), "inputs": []}
    else:
        given = source["manifest"]
        job = {"arguments": f"manifest {shlex.quote(given)}", "inputs": [given]}
    plan["manifests"][path] = job
    return path


def _pair_flags(experiment: Mapping[str, Any]) -> str:
    protocol = PROTOCOLS[experiment["protocol"]]
    options = {"protocol": experiment["protocol"], **_packing(experiment["pack"])}
    options["copies_of"] = [f"{k}={n}" for k, n in options.get("copies_of", {}).items()]
    if protocol.folds:
        options["classes"] = ",".join(experiment["classes"])
        options["folds"] = experiment.get("folds")
        options["fold"] = experiment.get("only")
        options["fold_table"] = experiment.get("fold_table")
        options["people"] = experiment["sweep"].get(PEOPLE)
    return flags(options)


def _start_flags(experiment: Mapping[str, Any]) -> str:
    """Flags of make-lmdb pairs: all people but those of fold 0 are trained on."""
    start = experiment["start"]
    options = {name: start[name] for name in start if name in PACKING}
    folds = round(1 / start.get("held_out", _HELD_OUT))
    classes = ",".join(experiment["classes"])
    return flags({**_packing(options), "classes": classes, "folds": folds, "fold": 0})


def _packing(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `options` that make-lmdb has a flag for: of some, for one value only."""
    return {name: value for name, value in options.items() if _WITHOUT_A_FLAG.get(name) != value}


def _training(
    experiment: Mapping[str, Any],
    variant: str,
    setting: Setting,
    seed: int,
    data: str,
    weights: list[str],
) -> Training:
    net, solver = options_of(experiment, variant, setting)
    named = {name: net[name] for name in NAMING if name in net}
    reconstructs = variant in VARIANTS and VARIANTS[variant].reconstructs
    return {
        "variant": variant,
        "net": flags(net) + (" --with-reconstruction" if reconstructs else ""),
        "solver": flags({**named, **solver, "random_seed": seed}),
        "engine": experiment["engine"],
        "data": data,
        "weights": weights,
    }


def _add_pretraining(plan: Plan, experiment: Mapping[str, Any], setting: Setting) -> list[str]:
    """Plan the pre-trainings of a setting, once each; return the weights that it starts from.

    If they are not adopted, only the identity net is trained, to measure how well generated
    references keep the identity.
    """
    if not experiment["pretrain"]:
        return []
    depends = pretraining_setting(setting)
    seed = experiment["seeds"][0]
    own = {
        **experiment,
        "net": {**experiment["net"], **experiment["pretrain"].get("net", {})},
        "solver": {**experiment["solver"], **experiment["pretrain"].get("solver", {})},
    }
    adopted = experiment["pretrain"].get("adopt", True)
    weights: list[str] = []
    for net in PRETRAININGS if adopted else (IDENTITY,):
        folder = _RUN.pretrained(setting_name(depends), net, seed)
        place, data = str(folder.path), str(_RUN.identity_data)
        plan["training"][place] = _training(own, net, depends, seed, data, [])
        weights.append(str(folder.weights))
        if net == IDENTITY:
            plan.setdefault("identity_net", place)
    return weights if adopted else []


def _sequences(plan: Plan, experiment: Mapping[str, Any]) -> Sequences:
    """Plan the evaluation of every frame: of all folds and classifying nets of one setting."""
    source = experiment["data"]
    if plan["folds"] == ["cross"]:
        raise UsageError("sequences: only for protocols with folds")
    if isinstance(source, list) or not (
        "synthetic" in source or source.get("reader") in _WITH_SEQUENCES
    ):
        raise UsageError(
            "sequences: wanted one data set of sequences: " + ", ".join(_WITH_SEQUENCES)
        )
    path = str(_RUN.manifest("sequences"))
    train = plan["manifests"][plan["pairs"]["train"]]
    arguments = f"{train['arguments']} {_ALL_FRAMES}"
    plan["manifests"][path] = {"arguments": arguments, "inputs": train["inputs"]}
    name, setting = next(iter(settings(experiment).items()))
    classifies = net_and_solver(experiment, setting)[0].get("classifier", True)
    options = {
        "classes": ",".join(experiment["classes"]),
        "fold": [int(k) for fold in plan["folds"] for k in fold.removeprefix("fold").split("+")],
        "together": any("+" in fold for fold in plan["folds"]) or None,
    }
    return {
        "manifest": path,
        "flags": f"{flags(options)} --test-only",
        "folders": [str(_RUN.sequences(fold)) for fold in plan["folds"]],
        "nets": {
            str(_RUN.net(name, variant, fold, seed).path): str(_RUN.sequences(fold))
            for variant in experiment["variants"]
            if variant not in PLAIN and classifies
            for fold in plan["folds"]
            for seed in experiment["seeds"]
        },
    }
