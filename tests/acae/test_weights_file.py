from __future__ import annotations

import numpy as np
import pytest

from metrabs.acae.weights_file import (
    AffineWeights,
    load_affine_weights,
    save_affine_weights,
    zero_small_weights,
)
from metrabs.errors import UserError

NAMES = ("lwri", "rwri", "neck")


@pytest.fixture
def weights():
    rng = np.random.default_rng(0)
    w1, w2 = rng.uniform(0.1, 1, (3, 2)), rng.uniform(0.1, 1, (2, 3))
    return AffineWeights(w1 / w1.sum(axis=0), w2 / w2.sum(axis=0), NAMES)


def assert_same(actual, expected):
    assert np.array_equal(actual.w1, expected.w1) and np.array_equal(actual.w2, expected.w2)
    assert actual.joint_names == expected.joint_names


def test_saved_weights_load_unchanged(tmp_path, weights):
    path = tmp_path / "folder" / "weights.npz"
    save_affine_weights(path, weights, num_latents_sided=2)
    assert_same(load_affine_weights(path), weights)
    assert int(np.load(path)["num_latents_sided"]) == 2


def test_file_without_joint_names_loads(tmp_path, weights):
    np.savez(tmp_path / "released.npz", w1=weights.w1, w2=weights.w2)
    loaded = load_affine_weights(tmp_path / "released.npz")
    assert loaded.joint_names is None
    assert loaded.for_joints(NAMES).joint_names == NAMES
    with pytest.raises(UserError, match="for 3 joints, but the model has 2"):
        loaded.for_joints(NAMES[:2])


def test_bare_name_is_found_below_the_data_root(tmp_path, weights, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    save_affine_weights(tmp_path / "skeleton_conversion" / "huge_l48_6e-1.5.npz", weights)
    assert_same(load_affine_weights("huge_l48_6e-1.5"), weights)
    with pytest.raises(UserError, match="not found: .*other.npz"):
        load_affine_weights("other")


def test_weights_follow_the_order_of_the_joints(weights):
    reordered = weights.for_joints(["neck", "lwri", "rwri"])
    assert np.array_equal(reordered.w1, weights.w1[[2, 0, 1]])
    assert np.array_equal(reordered.w2, weights.w2[:, [2, 0, 1]])
    with pytest.raises(UserError, match="2 names occur on one side only"):
        weights.for_joints(["neck", "lwri", "head"])


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_unreadable_files_are_explained(tmp_path, content):
    path = tmp_path / "bad.npz"
    if content is None:
        np.savez(path, w1=np.eye(2))
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match="bad.npz"):
        load_affine_weights(path)


@pytest.mark.parametrize(
    "w1, w2, message",
    [
        (np.full([3, 2], 1 / 3), np.full([3, 2], 1 / 3), "must have shapes"),
        (np.full([3, 2], 0.5), np.full([2, 3], 0.5), "'w1' sums to 1.5"),
        (np.full([3, 2], 1 / 3), np.full([2, 3], np.nan), "'w2' sums to nan"),
        (np.full([4, 2], 0.25), np.full([2, 4], 0.5), "4 joints have 3 names"),
    ],
)
def test_invalid_weights_are_rejected(w1, w2, message):
    with pytest.raises(UserError, match=message):
        AffineWeights(w1, w2, NAMES)


def test_small_weights_become_zero_and_columns_stay_affine():
    w1 = np.array([[0.991, 0.3], [0.009, 0.3], [0, 0.4]])
    w2 = np.array([[1.005, 0.5, 1.0], [-0.005, 0.5, 0.0]])
    cleaned = zero_small_weights(AffineWeights(w1, w2, NAMES), threshold=0.01)
    assert np.allclose(cleaned.w1, [[1, 0.3], [0, 0.3], [0, 0.4]])
    assert np.allclose(cleaned.w2, [[1, 0.5, 1], [0, 0.5, 0]])
    with pytest.raises(UserError, match="use a smaller one"):
        zero_small_weights(AffineWeights(w1, w2), threshold=0.6)
