from collections import Counter

import numpy as np
import pytest

from gcnet_caffe.datasets.expressions import CLASS_SETS, parse_classes
from gcnet_caffe.errors import ManifestError, UsageError
from gcnet_caffe.packing.plan import Target, plan_identities, plan_pairs
from tests.packing.drawn_faces import row, write_rows

CLASSES = ("happy", "sad")


def pairs(tmp_path, subjects=("S1", "S2", "S3", "S10"), expressions=("neutral", *CLASSES)):
    rows = [row(f"{s}{e}.png", s, e, f"{s}neutral.png") for s in subjects for e in expressions]
    return write_rows(tmp_path / "m.csv", rows)


def held(plan, name):
    """The manifest rows, from 0, that the LMDB of that name holds."""
    (target,) = [target for target in plan.targets if target.path == name]
    return target.rows.tolist()


def test_class_sets_are_those_of_the_nets():
    assert CLASS_SETS["ck7"] == (
        "anger",
        "contempt",
        "disgust",
        "fear",
        "happy",
        "sad",
        "surprise",
    )
    assert CLASS_SETS["ck8"] == (*CLASS_SETS["ck7"], "neutral")


@pytest.mark.parametrize("text", ["happy", "", "happy,,sad", "happy,happy", "neutral,happy", "ck9"])
def test_classes_that_make_no_sense(text):
    with pytest.raises(UsageError, match="--classes"):
        parse_classes(text)


def test_folds_by_hand(tmp_path):
    plan = plan_pairs(pairs(tmp_path), CLASSES, folds=3)
    # subjects in order S1 S2 S3 S10, three rows each: fold 0 tests on S1 and S10
    assert held(plan, "fold0/test_lmdb") == [1, 2, 10, 11]
    assert held(plan, "fold0/train_lmdb") == [3, 4, 5, 6, 7, 8]
    assert held(plan, "fold1/test_lmdb") == [4, 5]
    assert held(plan, "fold2/train_lmdb") == [0, 1, 2, 3, 4, 5, 9, 10, 11]


def test_fewer_people_are_some_of_the_people(tmp_path):
    manifest = pairs(tmp_path, [f"S{n}" for n in range(1, 13)])
    plan = plan_pairs(manifest, CLASSES, folds=3, copies=2, people=[5, 2], seed=4)

    def people(name):
        return {f"S{row // 3 + 1}" for row in held(plan, name)}

    for fold in range(3):
        two, five = (people(f"fold{fold}-people{n}/train_lmdb") for n in (2, 5))
        assert (len(two), len(five)) == (2, 5) and two < five < people(f"fold{fold}/train_lmdb")
        # all rows of each, as many copies of each, and the same test images
        assert len(held(plan, f"fold{fold}-people2/train_lmdb")) == 2 * 3
        test = f"fold{fold}-people2/test_lmdb"
        assert held(plan, test) == held(plan, f"fold{fold}/test_lmdb")
    (target,) = [t for t in plan.targets if t.path == "fold0-people2/train_lmdb"]
    assert len([*target.records()]) == 2 * 3 * 2
    others = plan_pairs(manifest, CLASSES, folds=3, people=[2], seed=5)
    assert held(others, "fold0-people2/train_lmdb") != held(plan, "fold0-people2/train_lmdb")
    for number in (0, 9):
        with pytest.raises(UsageError, match=rf"--people {number}: wanted 1 to 8, .* fold0 does"):
            plan_pairs(manifest, CLASSES, folds=3, people=[number])


def test_test_images_alone(tmp_path):
    whole, tested = (plan_pairs(pairs(tmp_path), CLASSES, folds=3, test_only=t) for t in (0, 1))
    assert [t.path for t in tested.targets] == [f"fold{k}/test_lmdb" for k in range(3)]
    assert all(held(tested, t.path) == held(whole, t.path) for t in tested.targets)
    one = plan_pairs(pairs(tmp_path), CLASSES, folds=3, only=[1], test_only=True)
    assert np.flatnonzero(one.copies()).tolist() == [4, 5]  # no other image is looked at


