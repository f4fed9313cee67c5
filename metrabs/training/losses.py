"""Losses of the variants of the crop model; names of losses as in the original implementation.

Adding a variant is one class here and one entry in `LOSSES`.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from metrabs.config import Config
from metrabs.geometry import MM_PER_M
from metrabs.geometry.masked import align_2d_skeletons, center_relative_pose, masked_mean
from metrabs.models.joint_selection import match_2d_joints
from metrabs.models.variants import (
    AutoencoderVariant,
    BoneLengthVariant,
    HybridVariant,
    LatentVariant,
    MergedVariant,
    MetroVariant,
    RegularizedVariant,
    SeparateVariant,
    Variant,
)
from metrabs.training.loss_terms import Labels2D, Labels3D, Losses, PoseLoss, PoseLossTerms

_TEACHER_FACTOR_2D = 0.5  # for consistency and teacher on 2D-labelled examples


class DirectLoss(PoseLoss):
    """Errors of the final joints, for variants that reconstruct these directly."""

    def losses3d(self, points: tf.Tensor, labels: Labels3D, step: tf.Tensor) -> Losses:
        """Returns the total of the 3D-labelled examples and the losses to report."""
        loss = self.terms.loss3d(points, labels, step)
        return loss, {"loss_3dbatch": loss}

    def losses2d(self, points: tf.Tensor, labels: Labels2D, step: tf.Tensor) -> Losses:
        """Returns the total of the 2D-labelled examples and the losses to report."""
        loss = self.terms.loss2d(points, labels)
        return loss, {"loss_2dbatch": loss}


class RegularizedLoss(DirectLoss):
    """Adds the distance of a pose from its reconstruction by the autoencoder.

    The gradient flows through both. This pulls the heads of all skeleton formats towards poses
    that are consistent with each other (paper, section 4.3, "consistency regularisation").
    """

    variant: RegularizedVariant

    def losses3d(self, points: tf.Tensor, labels: Labels3D, step: tf.Tensor) -> Losses:
        """Returns the total of the 3D-labelled examples and the losses to report."""
        total, losses = super().losses3d(points, labels, step)
        consistency_loss = _consistency_loss(points, self.variant)
        total += self.terms.loss_config.loss_manif_factor * consistency_loss
        return total, {**losses, "loss_pred_vs_reconstr": consistency_loss}

    def losses2d(self, points: tf.Tensor, labels: Labels2D, step: tf.Tensor) -> Losses:
        """Returns the total of the 2D-labelled examples and the losses to report."""
        total, losses = super().losses2d(points, labels, step)
        consistency_loss = _consistency_loss(points, self.variant)
        config = self.terms.loss_config
        total += config.loss_manif_factor * config.loss_manif_factor2d * consistency_loss
        return total, {**losses, "loss_pred_vs_reconstr_2dbatch": consistency_loss}


class HybridLoss(PoseLoss):
    """Trains a head of all joints, its consistency, and the head of latent points with both.

    The predicted joints, their autoencoded version and the decoded latent points are compared with
    the ground truth; the predicted joints with their autoencoded version; and, once the teacher is
    active, the latent points with those of the predicted joints.
    """

    variant: HybridVariant

    def losses3d(self, points: tf.Tensor, labels: Labels3D, step: tf.Tensor) -> Losses:
        """Returns the total of the 3D-labelled examples and the losses to report."""
        config, terms = self.terms.loss_config, self.terms
        parts = self.variant.split(points)
        joint_loss = terms.loss3d(parts["joints"], labels, step)
        decoded_loss = terms.loss3d(self.variant.final_joints(points), labels, step)
        autoencoded_loss = terms.loss3d(self.variant.autoencode(parts["joints"]), labels, step)
        consistency_loss = _consistency_loss(parts["joints"], self.variant)
        latent_loss = self._teacher_loss(parts, labels.intrinsics, step)
        total = (
            joint_loss
            + decoded_loss
            + config.allhead_aegt_loss_factor * autoencoded_loss
            + config.loss_manif_factor * consistency_loss
            + self._teacher_factor(step) * latent_loss
        )
        return total, {
            "loss_allhead_vs_gt": joint_loss,
            "loss_latentheadreconstruction_vs_gt": decoded_loss,
            "loss_allhead_vs_reconstr": consistency_loss,
            "loss_allhead_ae_vs_gt": autoencoded_loss,
            "loss_latenthead_vs_latents_from_allhead": latent_loss,
            "loss_3dbatch": total,
        }

    def losses2d(self, points: tf.Tensor, labels: Labels2D, step: tf.Tensor) -> Losses:
        """Returns the total of the 2D-labelled examples and the losses to report."""
        config, terms = self.terms.loss_config, self.terms
        parts = self.variant.split(points)
        joint_loss = terms.loss2d(parts["joints"], labels)
        decoded_loss = terms.loss2d(self.variant.final_joints(points), labels)
        autoencoded_loss = terms.loss2d(self.variant.autoencode(parts["joints"]), labels)
        consistency_loss = _consistency_loss(parts["joints"], self.variant)
        latent_loss = self._teacher_loss(parts, labels.intrinsics, step)
        consistency_factor = config.loss_manif_factor * config.loss_manif_factor2d
        total = (
            joint_loss
            + decoded_loss
            + config.allhead_aegt_loss_factor * autoencoded_loss
            + _TEACHER_FACTOR_2D * consistency_factor * consistency_loss
            + _TEACHER_FACTOR_2D * self._teacher_factor(step) * latent_loss
        )
        return total, {
            "loss_allhead_vs_gt_2dbatch": joint_loss,
            "loss_latentheadreconstruction_vs_gt_2dbatch": decoded_loss,
            "loss_allhead_vs_reconstr_2dbatch": consistency_loss,
            "loss_allhead_ae_vs_gt_2dbatch": autoencoded_loss,
            "loss_latenthead_vs_latents_from_allhead_2dbatch": latent_loss,
            "loss_2dbatch": total,
        }

    def _teacher_loss(
        self, parts: dict[str, tf.Tensor], intrinsics: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Error of the latent points, with those of the predicted joints as ground truth."""
        joints = parts["joints"]
        if self.terms.loss_config.stop_gradient_latent:
            joints = tf.stop_gradient(joints)
        labels = Labels3D(self.variant.encode(joints), None, intrinsics)
        return self.terms.loss3d(parts["latents"], labels, step)

    def _teacher_factor(self, step: tf.Tensor) -> tf.Tensor:
        config = self.terms.loss_config
        is_active = tf.cast(step, tf.int64) > config.teacher_start_step
        return tf.where(is_active, config.teacher_loss_factor, 0.0)


