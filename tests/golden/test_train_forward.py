"""The crop model's forward pass for stored features, at test time and in training."""

from __future__ import annotations

import re
import types

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.geometry.projection import project_pose
from metrabs.models.crop_model import CropModel
from metrabs.skeletons import JointInfo
from metrabs.training.prediction import mirror_pose, predict_with_mirroring
from tests.golden.tolerances import assert_close
from tests.golden.variant_settings import VARIANT_SETTINGS

# Golden file -> variant.
FILES = {
    "train_forward_separate": "separate",
    "train_forward_regul": "regul",
    "train_forward_latent": "latent",
    "train_forward_hybrid": "hybrid",
}
# Suffixes in golden files of the parts that `Variant.split` names.
PART_SUFFIXES = {"joints": "", "latents": "_latenthead"}


@pytest.mark.parametrize("file", FILES)
def test_plain_weak_perspective_and_mirrored_predictions_match_the_original(golden, file):
    data, settings = golden(file), VARIANT_SETTINGS[FILES[file]]
    model = _make_model(data, **settings)
    crops, intrinsics = tf.constant(data["features"]), tf.constant(data["intrinsics"])
    poses = model((crops, intrinsics))
    for key in ("call_coords3d_abs", "test_coords3d_pred_abs"):
        assert_close(poses, data[key], rtol=1e-4)
    assert_close(project_pose(poses, intrinsics), data["test_coords2d_pred"], rtol=1e-4)
    weak_model = _make_model(data, weak_perspective=True, **settings)
    assert_close(weak_model((crops, intrinsics)), data["call_weakpersp_coords3d_abs"], rtol=1e-4)

    flipped = model((crops[:, :, ::-1], intrinsics))
    flipped = mirror_pose(flipped, model.joint_info.mirror_mapping)
    assert_close(flipped, data["testflipped_coords3d_pred_abs"], rtol=1e-4)
    flipped2d = project_pose(flipped, intrinsics)
    assert_close(flipped2d, data["testflipped_coords2d_pred"], rtol=1e-4)
    poses3d, poses2d = predict_with_mirroring(model, crops, intrinsics)
    assert_close(poses3d, data["testflipavg_coords3d_pred_abs"], rtol=1e-4)
    assert_close(poses2d, data["testflipavg_coords2d_pred"], rtol=1e-4)


@pytest.mark.parametrize("file", FILES)
def test_points_of_joint_3d_and_2d_batches_match_the_original(golden, file):
    data = golden(file)
    model = _make_model(data, **VARIANT_SETTINGS[FILES[file]])
    crops = tf.concat([data["features"], data["features_2d"]], axis=0)
    intrinsics = tf.concat([data["intrinsics"], data["intrinsics_2d"]], axis=0)
    cases = sorted(
        {
            match.groups()
            for match in map(re.compile(r"step(\d+)_training(\d)_.*").match, data)
            if match
        }
    )
    assert cases
    for step, training in cases:
        mix = tf.constant(data["mix_random"]) if training == "1" else None
        _, coords2d, coords3d_rel = model.backbone_and_head(crops, training=training == "1")
        is_weak = tf.constant(int(step) < 500)
        points = model.reconstruct(coords2d, coords3d_rel, intrinsics, mix=mix, weak=is_weak)
        prefix = f"step{step}_training{training}_"
        parts3d = model.variant.split(points)
        parts2d = model.variant.split(project_pose(points, intrinsics))
        for part, suffix in PART_SUFFIXES.items():
            if part in parts3d:
                _check_part(data, prefix, suffix, parts3d[part].numpy(), parts2d[part].numpy())


def _make_model(data, **settings) -> CropModel:
    """Builds the crop model of a golden file: identity backbone, given head, its settings."""
    config = Config().replace(
        reconstruction_scale="batch",
        depth=int(data["setting_depth"]),
        box_size_mm=float(data["setting_box_size_mm"]),
        stride_train=int(data["setting_stride_train"]),
        stride_test=int(data["setting_stride_test"]),
        centered_stride=bool(data["setting_centered_stride"]),
        mix_3d_inside_fov=float(data["setting_mix_3d_inside_fov"]),
        **settings,
    )
    names = [str(name) for name in data["names3d"]]
    weights = types.SimpleNamespace(w1=data["w1"], w2=data["w2"], joint_names=names)
    model = CropModel(
        lambda image, training: image,
        JointInfo(names),
        config.model,
        int(data["setting_proc_side"]),
        weights if config.model.affine_weights else None,
    )
    assert model.heatmap_heads.num_points == data["n_head_points"]
    model.heatmap_heads.build(data["features"].shape)
    model.heatmap_heads.conv.set_weights([data["head_kernel"], data["head_bias"]])
    return model


def _check_part(
    data, prefix: str, suffix: str, points3d: np.ndarray, points2d: np.ndarray
) -> None:
    size = len(data["features"])
    names = {
        "coords3d_pred_abs": points3d[:size],
        "coords3d_pred_abs2d": points3d[size:],
        "coords2d_pred": points2d[:size],
        "coords2d_pred2d": points2d[size:],
    }
    for name, actual in names.items():
        assert_close(actual, data[f"{prefix}{name}{suffix}"], rtol=1e-4)
