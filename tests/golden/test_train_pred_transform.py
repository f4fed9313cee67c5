"""Camera to world space in predictions, and the fields of the predictions file."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from metrabs.training.prediction import predict_poses
from tests.golden.tolerances import assert_close


def test_fields_and_world_coordinates_match_the_original(
    golden: Callable[[str], Mapping[str, Any]],
) -> None:
    case = golden("train_pred_transform")
    num_examples = len(case["coords3d_true"])
    model = types.SimpleNamespace(
        predict_multi_float32=lambda image, intrinsics: tf.constant(case["coords3d_pred_abs"])
    )
    batch = {
        "image": np.zeros([num_examples, 8, 8, 3], np.uint8),
        "intrinsics": np.tile(np.eye(3, dtype=np.float32), (num_examples, 1, 1)),
        "image_path": np.array([b"a.jpg"] * num_examples, dtype=object),
        "joint_validity_mask": np.ones(case["coords3d_true"].shape[:2], bool),
        **{name: case[name] for name in ("coords3d_true", "rot_to_world", "cam_loc")},
    }
    poses = predict_poses(model, [batch])
    assert set(case["output_fields"].tolist()) <= set(poses)
    compared = [key for key in case if key.startswith("out_")]
    assert compared
    for key in compared:
        assert_close(poses[key[len("out_") :]], case[key], rtol=1e-6)
