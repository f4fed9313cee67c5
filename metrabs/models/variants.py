"""The variants of the crop model: which points its heads predict and how they become joints.

A variant is a small object without weights of its own. It defines how many points the heads
predict, how predicted points become those that the losses compare (`reconstruct`), what their
parts are (`split`), and how the final joints are computed (`final_joints`, `predict`). The losses
of the variants are part of the training code. Paper: WACV 2023, section 4 (consistency
fine-tuning); variant names as in its ablation. `variant_choice` selects one by the settings.

The model classes before MeTRAbs are variants as well: root-relative volumes (Metro), and 2.5D
poses made absolute by bone lengths (Model25D).
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Optional, Protocol, Union

import numpy as np
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.geometry.projection import affine_combination
from metrabs.geometry.reconstruction import reconstruct_absolute
from metrabs.geometry.reconstruction_25d import reconstruct_by_bone_lengths
from metrabs.skeletons import JointInfo
from metrabs.skeletons.tables import base_name


class AffineMatrices(Protocol):
    """The part of the autoencoder's weights file that a variant needs."""

    @property
    def w1(self) -> np.ndarray:
        """Encoder `[J, L]`: latent point l is the sum over j of joint j times `w1[j, l]`."""

    @property
    def w2(self) -> np.ndarray:
        """Decoder `[L, J]`."""

    @property
    def joint_names(self) -> Optional[Sequence[str]]:
        """Names of the J joints; None where unknown."""


@dataclasses.dataclass(frozen=True, eq=False)
class PointReconstructor:
    """`geometry.reconstruction.reconstruct_absolute`, partially applied to a batch's cameras.

    Attributes:
        intrinsics: `[B, 3, 3]`, from camera space to crop pixels.
        proc_side: Side of the crops, pixels.
        stride: Training stride of the backbone, pixels (also at test time, as in the original).
        centered_stride: Whether heatmap cells are centred on the pixels they see.
        mix_3d_inside_fov: Weight of the 3D head inside the field of view, a number or
            `[B, 1, 1]`.
        weak_perspective: Weak instead of full perspective, also as a boolean tensor.
        scale: What the least squares are normalised over, 'example' or 'batch'.
    """

    intrinsics: tf.Tensor
    proc_side: int
    stride: int
    centered_stride: bool
    mix_3d_inside_fov: Union[float, tf.Tensor]
    weak_perspective: Union[bool, tf.Tensor]
    scale: str

    def __call__(self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor) -> tf.Tensor:
        """Reconstructs a set of points, independently of any other set.

        Args:
            coords2d: `[B, P, 2]`, crop pixels.
            coords3d_rel: `[B, P, 3]`, mm in box space.

        Returns:
            `[B, P, 3]`, mm in camera space.
        """
        return reconstruct_absolute(
            coords2d,
            coords3d_rel,
            self.intrinsics,
            proc_side=self.proc_side,
            stride=self.stride,
            centered_stride=self.centered_stride,
            mix_3d_inside_fov=self.mix_3d_inside_fov,
            weak_perspective=self.weak_perspective,
            scale=self.scale,
        )


class Variant(abc.ABC):
    """The relation between the points that the heads predict and the joints.

    Args:
        num_joints: Number J of joints that the model predicts.

    Attributes:
        name: Name of the variant, in code and messages.
        num_latents: Number L of latent points of the autoencoder, 0 without one.
        has_2d_head: Whether the heads have 2D heatmaps in addition to the volumetric ones.
        is_absolute: Whether the final joints are in camera space; otherwise only their differences
            are meaningful.
    """

    name: str
    num_latents: int = 0
    has_2d_head: bool = True
    is_absolute: bool = True

    def __init__(self, num_joints: int) -> None:
        self.num_joints = num_joints

    @property
    def num_points(self) -> int:
        """Number P of points that the heads predict."""
        return self.num_joints

    @abc.abstractmethod
    def reconstruct(
        self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor, reconstruct_points: PointReconstructor
    ) -> tf.Tensor:
        """Turns the output of the heads into the points that the losses need.

        Args:
            coords2d: `[B, P, 2]`, crop pixels, from the 2D head.
            coords3d_rel: `[B, P, 3]`, mm in box space, from the 3D head.
            reconstruct_points: Reconstruction of a set of points with the cameras of the batch.

        Returns:
            `[B, N, 3]`, mm in camera space; `split` names the parts of the N points.
        """

    def split(self, points: tf.Tensor) -> dict[str, tf.Tensor]:
        """Names the parts of `[..., N, D]` points: 'joints', and 'latents' where there are any."""
        return {"joints": points}

    def final_joints(self, points: tf.Tensor) -> tf.Tensor:
        """Returns final joints `[B, J, 3]` (mm, camera space) for the output of `reconstruct`."""
        return points

    def predict(
        self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor, reconstruct_points: PointReconstructor
    ) -> tf.Tensor:
        """Computes only the final joints `[B, J, 3]`; for the arguments see `reconstruct`."""
        return self.final_joints(self.reconstruct(coords2d, coords3d_rel, reconstruct_points))


