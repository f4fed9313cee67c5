"""From settings to a crop model that is ready to train, restore or export."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Optional

import numpy as np
import tensorflow as tf

from metrabs.backbones.registry import build_backbone
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models.crop_model import CropModel
from metrabs.models.variants import AffineMatrices
from metrabs.skeletons import JointInfo

_POLICIES = {"float32": "float32", "float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}


def build_crop_model(
    config: Config,
    joint_info: JointInfo,
    affine_weights: Optional[AffineMatrices] = None,
    bone_lengths_mm: Optional[np.ndarray] = None,
) -> CropModel:
    """Builds the crop model of the settings, with all its variables.

    Args:
        config: the settings; `model.dtype` chooses the precision of backbone and head.
        joint_info: the joints to predict.
        affine_weights: the loaded content of the `affine_weights` setting.
        bone_lengths_mm: `[E]`, usual length of each edge of the joints, for Model25D.

    Raises:
        UserError: a setting is not usable, or affine weights are needed and missing.
    """
    model_config = config.model
    _check_strides(model_config.stride_train, model_config.stride_test)
    with _dtype_policy(model_config.dtype):
        backbone = build_backbone(
            model_config.backbone,
            proc_side=config.loading.proc_side,
            weights=model_config.backbone_weights,
            centered_stride=model_config.centered_stride,
            ghost_batch_sizes=parse_ghost_batch_sizes(model_config.ghost_bn),
            batch_norm_momentum=model_config.batch_norm_momentum,
            group_norm=model_config.group_norm,
            kernel_norm_limit=model_config.constrain_kernel_norm,
            stride=model_config.stride_test,
            caffe_channel_order=model_config.caffe_channel_order,
        )
        side = config.loading.proc_side
        model = CropModel(
            backbone, joint_info, model_config, side, affine_weights, bone_lengths_mm
        )
        # A symbolic call creates the head's weights and tells Keras the inputs for saving.
        model((tf.keras.Input([side, side, 3]), tf.keras.Input([3, 3])), training=False)
    return model


def parse_ghost_batch_sizes(text: str) -> tuple[int, ...]:
    """Parses '16,16,32' to (16, 16, 32); empty text to ().

    Raises:
        UserError: the text is not a list of positive numbers.
    """
    try:
        sizes = tuple(int(part) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        sizes = (0,)
    if any(size < 1 for size in sizes):
        raise UserError(
            f"--ghost_bn must be group sizes such as '16,16,16,16', not '{text}'."
        )
    return sizes


def _check_strides(stride_train: int, stride_test: int) -> None:
    if stride_train != stride_test:
        raise UserError(
            f"--stride_train={stride_train} and --stride_test={stride_test} differ; the backbones "
            "have one output stride, 32. Leave both at 32."
        )


@contextlib.contextmanager
def _dtype_policy(dtype: str) -> Iterator[None]:
    """Keras layers take their precision from a global policy; it is changed only for a moment."""
    previous = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(_POLICIES[dtype])
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(previous)
