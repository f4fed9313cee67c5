from __future__ import annotations

import re

import numpy as np
import pytest

from metrabs.geometry.projection import is_within_fov, normalize_image_points
from metrabs.geometry.reconstruction import (
    full_perspective_offset,
    reconstruct_absolute,
    weak_perspective_offset,
)
from tests.golden.tolerances import assert_close


@pytest.fixture
def data(golden):
    return golden("train_reconstruct_absolute")


def cases(data):
    """Yields (prefix of the keys, inputs, crop settings)."""
    prefixes = [key[: -len("coords2d")] for key in data if key.endswith("_coords2d")]
    assert prefixes
    for prefix in prefixes:
        inputs = [data[prefix + name] for name in ("coords2d", "coords3d_rel", "intrinsics")]
        crop = {
            "proc_side": int(re.search(r"side(\d+)", prefix)[1]),
            "stride": int(data["stride_train"]),
            "centered_stride": bool(data["centered_stride"]),
        }
        yield prefix, inputs, crop


def test_absolute_poses_match_the_original(data):
    num_compared = 0
    for prefix, inputs, crop in cases(data):
        for key in data:
            match = re.fullmatch(prefix + r"(weak|full)_mix(None|tensor|[.\d]+)", key)
            if not match:
                continue
            perspective, mix = match.groups()
            if mix == "tensor":
                mix = data[key + "_value"]
            else:
                mix = None if mix == "None" else float(mix)
            actual = reconstruct_absolute(
                *inputs,
                **crop,
                mix_3d_inside_fov=mix,
                weak_perspective=perspective == "weak",
                scale="batch",
            )
            assert_close(actual, data[key], rtol=1e-5)
            num_compared += 1
    assert num_compared


def test_intermediate_results_match_the_original(data):
    for prefix, (coords2d, coords3d_rel, intrinsics), crop in cases(data):
        rays = normalize_image_points(coords2d, intrinsics)
        inside = is_within_fov(coords2d, **crop)
        assert_close(rays, data[prefix + "normalized2d"], rtol=1e-5)
        assert np.array_equal(inside, data[prefix + "in_fov"])
        weak = weak_perspective_offset(rays, coords3d_rel, inside)
        assert_close(weak, data[prefix + "ref_weak"], rtol=1e-5)
        full = full_perspective_offset(rays, coords3d_rel, inside, scale="batch")
        assert_close(full, data[prefix + "ref_full"], rtol=1e-5)


def test_default_matches_the_original_run_on_single_examples(data):
    for prefix, (coords2d, coords3d_rel, intrinsics), crop in cases(data):
        actual = full_perspective_offset(
            normalize_image_points(coords2d, intrinsics),
            coords3d_rel,
            is_within_fov(coords2d, **crop),
        )
        alone = [key for key in data if key.startswith(prefix + "ref_full_alone")]
        assert len(alone) == len(coords2d)
        for key in alone:
            i = int(key.rpartition("alone")[2])
            assert_close(actual[i : i + 1], data[key], rtol=1e-5)
