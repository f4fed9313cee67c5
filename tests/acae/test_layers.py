from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from metrabs.acae.layers import AffineCombinationLayer, AffineCombiningAutoencoder
from metrabs.acae.losses import reconstruction_loss, sparsity_loss
from metrabs.errors import UserError
from tests.geometry.run_modes import in_all_run_modes
from tests.golden.tolerances import assert_close

SIZES = {
    "num_joints_sided": 14,
    "num_joints_central": 5,
    "num_latents_sided": 6,
    "num_latents_central": 2,
}
MIRROR_JOINTS = [*range(7, 14), *range(7), *range(14, 19)]
MIRROR_LATENTS = [*range(3, 6), *range(3), *range(6, 8)]


def make_autoencoder(chiral=True, seed=0):
    return AffineCombiningAutoencoder(**SIZES, chiral=chiral, seed=seed)


def make_poses(seed, num_poses=4):
    rng = np.random.default_rng(seed)
    return (rng.uniform(-900, 900, (num_poses, 19, 3)) + [100, -200, 4000]).astype(np.float32)


@pytest.mark.parametrize("chiral", [True, False])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_all_combinations_are_affine(chiral, seed):
    w1, w2 = (matrix.numpy() for matrix in make_autoencoder(chiral, seed).weight_matrices())
    assert w1.shape == (19, 8) and w2.shape == (8, 19)
    for matrix in (w1, w2, w1 @ w2):
        assert_close(matrix.sum(axis=0), np.ones(matrix.shape[1]), rtol=1e-5)


@in_all_run_modes
@pytest.mark.parametrize("part", ["encoder", "decoder", "both"])
def test_shifts_and_linear_maps_of_space_carry_over(wrap, part):
    autoencoder = make_autoencoder(seed=3)
    function = autoencoder if part == "both" else getattr(autoencoder, part)
    points = make_poses(0)[:, : 8 if part == "decoder" else 19]
    run = wrap(lambda p: function(p))
    rotation = Rotation.random(random_state=1).as_matrix()
    shear = np.array([[1, 0.3, 0], [0, 1, -0.2], [0, 0, 1.0]])
    maps = [rotation, 1.3 * rotation, shear, np.diag([-1.0, 1, 1])]
    for matrix in np.float32(maps):
        assert (
            np.abs(run(tf.constant(points @ matrix)) - run(tf.constant(points)) @ matrix).max()
            < 1e-2
        )
    shift = np.float32([300, -500, 800])
    assert np.abs(run(tf.constant(points + shift)) - run(tf.constant(points)) - shift).max() < 1e-2


def test_coordinates_do_not_influence_each_other():
    autoencoder, poses = make_autoencoder(), make_poses(1)
    both = autoencoder(tf.constant(poses)).numpy()
    assert_close(autoencoder(tf.constant(poses[..., :2])), both[..., :2], rtol=1e-6)


def test_mirroring_the_input_mirrors_latents_and_reconstruction():
    autoencoder, poses = make_autoencoder(seed=5), make_poses(2)
    mirrored = poses[:, MIRROR_JOINTS] * np.float32([-1, 1, 1])
    for function, mapping in ((autoencoder.encoder, MIRROR_LATENTS), (autoencoder, MIRROR_JOINTS)):
        expected = function(tf.constant(poses)).numpy()[:, mapping] * np.float32([-1, 1, 1])
        assert_close(function(tf.constant(mirrored)), expected, rtol=1e-6)


@pytest.mark.parametrize("chiral", [True, False])
def test_weights_are_mirror_symmetric_exactly_when_shared(chiral):
    w1, w2 = (matrix.numpy() for matrix in make_autoencoder(chiral).weight_matrices())
    for matrix, rows, columns in (
        (w1, MIRROR_JOINTS, MIRROR_LATENTS),
        (w2, MIRROR_LATENTS, MIRROR_JOINTS),
    ):
        assert np.allclose(matrix[rows][:, columns], matrix, rtol=1e-6, atol=0) == chiral


@pytest.mark.parametrize("negative", [False, True])
def test_sparsity_is_smallest_without_negative_weights(negative):
    rng = np.random.default_rng(4)
    matrices = []
    for shape in ((19, 8), (8, 19)):
        matrix = rng.uniform(0.1, 1, shape)
        matrix[0, 0] *= -1 if negative else 1
        matrices.append((matrix / matrix.sum(axis=0)).astype(np.float32))
    excess = float(sparsity_loss(*matrices)) - (1 / 19 + 1 / 8)
    assert excess > 1e-4 if negative else abs(excess) < 1e-6


def test_projected_loss_ignores_the_distance_of_the_reconstruction():
    poses = make_poses(3)
    assert float(reconstruction_loss(tf.constant(poses), tf.constant(poses * 1.7))) < 1e-6
    changed = tf.constant(poses + np.float32([10, 0, 0]))
    loss = float(reconstruction_loss(tf.constant(poses), changed))
    assert loss > 1e-3
    assert_close(float(reconstruction_loss(tf.constant(poses), changed * 0.6)), loss)


def test_unprojected_loss_is_the_mean_absolute_difference_in_metres():
    poses = tf.constant(make_poses(4))
    assert_close(float(reconstruction_loss(poses, poses + 30, projected=False)), 0.03, rtol=1e-4)


def test_settings_survive_a_round_trip():
    layer = AffineCombinationLayer(**SIZES, direction="decode", chiral=False, seed=7)
    copy = AffineCombinationLayer.from_config(layer.get_config())
    for one in (layer, copy):
        one.build(None)
    assert_close(copy.weight_matrix(), layer.weight_matrix())
    model = make_autoencoder(seed=8)
    model_copy = AffineCombiningAutoencoder.from_config(model.get_config())
    assert_close(model_copy.weight_matrices()[0], model.weight_matrices()[0])


def test_number_of_trained_blocks():
    assert len(make_autoencoder(chiral=True).trainable_variables) == 10
    assert len(make_autoencoder(chiral=False).trainable_variables) == 18


def test_blocks_start_independent_and_within_the_initial_range():
    blocks = make_autoencoder(chiral=False).encoder.blocks
    values = np.concatenate([block.numpy().reshape(-1) for block in blocks.values()])
    assert values.min() >= -0.1 and values.max() <= 1
    assert len(np.unique(values)) == len(values)


def test_unknown_direction_is_rejected():
    with pytest.raises(UserError, match="direction 'sideways'"):
        AffineCombinationLayer(**SIZES, direction="sideways")
