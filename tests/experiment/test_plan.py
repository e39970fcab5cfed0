"""The jobs of an experiment, and on what each of them depends."""

import re
from pathlib import Path
from unittest.mock import ANY

import pytest

from gcnet_caffe.errors import UsageError
from gcnet_caffe.experiment.config import read_experiment
from gcnet_caffe.experiment.plan import is_synthetic, make_plan
from gcnet_caffe.experiment.settings import options_of, pretraining_setting, settings
from gcnet_caffe.experiment.snakemake import Machine, find_pending
from tests.experiment.small_run import SMALL, write_experiment


def planned(tmp_path, **changes):
    return make_plan(read_experiment(write_experiment(tmp_path, **changes)))


def test_every_net_fold_and_seed_is_a_training_and_pretrainings_are_made_once(tmp_path):
    plan = planned(tmp_path, seeds=[1, 2])
    nets = [folder for folder in plan["training"] if folder.startswith("nets/")]
    assert len(nets) == 2 * 2 * 2 and "nets/default/S1R1/fold1/seed2" in nets
    weights = plan["training"]["nets/default/cnn/fold0/seed2"]["weights"]
    assert weights == [
        "pretrain/default/pretrain-autoencoder/seed1/weights.caffemodel",
        "pretrain/default/pretrain-identity/seed1/weights.caffemodel",
    ]
    assert len(plan["training"]) == len(nets) + 2
    assert plan["baselines"] == ["baselines/hog-svm/fold0", "baselines/hog-svm/fold1"]


def test_a_sweep_makes_settings_and_pretrains_again_only_where_it_matters(tmp_path):
    sweep = {"lambda_s": [0.1, 10], "padding": ["same", "valid"]}
    plan = planned(tmp_path, sweep=sweep, variants=["S1R1"], folds=2)
    made = {folder.split("/")[1] for folder in plan["training"] if folder.startswith("nets/")}
    assert len(made) == 4 and "lambda_s=0.1+padding=valid" in made
    # same padding is the default, whatever the sweep says
    pretrained = {folder for folder in plan["training"] if folder.startswith("pretrain/")}
    assert {folder.split("/")[1] for folder in pretrained} == {"default", "padding=valid"}
    job = plan["training"]["nets/lambda_s=0.1+padding=valid/S1R1/fold0/seed1"]
    assert "pretrain/padding=valid/pretrain-identity/seed1/weights.caffemodel" in job["weights"]
    assert "--lambda-s 0.1" in job["net"] and "--padding valid" in job["net"]


def test_a_sweep_over_people_packs_once_and_pretrains_once(tmp_path):
    plan = planned(tmp_path, sweep={"people": [2, 1]}, variants=["cnn"])
    assert plan["training"]["nets/people=1/cnn/fold0/seed1"] == {
        "variant": "cnn",
        "net": "--batch-size 4 --moving-average-fraction 0.9",
        "solver": ANY,
        "engine": "torch",
        "data": "data/pairs/fold0-people1",
        "weights": [
            "pretrain/default/pretrain-autoencoder/seed1/weights.caffemodel",
            "pretrain/default/pretrain-identity/seed1/weights.caffemodel",
        ],
    }
    assert "--people 2 --people 1" in plan["pairs"]["flags"]
    folders = [f"data/pairs/fold{k}{few}" for k in (0, 1) for few in ("", "-people2", "-people1")]
    assert plan["pairs"]["folders"] == folders
    assert plan["baselines"] == [
        f"baselines/hog-svm/fold{k}-people{n}" for n in (2, 1) for k in (0, 1)
    ]
    waiting = find_pending(plan, tmp_path / "run", Machine(1)).stats
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", waiting, re.M))
    assert [jobs[name] for name in ("pairs", "train", "baseline")] == ["1", "6", "4"]
    test = {"manifest": str(tmp_path / "t.csv")}
    with pytest.raises(UsageError, match=r"sweep.people: only for protocols with folds"):
        planned(tmp_path, protocol="cross-raf", folds=None, test=test, sweep={"people": [1]})


def test_options_reach_only_the_nets_that_they_change(tmp_path):
    experiment = read_experiment(write_experiment(tmp_path, net={"lambda_s": 0.3, "lambda_g": 2}))
    depends = {v: options_of(experiment, v, {})[0] for v in ("cnn", "metric", "S0R0", "S1R1")}
    assert depends["cnn"] == {}
    assert depends["metric"] == {"lambda_s": 0.3}
    assert depends["S0R0"] == {"lambda_g": 2}
    assert depends["S1R1"] == {"lambda_s": 0.3, "lambda_g": 2}
    assert pretraining_setting({"lambda_s": 3, "gamma_reading": "gamma-0.75-constant"}) == {
        "gamma_reading": "gamma-0.75-constant"
    }


