"""The paper's equations, worked out in numpy on the blobs of real Caffe."""

from pathlib import Path

import numpy as np
import pytest

from gcnet_caffe.inference.images import read_images
from tests.scratch import make_tree, shrink_batches

pytestmark = pytest.mark.caffe

MARGIN = 1.0
EPSILON = 1e-6


@pytest.fixture(scope="module")
def blobs(caffe, tmp_path_factory):
    tree = make_tree(tmp_path_factory.mktemp("equations"), batch_size=8)
    net = tree / "prototxt/ck_fold0_S1R1_train_test.prototxt"
    net.write_text(net.read_text().replace("batch_size: 1\n", "batch_size: 12\n"))
    shrink_batches(net, 12)
    caffe.run_python(Path(__file__).with_name("forward_train.py"), cwd=tree)
    with np.load(tree / "blobs.npz") as found:
        blobs = {name: found[name].astype(np.float64) for name in found}
    blobs["lmdb"] = read_images(tree / "data/ck7/fold0/test_lmdb")
    return blobs


def unit(embedding):
    return embedding / np.sqrt((embedding**2).sum(1, keepdims=True) + EPSILON)


def close(value, wanted):
    assert np.abs(value - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_eq_2_delta_is_the_normalised_distance(blobs):
    query, reference = blobs["train_query_embedding"], blobs["train_reference_embedding"]
    assert query.shape == (8, 6144)
    close(blobs["train_delta"], np.abs(unit(query) - unit(reference)))


@pytest.mark.parametrize(
    "loss, image, target",
    [
        ("loss_generation", "generated_reference", "reference"),  # eq. (5)
        ("loss_query", "reconstructed_query", "query"),  # eq. (8)
        ("loss_reference", "reconstructed_reference", "reference"),  # eq. (9)
    ],
)
def test_eq_5_8_9_sums_of_squares(blobs, loss, image, target):
    difference = blobs[f"train_{image}"] - blobs[f"train_{target}"]
    close(blobs[f"train_{loss}"], (difference**2).sum() / 2 / len(difference))


def test_eq_6_contrastive_loss_and_its_margin(blobs):
    alpha = blobs["train_label"] != 7  # neutral queries are similar to their reference
    assert 0 < alpha.sum() < len(alpha)
    query, reference = (unit(blobs[f"train_{n}_embedding"]) for n in ("query", "reference"))
    distance = np.sqrt(((query - reference) ** 2).sum(1))
    terms = np.where(alpha, np.maximum(MARGIN - distance, 0) ** 2, distance**2)
    close(blobs["train_loss_contrastive"], terms.sum() / 2 / len(terms))
    close(blobs["train_dissimilar_in_margin"], (distance[alpha] < MARGIN).mean())


def test_the_cross_entropy_ignores_neutral_queries(blobs):
    score, label = blobs["train_score"], blobs["train_label"].astype(int)
    kept = label != 7
    log_prob = score - np.log(np.exp(score).sum(1, keepdims=True))
    close(blobs["train_loss_classification"], -log_prob[kept, label[kept]].mean())


def test_caffe_reads_the_lmdb_as_we_do(blobs):
    """Order, label, the centre crop, the two channels and the scale of 1/255."""
    images = blobs["lmdb"].images
    np.testing.assert_array_equal(blobs["test_label"], blobs["lmdb"].labels)
    close(blobs["test_query"][:, 0], images[:, 0])
    close(blobs["test_reference"][:, 0], images[:, 1])


def test_the_deploy_nets_equal_the_test_phase(blobs):
    score = blobs["test_score"]
    prob = np.exp(score) / np.exp(score).sum(1, keepdims=True)
    for key in ("deploy", "full"):
        assert np.abs(blobs[f"{key}_prob"] - prob).max() <= 1e-6
        for name in ("delta", "generated_reference", "feature"):
            np.testing.assert_allclose(blobs[f"{key}_{name}"], blobs[f"test_{name}"], atol=1e-6)
    close(blobs["full_reconstructed_query"], blobs["test_reconstructed_query"])
    assert blobs["deploy_feature"].shape == (12, 384)
