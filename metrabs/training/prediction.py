"""Predicting the poses of a dataset, and writing them to a file."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tqdm

from metrabs.config import Config
from metrabs.data.datasets import open_dataset
from metrabs.data.loading.pipeline import evaluation_batches
from metrabs.errors import UserError
from metrabs.folders import DataFolders
from metrabs.geometry.projection import project_pose
from metrabs.models.crop_model import CropModel
from metrabs.models.joint_selection import skeleton_indices
from metrabs.skeletons import JointInfo, tables
from metrabs.skeletons.merged_sets import member_names
from metrabs.training.model_loading import load_crop_model, source_checkpoint
from metrabs.training.prediction_files import check_prediction_path, joined, write_predictions

_logger = logging.getLogger(__name__)


def predict_poses(
    model: CropModel, batches: Iterable[Mapping[str, Any]], mirror: bool = False
) -> dict[str, np.ndarray]:
    """Predicts all examples of some batches.

    Args:
        model: Crop model.
        batches: 3D-labelled batches of `metrabs.data.loading.pipeline.evaluation_batches`.
        mirror: Whether to average each prediction with that of the mirror image.

    Returns:
        Arrays over the n examples in their order: `coords3d_pred_cam`, `coords3d_pred_world`
        `[n, J, 3]`, `coords3d_true_cam`, `coords3d_true_world` `[n, J', 3]` with the joints of
        the dataset, `joint_validity_mask` bool `[n, J']` and `image_path` (strings). All mm; 'cam'
        is the frame of the crop's camera, where invalid true joints are 0.
    """
    return joined(predicted_batches(model, batches, mirror))


def predicted_batches(
    model: CropModel,
    batches: Iterable[Mapping[str, Any]],
    mirror: bool = False,
    joint_indices: Optional[Sequence[int]] = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Yields what `predict_poses` returns, batch by batch.

    Args:
        model: Crop model.
        batches: 3D-labelled batches of `metrabs.data.loading.pipeline.evaluation_batches`.
        mirror: Whether to average each prediction with that of the mirror image.
        joint_indices: Indices of the predicted joints to keep; default: all.
    """
    predict_batch = _predict_with_mirroring(model) if mirror else model.predict_multi_float32
    kept = slice(None) if joint_indices is None else list(joint_indices)
    for batch in batches:
        image = tf.cast(batch["image"], tf.float32) / 255
        pred = predict_batch(image, batch["intrinsics"]).numpy()[:, kept]
        true, rotation, position = (
            np.asarray(batch[name]) for name in ("coords3d_true", "rot_to_world", "cam_loc")
        )
        yield {
            "coords3d_pred_cam": pred,
            "coords3d_pred_world": camera_to_world(pred, rotation, position),
            "coords3d_true_cam": true,
            "coords3d_true_world": camera_to_world(true, rotation, position),
            "joint_validity_mask": np.asarray(batch["joint_validity_mask"]),
            "image_path": np.array([path.decode("utf-8") for path in batch["image_path"]]),
        }


def mirror_pose(poses3d_cam_mm: tf.Tensor, mirror_mapping: Sequence[int]) -> tf.Tensor:
    """Mirrors poses `[B, J, 3]` at the plane x = 0 and swaps left and right joints.

    Args:
        poses3d_cam_mm: Poses in camera space.
        mirror_mapping: For each joint, the index of its left-right counterpart.
    """
    return tf.gather(poses3d_cam_mm, list(mirror_mapping), axis=1) * tf.constant([-1.0, 1.0, 1.0])


