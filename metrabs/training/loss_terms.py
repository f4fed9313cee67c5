"""Loss terms of poses, their labels, and the interface of losses.

All terms are in metres-like units: millimetres are divided by 1000, and pixels are converted by
the ratio of the box size to the crop side. A term without a single valid joint is 0. Everything
has static shapes and is float32, so that XLA can compile it. Method: WACV 2023 paper, section on
training; constants as in the original implementation.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, NamedTuple, Optional

import tensorflow as tf

from metrabs.config import LossConfig, ModelConfig
from metrabs.geometry import MM_PER_M
from metrabs.geometry.masked import center_relative_pose, masked_mean
from metrabs.geometry.projection import is_within_fov, project_pose
from metrabs.models.joint_selection import Joints2dMatch
from metrabs.models.variants import Variant

_MIN_ABSOLUTE_DEPTH_MM = 300.0  # absolute and projected terms ignore nearer true joints
_FAR_DEPTH_MM = 10_000.0  # beyond it, depth errors are relative to the depth
_MIN_PROJECTED_DEPTH_MM = 1.0
_FAR_OUTSIDE_BORDER = -20.0  # in strides: how far outside the crop true joints may be


Losses = tuple[tf.Tensor, dict[str, tf.Tensor]]
"""Total, and losses to report by name; scalars."""


class Labels3D(NamedTuple):
    """Ground truth of the 3D-labelled examples of a batch.

    Fields: camera-space poses `[B, J, 3]` in mm (invalid joints 0), valid joints bool `[B, J]`
    (None: all), intrinsics `[B, 3, 3]`, and, for losses of image coordinates, crop pixels
    `[B, J, 2]`. These are measured in the image even where poses have a universal skeleton.
    """

    coords3d_cam_mm: tf.Tensor
    is_valid: Optional[tf.Tensor]
    intrinsics: tf.Tensor
    coords2d_px: Optional[tf.Tensor] = None


class Labels2D(NamedTuple):
    """Ground truth of 2D examples: pixels `[B, K, 2]`, valid bool `[B, K]`, intrinsics."""

    coords2d_px: tf.Tensor
    is_valid: tf.Tensor
    intrinsics: tf.Tensor


@dataclasses.dataclass(frozen=True)
class PoseLossTerms:
    """The losses of a set of poses with 3D labels and with 2D labels.

    Args:
        loss_config: Weights of the terms.
        model_config: Box size, stride and reference of relative poses.
        proc_side: Side of the crop, pixels.
        joints2d: Averages of the model's joints that the 2D labels mean; None without 2D data.
    """

    loss_config: LossConfig
    model_config: ModelConfig
    proc_side: int
    joints2d: Optional[Joints2dMatch] = None

    @property
    def meters_per_pixel(self) -> float:
        """Approximate size of a crop pixel at the person."""
        return self.model_config.box_size_mm / self.proc_side / MM_PER_M

    def loss3d(self, pred: tf.Tensor, labels: Labels3D, step: tf.Tensor) -> tf.Tensor:
        """Relative, projected and, once active, absolute error of poses with 3D labels.

        Args:
            pred: Absolute poses `[B, J, 3]`, mm, camera space.
            labels: Ground truth.
            step: Number of completed steps; the absolute term is active from the step after
                `absloss_start_step`.
        """
        config = self.loss_config
        is_active = tf.cast(step, tf.int64) > config.absloss_start_step
        factor = tf.where(is_active, config.absloss_factor, 0.0)
        return (
            self.relative_error(pred, labels)
            + self._projected(pred, labels)
            + factor * self._absolute(pred, labels)
        )

    def loss2d(self, pred: tf.Tensor, labels: Labels2D) -> tf.Tensor:
        """Error of the projections of poses `[B, J, 3]` (mm, camera space) with 2D labels."""
        true2d, is_valid = self.matched_labels2d(labels)
        pred2d = self.matched_joints2d(project_pose(pred, labels.intrinsics))
        is_used = is_valid & self._is_near_view(pred2d, true2d)
        return masked_mean(tf.abs(true2d - pred2d), is_used) * self.meters_per_pixel

    def matched_labels2d(self, labels: Labels2D) -> tuple[tf.Tensor, tf.Tensor]:
        """Pixels `[B, K', 2]` and validity `[B, K']` of the 2D labels with a partner in 3D."""
        assert self.joints2d is not None
        kept = self.joints2d.kept_indices
        coords2d, is_valid = labels.coords2d_px, labels.is_valid
        return tf.gather(coords2d, kept, axis=1), tf.gather(is_valid, kept, axis=1)

    def matched_joints2d(self, coords: tf.Tensor) -> tf.Tensor:
        """Averages `[B, K', 2]` of the model's joints `[B, J, 2 or 3]` that the labels mean."""
        assert self.joints2d is not None
        return self.joints2d.average(coords)

    def relative_error(self, pred: tf.Tensor, labels: Labels3D) -> tf.Tensor:
        """Error of root-relative poses of any origin; for the arguments see `loss3d`."""
        difference = self._center(labels.coords3d_cam_mm - pred, labels.is_valid)
        return masked_mean(tf.abs(difference), labels.is_valid) / MM_PER_M

    def _absolute(self, pred: tf.Tensor, labels: Labels3D) -> tf.Tensor:
        true = labels.coords3d_cam_mm
        error_x, error_y, error_z = tf.unstack(tf.abs(true - pred), axis=-1)
        error_z *= _FAR_DEPTH_MM / tf.maximum(tf.abs(true[..., 2]), _FAR_DEPTH_MM)
        errors = (error_x + error_y + error_z) / 3
        return masked_mean(errors, self._is_in_front(labels)) / MM_PER_M

    def _projected(self, pred: tf.Tensor, labels: Labels3D) -> tf.Tensor:
        pred2d = project_pose(pred, labels.intrinsics)
        true2d = project_pose(labels.coords3d_cam_mm, labels.intrinsics)
        is_used = (
            self._is_in_front(labels)
            & (pred[..., 2] > _MIN_PROJECTED_DEPTH_MM)
            & self._is_near_view(pred2d, true2d)
        )
        return masked_mean(tf.abs(true2d - pred2d), is_used) * self.meters_per_pixel

    def _is_in_front(self, labels: Labels3D) -> tf.Tensor:
        is_in_front = labels.coords3d_cam_mm[..., 2] > _MIN_ABSOLUTE_DEPTH_MM
        return is_in_front if labels.is_valid is None else is_in_front & labels.is_valid

    def _is_near_view(self, pred2d: tf.Tensor, true2d: tf.Tensor) -> tf.Tensor:
        view: dict[str, Any] = dict(
            proc_side=self.proc_side,
            stride=self.model_config.stride_train,
            centered_stride=self.model_config.centered_stride,
        )
        return is_within_fov(pred2d, **view) & is_within_fov(
            true2d, **view, border_factor=_FAR_OUTSIDE_BORDER
        )

    def _center(self, coords3d: tf.Tensor, is_valid: Optional[tf.Tensor]) -> tf.Tensor:
        return center_relative_pose(coords3d, is_valid, self.model_config.mean_relative)


