"""Packing needs no more memory for more images."""

import subprocess
import sys
import tracemalloc

import cv2
import numpy as np

from gcnet_caffe.packing.detection import complete_landmarks
from gcnet_caffe.packing.plan import plan_identities
from tests.packing.drawn_faces import drawn_face, row, write_rows

# the command, then its peak resident memory in MiB
_MEASURED = """
import resource, sys
from gcnet_caffe.cli import main
if __name__ == "__main__":
    status = main(sys.argv[1:])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    sys.exit(status)
"""


def peak(folder, images):
    rows = [row(f"{i}.png", f"s{i % 50}") for i in range(images)]
    write_rows(folder / "m.csv", rows)
    (folder / "measured.py").write_text(_MEASURED)
    command = ["make-lmdb", "identity", "m.csv", "-o", f"out{images}", "--copies", "6"]
    command = [sys.executable, "measured.py", *command, "--workers", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def test_peak_memory_is_flat_in_the_number_of_images(tmp_path):
    data = cv2.imencode(".png", drawn_face())[1].tobytes()
    for i in range(1600):
        (tmp_path / f"{i}.png").write_bytes(data)
    few, many = peak(tmp_path, 400), peak(tmp_path, 1600)
    size = (tmp_path / "out1600/train_lmdb/data.mdb").stat().st_size / 2**20
    assert size > 60  # what it would take to have the records in memory
    assert many - few < 8


def planned(folder, images):
    """Bytes held by a plan with its landmarks."""
    rows = (row(f"{i}.png", f"s{i // 20}") for i in range(images))
    write_rows(folder / "m.csv", rows)
    tracemalloc.start()
    plan = plan_identities(folder / "m.csv")
    wanted = np.flatnonzero(plan.copies())
    for _ in complete_landmarks(plan.rows, wanted, False, work=None).images(wanted, False):
        pass
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held


def test_a_manifest_row_takes_some_bytes(tmp_path):
    (tmp_path / "none.png").touch()
    few, many = planned(tmp_path, 500), planned(tmp_path, 5000)
    assert (many - few) / 4500 < 150  # a path alone has more