class MetroLoss(PoseLoss):
    """Errors of root-relative poses, and of their image coordinates up to shift and scale."""

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


LOSSES: dict[str, type[PoseLoss]] = {
    SeparateVariant.name: DirectLoss,
    MergedVariant.name: DirectLoss,
    LatentVariant.name: DirectLoss,
    RegularizedVariant.name: RegularizedLoss,
    HybridVariant.name: HybridLoss,
    MetroVariant.name: MetroLoss,
    BoneLengthVariant.name: BoneLengthLoss,
}


def build_loss(
    config: Config, variant: Variant, names3d: Sequence[str], names2d: Sequence[str] = ()
) -> PoseLoss:
    """Builds the loss that belongs to a variant of the crop model.

    Args:
        config: Settings of the run.
        variant: Variant of the crop model.
        names3d: Names of the model's joints.
        names2d: Names of the 2D dataset's joints; empty without 2D data.

    Raises:
        UserError: no 2D joint has a partner among the model's joints.
    """
    joints2d = match_2d_joints(names3d, names2d) if names2d else None
    terms = PoseLossTerms(config.loss, config.model, config.loading.proc_side, joints2d)
    return LOSSES[variant.name](terms, variant)


def _consistency_loss(joints: tf.Tensor, variant: AutoencoderVariant) -> tf.Tensor:
    """Mean absolute difference (metres) of coordinates from their reconstruction."""
    return tf.reduce_mean(tf.abs(joints - variant.autoencode(joints))) / MM_PER_M
