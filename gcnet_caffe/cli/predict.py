"""Tell the expressions of the faces in pictures, videos, folders of both, or standard input (-).

The small network that comes with this package was trained on synthetic faces: it shows how things
work, and knows little about photographs. Name your own with --model. A picture without a face is
told as such; one that cannot be read is an error line, and the exit status is 1 at the end.
"""

import sys
from collections import Counter, deque
from pathlib import Path

from tqdm import tqdm

from gcnet_caffe import Recognizer
from gcnet_caffe.errors import ImageError, UsageError
from gcnet_caffe.inference.network import ENGINES
from gcnet_caffe.recognition.drawing import write_drawing
from gcnet_caffe.recognition.pictures import open_source
from gcnet_caffe.recognition.told import Csv, Json, Text

_BATCH_DRAWN = 8  # pictures kept until they are drawn


def add_arguments(parser):
    parser.add_argument(
        "pictures", nargs="+", metavar="IMAGE|FOLDER|VIDEO|-", help="what to look for faces in"
    )
    parser.add_argument(
        "--model",
        metavar="DIR",
        help="model folder, or folder of a run's training; by default the synthetic one",
    )
    parser.add_argument("--backend", choices=sorted(ENGINES), default="torch", help="what runs it")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--json", action="store_true", help="print a JSON object a picture")
    kinds.add_argument("--csv", action="store_true", help="print a row a face")
    parser.add_argument(
        "--draw", metavar="DIR", help="folder to write the pictures to, with faces drawn in"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="of a video, look at each Nth frame"
    )
    parser.add_argument(
        "--detector-model", metavar="FILE", help="YuNet model; by default the landmarks extra's"
    )


def run(args):
    if args.every < 1:
        raise UsageError(f"--every {args.every}: wanted 1 or more")
    if args.draw:
        _check_drawings(args.draw, args.pictures)
    sources = [open_source(path, args.every) for path in args.pictures]
    recognizer = Recognizer.load(args.model, args.backend, args.detector_model)
    if recognizer.model.facts["training"].get("synthetic"):
        print("gcnet predict: the network knows synthetic faces only (--model)", file=sys.stderr)
    told = (Json if args.json else Csv if args.csv else Text)(recognizer.classes)
    _write(told.head())
    failed = 0
    total = sum(source.count for source in sources)
    with tqdm(total=total or None, unit="image", disable=None) as bar:
        for picture, found in _results(recognizer, sources, args.draw):
            bar.update()
            with tqdm.external_write_mode():
                failed += _tell(picture, found, told, args.draw)
    return 1 if failed else 0


def _check_drawings(folder, pictures):
    if Path(folder).exists() and not Path(folder).is_dir():
        raise UsageError(f"--draw {folder}: not a folder")
    names = Counter(Path(picture).name for picture in pictures if not Path(picture).is_dir())
    name, count = names.most_common(1)[0] if names else ("", 0)
    if count > 1 or len(pictures) - sum(names.values()) > 1:
        what = f"{count} pictures named {name}" if count > 1 else "several folders"
        raise UsageError(f"--draw {folder}: {what} would be drawn over each other; one at a time")


def _results(recognizer, sources, drawn):
    """Yield (picture, faces or ImageError) of all pictures."""
    waiting = deque()

    def images():
        for source in sources:
            for picture in source.pictures:
                waiting.append(picture if drawn else picture._replace(image=None))
                yield picture.image

    batch = {"batch": _BATCH_DRAWN} if drawn else {}
    for found in recognizer.stream(images(), colour="bgr", **batch):
        yield waiting.popleft(), found


def _tell(picture, found, told, drawn):
    """Print and draw what was found; return whether the picture could not be read."""
    if isinstance(found, ImageError):
        print(f"gcnet predict: {found}", file=sys.stderr)
        _write(told.error(picture.name, str(found)))
        return True
    _write(told.faces(picture.name, found))
    if drawn:
        write_drawing(Path(drawn) / picture.place, picture.colours(), found)
    return False


def _write(text):
    """Print `text` at once; file names may hold what is no UTF-8."""
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))
    sys.stdout.flush()
