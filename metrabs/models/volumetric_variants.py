"""The model classes before MeTRAbs: root-relative volumes (Metro), and 2.5D with bone lengths."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.geometry.reconstruction_25d import reconstruct_by_bone_lengths
from metrabs.models.point_reconstruction import PointReconstructor
from metrabs.models.variants import Variant
from metrabs.skeletons import JointInfo


class MetroVariant(Variant):
    """Predicts poses in a metric box; where the box is, is unknown (Metro, FG 2020).

    Only differences between joints carry a meaning.
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
    """Predicts image coordinates and relative depths; the size of bones gives the distance.

    Args:
        joint_info: the joints that come out, with the bones as edges.
        bone_lengths_mm: `[E]`, usual length of each bone; 0 where unknown.
        mean_relative: depths are relative to their mean, else to the last joint.

    Raises:
        UserError: there is not one length per bone, or none is known.
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
        """Returns what is predicted and, without gradient, the absolute joints, `[B, 2J, 3]`."""
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

    def joints_of(self, points: tf.Tensor) -> tf.Tensor:
        """Picks the absolute joints."""
        return self.split(points)["joints"]
