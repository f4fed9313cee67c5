"""A trained crop model reduced to what prediction needs, for embedding in a full-image model.

Batch normalisation is folded: at test time it multiplies each channel by a constant and adds
another one, which the convolution before it can do by a scaled kernel and a shifted bias.

The network is there twice, computing in float32 and in float16, with one set of weights: GPUs are
fast in float16 (which the original implementation uses), CPUs in float32. Which one runs is
decided on the machine that uses the model.

Deviation: the original implementation computes in float16 everywhere, which is several times
slower than float32 on CPUs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from metrabs.errors import UserError, unknown_name_error
from metrabs.models.crop_model import CropModel
from metrabs.models.variants import Variant

# Layers that multiply each output channel by its own part of the kernel.
_FOLDABLE_LAYERS = (tf.keras.layers.Conv2D, tf.keras.layers.DepthwiseConv2D)
# Layers that stay in float32 regardless of the precision of the rest.
_FLOAT32_LAYERS = (tf.keras.layers.InputLayer, tf.keras.layers.Rescaling)

PRECISIONS = ("by-device", "float32", "float16")

_INTRINSICS_SPEC = tf.TensorSpec([None, 3, 3], tf.float32, name="intrinsic_matrix")


class InferenceCropModel(tf.Module):
    """The part of a crop model that the estimator needs: three variables and two functions.

    Args:
        model: A built crop model; later changes of its weights have no effect.
        precision: Precision of the network; 'by-device': float16 on GPUs, else float32. Heatmaps
            and geometry are always float32.

    Raises:
        UserError: the model's poses are only root-relative, or the precision is unknown.
    """

    def __init__(self, model: CropModel, precision: str = "by-device") -> None:
        super().__init__(name="crop_model")
        require_absolute_poses(type(model.variant))
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
        self.predict_multi = accepting_float16_crops(self.predict_multi_float32)


def runs_on(device_type: str) -> tf.Tensor:
    """Returns a boolean scalar: whether this part of the graph runs on a device of this type.

    The answer is given when the graph runs, since a SavedModel is used on other machines.

    TensorFlow places operations on a GPU wherever there is one, unless the user's
    `tf.device('CPU')` says otherwise; both are respected.

    Args:
        device_type: 'CPU' or 'GPU'.
    """
    return tf.equal(tf.raw_ops.DeviceIndex(device_names=[device_type]), 0)


def require_absolute_poses(variant: type[Variant]) -> None:
    """Raises a UserError for a variant that does not predict how far away people are."""
    if not variant.is_absolute:
        raise UserError(
            f"A {variant.name} model cannot be exported as a full-image model: it predicts poses "
            "relative to their root, and a full-image model must know how far away people are. "
            "Train with --model_class=Metrabs."
        )


def _networks_with_shared_weights(model: CropModel, policies: tuple[str, ...]) -> list[Any]:
    """Returns functions `crops [B, S, S, 3] -> (coords2d, coords3d_rel)`, one per precision."""
    variables: list[tf.Variable] = []
    networks = []
    for i, policy in enumerate(policies):
        with _recording(variables) if i == 0 else _reusing(variables), _suppress_keras_warning():
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
            tf.TensorSpec([None, None, None, 3], tf.float32, name="image"),
            _INTRINSICS_SPEC,
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


def accepting_float16_crops(predict_float32: Any) -> Any:
    """Returns `predict_multi` for a model's `predict_multi_float32`, without a second network."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.float16, name="image"),
            _INTRINSICS_SPEC,
        ],
        autograph=False,
    )
    def predict_multi(image: tf.Tensor, intrinsic_matrix: tf.Tensor) -> tf.Tensor:
        """Equals `predict_multi_float32` for float16 crops."""
        return predict_float32(tf.cast(image, tf.float32), intrinsic_matrix)

    return predict_multi


@contextlib.contextmanager
def _suppress_keras_warning() -> Iterator[None]:
    """Suppresses the warning that float16 is slow on this machine; others will use the model."""
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
    """Returns existing variables, in order, wherever the block would create new ones."""
    remaining = iter(variables)
    with tf.variable_creator_scope(lambda next_creator, **kwargs: next(remaining)):
        yield


def fold_batch_norm(network: tf.keras.Model, dtype_policy: str = "float32") -> tf.keras.Model:
    """Returns a network that computes the same at test time, with fewer layers and weights.

    Batch normalisation stays where it does not follow a convolution, or where the output of the
    convolution is also used elsewhere. Models within the network are folded likewise.

    Args:
        network: Functional Keras model.
        dtype_policy: Precision of the result, named as in Keras, such as 'mixed_float16'; input
            scaling stays in float32.
    """
    norm_of = _norms_by_convolution(network)
    folded_norms = set(norm_of.values())

    def _clone(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
        if isinstance(layer, tf.keras.Model):
            return fold_batch_norm(layer, dtype_policy)
        if layer.name in folded_norms:
            return tf.keras.layers.Activation("linear", name=layer.name, dtype=dtype_policy)
        config = layer.get_config()
        if layer.name in norm_of:
            config["use_bias"] = True
        if not isinstance(layer, _FLOAT32_LAYERS):
            config["dtype"] = dtype_policy
        return type(layer).from_config(config)

    folded = tf.keras.models.clone_model(network, clone_function=_clone)
    for layer in network.layers:
        if isinstance(layer, tf.keras.Model) or layer.name in folded_norms or not layer.weights:
            continue
        weights = layer.get_weights()
        if layer.name in norm_of:
            weights = _folded_weights(layer, network.get_layer(norm_of[layer.name]))
        folded.get_layer(layer.name).set_weights(weights)
    return folded


def _norms_by_convolution(network: tf.keras.Model) -> dict[str, str]:
    """Returns {name of a convolution: name of the batch normalisation that can be folded}."""
    pairs = {}
    for layer in network.layers:
        if isinstance(layer, _FOLDABLE_LAYERS) and len(layer.outbound_nodes) == 1:
            follower = layer.outbound_nodes[0].layer
            is_linear = layer.activation is tf.keras.activations.linear
            if is_linear and isinstance(follower, tf.keras.layers.BatchNormalization):
                pairs[layer.name] = follower.name
    return pairs


def _folded_weights(
    convolution: tf.keras.layers.Layer, norm: tf.keras.layers.BatchNormalization
) -> list[np.ndarray]:
    """Returns kernel and bias of a convolution that also does the batch normalisation."""
    kernel = convolution.get_weights()[0].astype(np.float64)
    bias = convolution.get_weights()[1].astype(np.float64) if convolution.use_bias else 0.0
    scale = 1 / np.sqrt(norm.moving_variance.numpy().astype(np.float64) + norm.epsilon)
    if norm.scale:
        scale = scale * norm.gamma.numpy()
    bias = (bias - norm.moving_mean.numpy()) * scale
    if norm.center:
        bias = bias + norm.beta.numpy()
    is_depthwise = isinstance(convolution, tf.keras.layers.DepthwiseConv2D)
    kernel = kernel * (scale.reshape(kernel.shape[2:]) if is_depthwise else scale)
    return [kernel.astype(np.float32), np.asarray(bias, np.float32)]
