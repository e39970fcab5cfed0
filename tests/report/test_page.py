"""The page of a really trained small run, and of runs that lack pieces."""

import json
import re
import shutil
import sys
from html.parser import HTMLParser

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("sklearn")

from gcnet_caffe.cli import main  # noqa: E402
from tests.report.runs import result, train_run, write_results


class Elements(HTMLParser):
    """(tag, attributes) of every element, and the captions."""

    def __init__(self, text):
        super().__init__()
        self.found, self.captions = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag == "figcaption":
            self.captions.append("")

    def handle_data(self, data):
        if self.captions and self.found[-1][0] == "figcaption":
            self.captions[-1] += data


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_run(tmp_path_factory.mktemp("runs") / "small")


@pytest.fixture(scope="module")
def page(trained):
    assert main(["report", str(trained)]) == 0
    return (trained / "report.html").read_text()


def told(run, stem="report"):
    return json.loads((run / f"{stem}.json").read_text())


def test_the_page_loads_nothing_from_elsewhere(page):
    elements = Elements(page)
    for tag, attributes in elements.found:
        assert tag not in ("script", "iframe", "object", "embed", "base")
        for name in ("src", "href", "srcset", "data", "action"):
            assert re.match(r"#|data:", attributes.get(name) or "#"), (tag, attributes)
    assert not re.search(r"@import|url\(", page)
    assert len(page) < 2e6


def test_every_picture_has_words_and_every_caption_the_papers_place(page):
    elements = Elements(page)
    pictures = [attributes for tag, attributes in elements.found if tag == "img"]
    # 4 of curves, confusion, figures 4, 5, 6 (points, faces), intensity
    assert len(pictures) == 10
    assert all(len(picture["alt"]) > 20 for picture in pictures)
    place = re.compile("[Ff]igure|[Tt]ables? |no counterpart|section|equation|introduction")
    unplaced = [text for text in elements.captions if not place.search(text)]
    assert len(unplaced) == 2, unplaced  # parameter counts and the run's own facts


def test_a_narrow_run_has_every_figure_and_says_it_is_synthetic(trained, page):
    missing = told(trained)["missing"]
    assert set(missing) == {"figure11", "people", "settings"}
    assert page.index("Synthetic faces.") < page.index("recognises the expression in")
    for text in ("0123abc", "gcnet &lt;one&gt;", "last snapshot", "figure 4 of the paper"):
        assert text in page
    lines = (trained / "report.csv").read_text().splitlines()
    assert lines[0].startswith("run,method,kind") and len(lines) == 3


@pytest.mark.parametrize(
    "synthetic, sources, wanted",
    [
        (True, ["synthetic"], "Synthetic faces."),
        (False, ["London", "synthetic"], "Partly synthetic faces."),
        (False, ["London"], None),
    ],
)
def test_it_says_whether_all_or_some_faces_are_synthetic(tmp_path, synthetic, sources, wanted):
    methods = [result("S1R1", [0.5, 0.6])]
    run = write_results(tmp_path / "r", methods, synthetic=synthetic, sources=sources)
    assert main(["report", str(run)]) == 0
    found = re.findall(
        r'<p class="synthetic"><strong>(.*?)</strong>', (run / "report.html").read_text()
    )
    assert found == [wanted] * (wanted is not None)


def test_the_same_run_gives_the_same_page(trained, page):
    assert main(["report", str(trained), "-o", str(trained / "again.html")]) == 0
    again = (trained / "again.html").read_text().replace("again.", "report.")
    assert again == page


def test_no_faces_where_pictures_may_not_be_passed_on(trained, tmp_path, page):
    run = shutil.copytree(trained, tmp_path / "faces")
    with open(run / "experiment.yaml", "a") as stream:
        stream.write("pictures: false\n")
    assert main(["report", str(run)]) == 0
    assert "image/png" in page and "image/png" not in (run / "report.html").read_text()
    assert set(told(run)["missing"]) == {"responses", "figure6", "figure11", "people", "settings"}


