"""Experiments: what is refused, what is filled in, and the committed ones."""

import csv

import pytest
import yaml

from gcnet_caffe.errors import UsageError
from gcnet_caffe.experiment import demo
from gcnet_caffe.experiment.config import check_data, read_experiment
from gcnet_caffe.experiment.plan import make_plan
from tests.experiment.small_run import SMALL, write_experiment
from tests.scratch import ROOT

EXPERIMENTS = [*sorted((ROOT / "experiments").glob("*.yaml")), demo.EXPERIMENT]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_the_committed_experiments_can_be_planned(path):
    experiment = read_experiment(path)
    plan = make_plan(experiment)
    assert plan["training"] and experiment["title"]


def test_the_issues_experiments_are_there():
    wanted = "ck7 ck8 mmi6 oulu6 cross-fer2013 cross-sfew cross-raf lambda-s-sweep "
    wanted += "padding-and-gamma synthetic yale london rendered photographs"
    assert {path.stem for path in EXPERIMENTS} >= set(wanted.split())


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"varaints": ["cnn"]}, "unknown key varaints; did you mean variants?"),
        ({"solver": {"max_itr": 3}}, "unknown key solver.max_itr; did you mean max_iter?"),
        ({"net": {"lamda_s": 3}}, "unknown key net.lamda_s; did you mean lambda_s?"),
        ({"fold_sheet": "f.csv"}, "unknown key fold_sheet; did you mean fold_table?"),
        ({"zzz": 1}, "unknown key zzz; wanted one of about, also, baselines, classes"),
        ({"variants": ["cnn", "S2R1"]}, "variants.1: found 'S2R1', wanted one of cnn, metric"),
        ({"solver": {"max_iter": "many"}}, "solver.max_iter: found 'many', wanted integer"),
        ({"solver": {"max_iter": 0}}, "--max-iter: found 0, wanted more than 0"),
        ({"net": {"padding": "full"}}, "--padding: found 'full', wanted one of same, valid"),
        ({"sweep": {"margin": [1, -1]}}, "--margin: found -1, wanted more than 0"),
        ({"sweep": {"random_seed": [1]}}, "unknown key sweep.random_seed"),
        ({"start": {"solver": {}}}, "start: 'data' is missing"),
        ({"start": {"data": {}, "held_out": 0.6}}, "start.held_out: found 0.6, wanted 0.5 or less"),
        ({"start": {"data": {}, "copies_of": {}}}, "unknown key start.copies_of; did you mean"),
        ({"start": {"data": {}, "solver": {"max_iter": 0}}}, "--max-iter: found 0, wanted more"),
        ({"seeds": []}, "seeds: wanted at least 1"),
        ({"protocol": "ck9"}, "protocol: found 'ck9', wanted one of ck7, ck8"),
        ({"protocol": "cross-raf"}, "protocol cross-raf: wanted `test:`"),
        ({"test": {"manifest": "x.csv"}}, "protocol ck7: wanted no `test:`"),
        ({"classes": ["neutral", "happy"]}, "neutral must be the last class"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path, changes, message):
    path = write_experiment(tmp_path, **changes)
    with pytest.raises(UsageError) as caught:
        read_experiment(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert str(path) in str(caught.value) or "--classes" in str(caught.value)


def test_missing_keys_files_and_yaml(tmp_path):
    for text, message in [
        ("protocol: ck7", "'data' is missing"),
        ("net: x\nbase_lr: 0.1", "not an experiment in YAML; wanted the keys data, protocol"),
        ("a: [", "line 1: not YAML"),
        ("just words", "wanted keys and values"),
    ]:
        path = tmp_path / "x.yaml"
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            read_experiment(path)
    with pytest.raises(UsageError, match="none.yaml: No such file or directory; wanted"):
        read_experiment(tmp_path / "none.yaml")


def test_the_command_line_changes_values_and_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_experiment(tmp_path)
    found = read_experiment(
        path, ["solver.max_iter=7", "data={reader: ck, root: faces}", "variants=[metric]"]
    )
    assert found["solver"] == {**SMALL["solver"], "max_iter": 7}
    assert found["data"] == {"reader": "ck", "root": str(tmp_path / "faces")}
    assert found["variants"] == ["metric"] and found["name"] == "small"
    assert found["classes"][0] == "anger" and len(found["classes"]) == 7
    with pytest.raises(UsageError, match="wanted KEY=VALUE"):
        read_experiment(path, ["solver.max_iter"])
    with pytest.raises(UsageError, match="title has no keys"):
        read_experiment(path, ["title.x=1"])


def test_data_that_are_not_there_are_named(tmp_path):
    path = write_experiment(tmp_path, data={"reader": "ck", "root": str(tmp_path / "CK+")})
    found = read_experiment(path)
    with pytest.raises(UsageError, match=r"data.root: nothing at .*CK\+; .*--set data.root=..."):
        check_data(found, path)
    (tmp_path / "CK+").mkdir()
    check_data(found, path)
    found = read_experiment(path, ["start.data.manifest=none.csv"])
    with pytest.raises(UsageError, match=r"start.data.manifest: nothing at .*none.csv; give"):
        check_data(found, path)


def test_the_resolved_experiment_is_an_experiment_again(tmp_path):
    found = read_experiment(write_experiment(tmp_path))
    again = {key: value for key, value in found.items() if key != "name"}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(again))
    assert read_experiment(path) == found


def test_a_data_set_in_a_list_is_set_by_its_place(tmp_path):
    sources = [SMALL["data"], {"reader": "pattern", "root": str(tmp_path / "missing")}]
    path = write_experiment(tmp_path, data=sources)
    with pytest.raises(
        UsageError, match=r"nothing at .*missing; give your path with --set data.1.root"
    ):
        check_data(read_experiment(path), path)
    found = read_experiment(path, [f"data.1.root={tmp_path}", "data.0.synthetic.seed=9"])
    check_data(found, path)
    assert found["data"][1]["root"] == str(tmp_path)
    assert found["data"][0]["synthetic"] == {**SMALL["data"]["synthetic"], "seed": 9}
    for place in ("2", "-1", "root"):
        with pytest.raises(UsageError, match=f"{place}: wanted a place in the list, 0 to 1"):
            read_experiment(path, [f"data.{place}.root=x"])


def test_the_folds_of_photographs():
    """London is dealt to folds 0 to 9, and so are 200 rendered people; 200 others are fold 10."""
    with open(ROOT / "experiments/photographs-folds.csv") as file:
        folds = {row["subject"]: int(row["fold"]) for row in csv.DictReader(file)}
    rendered = [f"synthetic:{number:05d}" for number in range(400)]
    london = sorted(folds.keys() - set(rendered))
    assert len(london) == 81 and [folds[one] for one in london] == [k % 10 for k in range(81)]
    assert [folds[one] for one in rendered] == [*[10] * 200, *(k % 10 for k in range(200))]
    plan = make_plan(read_experiment(ROOT / "experiments/photographs.yaml"))
    assert plan["folds"] == [f"fold{k}" for k in range(11)]


def test_findings_differ_from_each_other_where_they_should():
    """One schedule, one network: only then are the runs parts of one answer."""
    found = [read_experiment(path) for path in sorted(ROOT.glob("experiments/findings-*.yaml"))]
    assert len(found) == 4
    for key in ("solver", "net"):
        assert all(experiment[key] == found[0][key] for experiment in found)
    assert len({str(experiment["pretrain"]) for experiment in found}) == 1
