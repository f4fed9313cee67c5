from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from ckpt_tools.inspect_model import inspect, main
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.estimator.export import export_estimator
from metrabs.skeletons.tables import dataset_joint_info
from metrabs.training.export import save_crop_model
from tests.ckpt_tools.common.official_layout import JOINT_NAMES, write_name_based_checkpoint
from tests.ckpt_tools.common.tiny import CONFIG, build_model, write_checkpoint
from tests.estimator.fakes import FakeCropModel

# Kernel and four values per channel in three layers; 6 features to 3 joints x (1 + 3) channels.
NUM_BACKBONE = 3 * 3 * 3 * 4 + 4 * 4 + 3 * 3 * 4 * 5 + 4 * 5 + 5 * 6 + 4 * 6
NUM_HEAD = 6 * 12 + 12


@pytest.mark.usefixtures("tiny_backbone")
def test_checkpoint_shows_parameters_joints_and_settings(tmp_path):
    write_checkpoint(tmp_path / "run")
    result = inspect(tmp_path / "run")
    assert result.kind == "checkpoint of a run"
    assert result.num_parameters == {"backbone": NUM_BACKBONE, "heatmap_heads": NUM_HEAD}
    assert result.joint_names == JOINT_NAMES and result.input_resolution == 64
    assert result.dtypes["float32"] > 10
    assert result.settings["proc_side"] == 64
    assert result.settings["backbone"] == CONFIG.model.backbone
    text = result.to_text()
    assert f"{NUM_BACKBONE + NUM_HEAD:,}" in text and "3 joints: lwri_smpl" in text
    assert "proc_side=64" in text and json.loads(json.dumps(result.to_dict()))


@pytest.mark.usefixtures("tiny_backbone")
def test_settings_of_other_versions_are_shown_as_stored(tmp_path):
    write_checkpoint(tmp_path / "run")
    path = tmp_path / "run/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "old_setting": 7}))
    assert inspect(tmp_path / "run").settings["old_setting"] == 7
    path.write_text("nonsense")
    assert inspect(tmp_path / "run").settings is None


@pytest.mark.usefixtures("tiny_backbone")
def test_exported_crop_model_is_recognised(tmp_path):
    save_crop_model(build_model(), tmp_path / "model")
    result = inspect(tmp_path / "model")
    assert result.kind == "crop model" and result.settings is None
    assert sum(result.num_parameters.values()) == NUM_BACKBONE + NUM_HEAD


def test_full_image_model_lists_its_skeletons(tmp_path):
    joint_info = dataset_joint_info("surreal")
    model = FakeCropModel(
        np.array(joint_info.names), np.array(joint_info.edges), np.zeros([24, 3])
    )
    config = Config().replace(proc_side=256, depth=5)
    export_estimator(model, tmp_path / "model", detector=None, config=config)
    result = inspect(tmp_path / "model")
    assert result.kind == "full-image model"
    assert result.skeletons == {"": 24, "smpl_24": 24}
    assert result.input_resolution == 256 and len(result.joint_names) == 24
    assert result.settings == {"depth": 5}


def test_any_other_checkpoint_can_be_inspected(tmp_path):
    write_name_based_checkpoint(tmp_path / "model.ckpt-9", {"net/kernel": np.ones([2, 3])})
    result = inspect(tmp_path)
    assert (result.kind, result.num_parameters) == ("checkpoint", {"other": 6})
    assert result.num_bytes == 48 and result.joint_names == []


def test_unrelated_saved_model_is_recognised(tmp_path):
    tf.saved_model.save(tf.train.Checkpoint(v=tf.Variable(1.0)), str(tmp_path / "m"))
    assert inspect(tmp_path / "m").kind == "SavedModel"


def test_missing_model_is_explained(tmp_path):
    with pytest.raises(UserError, match="no checkpoint or SavedModel"):
        inspect(tmp_path)


@pytest.mark.usefixtures("tiny_backbone")
def test_command_prints_text_or_json(tmp_path, capsys):
    write_checkpoint(tmp_path / "run")
    assert main([str(tmp_path / "run")]) == 0
    assert "3 joints" in capsys.readouterr().out
    assert main([str(tmp_path / "run"), str(tmp_path / "run"), "--json"]) == 0
    assert [r["input_resolution"] for r in json.loads(capsys.readouterr().out)] == [64, 64]
    assert main([str(tmp_path / "missing")]) == 1
    assert "missing" in capsys.readouterr().err
