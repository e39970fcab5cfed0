import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcnet_caffe.datasets.folds import (
    assign_folds,
    check_disjoint,
    fold_table_text,
    ordered_subjects,
)
from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.natural import natural_key
from gcnet_caffe.errors import ManifestError, UsageError


def test_by_hand():
    # ascending IDs: S005 S010 S011 S014 S022 S026 S028; fold k takes ranks k, k+3, k+6
    subjects = ["S026", "S005", "S011", "S005", "S014", "S010", "S028", "S022"]
    assert assign_folds(subjects, 3) == {
        "S005": 0,
        "S010": 1,
        "S011": 2,
        "S014": 0,
        "S022": 1,
        "S026": 2,
        "S028": 0,
    }


def test_numbers_inside_ids_count_as_numbers():
    assert ordered_subjects(["s10", "s2", "s1"]) == ["s1", "s2", "s10"]
    assert ordered_subjects(["10", "9", "b", "a3x", "a3"]) == ["9", "10", "a3", "a3x", "b"]


def test_two_spellings_of_one_number():
    with pytest.raises(ManifestError, match="'S005' and 'S5'|'S5' and 'S005'"):
        assign_folds(["S005", "S5", "S6"], 2)


def test_empty_fold():
    with pytest.raises(UsageError, match="fold 3 is empty, there are only 3 subjects"):
        assign_folds(["a", "b", "c"], 4)


def test_one_fold():
    with pytest.raises(UsageError, match="--folds 1: wanted at least 2"):
        assign_folds(["a", "b"], 1)


@given(st.sets(st.integers(0, 999), min_size=10, max_size=130), st.integers(2, 10))
def test_folds_differ_by_one_subject_at_most(numbers, folds):
    sheet = assign_folds([f"S{n:03d}" for n in numbers], folds)
    sizes = [list(sheet.values()).count(fold) for fold in range(folds)]
    assert sum(sizes) == len(numbers) and max(sizes) - min(sizes) <= 1


@given(st.text(max_size=8), st.text(max_size=8))
def test_natural_keys_compare(one, other):
    first, second = natural_key(one), natural_key(other)
    assert [first < second, first == second, first > second].count(True) == 1


def test_subject_or_image_on_both_sides():
    train = [Row("a.png", "S1", reference="n.png")]
    check_disjoint(train, [Row("b.png", "S2", reference="m.png")], "m.csv")
    with pytest.raises(ManifestError, match="m.csv: subject S1 is in both"):
        check_disjoint(train, [Row("b.png", "S1")], "m.csv")
    with pytest.raises(ManifestError, match="m.csv: image n.png is in both"):
        check_disjoint(train, [Row("b.png", "S2", reference="n.png")], "m.csv")


def test_sheet():
    assert fold_table_text({"S1": 0, "S,2": 1}) == 'subject,fold\nS1,0\n"S,2",1\n'
