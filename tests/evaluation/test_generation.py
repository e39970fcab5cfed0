"""What generated images score, worked out by hand."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from gcnet_caffe.evaluation.generation import MAX_PSNR, image_scores, others

TARGETS = np.random.default_rng(0).uniform(0.2, 0.8, (4, 64, 64)).astype(np.float32)
MEAN = TARGETS.mean(0)


def test_the_target_itself():
    scores = image_scores(TARGETS, TARGETS, {"mean_image": MEAN})
    assert (scores["mse"], scores["psnr"], scores["std_ratio"]) == (0, MAX_PSNR, 1)
    assert scores["ssim"] == pytest.approx(1)
    assert scores["mse_mean_image"] == pytest.approx(((TARGETS - MEAN) ** 2).mean())
    assert 0 < scores["ssim_mean_image"] < 0.9 and scores["psnr_mean_image"] < 20


def test_a_shift_in_brightness():
    scores = image_scores(TARGETS + 0.1, TARGETS, {"mean_image": MEAN, "query": TARGETS})
    assert scores["mse"] == pytest.approx(0.01, rel=1e-4)
    assert scores["psnr"] == pytest.approx(20, abs=1e-3)  # 10 log10(1 / 0.1 ** 2)
    assert scores["gain"] == pytest.approx(scores["mse_mean_image"] / scores["mse"])
    assert (scores["mse_query"], scores["psnr_query"]) == (0, MAX_PSNR)


def test_psnr_is_scikit_images():
    answers = np.random.default_rng(1).uniform(0, 1, TARGETS.shape).astype(np.float32)
    wanted = [peak_signal_noise_ratio(*pair, data_range=1.0) for pair in zip(TARGETS, answers)]
    scores = image_scores(answers, TARGETS, {"mean_image": MEAN})
    assert scores["psnr"] == np.mean(wanted)


def test_ssim_of_flat_images_is_that_of_their_means():
    flat, lighter = np.full((1, 64, 64), 0.5), np.full((1, 64, 64), 0.7)
    c1 = 0.01**2
    wanted = (2 * 0.5 * 0.7 + c1) / (0.5**2 + 0.7**2 + c1)  # Wang et al., eq. (6)
    scores = image_scores(lighter, flat, {"mean_image": flat[0]})
    assert scores["ssim"] == pytest.approx(wanted, abs=1e-6)
    assert "std_ratio" not in scores and scores["count"] == 1  # one target has no spread


def test_a_constant_answer_is_seen():
    scores = image_scores(np.zeros_like(TARGETS), TARGETS, {"mean_image": MEAN})
    assert (scores["zero_share"], scores["std_ratio"]) == (1, 0) and scores["gain"] < 1


def test_the_identity_distance_is_one_minus_the_cosine():
    """For an embedding of the mean brightness of the upper and the lower half."""

    def embed(images):
        assert images.shape == (2, 1, 64, 64)
        return np.stack([images[:, 0, :32].mean((1, 2)), images[:, 0, 32:].mean((1, 2))], 1)

    upper, lower = np.zeros((2, 64, 64)), np.zeros((2, 64, 64))
    upper[:, :32] = 0.5
    lower[:, 32:] = 0.9
    trivial = {"query": lower, "mean_image": np.ones((64, 64))}
    scores = image_scores(upper, upper / 2, trivial, embed)
    assert scores["identity"] == pytest.approx(0) and scores["identity_query"] == pytest.approx(1)
    assert scores["identity_mean_image"] == pytest.approx(1 - 0.5**0.5)


def test_each_subject_is_held_against_the_next():
    assert others(["a", "a", "b", "c", "c", "a"]) == [2, 2, 3, 0, 0, 2]
    assert others(["a", "a"]) is None
