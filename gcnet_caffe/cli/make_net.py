"""Write a network as Caffe prototxts: for `caffe train`, and for recognition (deploy)."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from gcnet_caffe import nets
from gcnet_caffe.cli._options import add_option_flags, given_options
from gcnet_caffe.cli._targets import (
    add_target_flags,
    check_target,
    exact_test,
    write_all,
    write_files,
)
from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.nets.names import NET_FOLDER, SOLVER_FOLDER


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target_flags(parser, NET_FOLDER, SOLVER_FOLDER)
    parser.add_argument(
        "--with-reconstruction",
        action="store_true",
        help="also write the deploy net that keeps the decoders 2 (S0R1, S1R1)",
    )
    parser.add_argument(
        "--fit-classes",
        action="store_true",
        help="take the classes, neutral or not, from the packed.json of --data",
    )
    add_option_flags(parser, nets.NetOptions, nets.net_defaults("S1R1"))


def run(args: argparse.Namespace) -> None:
    if args.all:
        write_all(args)
        return
    check_target(args)
    defaults = nets.net_defaults(args.variant, args.fold)
    options = dataclasses.replace(defaults, **given_options(args, nets.NetOptions))
    if args.fit_classes:
        options = dataclasses.replace(options, **_classes_of(options.data))
    if args.fit_test:
        options = dataclasses.replace(options, test_batch_size=exact_test(options.data)[0])
    texts = nets.net_files(args.variant, options, args.fold, args.name, args.with_reconstruction)
    write_files(texts, args)


def _classes_of(data: str) -> dict[str, Any]:
    """Return the options of a net for the classes of the packed.json in the folder `data`."""
    from gcnet_caffe.packing.provenance import read_packed

    packed = read_packed(data)["options"]
    if "identities" in packed:
        return {"num_classes": packed["identities"]}
    return {
        "num_classes": len(packed["classes"]),
        "neutral_class": packed["classes"][-1] == NEUTRAL,
        "neutral_queries": packed.get("neutral_queries", True),
        "partial_labels": ",".join(map(str, packed.get("partial_labels", ()))),
    }
