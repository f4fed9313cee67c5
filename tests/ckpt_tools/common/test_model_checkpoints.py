from __future__ import annotations

import numpy as np
import pytest

from ckpt_tools.common.model_checkpoints import (
    check_empty,
    locate_checkpoint,
    write_model_checkpoint,
)
from metrabs.errors import UserError
from metrabs.models.description import ModelDescription
from metrabs.training.model_loading import load_crop_model
from tests.ckpt_tools.common.tiny import CONFIG, build_model, network_weights, write_checkpoint

pytestmark = pytest.mark.usefixtures("tiny_backbone")


def _model_and_description():
    model = build_model()
    return model, ModelDescription(CONFIG, model.joint_info)


def test_written_model_is_the_last_checkpoint_of_its_folder(tmp_path):
    path = write_model_checkpoint(*_model_and_description(), tmp_path / "a", num_steps=8)
    assert path == locate_checkpoint(tmp_path / "a") == tmp_path / "a/ckpt-8"


def test_written_model_comes_back_with_its_joints_and_weights(tmp_path):
    model, description = _model_and_description()
    loaded = load_crop_model(write_model_checkpoint(model, description, tmp_path / "a"))
    assert loaded.joint_info == model.joint_info
    for ours, expected in zip(network_weights(loaded), network_weights(model)):
        np.testing.assert_array_equal(ours.numpy(), expected.numpy())


def test_folder_with_a_checkpoint_and_plain_file_are_in_use(tmp_path):
    write_checkpoint(tmp_path / "a")
    (tmp_path / "file").touch()
    for name in ("a", "file"):
        with pytest.raises(UserError, match="in use already.*--output"):
            check_empty(tmp_path / name)
    assert check_empty(tmp_path / "new") == tmp_path / "new"


def test_missing_checkpoint_is_explained(tmp_path):
    with pytest.raises(UserError, match="no checkpoint"):
        locate_checkpoint(tmp_path / "missing")
