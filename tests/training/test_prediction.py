"""Predicting a split: the fields of both files, mirror averaging, chosen joints."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.data.datasets import open_dataset
from metrabs.data.examples import PoseDataset
from metrabs.data.loading.pipeline import evaluation_batches
from metrabs.data.storage.cache import write_cache
from metrabs.errors import UserError
from metrabs.geometry.projection import project_pose
from metrabs.models.crop_model import CropModel
from metrabs.skeletons import JointInfo
from metrabs.training.callbacks import read_history
from metrabs.training.model_loading import load_crop_model, source_checkpoint
from metrabs.training.prediction import mirror_pose, predict, predict_with_mirroring
from metrabs.training.prediction_files import read_predictions
from metrabs.training.train import train
from tests.golden.tolerances import assert_close
from tests.training.tiny import JOINTS_3D, build_tiny_backbone, tiny_config

_ORIGINAL_FIELDS = (
    "image_path", "coords3d_pred_cam", "coords3d_pred_world", "coords3d_true_cam",
    "coords3d_true_world",
)  # fmt: skip
_ALL_FIELDS = (*_ORIGINAL_FIELDS, "joint_validity_mask", "joint_names", "joint_names_true")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A run of one step; batches of two for five test examples."""
    config = tiny_config(tmp_path_factory.mktemp("trained"), training_steps=1, with_2d=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metrabs.models.build.build_backbone", build_tiny_backbone)
        train(config)
    return config


def _predicted(config: Config, **settings: Any) -> dict[str, np.ndarray]:
    return read_predictions(predict(config.replace(**settings)), _ALL_FIELDS)


def test_npz_and_hdf5_hold_the_same_fields(trained: Config) -> None:
    npz, hdf5 = _predicted(trained), _predicted(trained, pred_path="poses.h5")
    folder = pathlib.Path(trained.run.logdir)
    assert {"predictions_tiny3d.npz", "poses.h5"} <= {path.name for path in folder.iterdir()}
    for name in _ALL_FIELDS:
        np.testing.assert_array_equal(npz[name], hdf5[name], err_msg=name)
    assert npz["coords3d_pred_world"].shape == (5, JOINTS_3D.num_joints, 3)
    assert [pathlib.Path(path).name for path in hdf5["image_path"]] == [
        f"3d_{i}.jpg" for i in range(5)
    ]
    assert hdf5["joint_names"].tolist() == list(JOINTS_3D.names)


def test_true_poses_are_mapped_back_to_world_space(trained: Config) -> None:
    arrays = _predicted(trained)
    examples = open_dataset(trained.data.dataset3d).split("test")
    mask = arrays["joint_validity_mask"]
    expected = np.stack([example.world_coords for example in examples])
    assert mask.sum() == 5 * (JOINTS_3D.num_joints - 1)  # one joint of each is unknown
    np.testing.assert_allclose(arrays["coords3d_true_world"][mask], expected[mask], atol=0.1)


def test_mirrored_predictions_are_those_of_the_mirroring_model(trained: Config) -> None:
    actual = _predicted(trained, test_time_mirror_aug=True, test_on="valid")["coords3d_pred_cam"]
    model = load_crop_model(source_checkpoint(trained))
    examples = open_dataset(trained.data.dataset3d).split("valid")
    batch = next(evaluation_batches(examples, JOINTS_3D, trained.loading, len(examples), 0))
    image = tf.cast(batch["image"], tf.float32) / 255
    expected = predict_with_mirroring(model, image, batch["intrinsics"])[0]
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=0.1)
    plain = _predicted(trained, test_on="valid")["coords3d_pred_cam"]
    assert np.abs(actual - plain).max() > 1


