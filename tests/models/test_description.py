from __future__ import annotations

import json
import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf

from metrabs.acae.weights_file import AffineWeights, save_affine_weights
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models.description import ModelDescription, joint_info_of, read_config
from metrabs.skeletons import JointInfo
from tests.models.conftest import JOINTS, affine_weights


def test_settings_joints_and_bone_lengths_round_trip(tmp_path: pathlib.Path) -> None:
    config = Config().replace(depth=5, dataset3d="huge8")
    lengths = np.float32([100, 0, 1 / 3])
    ModelDescription(config, JOINTS, bone_lengths_mm=lengths).write(tmp_path)
    description = ModelDescription.read(tmp_path)
    assert (description.config, description.joint_info) == (config, JOINTS)
    np.testing.assert_array_equal(description.bone_lengths_mm, lengths)
    assert description.affine_weights is None


def test_known_bone_lengths_need_no_dataset(tmp_path: pathlib.Path) -> None:
    ModelDescription(Config().replace(bone_length_dataset="h36m"), JOINTS).write(tmp_path)
    assert read_config(tmp_path).data.bone_length_dataset is None


def test_affine_weights_are_copied_and_put_in_the_order_of_the_joints(
    tmp_path: pathlib.Path,
) -> None:
    given = affine_weights(joint_names=tuple(reversed(JOINTS.names)))
    save_affine_weights(
        tmp_path / "a.npz", AffineWeights(given.w1, given.w2, tuple(given.joint_names))
    )
    config = Config().replace(affine_weights=str(tmp_path / "a.npz"), regularize_to_manifold=True)
    ModelDescription.for_training(config, JOINTS).write(tmp_path / "run")
    (tmp_path / "a.npz").unlink()
    description = ModelDescription.read(tmp_path / "run")
    assert description.config.model.affine_weights == str(tmp_path / "run/affine_weights.npz")
    np.testing.assert_array_equal(description.affine_weights.w1, given.w1[::-1])
    assert list(description.affine_weights.joint_names) == JOINTS.names


def test_given_settings_take_the_place_of_stored_ones(tmp_path: pathlib.Path) -> None:
    ModelDescription(Config(), JOINTS).write(tmp_path)
    config = Config().replace(depth=7)
    assert ModelDescription.read(tmp_path, config).config is config


def test_missing_and_damaged_files_are_explained(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UserError, match="lacks config.json or joints.json"):
        ModelDescription.read(tmp_path)
    ModelDescription(Config(), JOINTS).write(tmp_path)
    for content in ("{}", "{", json.dumps({"names": ["a"], "edges": 1})):
        (tmp_path / "joints.json").write_text(content)
        with pytest.raises(UserError, match="damaged"):
            ModelDescription.read(tmp_path)
    (tmp_path / "joints.json").unlink()
    with pytest.raises(UserError, match="lacks config.json or joints.json"):
        ModelDescription.read(tmp_path)


@pytest.mark.parametrize("joints", [JOINTS, JointInfo("head,neck")])
def test_saved_models_know_their_joints(joints: JointInfo) -> None:
    exported = types.SimpleNamespace(
        joint_names=tf.Variable(joints.names),
        joint_edges=tf.Variable(np.array(joints.edges, np.int64).reshape(-1, 2)),
    )
    assert joint_info_of(exported) == joints
    description = ModelDescription.of_saved_model(exported, Config().replace(depth=3))
    assert description.joint_info == joints and description.config.model.depth == 3
