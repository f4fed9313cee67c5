"""Poses in given boxes of full images: the part that the four public functions share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator import signatures as sig
from metrabs.estimator.box_inputs import BoxInputs, make_box_inputs, one_per_image
from metrabs.estimator.crop_prediction import crop_predictor, predict_poses, project_poses
from metrabs.estimator.input_checks import checked_inputs, checked_poses
from metrabs.estimator.plausibility import has_plausible_bones, joint_stdev, select_poses_to_keep
from metrabs.estimator.skeleton_selection import build_index_table, check_skeletons, look_up_joints
from metrabs.estimator.test_time_augmentation import make_augmentations
from metrabs.models.description import joint_info_of
from metrabs.skeletons.tables import Skeleton

Predictions = dict[str, Union[tf.Tensor, tf.RaggedTensor]]


class BoxPoseEstimator(tf.Module):
    """Estimates the poses of people whose boxes are known.

    Its function is traced and stored once for all four public functions.

    Args:
        crop_model, skeletons, bone_lengths_mm, joint_transform, rotation_degrees, rotation_mode,
            crop_dtype: see `metrabs.estimator.estimator.PoseEstimator`.

    Raises:
        UserError: the parts do not fit together.
    """

    def __init__(
        self,
        crop_model: Any,
        skeletons: Mapping[str, Skeleton],
        *,
        bone_lengths_mm: Union[Sequence[float], np.ndarray, None],
        joint_transform: Optional[np.ndarray],
        rotation_degrees: float,
        rotation_mode: str,
        crop_dtype: Optional[str],
    ) -> None:
        super().__init__(name="box_pose_estimator")
        self.crop_model = crop_model
        joint_info = joint_info_of(crop_model)
        num_joints = joint_info.num_joints
        self._mirror_mapping = np.array(joint_info.mirror_mapping, np.int32)
        self._joint_transform = _as_array(joint_transform, "joint transform", [num_joints, None])
        self._bone_lengths_mm = _as_array(bone_lengths_mm, "bone lengths", [len(joint_info.edges)])
        if self._joint_transform is not None:
            num_joints = self._joint_transform.shape[1]
        check_skeletons(skeletons, num_joints)
        self._skeleton_names = list(skeletons)
        self.skeleton_joint_indices_table = build_index_table(skeletons)
        self._rotation_degrees, self._rotation_mode = rotation_degrees, rotation_mode
        self._predict_crops = crop_predictor(crop_model, crop_dtype)

    @tf.function(
        input_signature=[
            sig.image_spec(batched=True),
            sig.boxes_spec(num_columns=5),
            sig.camera_specs(batched=True),
            sig.option_specs(),
            tf.TensorSpec([], tf.bool),
        ],
        autograph=False,
    )
    def estimate(
        self,
        images: tf.Tensor,
        boxes: tf.RaggedTensor,
        cameras: sig.Cameras,
        options: sig.Options,
        suppress: tf.Tensor,
    ) -> Predictions:
        """Estimates the poses of people in given boxes.

        Args:
            images: uint8 `[N, H, W, 3]`.
            boxes: ragged `[N, None, 5]`, left, top, width, height, pixels, and score.
            cameras: Cameras of the images.
            options: Options of the prediction.
            suppress: bool, whether improbable and duplicate poses are dropped.

        Returns:
            `boxes`, `poses3d`, `poses2d` and `spread3d` of `PoseEstimator.detect_poses_batched`.

        Raises:
            tf.errors.InvalidArgumentError: see `input_checks`; unknown skeleton.
        """
        cameras, options = checked_inputs(images, boxes, cameras, options)
        joints = look_up_joints(
            self.skeleton_joint_indices_table, options.skeleton, self._skeleton_names
        )
        extrinsics = one_per_image(cameras.extrinsic_matrix, images)
        up_cam = tf.reduce_sum(extrinsics[:, :3, :3] * cameras.world_up_vector, axis=-1)
        box_inputs = make_box_inputs(
            images,
            boxes,
            cameras.intrinsic_matrix,
            cameras.distortion_coeffs,
            up_cam,
            cameras.default_fov_degrees,
        )
        crop_poses = self._predict_crop_poses(images, box_inputs, options)
        poses = self._transform_joints(checked_poses(crop_poses, boxes.values, suppress))
        poses2d = project_poses(poses, box_inputs.intrinsics, box_inputs.distortion_coeffs)
        kept = tf.cond(
            suppress,
            lambda: select_poses_to_keep(poses, poses2d, boxes, self._check_bones(crop_poses)),
            lambda: boxes.with_values(tf.range(tf.shape(boxes.values)[0])),
        )
        poses = _to_world(
            tf.gather(poses, kept.values),
            tf.gather(extrinsics, tf.gather(box_inputs.image_ids, kept.values)),
        )
        poses = tf.gather(poses, joints, axis=2)
        poses2d = tf.gather(tf.gather(poses2d, kept.values), joints, axis=2)
        average = options.average_aug
        return {
            "boxes": kept.with_values(tf.gather(boxes.values, kept.values)),
            "poses3d": kept.with_values(_average_views_if(average, poses)),
            "poses2d": kept.with_values(_average_views_if(average, poses2d)),
            "spread3d": kept.with_values(joint_stdev(poses)),
        }

    def _predict_crop_poses(
        self, images: tf.Tensor, box_inputs: BoxInputs, options: sig.Options
    ) -> tf.Tensor:
        """Returns `[B, A, Jc, 3]`, mm in the camera frames of the images."""
        return predict_poses(
            self._predict_crops,
            images,
            box_inputs,
            make_augmentations(options.num_aug, self._rotation_degrees, self._rotation_mode),
            mirror_mapping=self._mirror_mapping,
            crop_side=self.crop_model.input_resolution,
            antialias_factor=options.antialias_factor,
            internal_batch_size=options.internal_batch_size,
        )

    def _transform_joints(self, poses: tf.Tensor) -> tf.Tensor:
        if self._joint_transform is None:
            return poses
        # In double precision, since GPUs may multiply float32 matrices in TensorFloat-32.
        weights = tf.constant(self._joint_transform, tf.float64)
        transformed = tf.einsum("baic,io->baoc", tf.cast(poses, tf.float64), weights)
        return tf.cast(transformed, tf.float32)

    def _check_bones(self, crop_poses: tf.Tensor) -> tf.Tensor:
        # Before the joint transform: the lengths are those of the crop model's own edges.
        mean_poses = tf.reduce_mean(crop_poses, axis=1)
        if self._bone_lengths_mm is None:
            return tf.ones(tf.shape(mean_poses)[:1], tf.bool)
        return has_plausible_bones(mean_poses, self.crop_model.joint_edges, self._bone_lengths_mm)


def _to_world(poses: tf.Tensor, extrinsics: tf.Tensor) -> tf.Tensor:
    """Transforms `[n, A, J, 3]` from the camera frames to the world frame."""
    inverse = tf.linalg.inv(extrinsics)[:, tf.newaxis, tf.newaxis, :3]
    rotated = tf.reduce_sum(inverse[..., :3] * poses[..., tf.newaxis, :], axis=-1)
    return rotated + inverse[..., 3]


def _average_views_if(average: tf.Tensor, poses: tf.Tensor) -> tf.Tensor:
    return tf.cond(average, lambda: tf.reduce_mean(poses, axis=1), lambda: poses)


def _as_array(values: Any, name: str, shape: Sequence[Optional[int]]) -> Optional[np.ndarray]:
    """Converts optional float values and checks their shape."""
    if values is None:
        return None
    array = np.asarray(values, np.float32)
    if not tf.TensorShape(shape).is_compatible_with(array.shape):
        expected = " x ".join("any" if size is None else str(size) for size in shape)
        raise UserError(
            f"The {name} must be an array of shape {expected}, not "
            f"{' x '.join(map(str, array.shape))}; they belong to the joints of the crop model."
        )
    return array