def test_options_at_their_default_change_no_flag(tmp_path):
    plan = planned(tmp_path, net={"dropout": 0.5}, solver={"base_lr": 0.001})
    job = plan["training"]["nets/default/cnn/fold0/seed1"]
    assert (job["net"], job["solver"]) == ("", "--random-seed 1")


def test_data_sets_are_joined_and_tests_across_data_sets_have_one_test_set(tmp_path):
    plan = planned(
        tmp_path,
        data=[{"reader": "ck", "root": "/x/CK+"}, {"manifest": "/x/oulu.csv"}],
        test={"reader": "fer2013", "root": "/x/fer2013.csv"},
        protocol="cross-fer2013",
        folds=None,
        sequences=False,
    )
    manifests = plan["manifests"]
    assert manifests["manifests/train1.csv"]["arguments"] == "ck --root /x/CK+"
    assert manifests["manifests/train.csv"]["inputs"] == [
        "manifests/train1.csv",
        "manifests/train2.csv",
    ]
    assert plan["folds"] == ["cross"] and plan["pairs"]["test"] == "manifests/test.csv"


@pytest.mark.parametrize(
    "changes, folds",
    [
        ({"folds": 3}, ["fold0", "fold1", "fold2"]),
        ({"folds": 10, "only": [7, 2]}, ["fold2", "fold7"]),
        ({"protocol": "figure11", "folds": 10}, ["fold0+1"]),
        ({"protocol": "figure11-two-runs", "folds": 10}, ["fold0", "fold1"]),
    ],
)
def test_the_folds_of_the_protocols(tmp_path, changes, folds):
    assert planned(tmp_path, **changes)["folds"] == folds


def test_sequences_need_a_data_set_of_sequences(tmp_path):
    with pytest.raises(UsageError, match="sequences: wanted one data set of sequences"):
        planned(tmp_path, data={"manifest": "x.csv"})


def test_every_frame_is_evaluated_of_all_folds_of_one_setting(tmp_path):
    plan = planned(
        tmp_path,
        sweep={"lambda_s": [0.1, 1]},
        variants=["cnn", "reconstruct", "S1R1"],
        seeds=[1, 2],
    )
    found = plan["sequences"]
    assert found["flags"].endswith("--fold 0 --fold 1 --test-only")
    assert found["folders"] == ["sequences/fold0", "sequences/fold1"]
    assert found["nets"] == {
        f"nets/lambda_s=0.1/{variant}/fold{k}/seed{seed}": f"sequences/fold{k}"
        for variant in ("cnn", "S1R1")
        for k in (0, 1)
        for seed in (1, 2)
    }
    together = planned(tmp_path, protocol="figure11", folds=10, variants=["S1R1"])["sequences"]
    assert together["folders"] == ["sequences/fold0+1"]
    assert together["flags"].endswith("--fold 0 --fold 1 --together --test-only")


def test_without_a_sweep_there_is_one_setting(tmp_path):
    assert settings(read_experiment(write_experiment(tmp_path))) == {"default": {}}


def test_generators_are_a_sweep_and_reach_only_the_nets_that_have_one(tmp_path):
    plan = planned(
        tmp_path,
        variants=["cnn", "S1R1", "disentangle"],
        sweep={"generator": ["ae", "dcgan"]},
        net={"ngf": 8},
        solver={},
        also=[{"variants": ["S0R1"], "net": {"classifier": False}}],
        only=[1],
    )
    jobs = {k[5:]: job for k, job in plan["training"].items() if k.startswith("nets/")}
    flags = {
        name[: -len("/fold1/seed1")]: (job["net"], job["solver"]) for name, job in jobs.items()
    }
    seed, dcgan, alone = "--random-seed 1", "--generator dcgan", "--no-classifier"
    assert flags == {
        "generator=ae/cnn": ("", seed),
        "generator=ae/S1R1": (" --with-reconstruction", seed),
        "generator=ae/disentangle": ("", seed),
        "generator=dcgan/cnn": ("", seed),
        "generator=dcgan/S1R1": (f"--ngf 8 {dcgan} --with-reconstruction", f"{dcgan} {seed}"),
        "generator=dcgan/disentangle": (f"--ngf 8 {dcgan}", f"{dcgan} {seed}"),
        "classifier=False/S0R1": (f"{alone} --with-reconstruction", f"{alone} {seed}"),
    }
    assert plan["identity_net"] == "pretrain/default/pretrain-identity/seed1"


def test_a_pretraining_that_is_not_adopted_trains_the_judge_only(tmp_path):
    pretrain = {**SMALL["pretrain"], "adopt": False}
    plan = planned(tmp_path, pretrain=pretrain, variants=["S1R1"])
    made = [folder for folder in plan["training"] if folder.startswith("pretrain/")]
    assert made == [plan["identity_net"]] == ["pretrain/default/pretrain-identity/seed1"]
    assert plan["training"]["nets/default/S1R1/fold0/seed1"]["weights"] == []


