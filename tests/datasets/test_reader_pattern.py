import re

import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.datasets.manifest import read_manifest, write_manifest
from gcnet_caffe.datasets.readers import manifest, pattern
from gcnet_caffe.errors import ManifestError, UsageError
from tests.packing.drawn_faces import row, write_rows

YALE = r"subject(?P<subject>\d+)\.(?P<expression>\w+)"
ORL = r"s(?P<subject>\d+)/\d+\.pgm"


def tree(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def yale(root):
    found = ("happy", "normal", "sad", "glasses")
    return tree(root, *(f"subject{s}.{e}" for s in ("01", "02", "10") for e in found), "README")


def short(rows, root):
    cut = len(str(root)) + 1
    return [(row.path[cut:], row.subject, row.expression, row.reference[cut:]) for row in rows]


def test_neutral_image_of_each_subject_is_the_reference(tmp_path):
    rows, survey = pattern.read(
        yale(tmp_path), YALE, expressions="happy,sad=sadness", reference="normal"
    )
    assert short(rows, tmp_path)[:4] == [
        ("subject01.happy", "01", "happy", "subject01.normal"),
        ("subject01.normal", "01", "neutral", "subject01.normal"),
        ("subject01.sad", "01", "sadness", "subject01.normal"),
        ("subject02.happy", "02", "happy", "subject02.normal"),
    ]
    assert dict(survey.skipped) == {
        "does not match the pattern": 1,
        "expression 'glasses' is not listed": 3,
    }
    assert rows[0].source == tmp_path.name


def test_all_expressions_by_default(tmp_path):
    rows, _ = pattern.read(yale(tmp_path), YALE, reference="normal", neutral_queries=False)
    assert [row.expression for row in rows[:3]] == ["glasses", "happy", "sad"]


def test_excluded_files(tmp_path):
    rows, survey = pattern.read(
        yale(tmp_path), YALE, reference="normal", exclude=[r".*\.glasses", r"subject02\..*"]
    )
    assert len(rows) == 6 and survey.skipped["excluded"] == 6


def test_identities(tmp_path):
    names = [f"s{s}/{i}.pgm" for s in (1, 2, 10) for i in (1, 2, 10)]
    rows, _ = pattern.read(tree(tmp_path, *names), ORL, source="ORL")
    assert short(rows, tmp_path)[1:4] == [
        ("s1/2.pgm", "1", "", ""),
        ("s1/10.pgm", "1", "", ""),
        ("s2/1.pgm", "2", "", ""),
    ]
    assert [row.subject for row in rows[-3:]] == ["10"] * 3 and rows[0].source == "ORL"


def test_references_stay_within_their_sequence(tmp_path):
    tree(tmp_path, "a/1/0_calm.png", "a/1/5_joy.png", "a/2/0_calm.png", "a/2/3_joy.png")
    rows, _ = pattern.read(
        tmp_path,
        r"(?P<subject>\w+)/(?P<sequence>\d+)/(?P<rank>\d+)_(?P<expression>\w+)\.png",
        reference="calm",
    )
    assert [(row.sequence, row.rank, row.reference[-14:]) for row in rows] == [
        ("1", 0, "a/1/0_calm.png"),
        ("1", 5, "a/1/0_calm.png"),
        ("2", 0, "a/2/0_calm.png"),
        ("2", 3, "a/2/0_calm.png"),
    ]


@pytest.mark.parametrize(
    "regex, options, text",
    [
        ("(", {}, "not a regular expression"),
        (r"s\d+", {}, "no group 'subject'"),
        (r"(?P<person>s\d+)", {}, "unknown group 'person'"),
        (YALE, {"exclude": ["("]}, "--exclude .*not a regular expression"),
        (YALE, {"expressions": "hapy,sad"}, "no image has 'hapy'; there are glasses, happy"),
        (YALE, {"reference": "calm"}, "--reference: no image has 'calm'; there are glasses"),
    ],
)
def test_options_that_make_no_sense(tmp_path, regex, options, text):
    with pytest.raises(UsageError, match=text):
        pattern.read(yale(tmp_path), regex, **options)


def test_nothing_matches(tmp_path):
    with pytest.raises(ManifestError, match="no file below it matches"):
        pattern.read(yale(tmp_path), r"person(?P<subject>\d+)")
    with pytest.raises(ManifestError, match=re.escape(r"'a\n(?P<subject>\d+)'; found")):
        pattern.read(tmp_path, "a\n" + r"(?P<subject>\d+)")


def test_no_such_folder(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        pattern.read(tmp_path / "none", YALE)


def test_command_line(tmp_path, capsys):
    yale(tmp_path / "yale")
    out = str(tmp_path / "yale.csv")
    command = ["make-manifest", "pattern", "--root", f"{tmp_path}/yale", "--pattern", YALE]
    assert main([*command, "--reference", "normal", "--expressions", "happy,sad", "-o", out]) == 0
    assert "images: 9 (happy 3, neutral 3, sad 3)" in capsys.readouterr().out
    assert len(read_manifest(out)) == 9


def test_manifests_become_one(tmp_path):
    (tmp_path / "a").mkdir()
    one = write_rows(tmp_path / "a/one.csv", [row("x.png", "S1")])
    other = write_rows(tmp_path / "other.csv", [row("y.png", "S2")])
    rows, _ = manifest.read([one, other])
    assert [row.path for row in rows] == [f"{tmp_path}/a/x.png", f"{tmp_path}/y.png"]
    out = str(tmp_path / "both.csv")
    assert main(["make-manifest", "manifest", str(one), str(other), "-o", out]) == 0
    assert [row.path for row in read_manifest(out)] == [row.path for row in rows]


def test_subjects_of_joined_data_sets_do_not_collide(tmp_path):
    ck = write_rows(tmp_path / "ck.csv", [row("x.png", "S005", source="CK+")])
    mmi = write_rows(
        tmp_path / "mmi.csv",
        [row("y.png", "S005", source="MMI"), row("z.png", "", source="FER2013")],
    )
    rows, survey = manifest.read([ck, mmi])
    assert [r.subject for r in rows] == ["CK+:S005", "MMI:S005", ""]
    assert survey.noted == {"subjects named SOURCE:SUBJECT": 2}
    out = tmp_path / "both.csv"
    write_manifest(out, rows)
    assert [r.subject for r in manifest.read([out])[0]] == ["CK+:S005", "MMI:S005", ""]
    kept, _ = manifest.read([ck, mmi], keep_subjects=True)
    assert [r.subject for r in kept] == ["S005", "S005", ""]


def test_manifests_that_share_an_image(tmp_path, capsys):
    one = write_rows(tmp_path / "one.csv", [row("x.png", "S1")])
    out = tmp_path / "both.csv"
    assert main(["make-manifest", "manifest", str(one), str(one), "-o", str(out)]) == 1
    assert "both.csv: row 2: column 'path': " in capsys.readouterr().err
    assert not out.exists()
