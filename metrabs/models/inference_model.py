"""A trained crop model reduced to what predicting needs, for packing into an estimator.

Batch normalisation is folded. The network is there twice, computing in float32 and in float16,
with one set of weights: GPUs are fast in float16 (what the release computes in), other processors
in float32. Which one runs is decided where the model is used.

Deviation: the release computes in float16 everywhere, which is several times slower than float32
on ordinary processors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from metrabs.errors import UserError, unknown_name_error
from metrabs.models.crop_model import CropModel
from metrabs.models.devices import runs_on
from metrabs.models.folding import fold_batch_norm
from metrabs.models.variants import Variant

PRECISIONS = ("by-device", "float32", "float16")

_INTRINSICS_SPEC = tf.TensorSpec([None, 3, 3], tf.float32, name="intrinsic_matrix")


class InferenceCropModel(tf.Module):
    """Offers what the estimator needs of a crop model: three variables and two functions.

    Args:
        model: a built crop model; later changes of its weights have no effect.
        precision: of the network; 'by-device': float16 on GPUs, else float32. Heatmaps and
            geometry are float32 in any case.

    Raises:
        UserError: the model's poses have no place in space, or the precision is unknown.
    """

    def __init__(self, model: CropModel, precision: str = "by-device") -> None:
        super().__init__(name="crop_model")
        refuse_relative_poses(type(model.variant))
        self.joint_names = model.joint_names
        self.joint_edges = model.joint_edges
        self.input_resolution = model.input_resolution
        policies = {
            "by-device": ("float32", "mixed_float16"),
            "float32": ("float32",),
            "float16": ("mixed_float16",),
        }
        if precision not in policies:
            raise unknown_name_error("precision", precision, PRECISIONS)
        networks = _networks_with_shared_weights(model, policies[precision])
        self.predict_multi_float32 = _predictor(model, networks)
        self.predict_multi = taking_float16_crops(self.predict_multi_float32)


def refuse_relative_poses(variant: type[Variant]) -> None:
    """Raises a UserError for a variant that does not tell how far away people are."""
    if not variant.is_absolute:
        raise UserError(
            f"A {variant.name} model cannot be exported as an estimator: it predicts poses "
            "relative to their root, and the estimator needs to know how far away people are. "
            "Train with --model_class=Metrabs."
        )


def _networks_with_shared_weights(model: CropModel, policies: tuple[str, ...]) -> list[Any]:
    """Returns functions `crops [B, S, S, 3] -> (coords2d, coords3d_rel)`, one per precision."""
    variables: list[tf.Variable] = []
    networks = []
    for i, policy in enumerate(policies):
        with _recording(variables) if i == 0 else _reusing(variables), _without_advice():
            networks.append(_network(model, policy))
    return networks


def _network(model: CropModel, policy: str) -> Any:
    backbone = fold_batch_norm(model.backbone, policy)
    heads = model.heatmap_heads
    head_copy = type(heads).from_config({**heads.get_config(), "dtype": policy})
    head_copy.conv = tf.keras.layers.Conv2D.from_config(
        {**heads.conv.get_config(), "dtype": policy}
    )
    head_copy.build(backbone.output_shape)
    head_copy.conv.set_weights(heads.conv.get_weights())
    return lambda crops: head_copy(backbone(crops, training=False), training=False)


def _predictor(model: CropModel, networks: list[Any]) -> Any:
    """Returns the prediction function that runs the last of the networks on GPUs."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.float32, name="image"), _INTRINSICS_SPEC
        ],
        autograph=False,
    )
    def predict_multi_float32(image: tf.Tensor, intrinsic_matrix: tf.Tensor) -> tf.Tensor:
        """Maps float32 crops `[n, S, S, 3]` and their intrinsics to poses, see `CropModel`."""
        if len(networks) == 1:
            coords2d, coords3d_rel = networks[0](image)
        else:
            coords2d, coords3d_rel = tf.cond(
                runs_on("GPU"), lambda: networks[1](image), lambda: networks[0](image)
            )
        return model.predict_from_heads(coords2d, coords3d_rel, intrinsic_matrix)

    return predict_multi_float32


def taking_float16_crops(predict_float32: Any) -> Any:
    """Returns `predict_multi` for a model's `predict_multi_float32`, without a second network."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.float16, name="image"), _INTRINSICS_SPEC
        ],
        autograph=False,
    )
    def predict_multi(image: tf.Tensor, intrinsic_matrix: tf.Tensor) -> tf.Tensor:
        """Does as `predict_multi_float32` for float16 crops."""
        return predict_float32(tf.cast(image, tf.float32), intrinsic_matrix)

    return predict_multi


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Keeps Keras from warning that float16 is slow here: it will be used elsewhere."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _recording(variables: list[tf.Variable]) -> Iterator[None]:
    """Appends the variables that are created in the block."""

    def _create(next_creator: Any, **kwargs: Any) -> tf.Variable:
        variables.append(next_creator(**kwargs))
        return variables[-1]

    with tf.variable_creator_scope(_create):
        yield


@contextlib.contextmanager
def _reusing(variables: list[tf.Variable]) -> Iterator[None]:
    """Hands out variables, in order, wherever the block would create new ones."""
    remaining = iter(variables)
    with tf.variable_creator_scope(lambda next_creator, **kwargs: next(remaining)):
        yield
