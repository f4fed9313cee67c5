"""Layers that form affine combinations of points, mirror-symmetric by weight sharing.

Points are ordered left, right, central. The weights of a layer are the blocks of one matrix with
a row per joint and a column per latent point:

    [ S  Q  X ]     left joints
    [ Q  S  X ]     right joints
    [ C  C  Z ]     central joints

Sharing S, Q, X and C makes swapping the sides of the joints the same as swapping the sides of the
latents. Normalising the columns makes the combinations affine, so that a shift of all input
points shifts all output points; since all coordinates share the weights, every linear map of space
(rotation, scaling, mirroring) also carries over.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from metrabs.errors import unknown_name_error
from metrabs.geometry.projection import affine_combination

DIRECTIONS = ("encode", "decode")
_SHARED_BLOCKS = ("s", "q", "x", "c")


@tf.keras.utils.register_keras_serializable("metrabs")
class AffineCombinationLayer(tf.keras.layers.Layer):
    """Combines joints to latent points ('encode') or latent points to joints ('decode')."""

    def __init__(
        self,
        num_joints_sided: int,
        num_joints_central: int,
        num_latents_sided: int,
        num_latents_central: int,
        direction: str,
        chiral: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """Creates the layer.

        Args:
            num_joints_sided: Number of left and right joints together.
            num_joints_central: Number of joints without a side.
            num_latents_sided: Number of left and right latent points together.
            num_latents_central: Number of latent points without a side.
            direction: 'encode' or 'decode'.
            chiral: Whether the sides share weights; otherwise both copies of the blocks S, Q, X
                and C are independent.
            seed: Random seed of the initial weights, uniform in [-0.1, 1].
            **kwargs: Arguments of the Keras layer.
        """
        super().__init__(**{"dtype": "float32", **kwargs})
        if direction not in DIRECTIONS:
            raise unknown_name_error("direction", direction, DIRECTIONS)
        self.num_joints_sided = num_joints_sided
        self.num_joints_central = num_joints_central
        self.num_latents_sided = num_latents_sided
        self.num_latents_central = num_latents_central
        self.direction = direction
        self.chiral = chiral
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        """Creates the blocks `s`, `q`, `x`, `c`, `z` (and `s_2` ... `c_2` if not chiral)."""
        joints, latents = self.num_joints_sided // 2, self.num_latents_sided // 2
        shapes = {
            "s": (joints, latents),
            "q": (joints, latents),
            "x": (joints, self.num_latents_central),
            "c": (self.num_joints_central, latents),
            "z": (self.num_joints_central, self.num_latents_central),
        }
        if not self.chiral:
            shapes.update({f"{name}_2": shapes[name] for name in _SHARED_BLOCKS})
        seeds = np.random.SeedSequence(
            [self.seed, DIRECTIONS.index(self.direction)]
        ).generate_state(len(shapes))
        self.blocks = {
            name: self.add_weight(
                name=name,
                shape=shape,
                initializer=tf.keras.initializers.RandomUniform(-0.1, 1.0, seed=int(seed)),
            )
            for (name, shape), seed in zip(shapes.items(), seeds)
        }
        super().build(input_shape)

    def weight_matrix(self) -> tf.Tensor:
        """Returns the weights `[points in, points out]`; every column sums to one."""
        first = self.blocks
        second = {name: first[name if self.chiral else f"{name}_2"] for name in _SHARED_BLOCKS}
        rows = [
            [first["s"], first["q"], first["x"]],
            [second["q"], second["s"], second["x"]],
            [first["c"], second["c"], first["z"]],
        ]
        matrix = tf.concat([tf.concat(row, axis=1) for row in rows], axis=0)
        if self.direction == "decode":
            matrix = tf.transpose(matrix)
        return matrix / tf.reduce_sum(matrix, axis=0, keepdims=True)

    def call(self, points: tf.Tensor) -> tf.Tensor:
        """Combines points `[batch, points in, coordinates]` to `[batch, points out, ...]`."""
        return affine_combination(points, self.weight_matrix())

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "num_joints_sided": self.num_joints_sided,
            "num_joints_central": self.num_joints_central,
            "num_latents_sided": self.num_latents_sided,
            "num_latents_central": self.num_latents_central,
            "direction": self.direction,
            "chiral": self.chiral,
            "seed": self.seed,
        }


@tf.keras.utils.register_keras_serializable("metrabs")
class AffineCombiningAutoencoder(tf.keras.Model):
    """Encodes joints to latent points and decodes these to joints.

    Joints and latents are ordered left, right, central. Input and output are poses
    `[batch, joints, coordinates]` in any unit and frame.
    """

    def __init__(
        self,
        num_joints_sided: int,
        num_joints_central: int,
        num_latents_sided: int,
        num_latents_central: int,
        chiral: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """Creates both layers; for the arguments see `AffineCombinationLayer`."""
        super().__init__(**kwargs)
        self.sizes = {
            "num_joints_sided": num_joints_sided,
            "num_joints_central": num_joints_central,
            "num_latents_sided": num_latents_sided,
            "num_latents_central": num_latents_central,
        }
        self.chiral = chiral
        self.seed = seed
        shared: dict[str, Any] = {**self.sizes, "chiral": chiral, "seed": seed}
        self.encoder = AffineCombinationLayer(**shared, direction="encode", name="encoder")
        self.decoder = AffineCombinationLayer(**shared, direction="decode", name="decoder")
        self.encoder.build(None)
        self.decoder.build(None)

    def weight_matrices(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns w1 `[joints, latents]` and w2 `[latents, joints]`."""
        return self.encoder.weight_matrix(), self.decoder.weight_matrix()

    def call(self, poses: tf.Tensor) -> tf.Tensor:
        """Reconstructs poses from their latent points."""
        return self.decoder(self.encoder(poses))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), **self.sizes, "chiral": self.chiral, "seed": self.seed}