def predict_with_mirroring(
    model: CropModel, images: tf.Tensor, intrinsics: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Predicts crops and their mirror images and averages the two.

    The principal point of a crop is its centre, so that the mirror image has the same camera.

    Args:
        model: Crop model.
        images: `[B, S, S, 3]`, RGB in 0..1.
        intrinsics: `[B, 3, 3]`.

    Returns:
        poses3d `[B, J, 3]` in mm of camera space, and poses2d `[B, J, 2]` in pixels: the average
        of the two projections, not the projection of the average (as in the original).
    """
    plain = model((images, intrinsics), training=False)
    flipped = model((tf.reverse(images, axis=[2]), intrinsics), training=False)
    flipped = mirror_pose(flipped, model.joint_info.mirror_mapping)
    poses2d = (project_pose(plain, intrinsics) + project_pose(flipped, intrinsics)) / 2
    return (plain + flipped) / 2, poses2d


def camera_to_world(
    coords3d_cam_mm: np.ndarray, rotation_to_world: np.ndarray, camera_position_mm: np.ndarray
) -> np.ndarray:
    """Maps poses `[n, J, 3]` by `R p + t`, with R `[n, 3, 3]` and t `[n, 3]` of each example."""
    rotated = np.einsum("njk,nik->nji", coords3d_cam_mm, rotation_to_world)
    return rotated + camera_position_mm[:, np.newaxis]


def predict(config: Config) -> pathlib.Path:
    """Predicts a split of `dataset3d` with a trained model and writes a file (.npz or .h5).

    The file holds what `predict_poses` returns, with the joints chosen by `output_joints`, and
    the names of predicted and true joints as `joint_names` and `joint_names_true`. HDF5 files are
    written batch by batch, so that memory does not limit the number of examples.

    Args:
        config: Settings of the run whose checkpoint is used, and of the prediction.

    Returns:
        The path of the file.

    Raises:
        UserError: there is no checkpoint or dataset, the split is empty, or the file's format
            is unknown.
    """
    checkpoint = source_checkpoint(config)
    path = checkpoint.parent / (
        config.run.pred_path or f"predictions_{pathlib.Path(config.data.dataset3d).stem}.npz"
    )
    check_prediction_path(path)
    folders = config.run.folders
    dataset = open_dataset(config.data.dataset3d, folders)
    examples = dataset.split(config.data.test_on)
    if not len(examples):
        raise UserError(
            f"Dataset '{config.data.dataset3d}' has no examples in its '{config.data.test_on}' "
            "split. Choose another --test_on."
        )
    model = load_crop_model(checkpoint, config)
    indices = _output_joint_indices(model.joint_info, config.data.output_joints, folders)
    batch_size = config.data.batch_size_test
    batches = evaluation_batches(
        examples, dataset.joint_info, config.loading, batch_size, config.run.workers, folders
    )
    num_batches = -(-len(examples) // batch_size)
    predictions = predicted_batches(
        model,
        tqdm.tqdm(batches, "predicting", num_batches, disable=None),
        config.run.test_time_mirror_aug,
        indices,
    )
    joint_names = {
        "joint_names": np.array(model.joint_info.names)[indices],
        "joint_names_true": np.array(dataset.joint_info.names),
    }
    write_predictions(path, predictions, joint_names)
    _logger.info("Wrote the predictions of %d examples to %s", len(examples), path)
    return path


def _predict_with_mirroring(model: CropModel) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    @tf.function(reduce_retracing=True)
    def _predict_batch(image: tf.Tensor, intrinsics: tf.Tensor) -> tf.Tensor:
        return predict_with_mirroring(model, image, intrinsics)[0]

    return _predict_batch


def _output_joint_indices(
    joint_info: JointInfo, skeleton: Optional[str], folders: DataFolders
) -> list[int]:
    """Returns the indices of the model's joints of a (dataset's or merged) skeleton, or all."""
    if not skeleton:
        return list(range(joint_info.num_joints))
    if skeleton in (*member_names("huge8"), *member_names("huge2d_common")):
        suffix = tables.format_suffix(tables.format_members(skeleton)[0])
        names = tables.dataset_joint_info(skeleton, merged_names=False).names
        return skeleton_indices(joint_info.names, names, suffix)
    names = open_dataset(skeleton, folders).joint_info.names
    return skeleton_indices(joint_info.names, names, skeleton)
