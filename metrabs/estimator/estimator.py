"""The full-image multi-person 3D pose estimator with its four public functions.

Frames: boxes and `poses2d` are in pixels of the input image, pixel centres at integers;
`poses3d` are in mm in the world frame that `extrinsic_matrix` (world -> camera, translation in mm)
defines, which by default is the camera frame: x right, y down, z forward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf

from metrabs.estimator import signatures as sig
from metrabs.estimator.box_inputs import keep_best_boxes
from metrabs.estimator.box_poses import BoxPoseEstimator, Predictions
from metrabs.estimator.input_checks import checked_boxes, checked_detection
from metrabs.skeletons.tables import Skeleton

Value = Any  # a tensor, or something that converts to one


class PoseEstimator(tf.Module):
    """Detects people in full images and estimates their absolute 3D poses.

    Args:
        crop_model: Model with `joint_names [Jc]`, `joint_edges [E, 2]`, `input_resolution []` (all
            variables) and `predict_multi(crops [n, S, S, 3] float16, intrinsics [n, 3, 3])`, mm.
        skeletons: the selectable output formats by name, with indices into all output joints;
            the entry '' is the default.
        detector: Detector that meets the contract of `metrabs.estimator.detectors`; None detects
            no people.
        bone_lengths_mm: usual length of each edge of the crop model; without them bones are not
            checked when implausible poses are suppressed.
        joint_transform: `[Jc, Jo]`; output joint o is the sum of crop model joints weighted by
            column o.
        rotation_degrees: largest rotation of the views.
        rotation_mode: see `test_time_augmentation.make_augmentations`.
        detector_flip_vertical_too: `detector_flip_aug` also shows the detector the image upside
            down.
        crop_dtype: 'float16', 'float32' or None, see `crop_prediction.crop_predictor`.
        affine_weights: latent autoencoder of the crop model, (w1 `[Jc, L]`, w2 `[L, Jc]`); kept as
            `affine_w1` and `affine_w2` for users, it changes no prediction.

    Attributes:
        joint_names, joint_edges: those of the crop model.
        per_skeleton_joint_names, per_skeleton_joint_edges, per_skeleton_indices: by name of the
            skeleton. `per_skeleton_edges` is the name in the published documentation.

    Raises:
        UserError: the parts do not fit together.
    """

    def __init__(
        self,
        crop_model: Any,
        skeletons: Mapping[str, Skeleton],
        *,
        detector: Any = None,
        bone_lengths_mm: Union[Sequence[float], np.ndarray, None] = None,
        joint_transform: Optional[np.ndarray] = None,
        rotation_degrees: float = 25.0,
        rotation_mode: str = "normal",
        detector_flip_vertical_too: bool = False,
        crop_dtype: Optional[str] = None,
        affine_weights: Optional[tuple[np.ndarray, np.ndarray]] = None,
    ) -> None:
        super().__init__(name="pose_estimator")
        self.crop_model = crop_model
        self.detector = detector
        self.joint_names = crop_model.joint_names
        self.joint_edges = crop_model.joint_edges
        self._flip_vertical_too = detector_flip_vertical_too
        self._box_poses = BoxPoseEstimator(
            crop_model,
            skeletons,
            bone_lengths_mm=bone_lengths_mm,
            joint_transform=joint_transform,
            rotation_degrees=rotation_degrees,
            rotation_mode=rotation_mode,
            crop_dtype=crop_dtype,
        )
        self.skeleton_joint_indices_table = self._box_poses.skeleton_joint_indices_table
        self._describe_skeletons(skeletons)
        if affine_weights is not None:
            self.affine_w1, self.affine_w2 = (_constant(w, tf.float32) for w in affine_weights)

    def _describe_skeletons(self, skeletons: Mapping[str, Skeleton]) -> None:
        self.per_skeleton_indices = {
            name: _constant(skeleton.indices, tf.int32) for name, skeleton in skeletons.items()
        }
        self.per_skeleton_joint_names = {
            name: _constant(skeleton.names, tf.string) for name, skeleton in skeletons.items()
        }
        self.per_skeleton_joint_edges = {
            name: _constant(np.reshape(skeleton.edges, [-1, 2]), tf.int32)
            for name, skeleton in skeletons.items()
        }
        self.per_skeleton_edges = self.per_skeleton_joint_edges

    @tf.function(input_signature=sig.detection_signature(batched=True), autograph=False)
    def detect_poses_batched(
        self,
        images: Value,
        intrinsic_matrix: Value = (sig.UNKNOWN_INTRINSICS,),
        distortion_coeffs: Value = (sig.NO_DISTORTION,),
        extrinsic_matrix: Value = (sig.IDENTITY_EXTRINSICS,),
        world_up_vector: Value = sig.UP_IS_MINUS_Y,
        default_fov_degrees: Value = sig.DEFAULT_FOV_DEGREES,
        internal_batch_size: Value = sig.DEFAULT_INTERNAL_BATCH_SIZE,
        antialias_factor: Value = 1,
        num_aug: Value = sig.DEFAULT_NUM_AUG,
        average_aug: Value = True,
        skeleton: Value = "",
        detector_threshold: Value = sig.DEFAULT_DETECTOR_THRESHOLD,
        detector_nms_iou_threshold: Value = sig.DEFAULT_DETECTOR_NMS_IOU_THRESHOLD,
        max_detections: Value = -1,
        detector_flip_aug: Value = False,
        suppress_implausible_poses: Value = True,
    ) -> Predictions:
        """Detects people in images of one size and estimates their poses.

        Args:
            images: uint8 `[N, H, W, 3]`, RGB.
            intrinsic_matrix: `[N or 1, 3, 3]`, pixels; a single matrix of -1 means unknown.
            distortion_coeffs: `[N or 1, n]`, up to 12 OpenCV coefficients.
            extrinsic_matrix: `[N or 1, 4, 4]`, world -> camera, mm.
            world_up_vector: `[3]`, upward direction in the world frame.
            default_fov_degrees: field of view along the larger side, for unknown intrinsics.
            internal_batch_size: largest number of crops at once, 0: no limit.
            antialias_factor: supersampling of the crops, 1: off.
            num_aug: number of views per person.
            average_aug: whether the views are averaged; else there is an axis of views.
            skeleton: name of the output format.
            detector_threshold: smallest score of a detection.
            detector_nms_iou_threshold: overlap above which detections are merged.
            max_detections: maximum number of detections per image, best score first; -1: all.
            detector_flip_aug: the detector also sees the mirrored image.
            suppress_implausible_poses: drops improbable and duplicate poses.

        Returns:
            Ragged tensors `boxes [N, None, 5]` (left, top, width, height, score), `poses3d
            [N, None, J, 3]` mm, `poses2d [N, None, J, 2]` pixels, `spread3d [N, None, J]` mm:
            standard deviation of the views, all axes together, a measure of uncertainty.
        """
        return self._detect_and_estimate(
            images,
            sig.Cameras(
                intrinsic_matrix, distortion_coeffs, extrinsic_matrix, world_up_vector,
                default_fov_degrees,
            ),
            sig.Options(internal_batch_size, antialias_factor, num_aug, average_aug, skeleton),
            sig.Detection(
                detector_threshold, detector_nms_iou_threshold, max_detections, detector_flip_aug,
                suppress_implausible_poses,
            ),
        )  # fmt: skip

    @tf.function(input_signature=sig.estimation_signature(batched=True), autograph=False)
    def estimate_poses_batched(
        self,
        images: Value,
        boxes: tf.RaggedTensor,
        intrinsic_matrix: Value = (sig.UNKNOWN_INTRINSICS,),
        distortion_coeffs: Value = (sig.NO_DISTORTION,),
        extrinsic_matrix: Value = (sig.IDENTITY_EXTRINSICS,),
        world_up_vector: Value = sig.UP_IS_MINUS_Y,
        default_fov_degrees: Value = sig.DEFAULT_FOV_DEGREES,
        internal_batch_size: Value = sig.DEFAULT_INTERNAL_BATCH_SIZE,
        antialias_factor: Value = 1,
        num_aug: Value = sig.DEFAULT_NUM_AUG,
        average_aug: Value = True,
        skeleton: Value = "",
    ) -> Predictions:
        """Estimates poses in given boxes: ragged float32 `[N, None, 4]`, image pixels.

        Other arguments and results are those of `detect_poses_batched`, without `boxes`. Nothing
        is suppressed: there is one pose per box, NaN where the box has no extent.
        """
        return self._estimate_in_boxes(
            images,
            boxes,
            sig.Cameras(
                intrinsic_matrix, distortion_coeffs, extrinsic_matrix, world_up_vector,
                default_fov_degrees,
            ),
            sig.Options(internal_batch_size, antialias_factor, num_aug, average_aug, skeleton),
        )  # fmt: skip

    @tf.function(input_signature=sig.detection_signature(batched=False), autograph=False)
    def detect_poses(
        self,
        image: Value,
        intrinsic_matrix: Value = sig.UNKNOWN_INTRINSICS,
        distortion_coeffs: Value = sig.NO_DISTORTION,
        extrinsic_matrix: Value = sig.IDENTITY_EXTRINSICS,
        world_up_vector: Value = sig.UP_IS_MINUS_Y,
        default_fov_degrees: Value = sig.DEFAULT_FOV_DEGREES,
        internal_batch_size: Value = sig.DEFAULT_INTERNAL_BATCH_SIZE,
        antialias_factor: Value = 1,
        num_aug: Value = sig.DEFAULT_NUM_AUG,
        average_aug: Value = True,
        skeleton: Value = "",
        detector_threshold: Value = sig.DEFAULT_DETECTOR_THRESHOLD,
        detector_nms_iou_threshold: Value = sig.DEFAULT_DETECTOR_NMS_IOU_THRESHOLD,
        max_detections: Value = -1,
        detector_flip_aug: Value = False,
        suppress_implausible_poses: Value = True,
    ) -> Predictions:
        """Detects people in one image `[H, W, 3]` and estimates their poses.

        The arguments are those of `detect_poses_batched` without the batch axis, and so are the
        results: dense `boxes [n, 5]`, `poses3d [n, J, 3]`, `poses2d [n, J, 2]`, `spread3d [n, J]`.
        """
        predictions = self._detect_and_estimate(
            image[tf.newaxis],
            sig.Cameras(
                intrinsic_matrix, distortion_coeffs, extrinsic_matrix, world_up_vector,
                default_fov_degrees,
            ).of_one_image(),
            sig.Options(internal_batch_size, antialias_factor, num_aug, average_aug, skeleton),
            sig.Detection(
                detector_threshold, detector_nms_iou_threshold, max_detections, detector_flip_aug,
                suppress_implausible_poses,
            ),
        )  # fmt: skip
        return {key: ragged.values for key, ragged in predictions.items()}

    @tf.function(input_signature=sig.estimation_signature(batched=False), autograph=False)
    def estimate_poses(
        self,
        image: Value,
        boxes: Value,
        intrinsic_matrix: Value = sig.UNKNOWN_INTRINSICS,
        distortion_coeffs: Value = sig.NO_DISTORTION,
        extrinsic_matrix: Value = sig.IDENTITY_EXTRINSICS,
        world_up_vector: Value = sig.UP_IS_MINUS_Y,
        default_fov_degrees: Value = sig.DEFAULT_FOV_DEGREES,
        internal_batch_size: Value = sig.DEFAULT_INTERNAL_BATCH_SIZE,
        antialias_factor: Value = 1,
        num_aug: Value = sig.DEFAULT_NUM_AUG,
        average_aug: Value = True,
        skeleton: Value = "",
    ) -> Predictions:
        """Estimates poses in given boxes `[n, 4]` of one image `[H, W, 3]`.

        The arguments are those of `estimate_poses_batched` without the batch axis, and so are the
        results: dense `poses3d [n, J, 3]`, `poses2d [n, J, 2]` and `spread3d [n, J]`.
        """
        predictions = self._estimate_in_boxes(
            image[tf.newaxis],
            tf.RaggedTensor.from_tensor(boxes[tf.newaxis]),
            sig.Cameras(
                intrinsic_matrix, distortion_coeffs, extrinsic_matrix, world_up_vector,
                default_fov_degrees,
            ).of_one_image(),
            sig.Options(internal_batch_size, antialias_factor, num_aug, average_aug, skeleton),
        )  # fmt: skip
        return {key: ragged.values for key, ragged in predictions.items()}

    def _detect_and_estimate(
        self,
        images: tf.Tensor,
        cameras: sig.Cameras,
        options: sig.Options,
        detection: sig.Detection,
    ) -> Predictions:
        detection = checked_detection(images, detection)
        boxes = keep_best_boxes(self._detect(images, detection), detection.max_detections)
        suppress = detection.suppress_implausible_poses
        return self._box_poses.estimate(images, boxes, cameras, options, suppress)

    def _estimate_in_boxes(
        self, images: tf.Tensor, boxes: tf.RaggedTensor, cameras: sig.Cameras, options: sig.Options
    ) -> Predictions:
        values = checked_boxes(images, boxes.values)
        boxes = boxes.with_values(tf.concat([values, tf.ones_like(values[:, :1])], axis=-1))
        # A constant False would make Grappler prune the branch of the suppression, fail to sort
        # the loop that is left of it, and log errors ("topological sort failed").
        never = tf.shape(images)[0] < 0
        predictions = self._box_poses.estimate(images, boxes, cameras, options, never)
        del predictions["boxes"]
        return predictions

    def _detect(self, images: tf.Tensor, detection: sig.Detection) -> tf.RaggedTensor:
        """Returns ragged `[N, None, 5]` boxes with scores."""
        num_images = tf.shape(images, out_type=tf.int64)[0]

        def _no_boxes() -> tf.RaggedTensor:
            lengths = tf.zeros([num_images], tf.int64)
            return tf.RaggedTensor.from_row_lengths(tf.zeros([0, 5]), lengths)

        def _detected() -> tf.RaggedTensor:
            flip = detection.detector_flip_aug
            boxes = self.detector.predict_multi_image(
                images,
                detection.detector_threshold,
                detection.detector_nms_iou_threshold,
                flip,
                tf.logical_and(flip, self._flip_vertical_too),
            )
            return boxes.with_row_splits_dtype(tf.int64)

        if self.detector is None:
            return _no_boxes()
        # Networks need not be able to work on no images at all.
        return tf.cond(num_images > 0, _detected, _no_boxes)


def _constant(values: Any, dtype: tf.DType) -> tf.Variable:
    array = np.array(values, object if dtype == tf.string else dtype.as_numpy_dtype)
    return tf.Variable(array, dtype=dtype, trainable=False)
