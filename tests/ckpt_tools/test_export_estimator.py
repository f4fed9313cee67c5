from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from ckpt_tools.export_estimator import ExportSettings, main, run
from metrabs.errors import UserError
from metrabs.skeletons.tables import dataset_joint_info
from tests.estimator.fakes import FakeCropModel


def _export(model, output, **others):
    run(ExportSettings(str(model), str(output), **others))


def test_model_and_output_must_be_given(tmp_path, capsys):
    assert main([f"--model={tmp_path}"]) == 1
    assert "--model and --output" in capsys.readouterr().err


def test_rejects_folder_without_saved_model(tmp_path):
    message = "not the SavedModel folder of a crop model.*--export_file"
    with pytest.raises(UserError, match=message):
        _export(tmp_path, tmp_path / "out")


def test_rejects_unrelated_saved_model(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(UserError, match="it has no predict_multi"):
        _export(tmp_path, tmp_path / "out")


def test_unreadable_side_files_are_named(tmp_path):
    model = FakeCropModel(np.array(["pelv", "head"]), np.array([[0, 1]]), np.zeros([2, 3]))
    tf.saved_model.save(model, str(tmp_path / "model"))
    bad = tmp_path / "bad"
    bad.write_text("nonsense")
    for flag in ("skeletons", "joint_transform", "bone_lengths", "affine_weights"):
        with pytest.raises(UserError, match="bad"):
            _export(tmp_path / "model", tmp_path / "out", detector="none", **{flag: str(bad)})


@pytest.mark.slow
def test_archive_offers_the_formats_of_the_crop_model(tmp_path):
    joint_info = dataset_joint_info("surreal")
    model = FakeCropModel(
        np.array(joint_info.names), np.array(joint_info.edges), np.zeros([24, 3])
    )
    tf.saved_model.save(model, str(tmp_path / "model"))
    archive = tmp_path / "estimator.tar.gz"
    assert main([f"--model={tmp_path / 'model'}", f"--output={archive}", "--detector=none"]) == 0
    with archive.open("rb") as file:
        assert file.read(2) == b"\x1f\x8b"
    _export(tmp_path / "model", tmp_path / "estimator", detector="none")
    loaded = tf.saved_model.load(str(tmp_path / "estimator"))
    assert loaded.per_skeleton_joint_names["smpl_24"].numpy()[0] == b"pelv"
    manifest = json.loads((tmp_path / "estimator/assets.extra/manifest.json").read_text())
    assert manifest["num_joints_per_skeleton"] == {"": 24, "smpl_24": 24}
    assert manifest["settings"]["detector"] == "none"
