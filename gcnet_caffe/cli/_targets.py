"""The flags that make-net and make-solver share: which network, which fold, which test set."""

import dataclasses
import json
from pathlib import Path

from gcnet_caffe import nets
from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.errors import UsageError
from gcnet_caffe.nets import names


def add_target_flags(parser, writes):
    """Add --variant, --fold, --name, --all and --fit-test."""
    parser.add_argument(
        "--variant", default="S1R1", help=f"network: {', '.join(nets.VARIANTS)}", metavar="NAME"
    )
    parser.add_argument("--fold", type=int, default=0, help="test fold, 0 to 9", metavar="K")
    parser.add_argument("--name", default="ck", help="data set, first word of the file names")
    parser.add_argument("--all", action="store_true", help="write every committed file again")
    parser.add_argument(
        "--fit-test",
        action="store_true",
        help="count the images of the test LMDB and cover each exactly once a test",
    )
    parser.add_argument(
        "--short-names",
        action="store_true",
        help="name the files train_test, deploy and solver: for a folder of one network",
    )
    parser.add_argument("-o", "--output", default=writes, help="folder to write to", metavar="DIR")


def check_target(args):
    """Refuse a variant, a fold, or a variant's generator that does not exist."""
    if args.variant not in nets.VARIANTS:
        raise UsageError(
            f"--variant: found {args.variant!r}, wanted one of {', '.join(nets.VARIANTS)}"
        )
    if args.fold < 0:
        raise UsageError(f"--fold: found {args.fold}, wanted 0 or more")
    generator = getattr(args, "generator", None)
    if generator and not names.generates(args.variant):
        raise UsageError(f"--generator {generator}: {args.variant} has no generator")


def fitted(options, args, field, data):
    """Return `options` with `field` (test_batch_size or test_iter) set for the test LMDB's size."""
    if not args.fit_test:
        return options
    from gcnet_caffe.formats.lmdb_file import count_records

    schedule = nets.exact_test(count_records(Path(data) / "test_lmdb"))
    value = dict(zip(("test_batch_size", "test_iter"), schedule))[field]
    return dataclasses.replace(options, **{field: value})


def fitted_classes(options, args):
    """Return `options` with the classes that the packed.json of its data tells of."""
    if not args.fit_classes:
        return options
    path = Path(options.data) / "packed.json"
    try:
        packed = json.loads(path.read_text(encoding="utf-8"))["options"]
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; --fit-classes wants LMDBs of make-lmdb") from None
    if "identities" in packed:
        return dataclasses.replace(options, num_classes=packed["identities"])
    return dataclasses.replace(
        options,
        num_classes=len(packed["classes"]),
        neutral_class=packed["classes"][-1] == NEUTRAL,
        neutral_queries=packed.get("neutral_queries", True),
    )


def file_name(name, args):
    """Return the name of a generated file: as it is, or the short one."""
    kinds = ("discriminator_train_test", "train_test", "deploy_reconstruction", "deploy")
    second = "discriminator_" if name.endswith("_discriminator.prototxt") else ""
    kind = next((kind for kind in kinds if name.endswith(f"_{kind}.prototxt")), f"{second}solver")
    return f"{kind}.prototxt" if args.short_names else name


def write_all(folder):
    """Write the committed files of `folder` (prototxt or solvers) again."""
    from gcnet_caffe.files import write_text

    texts = {path: text for path, text in nets.committed().items() if path.startswith(folder)}
    for path, text in texts.items():
        write_text(path, text)
    print(f"{folder}: {len(texts)} files")
