"""`gcnet run` over the generators of section IV-E: the judge, the scores, figures 8 to 10."""

import json

import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.report.blocks import number
from tests.experiment.small_run import run, write_experiment

SCORES = ("ssim", "psnr", "identity", "mse")


@pytest.fixture(scope="module")
def generators(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generators")
    path = write_experiment(
        folder,
        data={"synthetic": {"kind": "2d", "subjects": 8, "frames": 4, "size": 96}},
        only=[0],
        variants=["S1R1", "disentangle"],
        sweep={"generator": ["ae", "vae", "dcgan"]},
        also=[
            {"variants": ["S0R1"], "net": {"classifier": False}},
            {"variants": ["reconstruct"], "net": {"generator": "dcgan"}},
        ],
        net={"batch_size": 4, "moving_average_fraction": 0.9, "ngf": 4, "ndf": 4},
        solver={"max_iter": 6, "display": 3, "snapshot": 6, "test_interval": 6},
        sequences=False,
        baselines=[],
    )
    pretrain = "  adopt: false\n  data:"
    path.write_text(path.read_text().replace("  data:", pretrain, 1))
    run(path, "-o", "run", "--cores", 2, cwd=folder)
    return folder / "run"


def methods(run):
    found = json.loads((run / "results.json").read_text())["methods"]
    return {(m["setting"], m["method"]): m for m in found}


def test_every_net_is_trained_and_its_images_are_judged(generators):
    found = methods(generators)
    assert len(found) == 3 * 2 + 2 and not any(m["missing"] for m in found.values())
    for (setting, variant), method in found.items():
        scores = method["folds"]["fold0"]
        classifies = variant == "S1R1"
        assert (method["accuracy"]["mean"] is not None) == classifies
        alone = variant == "reconstruct"
        image = scores["reconstructed_query" if alone else "generated_reference"]
        for score in SCORES:
            trivial = {f"{score}_mean_image", f"{score}_other"}
            trivial |= set() if alone else {f"{score}_query"}
            assert {score, *trivial} <= set(image), (setting, variant)
        assert 0 < image["identity"] < 2 and image["std_ratio"] > 0


def test_a_discriminator_is_trained_beside_each_dcgan(generators):
    logs = generators.glob("nets/*/*/fold0/seed1/train.log")
    spoken = {log.parts[-5] for log in logs if "discriminator: Iteration 3" in log.read_text()}
    assert spoken == {"generator=dcgan"}


def test_the_report_has_figures_8_to_10(generators):
    assert main(["report", str(generators)]) == 0
    told = json.loads((generators / "report.json").read_text())
    assert "generators" not in told["missing"]
    rows = told["tables"]["generators-generated_reference"]["rows"]
    assert [row[0] for row in rows] == [
        "S1R1, Conv.AE",
        "S1R1, Conv.VAE",
        "S1R1, DCGAN",
        "S0R1, Conv.AE, no classifier",
        "Conv.AE alone, to disentangle",
        "Conv.VAE alone, to disentangle",
        "DCGAN alone, to disentangle",
        "the mean image of the training set",
        "the query itself",
        "another subject's image",
    ]
    found = methods(generators)["generator=vae", "S1R1"]["folds"]["fold0"]["generated_reference"]
    assert rows[1][4:] == [number(found[score], 3) for score in SCORES]
    assert rows[1][2] == "9.6 M" and rows[3][3] == "–"
    page = (generators / "report.html").read_text()
    for figure, count in (("8", 4), ("9", 1), ("10", 3)):
        assert page.count(f"As figure {figure} of the paper: ") == count