def test_what_a_run_lacks_is_explained_in_its_place(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    nets = run / "nets/default"
    shutil.rmtree(nets / "S1R1/fold0/seed1/sequences")
    for path in (
        run / "provenance.json",
        nets / "cnn/fold0/seed1/features.npz",
        nets / "S1R1/fold0/seed1/train.log",
        nets / "S1R1/fold0/seed1/weights.caffemodel",
    ):
        path.unlink()
    assert main(["report", str(run)]) == 0
    missing = {section: " ".join(texts) for section, texts in told(run)["missing"].items()}
    assert "sequences/features.npz: No such file or directory" in missing["figure6"]
    assert "sequences/predictions.csv: No such file or directory" in missing["intensity"]
    assert "cnn/fold0/seed1/features.npz: No such file or directory" in missing["figure5"]
    assert "fold0: no training loss" in missing["curves"]
    assert "weights.caffemodel: No such file or directory" in missing["responses"]
    assert "provenance.json" in missing["origin"]


def test_broken_pieces_are_explained(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    nets = run / "nets/default"
    for path in (
        nets / "S1R1/fold0/seed1/sequences/features.npz",
        nets / "S1R1/fold0/seed1/sequences/predictions.csv",
        nets / "cnn/fold0/seed1/features.npz",
        nets / "S1R1/fold0/seed1/train.log",
        run / "sequences/fold0/test.csv",
    ):
        path.write_bytes(b"PK\x03\x04 no more")
    shutil.rmtree(run / "data/pairs/fold0/test_lmdb")
    assert main(["report", str(run)]) == 0
    missing = {section: " ".join(texts) for section, texts in told(run)["missing"].items()}
    assert "features.npz: no features can be read" in missing["figure6"]
    assert "sequences/fold0/test.csv: " in missing["figure6"]
    assert "has no line of a Caffe training log" in missing["curves"]
    assert "no LMDB here" in missing["responses"] and "no LMDB here" in missing["figure5"]


def test_failed_folds_show_with_their_reason(tmp_path):
    methods = [
        result("S1R1", [0.5, 0.6, 0.7], {"fold1": "train_lmdb: truncated"}),
        result("cnn", [], {f"fold{k}": "stopped" for k in range(3)}),
    ]
    lost = {"net": "identity", "setting": "default", "seed": 1, "evaluation": None}
    lost = {**lost, "reason": "identity_lmdb: gone"}
    folds = ["fold0", "fold1", "fold2"]
    before = {**lost, "net": "cnn", "reason": "start_lmdb: gone"}
    before = {"pretrain": [lost], "started": [before]}
    run = write_results(tmp_path / "holed", methods, folds=folds, **before)
    assert main(["report", str(run)]) == 0
    tables = told(run)["tables"]
    assert ["GCNet S1R1", "default", "1", "fold1", "train_lmdb: truncated"] in (
        tables["missing"]["rows"]
    )
    assert tables["folds"]["rows"][1] == ["GCNet S1R1", "50.0", "failed", "70.0"]
    assert tables["methods"]["rows"][0][-1] == "0 of 3"
    assert len(tables["missing"]["rows"]) == 6
    assert [row[::4] for row in tables["missing"]["rows"][-2:]] == [
        ["pre-training: identity", "identity_lmdb: gone"],
        ["start: cnn", "start_lmdb: gone"],
    ]
    assert tables["start"]["rows"] == [["CNN (baseline)", "default", "1", "–", "–", "–"]]


@pytest.mark.parametrize(
    "text, status, words",
    [
        (None, 2, "results.json: No such file or directory; `gcnet summarize"),
        ("{", 1, "results.json: not JSON"),
        ("[]", 1, "found a list"),
        ('{"name": "x"}', 1, "key 'synthetic': found nothing, wanted a bool"),
        (
            '{"name":"x","synthetic":true,"protocol":"p","classes":[],"methods":[3]}',
            1,
            "methods[0]",
        ),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, text, status, words):
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    assert main(["report", str(tmp_path)]) == status
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not (tmp_path / "report.html").exists()


def test_scores_of_the_wrong_kind_leave_no_traceback(tmp_path, capsys):
    methods = [result("S1R1", [0.5])]
    methods[0]["folds"]["fold0"] = {"images": "many"}
    run = write_results(tmp_path / "odd", methods)
    assert main(["report", str(run)]) == 1
    assert "not as `gcnet summarize` writes it" in capsys.readouterr().err
    assert main(["report", str(run), "-o", str(tmp_path / "x.txt")]) == 2


def test_a_missing_package_is_named_with_its_command(tmp_path, monkeypatch, capsys):
    run = write_results(tmp_path / "r", [result("S1R1", [0.5])])
    monkeypatch.setitem(sys.modules, "jinja2", None)  # as if it were not installed
    assert main(["report", str(run)]) == 2
    assert "gcnet report needs jinja2: pip install 'gcnet-caffe[report]'" in capsys.readouterr().err