class PoseLoss(abc.ABC):
    """The total loss of a variant and its components.

    Args:
        terms: Losses of poses.
        variant: Variant of the crop model.
    """

    def __init__(self, terms: PoseLossTerms, variant: Variant) -> None:
        self.terms = terms
        self.variant = variant

    def __call__(
        self,
        points3d: tf.Tensor,
        labels3d: Labels3D,
        points2d: Optional[tf.Tensor],
        labels2d: Optional[Labels2D],
        step: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Computes all losses of a batch.

        Args:
            points3d: Reconstructed points of the 3D-labelled examples `[B3, N, 3]`, mm, camera
                space; the variant's `split` names their parts.
            labels3d: Ground truth of these examples.
            points2d: Points of the 2D-labelled examples `[B2, N, 3]`; None without 2D data.
            labels2d: Ground truth of these examples; None without 2D data.
            step: Number of completed steps, integer scalar.

        Returns:
            Losses by name, scalars; 'loss' is the total.
        """
        total, losses = self.losses3d(points3d, labels3d, step)
        if points2d is not None and labels2d is not None:
            total2d, losses2d = self.losses2d(points2d, labels2d, step)
            total += self.terms.loss_config.loss2d_factor * total2d
            losses.update(losses2d)
        return {"loss": total, **losses}

    @abc.abstractmethod
    def losses3d(self, points: tf.Tensor, labels: Labels3D, step: tf.Tensor) -> Losses:
        """Returns the total of the 3D-labelled examples and the losses to report."""

    @abc.abstractmethod
    def losses2d(self, points: tf.Tensor, labels: Labels2D, step: tf.Tensor) -> Losses:
        """Returns the total of the 2D-labelled examples and the losses to report."""
