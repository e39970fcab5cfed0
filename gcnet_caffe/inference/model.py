"""A trained network with what its use needs: classes, preprocessing, where it comes from.

A *model folder* holds it in four files, and nothing in them names a path::

    deploy.prototxt      the network of Caffe's TEST phase, without losses
    weights.caffemodel   the weights of its layers
    model.json           network, classes, preprocessing, training
    SHA256SUMS           of the three; `sha256sum -c SHA256SUMS` checks them, and so does opening

The sums show that a folder has not changed. They do not show who wrote it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast

from gcnet_caffe.errors import ModelError, UsageError
from gcnet_caffe.faces import align
from gcnet_caffe.files import sha256
from gcnet_caffe.formats import read_net
from gcnet_caffe.formats.net_state import layers_in_test
from gcnet_caffe.inference.images import CROP
from gcnet_caffe.nets.layer_names import DELTA, FEATURE, GENERATED_REFERENCE, PROB, QUERY

NET, WEIGHTS, FACTS, SUMS = "deploy.prototxt", "weights.caffemodel", "model.json", "SHA256SUMS"
FORMAT = 1
_SUMMED = (NET, WEIGHTS, FACTS)

#: The model folder that comes with this package, made by experiments/photographs.yaml.
SHIPPED = Path(__file__).with_name("shipped_model")

#: The blobs that are of use, by Caffe's names, in the order of the network.
OUTPUTS = (GENERATED_REFERENCE, DELTA, FEATURE, PROB)

#: What a deploy net may be made of: layers that compute. Others read or write files, or run code.
LAYER_TYPES = (
    "AbsVal", "BatchNorm", "Bias", "BNLL", "Clip", "Concat", "Convolution", "Crop",
    "Deconvolution", "Dropout", "DummyData", "ELU", "Eltwise", "Embed", "Exp", "Flatten",
    "InnerProduct", "Input", "Log", "LRN", "MaxUnpool", "MVN", "NormalizedDistance", "Pooling",
    "Power", "PReLU", "Reduction", "ReLU", "Reshape", "Scale", "Sigmoid", "Silence", "Slice",
    "Softmax", "Split", "Swish", "TanH", "Tile",
)  # fmt: skip


class Calibration(TypedDict):
    """How far the probabilities can be believed: see `evaluation.calibration.calibrate`.

    Attributes
    ----------
    temperature : float
        What the scores are divided by before the softmax.
    threshold : float
        The confidence, 0..1, below which an answer is "not sure".
    images, accuracy
        Of the held-out predictions: how many, and the share that is right.
    sure, accuracy_of_sure
        The share that is at or above the threshold; what share of these is right, None of none.
    nll, error, reliability
        Before and after: mean negative log-likelihood; mean distance of confidence and accuracy;
        [count, confidence, accuracy] of each interval of confidence.
    """

    temperature: float
    threshold: float
    images: int
    accuracy: float
    sure: float
    accuracy_of_sure: float | None
    nll: list[float]
    error: list[float]
    reliability: list[list[list[float]]]


class _Facts(TypedDict):
    format: int
    network: str
    classes: list[str]
    preprocessing: dict[str, Any]
    training: dict[str, Any]


class ModelFacts(_Facts, total=False):
    """The contents of ``model.json``: see `model_facts`."""

    mantissa_bits: int
    calibration: Calibration


class TrainedModel(NamedTuple):
    """A network that can be run.

    Attributes
    ----------
    net, weights : Path
        Deploy prototxt and .caffemodel.
    classes : tuple of str
        Expressions; the position is the index into ``prob``.
    facts : ModelFacts
        The contents of ``model.json``.
    outputs : tuple of str
        Those of `OUTPUTS` that the network gives.
    """

    net: Path
    weights: Path
    classes: tuple[str, ...]
    facts: ModelFacts
    outputs: tuple[str, ...]


def preprocessing() -> dict[str, Any]:
    """What is done to a face before the network sees it, as it stands in ``model.json``."""
    return {
        "colour": "grey",
        "five_points": align.CANONICAL.tolist(),
        "size": align.SIZE,
        "clahe_clip_limit": align.CLAHE_CLIP_LIMIT,
        "clahe_tiles": list(align.CLAHE_TILES),
        "crop": CROP,
        "range": [0, 1],
    }


def model_facts(network: str, classes: Sequence[str], training: dict[str, Any]) -> ModelFacts:
    """Return the contents of ``model.json``.

    Parameters
    ----------
    network : str
        The name in the deploy prototxt.
    classes : sequence of str
    training : dict
        Where the weights come from. Its key `synthetic` says whether they have seen synthetic
        faces only.
    """
    return {
        "format": FORMAT,
        "network": network,
        "classes": list(classes),
        "preprocessing": preprocessing(),
        "training": training,
    }


def read_model_folder(folder: str | Path) -> TrainedModel:
    """Open a model folder and verify its sums.

    Raises
    ------
    UsageError
        `folder` is not a model folder.
    ModelError
        A file is missing, is a link, or has changed since it was written; the network or
        ``model.json`` is not of the kind that is wanted.
    """
    folder = Path(folder)
    if not (folder / SUMS).is_file():
        raise UsageError(f"{folder}: no {SUMS} here; wanted a folder that `gcnet package` wrote")
    sums = _read_sums(folder / SUMS)
    for name in _SUMMED:
        if name not in sums:
            raise ModelError(f"{folder / SUMS}: no line for {name}")
        found, wanted = sha256(_own_file(folder / name)), sums[name]
        if found != wanted:
            raise ModelError(
                f"{folder / name}: changed since it was written: SHA-256 {found[:16]}..., "
                f"wanted {wanted[:16]}..."
            )
    facts = _read_facts(folder / FACTS)
    return make_model(folder / NET, folder / WEIGHTS, facts, folder / FACTS)


def make_model(
    net: str | Path, weights: str | Path, facts: ModelFacts, origin: str | Path = FACTS
) -> TrainedModel:
    """Check a deploy prototxt against its `facts`, and return the `TrainedModel`.

    Parameters
    ----------
    net, weights : path
        Deploy prototxt and .caffemodel.
    facts : ModelFacts
    origin : path
        The file that has the classes, for messages.

    Raises
    ------
    ModelError
        The net has layers that do more than compute, inputs other than one query of 64x64, no
        `prob`, or another number of classes.
    SchemaError, NetError
        The prototxt cannot be read, or a layer has include rules and exclude rules.
    """
    for layer in read_net(net).layer:  # of every phase
        if layer.type not in LAYER_TYPES:
            raise ModelError(
                f"{net}: layer {layer.name!r}: type {layer.type!r} is not allowed in a "
                "model folder; wanted layers that only compute"
            )
    layers = layers_in_test(net)
    inputs = [(layer.top[:], layer.input_param) for layer in layers if layer.type == "Input"]
    names = [top for tops, _ in inputs for top in tops]
    if names != [QUERY]:
        raise ModelError(f"{net}: inputs: found {', '.join(names) or 'none'}, wanted query only")
    shape = [list(shape.dim) for shape in inputs[0][1].shape]
    if [found[1:] for found in shape] != [[1, CROP, CROP]]:
        raise ModelError(f"{net}: input query: found {shape}, wanted n x 1 x {CROP} x {CROP}")
    made_by = {top: layer for layer in layers for top in layer.top}
    outputs = tuple(blob for blob in OUTPUTS if blob in made_by)
    if PROB not in outputs:
        raise ModelError(f"{net}: no blob 'prob'; wanted the deploy net of a classifier")
    scores = [made_by[blob] for blob in made_by[PROB].bottom if blob in made_by]
    count = sum(layer.inner_product_param.num_output for layer in scores)
    if count != len(facts["classes"]):
        wanted = facts["classes"]
        raise ModelError(
            f"{net}: classes: found {count}, wanted the {len(wanted)} of {origin}: "
            f"{', '.join(wanted)}"
        )
    return TrainedModel(Path(net), Path(weights), tuple(facts["classes"]), facts, outputs)


def sums_text(folder: Path) -> str:
    """Return the text of the ``SHA256SUMS`` of `folder`."""
    return "".join(f"{sha256(folder / name)}  {name}\n" for name in _SUMMED)


def _read_sums(path: Path) -> dict[str, str]:
    sums: dict[str, str] = {}
    text = _own_file(path).read_bytes()[: 1 << 16].decode("utf-8", "replace")
    for line in text.splitlines():
        found = re.fullmatch(r"([0-9a-f]{64}) [ *](.*)", line)
        if not found or found[2] not in _SUMMED or found[2] in sums:
            raise ModelError(
                f"{path}: found {line[:100]!r}, wanted the SHA-256 of {NET}, {WEIGHTS} and {FACTS}"
            )
        sums[found[2]] = found[1]
    return sums


def _own_file(path: Path) -> Path:
    """The path, which must be of an ordinary file: a link may lead anywhere."""
    if path.is_symlink():
        raise ModelError(f"{path}: is a link; wanted an ordinary file")
    if not path.is_file():
        raise ModelError(f"{path}: missing")
    return path


#: Key of model.json -> its type.
_TYPES = {"network": str, "classes": list, "preprocessing": dict, "training": dict}


def _read_facts(path: Path) -> ModelFacts:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not JSON: {error}") from None
    if not isinstance(facts, dict):
        raise ModelError(f"{path}: found a {type(facts).__name__}, wanted an object with keys")
    if facts.get("format") != FORMAT:
        raise ModelError(f"{path}: format: found {facts.get('format')!r}, wanted {FORMAT}")
    for key, kind in _TYPES.items():
        if not isinstance(facts.get(key), kind):
            raise ModelError(f"{path}: key {key!r}: wanted a {kind.__name__}")
    if not all(isinstance(name, str) and name for name in facts["classes"]):
        raise ModelError(f"{path}: key 'classes': wanted a list of names")
    check_preprocessing(facts["preprocessing"], path)
    _check_calibration(facts.get("calibration", {"temperature": 1, "threshold": 0}), path)
    return cast(ModelFacts, facts)


def _check_calibration(found: Any, path: Path) -> None:
    for key, least, most in (("temperature", 1e-3, 1e3), ("threshold", 0, 1)):
        value = found.get(key) if isinstance(found, dict) else None
        if not (isinstance(value, (int, float)) and least <= value <= most):
            raise ModelError(
                f"{path}: calibration {key!r}: found {value!r}, wanted {least:g} to {most:g}"
            )


def check_preprocessing(found: Mapping[str, object], path: Path) -> None:
    """Check that this version prepares faces as `found`, read from the file `path`, says.

    Raises
    ------
    ModelError
        It does not.
    """
    for key, value in preprocessing().items():
        if found.get(key) != value:
            raise ModelError(
                f"{path}: preprocessing {key!r}: found {found.get(key)!r}; this version has "
                f"{value!r}"
            )


def latent_channels(model: TrainedModel) -> int:
    """Return the channels of the latent that ``delta`` compares: those of the last convolution."""
    layers = [layer for layer in layers_in_test(model.net) if layer.type == "Convolution"]
    return int(layers[-1].convolution_param.num_output)
