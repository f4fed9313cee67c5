"""Losses of the older model classes Metro and Model25D (formulas and names as released)."""

from __future__ import annotations

import tensorflow as tf

from metrabs.geometry import MM_PER_M
from metrabs.geometry.masked import align_2d_skeletons, center_relative_pose, masked_mean
from metrabs.models.volumetric_variants import BoneLengthVariant
from metrabs.training.loss_terms import Labels2D, Labels3D, Losses, PoseLoss


class MetroLoss(PoseLoss):
    """Errors of root-relative poses, and of their outline in the image up to shift and scale."""

    def losses3d(self, points: tf.Tensor, labels: Labels3D, step: tf.Tensor) -> Losses:
        """Returns the total of the 3D-labelled examples and the losses to report."""
        loss = self.terms.relative_error(points, labels)
        return loss, {"loss3d": loss}

    def losses2d(self, points: tf.Tensor, labels: Labels2D, step: tf.Tensor) -> Losses:
        """Returns the total of the 2D-labelled examples and the losses to report."""
        true2d, is_valid = self.terms.matched_labels2d(labels)
        pred2d = align_2d_skeletons(self.terms.matched_joints2d(points), true2d, is_valid)
        loss = masked_mean(tf.abs(true2d - pred2d), is_valid) * self.terms.meters_per_pixel
        return loss, {"loss2d": loss}


class BoneLengthLoss(PoseLoss):
    """Errors of image coordinates and relative depths."""

    variant: BoneLengthVariant

    def losses3d(self, points: tf.Tensor, labels: Labels3D, step: tf.Tensor) -> Losses:
        """Returns the total of the 3D-labelled examples and the losses to report."""
        pred = self.variant.split(points)["image_and_depth"]
        errors2d = tf.abs(labels.coords2d_px - pred[..., :2])
        loss23d = masked_mean(errors2d, labels.is_valid) * self.terms.meters_per_pixel
        config = self.terms.model_config
        depths = center_relative_pose(
            labels.coords3d_cam_mm[..., 2], labels.is_valid, config.mean_relative
        )
        errors_z = tf.abs(depths + config.box_size_mm / 2 - pred[..., 2])
        loss_z = masked_mean(errors_z, labels.is_valid) / MM_PER_M
        loss3d = (loss_z + 2 * loss23d) / 3
        return loss3d, {"loss23d": loss23d, "loss_z": loss_z, "loss3d": loss3d}

    def losses2d(self, points: tf.Tensor, labels: Labels2D, step: tf.Tensor) -> Losses:
        """Returns the total of the 2D-labelled examples and the losses to report."""
        true2d, is_valid = self.terms.matched_labels2d(labels)
        pred2d = self.terms.matched_joints2d(self.variant.split(points)["image_and_depth"])
        loss = masked_mean(tf.abs(true2d - pred2d), is_valid) * self.terms.meters_per_pixel
        return loss, {"loss2d": loss}