@pytest.mark.parametrize("classes", [CLASSES, (*CLASSES, "neutral")])
def test_labels_of_data_sets_with_some_classes_are_raised_in_the_train_records(tmp_path, classes):
    whole = [(s, e, "all") for s in "AC" for e in ("happy", "sad", "neutral")]
    some = [(s, e, "London") for s in "BD" for e in ("happy", "neutral")]
    rows = [
        row(f"{s}{e}.png", s, e, f"{s}neutral.png", source=source) for s, e, source in whole + some
    ]
    manifest = write_rows(tmp_path / "m.csv", rows)
    table = tmp_path / "folds.csv"
    table.write_text("subject,fold\nA,0\nB,0\nC,1\nD,1\n")
    plans = [
        plan_pairs(manifest, classes, fold_table=table, copies=2, partial=partial)
        for partial in ((), ["London"])
    ]
    for target in plans[1].targets:
        train = target.path.endswith("train_lmdb")
        raised = {at for _, at, _ in target.records() if target.raised.get(at)}
        wanted = {at for at in target.rows if rows[at]["source"] == "London"} if train else set()
        assert raised == wanted and (wanted or not train)
        assert set(target.raised.values()) <= {3}  # two classes and neutral
    plain, partial = (plan.options for plan in plans)
    own = {"partial": ["London"], "partial_labels": [0, 2] if "neutral" in classes else [0]}
    assert partial == {**plain, **own}
    wanted = (
        "--partial: wanted data sets with the same classes, found London: happy.*; all: happy, sad"
    )
    with pytest.raises(UsageError, match=wanted):
        plan_pairs(manifest, classes, fold_table=table, partial=["all", "London"])
    with pytest.raises(UsageError, match="--partial Paris: found no such source in .*m.csv"):
        plan_pairs(manifest, classes, partial=["Paris"])


def test_a_data_set_can_have_copies_of_its_own(tmp_path):
    rows = [
        row(f"{s}{e}.png", s, e, f"{s}neutral.png", source=source)
        for s, source in (("A", "few"), ("B", "many"), ("C", "few"), ("D", "many"))
        for e in CLASSES
    ]
    manifest = write_rows(tmp_path / "m.csv", rows)
    plan = plan_pairs(manifest, CLASSES, folds=2, copies=2, copies_of={"few": 3})
    train, test = plan.targets[:2]
    found = Counter((rows[at]["source"], copy) for _, at, copy in train.records())
    # fold 0 tests on A and C: of B and D two copies each; the test images are there once
    assert found == {("many", 0): 4, ("many", 1): 4}
    assert [(at, copy) for _, at, copy in test.records()] == [(0, 0), (1, 0), (4, 0), (5, 0)]
    train = plan.targets[2]
    assert sorted((at, copy) for _, at, copy in train.records()) == [
        (at, copy) for at in (0, 1, 4, 5) for copy in range(3)
    ]
    assert plan.copies().tolist() == [3, 3, 2, 2, 3, 3, 2, 2]
    both = plan_pairs(manifest, CLASSES, folds=4, copies=1, copies_of={"few": 5}).targets[0]
    found = Counter(rows[at]["source"] for _, at, _ in both.records())
    assert found == {"few": 10, "many": 4}
    with pytest.raises(UsageError, match="--copies-of London: found no such source in .*m.csv"):
        plan_pairs(manifest, CLASSES, folds=2, copies_of={"London": 2})
    with pytest.raises(UsageError, match="--copies 0: wanted 1 to 1000"):
        plan_pairs(manifest, CLASSES, folds=2, copies_of={"few": 0})


def test_landmarks_can_be_forgotten(tmp_path):
    kept, forgotten = (plan_pairs(pairs(tmp_path), CLASSES, folds=2, detect=d) for d in (0, 1))
    assert kept.rows[0].landmarks is not None
    assert forgotten.rows[0]._replace(route=kept.rows[0].route) == kept.rows[0]._replace(
        landmarks=None, reference_landmarks=None
    )


def test_neutral_queries_have_label_k_and_are_not_scored(tmp_path):
    plan = plan_pairs(pairs(tmp_path), CLASSES, folds=2)
    assert plan.labels[:3] == [2, 0, 1]
    assert 0 in held(plan, "fold1/train_lmdb") and 0 not in held(plan, "fold0/test_lmdb")


def test_neutral_as_a_class_is_scored(tmp_path):
    plan = plan_pairs(pairs(tmp_path), (*CLASSES, "neutral"), folds=2)
    assert 0 in held(plan, "fold0/test_lmdb")


def test_without_neutral_queries(tmp_path):
    plan = plan_pairs(pairs(tmp_path), CLASSES, folds=2, neutral_queries=False)
    assert held(plan, "fold1/train_lmdb") == [1, 2, 7, 8]
    with pytest.raises(UsageError, match="--no-neutral-queries"):
        plan_pairs(pairs(tmp_path), (*CLASSES, "neutral"), folds=2, neutral_queries=False)


def test_only_some_folds_are_the_same_as_among_all(tmp_path):
    every = plan_pairs(pairs(tmp_path), CLASSES, folds=4)
    some = plan_pairs(pairs(tmp_path), CLASSES, folds=4, only=[2])
    assert [t.path for t in some.targets] == ["fold2/train_lmdb", "fold2/test_lmdb"]
    for one, other in zip(some.targets, every.targets[4:6]):
        assert list(one.records()) == list(other.records())


def test_a_row_in_no_lmdb_needs_no_copies(tmp_path):
    plan = plan_pairs(pairs(tmp_path), CLASSES, folds=4, only=[0], copies=5)
    assert plan.copies().tolist() == [0, 1, 1] + [5] * 9


