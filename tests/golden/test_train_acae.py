from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.acae.config import AcaeConfig
from metrabs.acae.joint_order import order_by_side
from metrabs.acae.layers import AffineCombiningAutoencoder
from metrabs.acae.losses import reconstruction_loss, scaled_projection, sparsity_loss
from metrabs.acae.training import learning_rate_schedule
from tests.golden.tolerances import assert_close


@pytest.fixture
def data(golden):
    return golden("train_acae")


def build_autoencoder(data, kind):
    autoencoder = AffineCombiningAutoencoder(
        num_joints_sided=int(data["n_sided"]),
        num_joints_central=int(data["n_center"]),
        num_latents_sided=int(data["n_latent_sided"]),
        num_latents_central=int(data["n_latent_center"]),
        chiral=kind == "chiral",
    )
    blocks = {}
    for short, layer in (("enc", autoencoder.encoder), ("dec", autoencoder.decoder)):
        for name, variable in layer.blocks.items():
            variable.assign(data[f"{kind}_var_{short}_{name}"])
            blocks[f"{short}_{name}"] = variable
    assert len(blocks) == sum(key.startswith(f"{kind}_var_") for key in data)
    return autoencoder, blocks


def permuted_poses(data):
    return tf.constant(data["poses"][:, data["permutation"]])


def test_joint_order_matches_the_original(data):
    order = order_by_side(data["joint_names"])
    assert np.array_equal(order.permutation, data["permutation"])
    assert np.array_equal(order.inverse, data["inv_permutation"])
    assert (order.num_sided, order.num_central) == (data["n_sided"], data["n_center"])


@pytest.mark.parametrize("kind", ["chiral", "nonchiral"])
def test_weight_matrices_and_reconstruction_match_the_original(data, kind):
    autoencoder, _ = build_autoencoder(data, kind)
    w1, w2 = (matrix.numpy() for matrix in autoencoder.weight_matrices())
    assert_close(w1, data[f"{kind}_w1_perm"])
    assert_close(w2, data[f"{kind}_w2_perm"])
    inverse = order_by_side(data["joint_names"]).inverse
    assert_close(w1[inverse], data[f"{kind}_w1"])
    assert_close(w2[:, inverse], data[f"{kind}_w2"])
    poses = permuted_poses(data)
    assert_close(autoencoder.encoder(poses), data[f"{kind}_latents_perm"])
    assert_close(autoencoder(poses), data[f"{kind}_reconstruction_perm"])


@pytest.mark.parametrize("kind", ["chiral", "nonchiral"])
@pytest.mark.parametrize("projected", [0, 1])
def test_losses_and_gradients_match_the_original(data, kind, projected):
    autoencoder, blocks = build_autoencoder(data, kind)
    poses = permuted_poses(data)
    with tf.GradientTape() as tape:
        main = reconstruction_loss(poses, autoencoder(poses), bool(projected))
        regul = sparsity_loss(*autoencoder.weight_matrices())
        loss = main + data["regul_lambda"].astype(np.float32) * regul
    prefix = f"{kind}_projected{projected}"
    assert_close(main, data[f"{prefix}_main_loss"])
    assert_close(regul, data[f"{prefix}_regul"])
    assert_close(loss, data[f"{prefix}_loss"])
    gradients = tape.gradient(loss, blocks)
    largest = max(np.abs(gradient).max() for gradient in gradients.values())
    for name, gradient in gradients.items():
        # Sums of many terms of both signs: rounding is relative to the largest of all blocks.
        assert_close(gradient, data[f"{prefix}_grad_{name}"], rtol=1e-5, atol=1e-5 * largest)


def test_projections_match_the_original(data):
    autoencoder, _ = build_autoencoder(data, "nonchiral")
    poses = permuted_poses(data)
    depths = tf.reduce_mean(poses[..., 2:], axis=1, keepdims=True)
    assert_close(scaled_projection(poses, depths), data["splat_x"])
    assert_close(scaled_projection(autoencoder(poses), depths), data["splat_y"])


def test_learning_rates_match_the_original(data):
    schedule = learning_rate_schedule(AcaeConfig(), total_steps=1)
    actual = [schedule(int(step)) for step in data["lr_steps"]]
    assert_close(actual, data["lr_values"])
