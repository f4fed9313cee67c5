"""Computation of the losses of a batch: network, heatmap decoding, reconstruction.

It is optionally compiled with XLA. 'heads' compiles everything after the network: dozens of small
operations on small tensors, which it fuses. 'full' also compiles the network, whose large
operations are fast anyway; it saves memory traffic on GPUs, and takes minutes to compile a large
network. (Dropout then has other random numbers, but still the same ones in each run.) 'off' is
for debugging.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from metrabs.config import Config
from metrabs.geometry.masked import center_relative_pose, masked_mean
from metrabs.models.crop_model import CropModel
from metrabs.training.distribution import joined_over_replicas
from metrabs.training.loss_terms import Labels2D, Labels3D, PoseLoss

Batch = Mapping[str, tf.Tensor]


class LossComputation:
    """Computes the losses of a batch, or of the joint batch of several replicas.

    Each replica runs the network on its own examples. Predicted coordinates and labels, which
    are small, are then exchanged, so that means over valid joints cover the joint batch, and
    its loss does not depend on how it was divided.

    Deviation: in the original implementation each replica has its own loss. Their mean weights a
    joint by the number of other valid joints on the same device.

    Args:
        model: Crop model.
        pose_loss: Losses of its variant.
        config: Settings of the run.
    """

    def __init__(self, model: CropModel, pose_loss: PoseLoss, config: Config) -> None:
        self._model = model
        self._pose_loss = pose_loss
        self._weak_perspective_steps = config.loss.weak_perspective_steps
        xla = config.optimization.xla
        self._decode = compiled(model.heatmap_heads.decode, xla == "heads")
        self._predict = compiled(self._predict_points, xla == "full")
        self._compute = compiled(self._losses, xla != "off")

    def __call__(self, batch: Batch, step: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        """Computes all losses.

        Args:
            batch: This replica's examples, see `training_batches` in `metrabs.data.loading`; with
                `mix` (`mix_2d`) `[B, 1, 1]`, the weight of the 3D head inside the field of view.
            step: Number of completed steps.
            training: Whether layers are in training mode.

        Returns:
            Scalars by name: the losses, and `mean_error` of the 3D-labelled examples
            (root-relative, mm).
        """
        coords2d, coords3d_rel = self._predict(stack(batch, "image"), training)
        num_3d = batch["image"].shape[0]
        inputs = {name: value for name, value in batch.items() if not name.startswith("image")}
        inputs.update(coords2d=coords2d[:num_3d], coords3d_rel=coords3d_rel[:num_3d])
        if "image_2d" in batch:
            inputs.update(coords2d_2d=coords2d[num_3d:], coords3d_rel_2d=coords3d_rel[num_3d:])
        return self._compute(joined_over_replicas(inputs), step)

    def _predict_points(self, images: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs the network on uint8 crops."""
        features = self._model.backbone(tf.cast(images, tf.float32) / 255, training=training)
        return self._decode(self._model.heatmap_heads.logits(features), training=training)

    def _losses(self, batch: Batch, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Reconstructs absolute points and computes all losses."""
        model = self._model
        num_3d = batch["coords3d_true"].shape[0]
        points = model.reconstruct(
            stack(batch, "coords2d"),
            stack(batch, "coords3d_rel"),
            stack(batch, "intrinsics"),
            mix=stack(batch, "mix"),
            weak=step < self._weak_perspective_steps,
        )
        labels3d = Labels3D(
            *(
                batch[name]
                for name in ("coords3d_true", "joint_validity_mask", "intrinsics", "coords2d_true")
            )
        )
        points2d, labels2d = None, None
        if "coords2d_true_2d" in batch:
            points2d = points[num_3d:]
            labels2d = Labels2D(
                *(
                    batch[name]
                    for name in ("coords2d_true_2d", "joint_validity_mask_2d", "intrinsics_2d")
                )
            )
        losses = self._pose_loss(points[:num_3d], labels3d, points2d, labels2d, step)
        # Only reported; its infinite slope at zero must not enter the gradient.
        joints = tf.stop_gradient(model.variant.final_joints(points[:num_3d]))
        return {**losses, "mean_error": self._mean_error(joints, labels3d)}

    def _mean_error(self, joints: tf.Tensor, labels: Labels3D) -> tf.Tensor:
        mean_relative = self._model.model_config.mean_relative
        difference = center_relative_pose(
            joints - labels.coords3d_cam_mm, labels.is_valid, mean_relative
        )
        return masked_mean(tf.norm(difference, axis=-1), labels.is_valid)


def compiled(function: Callable[..., Any], by_xla: bool) -> Callable[..., Any]:
    """Returns the function itself, or one that XLA compiles for each new signature."""
    return tf.function(function, jit_compile=True) if by_xla else function


def stack(batch: Batch, name: str) -> tf.Tensor:
    """Returns an input for all examples, 3D-labelled ones first (ghost batches rely on it)."""
    parts: Sequence[tf.Tensor] = [batch[k] for k in (name, f"{name}_2d") if k in batch]
    return tf.concat(parts, axis=0)
