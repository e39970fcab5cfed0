"""The schema of an experiment's YAML (JSON Schema), made from the definitions of the options."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection
from typing import Any

from gcnet_caffe.datasets.protocols import PROTOCOLS
from gcnet_caffe.datasets.readers import READERS
from gcnet_caffe.experiment import ENGINES
from gcnet_caffe.nets import ALL_VARIANTS, NetOptions, SolverOptions
from gcnet_caffe.nets.pretrain import PRETRAININGS
from gcnet_caffe.rendering.trees import KINDS

#: Options that the workflow itself sets, from the data and the folder.
_NET_OWN = (
    *("num_classes", "neutral_class", "neutral_queries", "partial_labels"),
    *("test_batch_size", "data"),
)
_SOLVER_OWN = ("net", "snapshot_prefix", "test_iter", "random_seed")

BASELINES = ("hog-svm", "lbp-svm")

_Schema = dict[str, Any]
_TEXT: _Schema
_FLAG: _Schema
_COUNT: _Schema
_NUMBER: _Schema
_TEXT, _FLAG = {"type": "string", "pattern": r"^[^\0]*$"}, {"type": "boolean"}
_COUNT, _NUMBER = {"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 0}
#: Options of `make-lmdb pairs`.
PACKING = {
    "copies": _COUNT,
    "seed": _NUMBER,
    "skip_failures": _FLAG,
    "neutral_queries": _FLAG,
    "detect": _FLAG,
    "photometric": _FLAG,
}
_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean"}


def experiment_schema() -> _Schema:
    """Return the schema of an experiment."""
    net, solver = _options(NetOptions, _NET_OWN), _options(SolverOptions, _SOLVER_OWN)
    several: _Schema = {"type": "array", "minItems": 1, "uniqueItems": True}
    share: _Schema = {"type": "number", "exclusiveMinimum": 0}
    swept = {**net, **solver, "people": _COUNT}
    source = _source()
    variants = {**several, "items": {"enum": [v for v in ALL_VARIANTS if v not in PRETRAININGS]}}
    return _mapping(
        {
            "title": _TEXT,
            "about": _TEXT,
            "data": {"anyOf": [source, {**several, "items": source}]},
            "test": source,
            "protocol": {"enum": list(PROTOCOLS)},
            "classes": {**several, "items": _TEXT, "minItems": 2},
            "folds": {"type": "integer", "minimum": 2},
            "only": {**several, "items": _NUMBER},
            "fold_table": _TEXT,
            "variants": variants,
            "pretrain": _or_null(
                {
                    "data": source,
                    "copies": _COUNT,
                    "held_out": share,
                    "adopt": _FLAG,
                    "net": _mapping(net),
                    "solver": _mapping(solver),
                }
            ),
            "start": _or_null(
                {
                    "data": source,
                    "held_out": {**share, "maximum": 0.5},
                    **PACKING,
                    "net": _mapping(net),
                    "solver": _mapping(solver),
                }
            ),
            "pack": _mapping(
                {
                    **PACKING,
                    "copies_of": {"type": "object", "additionalProperties": _COUNT},
                    "partial": {**several, "items": _TEXT},
                }
            ),
            "net": _mapping(net),
            "solver": _mapping(solver),
            "sweep": _mapping({name: {**several, "items": swept[name]} for name in swept}),
            "also": {
                "type": "array",
                "items": _mapping(
                    {"variants": variants, "net": _mapping(net)}, required=("variants", "net")
                ),
            },
            "seeds": {**several, "items": _NUMBER},
            "baselines": {"type": "array", "uniqueItems": True, "items": {"enum": list(BASELINES)}},
            "engine": {"enum": list(ENGINES)},
            "sequences": _FLAG,
            "pictures": _FLAG,
        },
        required=("data", "protocol"),
    )


def _source() -> _Schema:
    """Where images come from: rendered, read by a reader, or listed in a manifest."""
    faces = ("subjects", "frames", "identities", "images_per_identity", "pairs")
    return _mapping(
        {
            "synthetic": _mapping(
                {
                    **{name: _COUNT for name in faces},
                    "kind": {"enum": sorted(KINDS)},
                    "like_ck": {"const": True},
                    "seed": _NUMBER,
                    "size": {"type": "integer"},
                }
            ),
            "reader": {"enum": list(READERS)},
            "root": _TEXT,
            "options": {
                "type": "object",
                "propertyNames": _TEXT,
                "additionalProperties": {**_TEXT, "type": ["string", "number", "boolean"]},
            },
            "manifest": _TEXT,
        }
    )


def _options(options: type, left_out: Collection[str]) -> _Schema:
    """The fields of an options dataclass as properties."""
    types = typing.get_type_hints(options)
    found = {}
    for field in dataclasses.fields(options):
        if field.name in left_out:
            continue
        kinds = typing.get_args(types[field.name]) or (types[field.name],)
        names = ["null" if kind is type(None) else _TYPES[kind] for kind in kinds]
        found[field.name] = {"type": names if len(names) > 1 else names[0]}
    return found


def _or_null(properties: _Schema) -> _Schema:
    """Nothing, or a training before the others."""
    return {"anyOf": [{"type": "null"}, _mapping(properties, required=("data",))]}


def _mapping(properties: _Schema, required: Collection[str] = ()) -> _Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
