"""Building a crop model that is ready to train, restore or export."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from metrabs.backbones.registry import build_backbone
from metrabs.errors import UserError
from metrabs.models.crop_model import CropModel
from metrabs.models.description import ModelDescription

_POLICIES = {"float32": "float32", "float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}


def build_crop_model(description: ModelDescription, pretrained: bool = True) -> CropModel:
    """Builds a crop model with all its variables.

    Args:
        description: Settings, joints and other parts; the setting `dtype` chooses the precision
            of backbone and heads.
        pretrained: Initialize the backbone as the setting `backbone_weights` says; otherwise at
            random, for a model whose weights are going to be restored.

    Raises:
        UserError: a setting is not usable, or affine weights or bone lengths are needed and
            missing.
    """
    model_config = description.config.model
    side = description.config.loading.proc_side
    _check_strides(model_config.stride_train, model_config.stride_test)
    with _dtype_policy(model_config.dtype):
        backbone = build_backbone(
            model_config.backbone,
            proc_side=side,
            weights=model_config.backbone_weights if pretrained else "none",
            centered_stride=model_config.centered_stride,
            ghost_batch_sizes=parse_ghost_batch_sizes(model_config.ghost_bn),
            batch_norm_momentum=model_config.batch_norm_momentum,
            group_norm=model_config.group_norm,
            kernel_norm_limit=model_config.constrain_kernel_norm,
            stride=model_config.stride_test,
            caffe_channel_order=model_config.caffe_channel_order,
        )
        model = CropModel(
            backbone,
            description.joint_info,
            model_config,
            side,
            description.affine_weights,
            description.bone_lengths_mm,
        )
        # A symbolic call creates the head's weights and defines the inputs for saving.
        model((tf.keras.Input([side, side, 3]), tf.keras.Input([3, 3])), training=False)
    return model


def parse_ghost_batch_sizes(value: str) -> tuple[int, ...]:
    """Parses '16,16,32' to (16, 16, 32), and an empty string to ().

    Raises:
        UserError: the string is not a list of positive numbers.
    """
    try:
        sizes = tuple(int(part) for part in value.split(",")) if value.strip() else ()
    except ValueError:
        sizes = (0,)
    if any(size < 1 for size in sizes):
        raise UserError(f"--ghost_bn must be group sizes such as '16,16,16,16', not '{value}'.")
    return sizes


def _check_strides(stride_train: int, stride_test: int) -> None:
    if stride_train != stride_test:
        raise UserError(
            f"--stride_train={stride_train} and --stride_test={stride_test} differ; the backbones "
            "have one output stride, 32. Leave both at 32."
        )


@contextlib.contextmanager
def _dtype_policy(dtype: str) -> Iterator[None]:
    """Sets Keras' global precision policy temporarily; layers take their precision from it."""
    previous = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(_POLICIES[dtype])
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(previous)