class SeparateVariant(Variant):
    """The heads predict all joints, independently of each other; no autoencoder is involved."""

    name = "separate"

    def reconstruct(
        self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor, reconstruct_points: PointReconstructor
    ) -> tf.Tensor:
        """Makes all joints absolute, `[B, J, 3]`."""
        return reconstruct_points(coords2d, coords3d_rel)


class MergedVariant(Variant):
    """Joints of the same name are one point in all skeleton formats (baseline of the poster).

    The heads predict one point per name without format suffix; it is repeated for each
    format that has it. Losses, evaluation and export thus see the same J joints as elsewhere.

    Args:
        joint_names: Names of the joints, with format suffixes.
    """

    name = "merged"

    def __init__(self, joint_names: Sequence[str]) -> None:
        super().__init__(len(joint_names))
        base_names = [base_name(name) for name in joint_names]
        self.point_names = list(dict.fromkeys(base_names))
        self.point_indices = [self.point_names.index(name) for name in base_names]

    @property
    def num_points(self) -> int:
        """Number of distinct names."""
        return len(self.point_names)

    def reconstruct(
        self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor, reconstruct_points: PointReconstructor
    ) -> tf.Tensor:
        """Makes the points absolute and repeats them as the joints of all formats, `[B, J, 3]`."""
        return tf.gather(reconstruct_points(coords2d, coords3d_rel), self.point_indices, axis=1)


class AutoencoderVariant(Variant):
    """Base class of the variants with an affine-combining autoencoder.

    Args:
        num_joints: Number J of joints that the model predicts.
        affine_weights: Autoencoder of these joints.

    Raises:
        UserError: the weights are for another number of joints.
    """

    def __init__(self, num_joints: int, affine_weights: AffineMatrices) -> None:
        super().__init__(num_joints)
        self.w1 = np.asarray(affine_weights.w1, np.float32)
        self.w2 = np.asarray(affine_weights.w2, np.float32)
        self.num_latents = self.w2.shape[0]
        if self.w1.shape != self.w2.shape[::-1] or self.w1.shape[0] != num_joints:
            raise UserError(
                f"Affine weights have shapes {self.w1.shape} and {self.w2.shape}; this model "
                f"needs ({num_joints}, L) and (L, {num_joints}). Use weights that were trained on "
                "predictions of the same joints."
            )

    def encode(self, joints: tf.Tensor) -> tf.Tensor:
        """Joints `[B, J, D]` to latent points `[B, L, D]`."""
        return affine_combination(joints, self.w1)

    def decode(self, latents: tf.Tensor) -> tf.Tensor:
        """Latent points `[B, L, D]` to joints `[B, J, D]`."""
        # In double precision, since GPUs may multiply float32 matrices in TensorFloat-32, which
        # moves joints by millimetres, and an exported model cannot forbid it.
        return tf.cast(affine_combination(tf.cast(latents, tf.float64), self.w2), tf.float32)

    def autoencode(self, joints: tf.Tensor) -> tf.Tensor:
        """Joints `[B, J, D]` to their reconstruction from the latent points."""
        return affine_combination(joints, self.w1 @ self.w2)


class RegularizedVariant(AutoencoderVariant, SeparateVariant):
    """Predicts all joints; the training loss pulls them towards the autoencoder's manifold."""

    name = "regularized"


class LatentVariant(AutoencoderVariant):
    """The heads predict the latent points, which are made absolute and then decoded to joints.

    The weights of the decoder sum to one, so that decoding preserves the position.
    """

    name = "latent"

    @property
    def num_points(self) -> int:
        """Number L of latent points."""
        return self.num_latents

    def reconstruct(
        self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor, reconstruct_points: PointReconstructor
    ) -> tf.Tensor:
        """Makes the latent points absolute and decodes them to joints, `[B, J, 3]`."""
        return self.decode(reconstruct_points(coords2d, coords3d_rel))


