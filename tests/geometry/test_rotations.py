from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from metrabs.geometry.rotations import look_at_rotation, rotation_about_z
from tests.geometry.run_modes import in_all_run_modes
from tests.golden.tolerances import assert_close

IDENTITY = np.eye(3, dtype=np.float32)


def assert_rotation(matrices):
    matrices = np.asarray(matrices)
    assert_close(matrices @ matrices.swapaxes(-1, -2), np.broadcast_to(IDENTITY, matrices.shape))
    assert_close(np.linalg.det(matrices), np.ones(matrices.shape[:-2]))


@in_all_run_modes
def test_camera_looks_forward_with_up_pointing_up(wrap):
    rng = np.random.default_rng(0)
    forward, up = rng.normal(size=(2, 20, 3)).astype(np.float32)
    rotation = wrap(look_at_rotation)(tf.constant(forward), tf.constant(up)).numpy()
    assert_rotation(rotation)
    seen = np.einsum("bij,bj->bi", rotation, forward)
    assert_close(seen, np.array([0, 0, 1]) * np.linalg.norm(forward, axis=-1, keepdims=True))
    up_seen = np.einsum("bij,bj->bi", rotation, up)
    assert_close(up_seen[:, 0], np.zeros(20), atol=1e-5)
    assert np.all(up_seen[:, 1] < 0)  # the y axis of an image points down


@in_all_run_modes
def test_looking_along_the_up_vector_still_gives_a_rotation(wrap):
    forward = tf.constant([[0.0, 2.0, 0.0], [0.0, -1.0, 0.0], [1.0, 1.0, 0.0], [0.3, -0.2, 0.9]])
    for up in (forward, -forward, tf.zeros([4, 3]), forward * (1 + 1e-7)):
        assert_rotation(wrap(look_at_rotation)(forward, up))


def test_one_up_vector_serves_all_directions():
    forward = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    up = np.float32([[0.1, -1, 0.2]])
    expected = look_at_rotation(forward, np.repeat(up, 5, axis=0))
    assert_close(look_at_rotation(forward, up), expected)


@settings(max_examples=20, deadline=None)
@given(first=st.floats(-4, 4), second=st.floats(-4, 4))
def test_rotations_about_z_add_up(first, second):
    a, b, both = rotation_about_z(tf.constant([first, second, first + second]))
    assert_close(a @ b, both, atol=1e-6)
    assert_rotation(a)


def test_rotation_about_z_turns_x_towards_y():
    assert_close(rotation_about_z(np.pi / 2) @ [[1.0], [0.0], [0.0]], [[0], [1], [0]], atol=1e-6)


def test_rotations_match_the_original(golden):
    data = golden("infer_geometry")
    actual = look_at_rotation(data["rotation/forward"], data["rotation/up"]).numpy()
    expected = data["rotation/R"]
    defined = np.isfinite(expected).all(axis=(1, 2))
    assert_close(actual[defined], expected[defined])
    assert_rotation(actual)
    assert_close(rotation_about_z(data["rotation_z/angles"]), data["rotation_z/R"], atol=1e-6)
