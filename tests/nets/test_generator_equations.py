"""What the VAE and the DCGAN compute, worked out in numpy on the blobs of real Caffe."""

from pathlib import Path

import numpy as np
import pytest

from tests.nets.narrow import NZ, narrow_nets
from tests.scratch import make_tree

pytestmark = pytest.mark.caffe

BATCH, TEST_BATCH = 8, 12


@pytest.fixture(scope="module")
def blobs(caffe, tmp_path_factory):
    tree = make_tree(tmp_path_factory.mktemp("generators"))
    batches = {"batch_size": BATCH, "test_batch_size": TEST_BATCH}
    vae = narrow_nets("disentangle", generator="vae", lambda_g=0.0, **batches)
    dcgan = narrow_nets("disentangle", generator="dcgan", **batches)
    names = ("vae", "vae_deploy"), ("dcgan", "discriminator")
    for written, texts in zip(names, (vae, dcgan)):
        for name, text in zip(written, texts):
            (tree / f"{name}.prototxt").write_text(text)
    caffe.run_python(Path(__file__).with_name("forward_generators.py"), cwd=tree)
    with np.load(tree / "generators.npz") as found:
        return {name: found[name].astype(np.float64) for name in found}


def close(value, wanted):
    assert value.shape == wanted.shape
    assert np.abs(value - wanted).max() <= 1e-5 * np.abs(wanted).max()


def moments(blobs, key="vae"):
    found = blobs[f"{key}:enc1_conv5"][:, :, 0, 0]
    return found[:, :NZ], found[:, NZ:]


def test_the_latent_is_drawn_around_its_mean(blobs):
    mean, log_variance = moments(blobs)
    assert 0.3 < np.abs(mean).max() < 10 and 0.3 < np.abs(log_variance).max() < 10
    noise = blobs["vae:latent_noise"][:, :, 0, 0]
    close(blobs["vae:latent"][:, :, 0, 0], mean + np.exp(log_variance / 2) * noise)


def test_the_noise_is_normal_and_new_in_each_forward(blobs):
    noises = blobs["noises"]
    assert noises.shape == (20, BATCH, NZ, 1, 1)
    assert len(np.unique(noises)) == noises.size
    error = noises.size**-0.5
    assert abs(noises.mean()) < 4 * error and abs(noises.std() - 1) < 4 * error


def test_the_kl_term_and_its_gradient(blobs):
    mean, log_variance = moments(blobs)
    terms = mean**2 + np.exp(log_variance) - log_variance - 1
    close(blobs["vae:loss_kl"], np.array(terms.sum() / 2 / BATCH))
    gradient = np.concatenate([mean, (np.exp(log_variance) - 1) / 2], axis=1) / BATCH
    close(
        blobs["kl_moments_gradient"][:, :, 0, 0], gradient
    )  # with lambda_g 0 it is the KL's alone


def test_the_test_phase_and_the_deploy_net_use_the_mean(blobs):
    mean, _ = moments(blobs, "vae_test")
    assert mean.shape == (TEST_BATCH, NZ)
    assert not blobs["vae_test:latent_noise"].any()
    close(blobs["vae_test:latent"][:, :, 0, 0], mean)
    close(blobs["vae_deploy:latent_mean"][:, :, 0, 0], mean)
    close(blobs["vae_deploy:generated_reference"], blobs["vae_test:generated_reference"])


def test_the_dcgans_encoder_is_a_random_projection_of_the_pixels(blobs):
    projection, query = blobs["projection"], blobs["dcgan:query"].reshape(BATCH, -1)
    assert projection.shape == (NZ, 64 * 64)
    assert projection.std() == pytest.approx(1 / 64, rel=0.05)
    close(blobs["dcgan:latent"][:, :, 0, 0], (2 * query - 1) @ projection.T)


def cross_entropy(logit, wanted):
    """-log of the probability of `wanted`, 0 or 1, whose logit is `logit`; the mean."""
    return np.log1p(np.exp(-logit if wanted else logit)).mean()


def test_what_the_players_minimise(blobs):
    real = blobs["discriminator:disc_conv5"]
    generated = blobs["discriminator:disc_conv5_generated"]
    close(blobs["discriminator:disc_input"], 2 * blobs["discriminator:reference"] - 1)
    close(
        blobs["discriminator:disc_input_generated"],
        2 * blobs["discriminator:generated_reference"] - 1,
    )
    close(blobs["discriminator:loss_real"], cross_entropy(real, 1))
    close(blobs["discriminator:loss_generated"], cross_entropy(generated, 0))
    judged = blobs["dcgan:disc_conv5_generated"]
    close(blobs["dcgan:loss_generation"], cross_entropy(judged, 1))


def test_each_player_learns_its_own_layers(blobs):
    for player, own, others in (("dcgan", "dec1", "disc"), ("discriminator", "disc", "dec1")):
        gradients = {
            name.split(":")[1]: values
            for name, values in blobs.items()
            if name.startswith(f"{player}_gradient:") and "_bn" not in name
        }
        learnt = {name for name, values in gradients.items() if values.any()}
        assert {name.split("_")[0] for name in learnt} == {own}, player
        assert learnt == {name for name in gradients if name.startswith(own)}
        assert [name for name in gradients if name.startswith(others)], "the other one is there"