class HybridVariant(AutoencoderVariant):
    """The heads predict latent points and all joints; the final joints come from the former.

    In training, the head of all joints is the teacher of the head of latent points.
    """

    name = "hybrid"

    @property
    def num_points(self) -> int:
        """Number L + J of latent points and joints."""
        return self.num_latents + self.num_joints

    def reconstruct(
        self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor, reconstruct_points: PointReconstructor
    ) -> tf.Tensor:
        """Makes latent points and joints absolute, independently of each other, `[B, L+J, 3]`."""
        parts2d, parts3d = self.split(coords2d), self.split(coords3d_rel)
        parts = [reconstruct_points(parts2d[k], parts3d[k]) for k in ("latents", "joints")]
        return tf.concat(parts, axis=1)

    def split(self, points: tf.Tensor) -> dict[str, tf.Tensor]:
        """Separates the L latent points from the J joints."""
        latents, joints = tf.split(points, [self.num_latents, self.num_joints], axis=-2)
        return {"latents": latents, "joints": joints}

    def final_joints(self, points: tf.Tensor) -> tf.Tensor:
        """Decodes the latent points to joints."""
        return self.decode(self.split(points)["latents"])

    def predict(
        self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor, reconstruct_points: PointReconstructor
    ) -> tf.Tensor:
        """Computes the final joints without reconstructing those of the other head."""
        parts2d, parts3d = self.split(coords2d), self.split(coords3d_rel)
        return self.decode(reconstruct_points(parts2d["latents"], parts3d["latents"]))


class MetroVariant(Variant):
    """Predicts poses in a metric box at an unknown place (Metro, FG 2020).

    Only differences between joints are meaningful.
    """

    name = "Metro"
    has_2d_head = False
    is_absolute = False

    def reconstruct(
        self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor, reconstruct_points: PointReconstructor
    ) -> tf.Tensor:
        """Returns the joints in the box space, `[B, J, 3]`, mm."""
        return coords3d_rel


class BoneLengthVariant(Variant):
    """Predicts image coordinates and relative depths; bone lengths determine the distance.

    Args:
        joint_info: Joints that the model predicts, with the bones as edges.
        bone_lengths_mm: `[E]`, typical length of each bone; 0 where unknown.
        mean_relative: Whether depths are relative to their mean, else to the last joint.

    Raises:
        UserError: the number of lengths is wrong, or no length is known.
    """

    name = "Model25D"
    has_2d_head = False

    def __init__(
        self, joint_info: JointInfo, bone_lengths_mm: np.ndarray, mean_relative: bool = True
    ) -> None:
        super().__init__(joint_info.num_joints)
        self.bones = list(joint_info.edges)
        self.bone_lengths_mm = np.asarray(bone_lengths_mm, np.float32)
        self.mean_relative = mean_relative
        if self.bone_lengths_mm.shape != (len(self.bones),) or not self.bone_lengths_mm.any():
            raise UserError(
                f"Model25D needs the lengths of its {len(self.bones)} bones; got an array of "
                f"shape {self.bone_lengths_mm.shape} with "
                f"{np.count_nonzero(self.bone_lengths_mm)} known lengths. Train it on a dataset "
                "whose skeleton has edges, or name one by --bone_length_dataset."
            )

    def reconstruct(
        self, coords2d: tf.Tensor, coords3d_rel: tf.Tensor, reconstruct_points: PointReconstructor
    ) -> tf.Tensor:
        """Returns the predictions and, without gradient, the absolute joints, `[B, 2J, 3]`."""
        depths = coords3d_rel[..., 2]
        joints = reconstruct_by_bone_lengths(
            coords2d,
            depths,
            reconstruct_points.intrinsics,
            self.bones,
            self.bone_lengths_mm,
            proc_side=reconstruct_points.proc_side,
            stride=reconstruct_points.stride,
            centered_stride=reconstruct_points.centered_stride,
            center_is_mean=self.mean_relative,
        )
        image_and_depth = tf.concat([coords2d, depths[..., tf.newaxis]], axis=-1)
        return tf.concat([image_and_depth, tf.stop_gradient(joints)], axis=1)

    def split(self, points: tf.Tensor) -> dict[str, tf.Tensor]:
        """Separates 'image_and_depth' (x and y in px, z in mm from the box front) and 'joints'."""
        image_and_depth, joints = tf.split(points, 2, axis=-2)
        return {"image_and_depth": image_and_depth, "joints": joints}

    def final_joints(self, points: tf.Tensor) -> tf.Tensor:
        """Returns the absolute joints."""
        return self.split(points)["joints"]