def test_keys_sort_in_shuffled_order(tmp_path):
    target = plan_pairs(pairs(tmp_path), CLASSES, folds=2, copies=20).targets[0]
    records = list(target.records())
    for place, (key, at, copy) in enumerate(records):
        assert key == f"{place:08d}_{at + 1:07d}_{copy:03d}"
    shown = [record[1:] for record in records]
    rows = target.rows.tolist()
    assert shown != sorted(shown) == [(at, copy) for at in rows for copy in range(20)]
    again = plan_pairs(pairs(tmp_path), CLASSES, folds=2, copies=20, seed=1).targets[0]
    assert list(again.records()) != records


def test_the_test_lmdb_keeps_the_manifest_s_order():
    target = Target("test_lmdb", [4, 7])
    assert list(target.records()) == [
        ("00000000_0000005_000", 4, 0),
        ("00000001_0000008_000", 7, 0),
    ]


def test_identities_are_ranked_in_natural_order(tmp_path):
    rows = [row(f"{s}_{i}.png", s) for s in ("s10", "s2", "s1") for i in range(10)]
    plan = plan_identities(write_rows(tmp_path / "m.csv", rows), held_out=0.2)
    assert plan.labels == [2] * 10 + [1] * 10 + [0] * 10
    test, train = held(plan, "test_lmdb"), held(plan, "train_lmdb")
    assert sorted(test + train) == list(range(30))
    assert Counter(plan.labels[i] for i in test) == {0: 2, 1: 2, 2: 2}


@pytest.mark.parametrize(
    "images, share, out", [(1, 0.5, 0), (2, 0.1, 1), (2, 0.9, 1), (9, 0.1, 1), (15, 0.1, 2)]
)
def test_held_out_images(tmp_path, images, share, out):
    rows = [row(f"a{i}.png", "a") for i in range(images)] + [row(f"b{i}.png", "b") for i in (0, 1)]
    plan = plan_identities(write_rows(tmp_path / "m.csv", rows), held_out=share)
    assert Counter(plan.labels[i] for i in held(plan, "test_lmdb"))[0] == out


def test_nothing_to_hold_out(tmp_path):
    path = write_rows(tmp_path / "m.csv", [row("a.png", "a"), row("b.png", "b")])
    with pytest.raises(ManifestError, match="no subject has two images"):
        plan_identities(path)


@pytest.mark.parametrize(
    "option, value, text",
    [
        ("copies", 0, "--copies 0: wanted"),
        ("seed", -1, "--seed -1: wanted"),
        ("only", [4], "--fold 4: wanted 0 to 3"),
        ("only", [-1], "--fold -1: wanted"),
        ("folds", 5, "fold 4 is empty, there are only 4 subjects"),
    ],
)
def test_options_that_make_no_sense(tmp_path, option, value, text):
    with pytest.raises(UsageError, match=text):
        plan_pairs(pairs(tmp_path), CLASSES, **{"folds": 4, option: value})


@pytest.mark.parametrize("share", [0, 1, -0.1])
def test_held_out_share_that_makes_no_sense(tmp_path, share):
    with pytest.raises(UsageError, match="--held-out"):
        plan_identities(pairs(tmp_path), held_out=share)


def test_unknown_expression(tmp_path):
    path = pairs(tmp_path, expressions=("neutral", "happy", "hapy"))
    with pytest.raises(ManifestError) as caught:
        plan_pairs(path, CLASSES, folds=2)
    assert str(caught.value) == (
        f"{path}: row 3: column 'expression': unknown expression 'hapy'; "
        "wanted one of happy, sad, neutral; other classes: `make-lmdb pairs --classes`; "
        "other names: `make-manifest pattern --expressions FOUND=NAME,...`"
    )


def test_no_reference(tmp_path):
    rows = [row("a.png", "S1", "happy", "n.png"), row("b.png", "S2", "sad")]
    path = write_rows(tmp_path / "m.csv", rows)
    with pytest.raises(ManifestError, match="row 2: column 'reference': empty"):
        plan_pairs(path, CLASSES, folds=2)


def test_a_person_under_two_names(tmp_path):
    rows = [row("a.png", "S1", "happy", "n.png"), row("b.png", "S2", "sad", "n.png")]
    path = write_rows(tmp_path / "m.csv", rows)
    with pytest.raises(ManifestError, match="n.png is in both the train and the test images"):
        plan_pairs(path, CLASSES, folds=2)


def test_a_fold_with_nothing_to_score(tmp_path):
    rows = [row("a.png", "S1", "neutral", "a.png"), row("b.png", "S2", "sad", "c.png")]
    path = write_rows(tmp_path / "m.csv", rows)
    with pytest.raises(ManifestError, match="fold 0 has no test image"):
        plan_pairs(path, CLASSES, folds=2)
