"""The crop model: a person crop and its camera in, absolute 3D joints out (MeTRAbs).

Backbone -> heatmap heads -> relative pose and image coordinates -> absolute pose by least squares
(Sarandi et al., MeTRAbs, T-BIOM 2021). Crops are RGB in 0..1, cameras map mm in camera space
(x right, y down, z forward) to crop pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf

from metrabs.config import ModelConfig
from metrabs.models.heads import HeatmapHeads, VolumeHeads
from metrabs.models.variant_choice import build_variant
from metrabs.models.variants import AffineMatrices, HybridVariant, PointReconstructor
from metrabs.skeletons import JointInfo

_CROP_SHAPE = [None, None, None, 3]
_INTRINSICS_SPEC = tf.TensorSpec([None, 3, 3], tf.float32)


class CropModel(tf.keras.Model):
    """Estimates absolute 3D poses from square person crops.

    Args:
        backbone: Callable `(image [B, S, S, 3] in 0..1, training) -> features [B, H, W, C]`.
        joint_info: Joints that the model predicts.
        model_config: Settings of heads, reconstruction and variant.
        proc_side: Side S of the crops, in pixels.
        affine_weights: Autoencoder, for variants that use one.
        bone_lengths_mm: `[E]`, typical length of each edge of the joints, for Model25D.

    Attributes:
        joint_names: string variable `[J]`, survives in checkpoints and SavedModels.
        joint_edges: int64 variable `[E, 2]`, index pairs of the stick figure.
        input_resolution: int32 variable, S.

    Raises:
        UserError: settings and affine weights do not fit together.
    """

    def __init__(
        self,
        backbone: Callable[..., tf.Tensor],
        joint_info: JointInfo,
        model_config: ModelConfig,
        proc_side: int,
        affine_weights: Optional[AffineMatrices] = None,
        bone_lengths_mm: Optional[np.ndarray] = None,
    ) -> None:
        # Under mixed precision, automatic casting would reduce the cameras to float16.
        super().__init__(name="crop_model", dtype="float32", autocast=False)
        self.joint_info = joint_info
        self.model_config = model_config
        self.proc_side = proc_side
        self.variant = build_variant(model_config, joint_info, affine_weights, bone_lengths_mm)
        self.backbone: Any = backbone
        heads_class = HeatmapHeads if self.variant.has_2d_head else VolumeHeads
        self.heatmap_heads = heads_class(
            self.variant.num_points,
            model_config.depth,
            proc_side=proc_side,
            box_size_mm=model_config.box_size_mm,
            stride_train=model_config.stride_train,
            stride_test=model_config.stride_test,
            centered_stride=model_config.centered_stride,
            num_detached_points=self._num_detached_points(),
            name="heatmap_heads",
        )
        self.joint_names = tf.Variable(
            np.array(joint_info.names, dtype=object),
            dtype=tf.string,
            trainable=False,
            name="joint_names",
        )
        self.joint_edges = tf.Variable(
            np.array(joint_info.edges, np.int64).reshape(-1, 2),
            trainable=False,
            name="joint_edges",
        )
        self.input_resolution = tf.Variable(
            proc_side, dtype=tf.int32, trainable=False, name="input_resolution"
        )

    def call(
        self, inputs: tuple[tf.Tensor, tf.Tensor], training: Optional[bool] = None
    ) -> tf.Tensor:
        """Estimates poses as at test time, with the perspective model of the settings.

        Args:
            inputs: `image [B, S, S, 3]` in 0..1 and `intrinsics [B, 3, 3]`.
            training: passed to the layers (batch normalisation, dropout).

        Returns:
            `[B, J, 3]` float32, mm in camera space (for Metro: in a box at an unknown place).
        """
        image, intrinsics = inputs
        _, coords2d, coords3d_rel = self.backbone_and_head(image, training=training)
        return self.predict_from_heads(coords2d, coords3d_rel, intrinsics)

    def backbone_and_head(
        self, image: tf.Tensor, training: Optional[bool] = None
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Runs the network on crops `[B, S, S, 3]`.

        Returns:
            features `[B, H, W, C]`, coords2d `[B, P, 2]` in crop pixels and coords3d_rel
            `[B, P, 3]` in mm of the box space; the last two are float32.
        """
        features = self.backbone(image, training=training)
        coords2d, coords3d_rel = self.heatmap_heads(features, training=training)
        return features, coords2d, coords3d_rel

    def predict_from_heads(
        self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor, intrinsics: tf.Tensor
    ) -> tf.Tensor:
        """Computes the result of a call from the output of `backbone_and_head`."""
        return self.variant.predict(coords2d, coords3d_rel, self._point_reconstructor(intrinsics))

    def reconstruct(
        self,
        coords2d: tf.Tensor,
        coords3d_rel: tf.Tensor,
        intrinsics: tf.Tensor,
        mix: Optional[Union[float, tf.Tensor]] = None,
        weak: Optional[Union[bool, tf.Tensor]] = None,
    ) -> tf.Tensor:
        """Reconstructs the absolute points that the losses need.

        Args:
            coords2d: `[B, P, 2]`, crop pixels.
            coords3d_rel: `[B, P, 3]`, mm in box space.
            intrinsics: `[B, 3, 3]`.
            mix: Weight of the 3D head inside the field of view, a number or `[B, 1, 1]`;
                default: the setting.
            weak: Weak instead of full perspective, also as a boolean tensor; default: the setting.

        Returns:
            `[B, N, 3]` float32, mm in camera space; `variant.split` names the points,
            `variant.final_joints` gives the final joints.
        """
        return self.variant.reconstruct(
            coords2d, coords3d_rel, self._point_reconstructor(intrinsics, mix, weak)
        )

    @tf.function(input_signature=[tf.TensorSpec(_CROP_SHAPE, tf.float16), _INTRINSICS_SPEC])
    def predict_multi(self, image: tf.Tensor, intrinsic_matrix: tf.Tensor) -> tf.Tensor:
        """The same as a call with `training=False`; name and types as in the original.

        A separate method, since calling a reloaded SavedModel as a Keras layer is fragile.
        """
        return self._predict(image, intrinsic_matrix)

    @tf.function(input_signature=[tf.TensorSpec(_CROP_SHAPE, tf.float32), _INTRINSICS_SPEC])
    def predict_multi_float32(self, image: tf.Tensor, intrinsic_matrix: tf.Tensor) -> tf.Tensor:
        """`predict_multi` for float32 crops, which are faster on devices without float16 units."""
        return self._predict(image, intrinsic_matrix)

    def get_config(self) -> dict[str, Any]:
        """Returns the description of the model without its backbone, for Keras' metadata."""
        return {
            "joint_names": self.joint_info.names,
            "joint_edges": self.joint_info.edges,
            "model_config": dataclasses.asdict(self.model_config),
            "proc_side": self.proc_side,
        }

    def _predict(self, image: tf.Tensor, intrinsics: tf.Tensor) -> tf.Tensor:
        # Lossless; under mixed precision the backbone reduces the precision where it may.
        return self((tf.cast(image, tf.float32), intrinsics), training=False)

    def _num_detached_points(self) -> int:
        detaches_latents = self.model_config.stop_gradient_whole_latenthead_to_backbone
        is_hybrid = isinstance(self.variant, HybridVariant)
        return self.variant.num_latents if is_hybrid and detaches_latents else 0

    def _point_reconstructor(
        self,
        intrinsics: tf.Tensor,
        mix: Optional[Union[float, tf.Tensor]] = None,
        weak: Optional[Union[bool, tf.Tensor]] = None,
    ) -> PointReconstructor:
        config = self.model_config
        return PointReconstructor(
            intrinsics,
            self.proc_side,
            config.stride_train,
            config.centered_stride,
            config.mix_3d_inside_fov if mix is None else mix,
            config.weak_perspective if weak is None else weak,
            config.reconstruction_scale,
        )
