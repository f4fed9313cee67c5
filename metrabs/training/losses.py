"""What training minimises, for each variant of the crop model (names of losses as released).

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
from metrabs.training.loss_terms import (
    Labels2D,
    Labels3D,
    Losses,
    PoseLoss,
    PoseLossTerms,
)

_TEACHER_FACTOR_2D = 0.5  # of consistency and teacher on 2D-labelled examples, as released


class DirectLoss(PoseLoss):
    """Of variants whose reconstructed points are the final joints: their errors alone."""

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

    The gradient flows through both. This draws the heads of all skeleton formats to poses that
    are consistent with each other (paper, section 4.3, "consistency regularisation").
    """

    variant: RegularizedVariant

    def losses3d(self, points: tf.Tensor, labels: Labels3D, step: tf.Tensor) -> Losses:
        """Returns the total of the 3D-labelled examples and the losses to report."""
        total, losses = super().losses3d(points, labels, step)
        inconsistency = _inconsistency(points, self.variant)
        total += self.terms.loss_config.loss_manif_factor * inconsistency
        return total, {**losses, "loss_pred_vs_reconstr": inconsistency}

    def losses2d(self, points: tf.Tensor, labels: Labels2D, step: tf.Tensor) -> Losses:
        """Returns the total of the 2D-labelled examples and the losses to report."""
        total, losses = super().losses2d(points, labels, step)
        inconsistency = _inconsistency(points, self.variant)
        config = self.terms.loss_config
        total += config.loss_manif_factor * config.loss_manif_factor2d * inconsistency
        return total, {**losses, "loss_pred_vs_reconstr_2dbatch": inconsistency}


class HybridLoss(PoseLoss):
    """Trains a head of all joints, its consistency, and the head of latent points by both.

    The predicted joints, their autoencoded version and the decoded latent points are compared to
    the truth, the predicted joints to their autoencoded version, and, once the teacher is active,
    the latent points to those of the predicted joints.
    """

    variant: HybridVariant

    def losses3d(self, points: tf.Tensor, labels: Labels3D, step: tf.Tensor) -> Losses:
        """Returns the total of the 3D-labelled examples and the losses to report."""
        config, terms = self.terms.loss_config, self.terms
        parts = self.variant.split(points)
        of_joints = terms.loss3d(parts["joints"], labels, step)
        of_decoded = terms.loss3d(self.variant.final_joints(points), labels, step)
        of_autoencoded = terms.loss3d(self.variant.autoencode(parts["joints"]), labels, step)
        inconsistency = _inconsistency(parts["joints"], self.variant)
        of_latents = self._teacher_loss(parts, labels.intrinsics, step)
        total = (
            of_joints
            + of_decoded
            + config.allhead_aegt_loss_factor * of_autoencoded
            + config.loss_manif_factor * inconsistency
            + self._teacher_factor(step) * of_latents
        )
        return total, {
            "loss_allhead_vs_gt": of_joints,
            "loss_latentheadreconstruction_vs_gt": of_decoded,
            "loss_allhead_vs_reconstr": inconsistency,
            "loss_allhead_ae_vs_gt": of_autoencoded,
            "loss_latenthead_vs_latents_from_allhead": of_latents,
            "loss_3dbatch": total,
        }

    def losses2d(self, points: tf.Tensor, labels: Labels2D, step: tf.Tensor) -> Losses:
        """Returns the total of the 2D-labelled examples and the losses to report."""
        config, terms = self.terms.loss_config, self.terms
        parts = self.variant.split(points)
        of_joints = terms.loss2d(parts["joints"], labels)
        of_decoded = terms.loss2d(self.variant.final_joints(points), labels)
        of_autoencoded = terms.loss2d(self.variant.autoencode(parts["joints"]), labels)
        inconsistency = _inconsistency(parts["joints"], self.variant)
        of_latents = self._teacher_loss(parts, labels.intrinsics, step)
        consistency_factor = config.loss_manif_factor * config.loss_manif_factor2d
        total = (
            of_joints
            + of_decoded
            + config.allhead_aegt_loss_factor * of_autoencoded
            + _TEACHER_FACTOR_2D * consistency_factor * inconsistency
            + _TEACHER_FACTOR_2D * self._teacher_factor(step) * of_latents
        )
        return total, {
            "loss_allhead_vs_gt_2dbatch": of_joints,
            "loss_latentheadreconstruction_vs_gt_2dbatch": of_decoded,
            "loss_allhead_vs_reconstr_2dbatch": inconsistency,
            "loss_allhead_ae_vs_gt_2dbatch": of_autoencoded,
            "loss_latenthead_vs_latents_from_allhead_2dbatch": of_latents,
            "loss_2dbatch": total,
        }

    def _teacher_loss(
        self, parts: dict[str, tf.Tensor], intrinsics: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """Error of the latent points, taking those of the predicted joints for the truth."""
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
        config: the settings of the run.
        variant: the crop model's variant.
        names3d: names of the model's joints.
        names2d: names of the 2D dataset's joints; none without 2D data.

    Raises:
        UserError: no 2D joint has a partner among the model's joints.
    """
    joints2d = match_2d_joints(names3d, names2d) if names2d else None
    terms = PoseLossTerms(config.loss, config.model, config.loading.proc_side, joints2d)
    return LOSSES[variant.name](terms, variant)


def _inconsistency(joints: tf.Tensor, variant: AutoencoderVariant) -> tf.Tensor:
    """Mean distance along an axis, in metres, of joints from their reconstruction."""
    return tf.reduce_mean(tf.abs(joints - variant.autoencode(joints))) / MM_PER_M