def test_output_skeleton_can_be_selected(trained: Config, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "few.pkl"
    write_cache(path, PoseDataset("few", JointInfo("head,pelv", ""), []))
    chosen = _predicted(trained, output_joints=str(path), pred_path="few.h5")
    every = _predicted(trained)
    assert chosen["joint_names"].tolist() == ["head", "pelv"]
    indices = [JOINTS_3D.ids["head"], JOINTS_3D.ids["pelv"]]
    for name in ("coords3d_pred_cam", "coords3d_pred_world"):
        np.testing.assert_array_equal(chosen[name], every[name][:, indices])
    assert chosen["coords3d_true_cam"].shape == (5, JOINTS_3D.num_joints, 3)


def test_unknown_format_is_reported_before_the_model_is_built(
    trained: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "metrabs.training.prediction.load_crop_model", lambda *args: pytest.fail("model was built")
    )
    with pytest.raises(UserError, match="must end in .npz or .h5"):
        predict(trained.replace(pred_path="poses.csv"))
    with pytest.raises(UserError, match="has no examples in its 'test' split"):
        empty = pathlib.Path(trained.run.logdir) / "empty.pkl"
        write_cache(empty, PoseDataset("empty", JOINTS_3D, []))
        predict(trained.replace(dataset3d=str(empty)))


def test_metro_trains_and_predicts(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, model_class="Metro", training_steps=1, validate_period=1)
    train(config)
    rows = read_history(tmp_path / "run")
    assert {"loss3d", "loss2d", "mean_error"} <= set(rows[0])
    assert "val_mean_error" in rows[-1] and "val_mean_error_abs" not in rows[-1]
    with np.load(predict(config)) as file:
        assert file["coords3d_pred_cam"].shape == (5, JOINTS_3D.num_joints, 3)


@pytest.fixture(scope="module")
def model(trained: Config) -> CropModel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metrabs.models.build.build_backbone", build_tiny_backbone)
        return load_crop_model(source_checkpoint(trained))


@pytest.fixture
def inputs() -> tuple[tf.Tensor, tf.Tensor]:
    """Three crops, and cameras with central principal points."""
    crops = np.random.default_rng(3).random((3, 64, 64, 3), dtype=np.float32)
    intrinsics = [[[f, 0, 31.5], [0, f, 31.5], [0, 0, 1]] for f in (75, 125, 225)]
    return tf.constant(crops), tf.constant(intrinsics, tf.float32)


def test_mirroring_negates_x_and_exchanges_sides() -> None:
    pose = tf.constant([[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]])
    mirrored = mirror_pose(pose, JointInfo("pelv,lsho,rsho").mirror_mapping)
    np.testing.assert_array_equal(mirrored[0], [[-1, 2, 3], [-7, 8, 9], [-4, 5, 6]])


def test_mirroring_twice_changes_nothing() -> None:
    pose = tf.random.stateless_normal([2, JOINTS_3D.num_joints, 3], [0, 1])
    twice = mirror_pose(mirror_pose(pose, JOINTS_3D.mirror_mapping), JOINTS_3D.mirror_mapping)
    assert_close(twice, pose)


def test_a_mirrored_crop_gives_the_mirrored_average(
    model: CropModel, inputs: tuple[tf.Tensor, tf.Tensor]
) -> None:
    crops, intrinsics = inputs
    poses, _ = predict_with_mirroring(model, crops, intrinsics)
    of_flipped, _ = predict_with_mirroring(model, crops[:, :, ::-1], intrinsics)
    assert_close(mirror_pose(of_flipped, JOINTS_3D.mirror_mapping), poses, rtol=1e-4)


def test_2d_output_averages_projections(
    model: CropModel, inputs: tuple[tf.Tensor, tf.Tensor]
) -> None:
    crops, intrinsics = inputs
    _, poses2d = predict_with_mirroring(model, crops, intrinsics)
    plain = model((crops, intrinsics))
    flipped = mirror_pose(model((crops[:, :, ::-1], intrinsics)), JOINTS_3D.mirror_mapping)
    expected = (project_pose(plain, intrinsics) + project_pose(flipped, intrinsics)) / 2
    assert_close(poses2d, expected)
