from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from ckpt_tools import export_estimator as door
from metrabs.errors import UserError
from metrabs.skeletons.tables import dataset_joint_info
from tests.estimator.fakes import FakeCropModel


def _values(**given):
    values = flags.FlagValues()
    door.define_flags(values)
    values(["export_estimator", *(f"--{name}={value}" for name, value in given.items())])
    return values


def test_model_and_output_must_be_given(tmp_path):
    with pytest.raises(UserError, match="--model and --output"):
        door.export(_values(model=tmp_path))


def test_folder_that_is_no_saved_model_is_refused(tmp_path):
    message = "not the SavedModel folder of a crop model.*--export_file"
    with pytest.raises(UserError, match=message):
        door.export(_values(model=tmp_path, output=tmp_path / "out"))


def test_saved_model_of_something_else_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(UserError, match="it has no predict_multi"):
        door.export(_values(model=tmp_path, output=tmp_path / "out"))


def test_unreadable_side_files_are_named(tmp_path):
    model = FakeCropModel(np.array(["pelv", "head"]), np.array([[0, 1]]), np.zeros([2, 3]))
    tf.saved_model.save(model, str(tmp_path / "model"))
    bad = tmp_path / "bad"
    bad.write_text("nonsense")
    for flag in ("skeletons", "joint_transform", "bone_lengths", "affine_weights"):
        values = _values(model=tmp_path / "model", output=tmp_path / "out", detector="none",
                         **{flag: bad})
        with pytest.raises(UserError, match="bad"):
            door.export(values)


@pytest.mark.slow
def test_archive_offers_the_formats_of_the_crop_model(tmp_path):
    joint_info = dataset_joint_info("surreal")
    model = FakeCropModel(
        np.array(joint_info.names), np.array(joint_info.edges), np.zeros([24, 3])
    )
    tf.saved_model.save(model, str(tmp_path / "model"))
    door.export(_values(model=tmp_path / "model", output=tmp_path / "estimator.tar.gz",
                        detector="none"))
    with tf.io.gfile.GFile(str(tmp_path / "estimator.tar.gz"), "rb") as file:
        assert file.read(2) == b"\x1f\x8b"
    door.export(_values(model=tmp_path / "model", output=tmp_path / "estimator", detector="none"))
    loaded = tf.saved_model.load(str(tmp_path / "estimator"))
    assert loaded.per_skeleton_joint_names["smpl_24"].numpy()[0] == b"pelv"
    manifest = json.loads((tmp_path / "estimator/assets.extra/manifest.json").read_text())
    assert manifest["num_joints_per_skeleton"] == {"": 24, "smpl_24": 24}
    assert manifest["settings"]["detector"] == "none"
