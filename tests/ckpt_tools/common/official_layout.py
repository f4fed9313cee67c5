"""Variables in the original layout, written from its description, not from our networks."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

JOINT_NAMES = ["lwri_smpl", "pelv_smpl", "rwri_smpl"]
JOINT_EDGES = [[0, 1], [1, 2]]
DEPTH = 3

# EfficientNetV2-B0: repeats, channels in and out, expansion, squeeze-and-excitation.
_STAGES = [
    (1, 32, 16, 1, False), (2, 16, 32, 4, False), (2, 32, 48, 4, False), (3, 48, 96, 4, True),
    (5, 96, 112, 6, True), (8, 112, 192, 6, True),
]  # fmt: skip


def efficientnetv2_b0_shapes() -> dict[str, tuple[int, ...]]:
    """Returns names below 'efficientnetv2-b0/' and shapes of all variables without classifier."""
    shapes = {"stem/conv2d/kernel": (3, 3, 3, 32), **_batch_norm("stem", 0, 32)}
    block = 0
    for repeats, first_channels, out, expansion, has_se in _STAGES:
        for repeat in range(repeats):
            channels = first_channels if repeat == 0 else out
            shapes.update(_block(f"blocks_{block}", channels, out, expansion, has_se))
            block += 1
    shapes.update({"head/conv2d/kernel": (1, 1, 192, 1280), **_batch_norm("head", 0, 1280)})
    return shapes


def tiny_network_shapes() -> dict[str, tuple[int, ...]]:
    """Returns the same for a network of stem, one block of the first stage, and head."""
    return {
        "stem/conv2d/kernel": (3, 3, 3, 4), **_batch_norm("stem", 0, 4),
        **_block("blocks_0", 4, 5, 1, False),
        "head/conv2d/kernel": (1, 1, 5, 6), **_batch_norm("head", 0, 6),
    }  # fmt: skip


def build_tiny_backbone(name: str, **kwargs: Any) -> tf.keras.Model:
    """Stands in for `metrabs.backbones.registry.build_backbone`: that network, with our names."""
    layers = tf.keras.layers
    x = image = tf.keras.Input([None, None, 3])
    for layer, channels, size, stride in (
        ("stem", 4, 3, 8), ("block1a_project", 5, 3, 4), ("top", 6, 1, 1)
    ):  # fmt: skip
        x = layers.Conv2D(channels, size, stride, "same", use_bias=False, name=f"{layer}_conv")(x)
        x = layers.Activation("swish")(layers.BatchNormalization(name=f"{layer}_bn")(x))
    network = tf.keras.Model(image, x, name=name)
    crop = tf.keras.Input([None, None, 3])
    backbone = tf.keras.Model(crop, network(layers.Rescaling(2.0, -1.0)(crop)), name="backbone")
    backbone.feature_channels = 6
    return backbone


def random_values(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    """Returns values for variables, such that activations stay finite."""
    rng = np.random.default_rng(seed)
    return {name: _random(rng, name, shape) for name, shape in shapes.items()}


def write_name_based_checkpoint(path: pathlib.Path, values: dict[str, np.ndarray]) -> None:
    """Writes a checkpoint whose keys are the variables' names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=str(path),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )
    (path.parent / "checkpoint").write_text(f'model_checkpoint_path: "{path.name}"\n')


def save_original_model(
    folder: pathlib.Path,
    backbone_values: dict[str, np.ndarray],
    num_points: int = 3,
    is_full_image_model: bool = False,
    scope: str = "efficientnetv2-b0/",
) -> tuple[np.ndarray, np.ndarray]:
    """Writes a SavedModel with the original parts and variable names; returns its head."""
    rng = np.random.default_rng(7)
    num_features = backbone_values["head/conv2d/kernel"].shape[-1]
    kernel = rng.normal(0, 1, [1, 1, num_features, num_points * (1 + DEPTH)]).astype(np.float32)
    bias = rng.normal(0, 1, [num_points * (1 + DEPTH)]).astype(np.float32)
    model = tf.Module()
    model.backbone, model.heatmap_heads = tf.Module(), tf.Module()
    model.backbone.weights = [
        tf.Variable(value, name=scope + name) for name, value in backbone_values.items()
    ]
    model.heatmap_heads.weights = [tf.Variable(kernel, name="k"), tf.Variable(bias, name="b")]
    model.joint_names = tf.Variable(np.array(JOINT_NAMES, object), dtype=tf.string)
    model.joint_edges = tf.Variable(np.array(JOINT_EDGES, np.int64))
    model.input_resolution = tf.Variable(64, dtype=tf.int32)
    if is_full_image_model:
        outer = tf.Module()
        outer.crop_model, outer.detector = model, tf.Module()
        outer.detector.weights = [tf.Variable(np.zeros([3, 3, 3, 32]), name="stem/conv2d/kernel")]
        outer.joint_names = model.joint_names
        model = outer
    tf.saved_model.save(model, str(folder))
    return kernel, bias


def _block(
    name: str, channels: int, out: int, expansion: int, has_se: bool
) -> dict[str, tuple[int, ...]]:
    wide = channels * expansion
    if expansion == 1:
        return {f"{name}/conv2d/kernel": (3, 3, channels, out), **_batch_norm(name, 0, out)}
    shapes: dict[str, tuple[int, ...]] = {}
    shapes[f"{name}/conv2d/kernel"] = (1, 1, channels, wide) if has_se else (3, 3, channels, wide)
    shapes.update(_batch_norm(name, 0, wide))
    if has_se:
        squeezed = channels // 4
        shapes[f"{name}/depthwise_conv2d/depthwise_kernel"] = (3, 3, wide, 1)
        shapes.update(_batch_norm(name, 1, wide))
        shapes[f"{name}/se/conv2d/kernel"] = (1, 1, wide, squeezed)
        shapes[f"{name}/se/conv2d/bias"] = (squeezed,)
        shapes[f"{name}/se/conv2d_1/kernel"] = (1, 1, squeezed, wide)
        shapes[f"{name}/se/conv2d_1/bias"] = (wide,)
    shapes[f"{name}/conv2d_1/kernel"] = (1, 1, wide, out)
    shapes.update(_batch_norm(name, 2 if has_se else 1, out))
    return shapes


def _batch_norm(name: str, number: int, channels: int) -> dict[str, tuple[int, ...]]:
    layer = f"{name}/tpu_batch_normalization" + (f"_{number}" if number else "")
    return {
        f"{layer}/{weight}": (channels,)
        for weight in ("gamma", "beta", "moving_mean", "moving_variance")
    }


def _random(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name.endswith(("moving_variance", "gamma")):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    stdev = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) == 4 else 0.1
    return rng.normal(0, stdev, shape).astype(np.float32)
