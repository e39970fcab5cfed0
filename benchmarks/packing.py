"""Packing speed beside Caffe's convert_imageset, and packing at scale (packing_scale.py).

Speed is compared on the same encoded images, one process each.

convert_imageset decodes, makes grey, resizes to 66x66 and writes an LMDB. `make_lmdb.py identity`
decodes, makes grey, aligns, equalises and writes one. Wall-clock time and CPU time (user and
system) of the whole command, each the best of some rounds in which the commands take turns.
Images of the sizes of CASIA-WebFace and CK+, and the LMDBs, are made in a temporary folder.

With --photographs instead: what decoding JPEGs at half or a quarter of their size would save, and
how it would change the crops. The faces are taken to be upright, in the middle of the photographs.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from packing_scale import measure_scale

from gcnet_caffe.datasets.manifest import Row, write_manifest
from gcnet_caffe.faces.align import CANONICAL, SIZE
from gcnet_caffe.faces.augment import face_crop

_ROOT = Path(__file__).parents[1]

#: (what they are like, width, height, side of the face, suffix, how many)
_SETS = (
    ("web faces", 250, 250, 120, ".jpg", 10000),
    ("CK+ frames", 640, 490, 300, ".png", 1500),
)


def main():
    """Print a table of images per second beside Caffe, and one of many images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the best counts")
    parser.add_argument("--images", type=int, default=20000, help="rendered faces, at scale")
    parser.add_argument("--kills", type=int, default=8, help="kills of the packing at scale")
    parser.add_argument("--only", choices=("caffe", "scale"), help="run one of the two")
    parser.add_argument("--photographs", metavar="DIR", help="JPEGs of which to decode less")
    args = parser.parse_args()
    if args.photographs:
        _decode_less(sorted(Path(args.photographs).glob("*.jpg")))
        return
    if args.only != "scale":
        _beside_caffe(args.rounds)
    if args.only != "caffe":
        with tempfile.TemporaryDirectory() as folder:
            measure_scale(Path(folder), args.images, args.rounds, args.kills)


def _beside_caffe(rounds):
    columns = "images", "convert_imageset", "make-lmdb", "ratio", "2 workers"
    print("{:36} {:>23} {:>23} {:>15} {:>10}".format(*columns))
    for name, width, height, side, suffix, count in _SETS:
        with tempfile.TemporaryDirectory() as folder:
            _make_images(Path(folder), width, height, side, suffix, count)
            commands = [_convert_imageset(), _make_lmdb(workers=1), _make_lmdb(workers=2)]
            times = [[_seconds(command, folder) for command in commands] for _ in range(rounds)]
        times = np.min(times, axis=0) / count
        caffe, one, two = (f"{1 / wall:.0f}/s, CPU {1e3 * cpu:.2f} ms" for wall, cpu in times)
        ratio = "{:.2f}, CPU {:.2f}".format(*times[0] / times[1])
        what = f"{count} {name}, {width}x{height} {suffix[1:].upper()}"
        print(f"{what:36} {caffe:>23} {one:>23} {ratio:>15} {two.split(',')[0]:>10}", flush=True)


def _make_images(folder, width, height, side, suffix, count):
    """Smooth random pictures with some noise, a manifest, and convert_imageset's list of them."""
    rng = np.random.default_rng(0)
    small = rng.uniform(40, 215, (32, height // 16, width // 16)).astype(np.float32)
    pictures = [cv2.resize(coarse, (width, height)) for coarse in small]
    points = (CANONICAL - CANONICAL.mean(axis=0)) * side / SIZE + (width / 2, height / 2)
    rows = []
    for i in range(count):
        noisy = cv2.randn(np.empty((height, width), np.float32), 0, 4) + pictures[i % 32]
        path = folder / f"{i:06d}{suffix}"
        cv2.imwrite(str(path), np.clip(noisy, 0, 255).astype(np.uint8))
        subject = f"{i % (count // 10)}"
        rows.append(Row(str(path), subject, landmarks=points + rng.uniform(-3, 3, 2)))
    write_manifest(folder / "images.csv", rows)
    lines = [f"{Path(row.path).name} {row.subject}\n" for row in rows]
    (folder / "images.txt").write_text("".join(lines))


def _decode_less(photographs):
    """Print the CPU time of smaller decodings, and the differences of the crops, 0 to 255."""
    cv2.setNumThreads(1)
    files = [np.fromfile(path, np.uint8) for path in photographs]
    full, whole = _decoded(files, cv2.IMREAD_GRAYSCALE)
    print(f"{len(files)} photographs, CPU {whole:.2f} ms each")
    ways = {2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4}
    for scale, way in ways.items():
        reduced, time_of_it = _decoded(files, way)
        for density in (2, 3, 4, 6, 8):
            centre = CANONICAL - CANONICAL.mean(axis=0)
            changes = []
            for image, small in zip(full, reduced):
                points = centre * density + np.divide(image.shape[::-1], 2)
                crop = face_crop(image, points).astype(int)
                changes.append(np.abs(crop - face_crop(small, (points + 0.5) / scale - 0.5)))
            print(
                f"1/{scale}: CPU {time_of_it:.2f} ms; of {density} pixels per pixel of the crop "
                f"{density / scale:.2f} are left: mean change {np.mean(changes):.2f}, "
                f"99 % below {np.percentile(changes, 99):.0f}, largest {np.max(changes)}"
            )


def _decoded(files, way):
    """The images, and the CPU milliseconds of each."""
    start = time.process_time()
    images = [cv2.imdecode(data, way) for data in files]
    return images, 1e3 * (time.process_time() - start) / len(files)


def _convert_imageset():
    size = [f"--resize_height={SIZE}", f"--resize_width={SIZE}"]
    launcher = str(_ROOT / "docker" / "caffe")
    return [launcher, "convert_imageset", "--gray", *size, "./", "images.txt", "out"]


def _make_lmdb(workers):
    script = str(_ROOT / "tools" / "make_lmdb.py")
    return [sys.executable, script, "identity", "images.csv", "-o", "out", f"--workers={workers}"]


def _seconds(command, folder):
    """Wall-clock and CPU seconds of a command."""
    start, before = time.perf_counter(), os.times()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, os.times()
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    shutil.rmtree(Path(folder) / "out")
    user, system = (after[i] - before[i] for i in (2, 3))  # of the processes that have ended
    return seconds, user + system


if __name__ == "__main__":
    main()