def test_each_variant_setting_and_seed_starts_from_a_training_of_its_own(tmp_path):
    start = {"data": {"manifest": "/x/many.csv"}, "solver": {"max_iter": 99, "type": "Adam"}}
    plan = planned(tmp_path, start=start, seeds=[1, 2], sweep={"lambda_s": [0.1, 10]})
    started = {folder: job for folder, job in plan["training"].items() if folder[:6] == "start/"}
    assert len(started) == 2 * 2 * 2
    before = "start/lambda_s=0.1/S1R1/seed2"
    job, after = started[before], plan["training"]["nets/lambda_s=0.1/S1R1/fold1/seed2"]
    assert after["weights"] == [f"{before}/weights.caffemodel"]
    assert [Path(path).parts[:3] for path in job["weights"]] == [
        ("pretrain", "default", "pretrain-autoencoder"),
        ("pretrain", "default", "pretrain-identity"),
    ]
    assert (job["data"], after["data"]) == ("data/start/fold0", "data/pairs/fold1")
    assert job["net"] == after["net"] and "--lambda-s 0.1" in job["net"]
    changed = after["solver"].replace("--max-iter 12", "--type Adam --max-iter 99")
    assert sorted(job["solver"].split()) == sorted(changed.split())
    names = list(plan["training"])
    assert names.index(before) < names.index("nets/lambda_s=0.1/S1R1/fold0/seed2")


def test_a_start_is_packed_with_the_classes_of_the_experiment_and_one_fold_held_out(tmp_path):
    start = {"data": {"manifest": "/x/many.csv"}, "held_out": 0.3, "copies": 2}
    start.update(detect=True, photometric=True)
    plan = planned(tmp_path, start=start, protocol="mmi6", pretrain=None, folds=2)
    classes = "anger,disgust,fear,happy,sad,surprise"
    flags = f"--copies 2 --detect --photometric --classes {classes} --folds 3 --fold 0"
    assert plan["start"] == {"manifest": "manifests/start.csv", "flags": flags}
    assert plan["manifests"]["manifests/start.csv"]["inputs"] == ["/x/many.csv"]
    assert plan["training"]["start/default/cnn/seed1"]["weights"] == []
    assert (
        "--folds 20 --fold 0" in planned(tmp_path, start={"data": start["data"]})["start"]["flags"]
    )


def test_people_in_three_dimensions_are_asked_for_by_flags(tmp_path):
    plan = planned(tmp_path, data={"synthetic": {"kind": "3d", "like_ck": True, "seed": 2}})
    assert plan["faces"]["train"] == "--kind 3d --like-ck --seed 2"


def test_packing_has_its_flags(tmp_path):
    pairs = {"kind": "3d", "pairs": 3, "seed": 4}
    source = {"reader": "pattern", "root": str(tmp_path), "options": {"source": "London"}}
    packing = {"copies": 2, "copies_of": {"London": 20, "two words": 3}, "detect": True}
    packing["partial"] = ["London"]
    plan = planned(tmp_path, data=[{"synthetic": pairs}, source], pack=packing, sequences=False)
    assert "--copies-of London=20 --copies-of 'two words=3' --detect" in plan["pairs"]["flags"]
    assert "--partial London " in plan["pairs"]["flags"]
    assert plan["faces"] == {"train1": "--kind 3d --pairs 3 --seed 4", "pretrain": ANY}
    assert plan["manifests"]["manifests/train1.csv"]["arguments"].endswith("/manifest.csv")
    off = {"copies": 2, "detect": False, "photometric": False}
    plain = planned(tmp_path, pack=off)["pairs"]["flags"]
    assert not any(flag in plain for flag in ("copies-of", "detect", "photometric"))
    test = {"manifest": str(tmp_path / "t.csv")}
    across = {"protocol": "cross-raf", "folds": None, "test": test, "sequences": False}
    plan = planned(tmp_path, **across, pack={"photometric": True})
    assert plan["pairs"]["flags"].endswith("--photometric")
    for key in ("copies_of", "partial"):
        with pytest.raises(UsageError, match=rf"pack.{key}: only for protocols with folds"):
            planned(tmp_path, **across, pack={key: packing[key]})


def test_sequences_are_for_protocols_with_folds(tmp_path):
    test = {"manifest": str(tmp_path / "t.csv")}
    with pytest.raises(UsageError, match="sequences: only for protocols with folds"):
        planned(tmp_path, protocol="cross-raf", folds=None, test=test, sequences=True)


def test_it_is_synthetic_if_every_source_is():
    rendered, read = {"synthetic": {"subjects": 2}}, {"reader": "ck", "root": "/data/ck"}
    assert is_synthetic({"data": rendered})
    assert is_synthetic({"data": [rendered, rendered], "test": rendered})
    assert is_synthetic({"data": rendered, "pretrain": {"data": read}})  # the folds count
    for data in (read, [rendered, read]):
        assert not is_synthetic({"data": data})
    assert not is_synthetic({"data": rendered, "test": read})
