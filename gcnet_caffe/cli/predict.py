"""Recognise the expressions of faces in pictures, videos, folders of both, or standard input (-).

The small network that comes with this package was trained on synthetic faces. It is a
demonstration and is often wrong on photographs. Give your own with --model. A picture without a
face is reported as "no face found". A picture that cannot be read is reported on standard error,
the others follow, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gcnet_caffe.cli._options import (
    add_detector_flag,
    add_engine_flag,
    add_model_flag,
    check_least,
)
from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.inference.network import ENGINES

if TYPE_CHECKING:
    from gcnet_caffe import Recognizer
    from gcnet_caffe.recognition.face import Face
    from gcnet_caffe.recognition.pictures import Picture, Source
    from gcnet_caffe.recognition.results import Text

OLD_SPELLINGS = {"--backend": "--engine"}

_BATCH_DRAWN = 8  # pictures kept until they are drawn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pictures", nargs="+", metavar="IMAGE|FOLDER|VIDEO|-", help="what to look for faces in"
    )
    add_model_flag(parser)
    add_engine_flag(parser, ENGINES)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--json", action="store_true", help="print one JSON object per picture")
    kinds.add_argument("--csv", action="store_true", help="print one row per face")
    parser.add_argument(
        "--draw", metavar="DIR", help="folder to write the pictures to, with the faces drawn in"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="use every Nth frame of a video"
    )
    add_detector_flag(parser, "which finds the faces")


def run(args: argparse.Namespace) -> int:
    check_least(args, every=1)
    if args.draw:
        _check_drawings(args.draw, args.pictures)
    from tqdm import tqdm

    from gcnet_caffe import Recognizer
    from gcnet_caffe.recognition.pictures import open_source
    from gcnet_caffe.recognition.results import Csv, Json, Text

    sources = [open_source(path, args.every) for path in args.pictures]
    recognizer = Recognizer.load(args.model, args.engine, args.detector_model)
    if recognizer.model.facts["training"].get("synthetic"):
        text = "this network knows synthetic faces only; give another with --model"
        print(f"gcnet predict: {text}", file=sys.stderr)
    printer = (Json if args.json else Csv if args.csv else Text)(recognizer.classes)
    _write(printer.head())
    failed = 0
    total = sum(source.total for source in sources)
    with tqdm(total=total or None, unit="image", disable=None) as bar:
        for picture, found in _results(recognizer, sources, bool(args.draw)):
            bar.update()
            with tqdm.external_write_mode():
                failed += _show(picture, found, printer, args.draw)
    return 1 if failed else 0


def _check_drawings(folder: str, pictures: Sequence[str]) -> None:
    if Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"--draw {folder}: not a folder")
    names = ["" if Path(picture).is_dir() else Path(picture).name for picture in pictures]
    (name, count), *_ = Counter(names).most_common(1)
    if count > 1:
        what = f"{count} pictures named {name}" if name else f"{count} folders"
        raise UsageError(f"--draw {folder}: {what} would be drawn over each other; one at a time")


def _results(
    recognizer: Recognizer, sources: Sequence[Source], drawn: bool
) -> Iterator[tuple[Picture, list[Face] | GcnetError]]:
    from gcnet_caffe.recognition.recognizer import BATCH

    waiting: deque[Picture] = deque()

    def images() -> Iterator[Any]:
        for source in sources:
            for picture in source.pictures:
                waiting.append(picture if drawn else picture._replace(image=None))
                yield picture.image

    batch = _BATCH_DRAWN if drawn else BATCH
    for found in recognizer.stream(images(), "bgr", batch):
        yield waiting.popleft(), found


def _show(
    picture: Picture, found: list[Face] | GcnetError, printer: Text, folder: str | None
) -> bool:
    """Print and draw what was found; return whether the picture could not be read."""
    from gcnet_caffe.packing.pictures import save
    from gcnet_caffe.recognition.drawing import draw_faces

    if isinstance(found, GcnetError):
        print(f"gcnet predict: {found}", file=sys.stderr)
        _write(printer.error(picture.name, str(found)))
        return True
    _write(printer.faces(picture.name, found))
    if folder:
        save(draw_faces(picture.colours(), found), Path(folder) / picture.place)
    return False


def _write(text: str) -> None:
    """Print `text` at once; a file name need not be valid UTF-8."""
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"), end="", flush=True)
