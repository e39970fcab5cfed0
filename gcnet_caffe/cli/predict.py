"""Recognise the expressions of faces in pictures, videos, folders of both, or standard input (-).

The small network that comes with this package was trained on rendered people and on photographs;
docs/photographs.md tells how often it is right. Give your own with --model. A picture without a
face is reported as "no face found". A picture that cannot be read is reported on standard error,
the others follow, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
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
    from gcnet_caffe.recognition.pictures import Picture, Source
    from gcnet_caffe.recognition.results import Text
    from gcnet_caffe.recognition.watching import Reference, Seen

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
    kinds.add_argument("--csv", action="store_true", help="print a table: one row per face")
    parser.add_argument(
        "--draw", metavar="DIR", help="folder to write the pictures to, with the faces drawn in"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="use every Nth frame of a video"
    )
    parser.add_argument(
        "--reference",
        metavar="FILE|auto",
        help="compare with this picture of the person's neutral face, not with a generated one; "
        "auto: with the most neutral frames of each person of a video, which is then read twice",
    )
    parser.add_argument(
        "--curves",
        metavar="FILE",
        help="draw the probabilities over the time of one video (.png, .jpg, .pdf or .svg)",
    )
    add_detector_flag(parser, "which finds the faces")


def run(args: argparse.Namespace) -> int:
    check_least(args, every=1)
    if args.draw:
        _check_drawings(args.draw, args.pictures)
    if args.curves:
        _check_curves(args.curves, args.pictures)
    from tqdm import tqdm

    from gcnet_caffe import Recognizer
    from gcnet_caffe.recognition.pictures import open_source
    from gcnet_caffe.recognition.results import Csv, Json, Text, rows
    from gcnet_caffe.recognition.watching import AUTO, check_auto

    sources = [open_source(path, args.every) for path in args.pictures]
    recognizer = Recognizer.load(args.model, args.engine, args.detector_model)
    for path in args.pictures if args.reference == AUTO else ():
        check_auto(recognizer, path)
    if recognizer.model.facts["training"].get("synthetic"):
        text = "this network knows synthetic faces only; give another with --model"
        print(f"gcnet predict: {text}", file=sys.stderr)
    printer = (Json if args.json else Csv if args.csv else Text)(recognizer.classes)
    _write(printer.head())
    failed = False
    table: list[dict[str, Any]] = []
    total = sum(source.total for source in sources) * (2 if args.reference == AUTO else 1)
    with tqdm(total=total or None, unit="image", disable=None) as bar:
        for seen in _watch(recognizer, sources, args, bar.update):
            with tqdm.external_write_mode():
                failed |= _show(seen, printer, args.draw)
            if args.curves:
                table += rows(seen, recognizer.classes)
    if args.curves:
        from gcnet_caffe.recognition.curves import draw_curves

        draw_curves(table, recognizer.classes, args.curves, recognizer.threshold)
    return 1 if failed else 0


def _check_curves(out: str, pictures: Sequence[str]) -> None:
    from gcnet_caffe.faces.images_in_files import is_video
    from gcnet_caffe.plotting import check_figure, import_pyplot

    check_figure(out)
    import_pyplot()
    if len(pictures) > 1 or not (Path(pictures[0]).is_file() and is_video(pictures[0])):
        raise UsageError(f"--curves {out}: wanted one video; found {' '.join(pictures)}")


def _check_drawings(folder: str, pictures: Sequence[str]) -> None:
    if Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"--draw {folder}: not a folder")
    names = ["" if Path(picture).is_dir() else Path(picture).name for picture in pictures]
    (name, count), *_ = Counter(names).most_common(1)
    if count > 1:
        what = f"{count} pictures named {name}" if name else f"{count} folders"
        raise UsageError(f"--draw {folder}: {what} would be drawn over each other; one at a time")


def _watch(
    recognizer: Recognizer,
    sources: Sequence[Source],
    args: argparse.Namespace,
    tell: Callable[[], object],
) -> Iterator[Seen]:
    """Yield what is found in each picture; `tell` is called for each that was looked at."""
    from gcnet_caffe.recognition.pictures import open_source
    from gcnet_caffe.recognition.recognizer import BATCH
    from gcnet_caffe.recognition.watching import AUTO, neutral_references, watch

    batch = _BATCH_DRAWN if args.draw else BATCH

    def look(pictures: Iterable[Picture], reference: Reference, keep: bool) -> Iterator[Seen]:
        for seen in watch(recognizer, pictures, reference, batch=batch, keep=keep):
            tell()
            yield seen

    if args.reference != AUTO:
        pictures = chain.from_iterable(source.pictures for source in sources)
        yield from look(pictures, args.reference, bool(args.draw))
        return
    for path, source in zip(args.pictures, sources):
        people = neutral_references(look(open_source(path, args.every).pictures, None, False))
        without = ", ".join(str(person) for person, face in people.items() if face is None)
        if without:
            text = "never neutral, so compared with the generated reference"
            print(f"gcnet predict: {path}: person {without}: {text}", file=sys.stderr)
        yield from look(source.pictures, people, bool(args.draw))


def _show(seen: Seen, printer: Text, folder: str | None) -> bool:
    """Print and draw what was found; return whether the picture could not be read."""
    from gcnet_caffe.packing.pictures import save
    from gcnet_caffe.recognition.drawing import draw_faces

    picture, faces = seen
    _write(printer.show(seen))
    if isinstance(faces, GcnetError):
        print(f"gcnet predict: {faces}", file=sys.stderr)
        return True
    if folder:
        save(draw_faces(picture.colours(), faces), Path(folder) / picture.place)
    return False


def _write(text: str) -> None:
    """Print `text` at once; a file name need not be valid UTF-8."""
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"), end="", flush=True)
