"""Queries that are their own reference are scored apart from the others: by hand."""

import json

import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.evaluation.evaluation import evaluate
from gcnet_caffe.evaluation.generation import MAX_PSNR
from tests.evaluation.fixtures import net_of, write_pairs

CLASSES = ("a", "b", "c", "d", "e", "f", "neutral")
#: Flat faces of 0.2, 0.4 and 0.6: what the trivial answers score is known.
DARK, GREY, LIGHT = (np.full((66, 66), value, np.uint8) for value in (51, 102, 153))
OWN = "generated_reference_query_is_reference"


def test_each_kind_of_query_has_scores_of_its_own(tmp_path, capsys):
    pairs = [(DARK, GREY), (GREY, LIGHT), (GREY, GREY), (LIGHT, LIGHT)]
    data = write_pairs(tmp_path / "data", pairs, [0, 1, 6, 6], CLASSES)
    net, weights = net_of(tmp_path, "S1R1")
    words = f"--net {net} --weights {weights} --data {data} -o {tmp_path}/out"
    assert main(["evaluate", *words.split()]) == 0
    scores = json.loads((tmp_path / "out/evaluation.json").read_text())
    expressive, own = scores["generated_reference"], scores[OWN]
    assert (scores["images"], expressive["count"], own["count"]) == (4, 2, 2)
    assert expressive["mse_query"] == pytest.approx(0.2**2)
    assert expressive["psnr_query"] == pytest.approx(10 * np.log10(1 / 0.2**2))  # 13.98 dB
    assert (own["mse_query"], own["psnr_query"], own["ssim_query"]) == (0, MAX_PSNR, 1)
    # the mean image is 0.5: that of the references 0.4, 0.6, 0.4 and 0.6
    assert expressive["mse_mean_image"] == own["mse_mean_image"] == pytest.approx(0.1**2)
    printed = capsys.readouterr().out
    assert "\ngenerated_reference: " in printed and f"\n{OWN}: " in printed


def test_what_is_scored_are_the_images_of_these_queries(tmp_path):
    pairs = [(GREY, GREY), (DARK, GREY), (LIGHT, LIGHT)]
    data = write_pairs(tmp_path / "data", pairs, [6, 0, 6], CLASSES)
    scores, outputs = evaluate(*net_of(tmp_path, "S1R1"), data)
    errors = [
        ((made - wanted) ** 2).mean()
        for made, wanted in zip(outputs["generated_reference"][:, 0], (0.4, 0.4, 0.6))
    ]
    assert scores["generated_reference"]["mse"] == pytest.approx(errors[1], rel=1e-5)
    assert scores[OWN]["mse"] == pytest.approx((errors[0] + errors[2]) / 2, rel=1e-5)
    assert errors[0] != pytest.approx(errors[1], rel=1e-3)


@pytest.mark.parametrize("pair, there", [((DARK, GREY), "generated_reference"), ((GREY,) * 2, OWN)])
def test_where_there_is_one_kind_there_are_no_scores_of_the_other(tmp_path, pair, there):
    """A test set without references is packed with the query in both channels."""
    data = write_pairs(tmp_path / "data", [pair], [0], CLASSES)
    scores, _ = evaluate(*net_of(tmp_path, "S1R1"), data)
    assert {name for name in scores if "reference" in name} == {there}
    assert scores[there]["count"] == 1 and "std_ratio" not in scores[there]


def test_the_reconstructed_query_has_no_answer_to_be_told(tmp_path):
    data = write_pairs(tmp_path / "data", [(DARK, GREY), (GREY, GREY)], [0, 6], CLASSES)
    scores, _ = evaluate(*net_of(tmp_path, "reconstruct"), data)
    assert scores["reconstructed_query"]["count"] == 2 and set(scores) == {
        "images",
        "reconstructed_query",
    }
