"""Checkpoints of a tiny crop model."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ckpt_tools.common.model_checkpoints import write_model_checkpoint
from metrabs.config import Config
from metrabs.models.build import build_crop_model
from metrabs.models.crop_model import CropModel
from metrabs.models.description import ModelDescription
from metrabs.skeletons import JointInfo
from tests.ckpt_tools.common import official_layout as layout

CONFIG = Config().replace(
    backbone="efficientnetv2-b0", backbone_weights="none", dtype="float32", proc_side=64, depth=3,
)  # fmt: skip


@pytest.fixture
def tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces all backbones by a tiny one."""
    monkeypatch.setattr("metrabs.models.build.build_backbone", layout.build_tiny_backbone)


def build_model(seed: int = 0, **settings: Any) -> CropModel:
    """Builds a crop model with random weights."""
    joint_info = JointInfo(layout.JOINT_NAMES, [(0, 1), (1, 2)])
    model = build_crop_model(ModelDescription(CONFIG.replace(**settings), joint_info))
    rng = np.random.default_rng(seed)
    for weight in model.backbone.weights + model.heatmap_heads.weights:
        weight.assign(
            rng.uniform(0.2, 1, weight.shape)
            if "variance" in weight.name
            else rng.normal(0, 0.7, weight.shape)
        )
    return model


def write_checkpoint(
    folder: pathlib.Path, num_steps: int = 5, seed: int = 0, **settings: Any
) -> CropModel:
    """Writes a checkpoint of such a model and returns the model."""
    model = build_model(seed, **settings)
    description = ModelDescription(CONFIG.replace(**settings), model.joint_info)
    write_model_checkpoint(model, description, folder, num_steps)
    return model


def network_weights(model: CropModel) -> list[tf.Variable]:
    """Returns the variables of backbone and head."""
    return [*model.backbone.weights, *model.heatmap_heads.weights]
