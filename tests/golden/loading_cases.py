"""Golden cases of loading one example: reading them, and comparing outputs."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.pools import AugmentationPools, Occluder
from metrabs.data.storage.masks import encode_mask
from metrabs.geometry.camera import Camera
from tests.golden.tolerances import assert_close

_DEFAULTS = {"proc_side": 128, "dataset3d": "huge8"}


def case(arrays: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns the arrays of one case, by name without the case."""
    prefix = f"{name}/"
    return {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}


def camera_of(inputs: Mapping[str, Any]) -> Camera:
    """Returns the input camera in the precision in which it is stored."""
    camera = Camera(
        optical_center=inputs["in_t"],
        rot_world_to_cam=inputs["in_R"],
        intrinsic_matrix=inputs["in_K"],
        world_up=inputs["in_up"],
        distortion_coeffs=inputs["in_dist"] if len(inputs["in_dist"]) else None,
    )
    camera.t = inputs["in_t"]
    return camera


def mask_of(inputs: Mapping[str, Any]) -> Any:
    """Returns the run-length encoded mask, or None."""
    return encode_mask(inputs["in_mask"]) if "in_mask" in inputs else None


def settings_of(inputs: Mapping[str, Any]) -> tuple[LoadingConfig, str, bool]:
    """Returns the loading settings, the name of the dataset and whether it is training."""
    flags = {**_DEFAULTS, **ast.literal_eval(str(inputs["flags"]))}
    dataset = flags.pop("dataset3d")
    # The original also uses the probability of 3D examples for 2D ones.
    flags["occlude_aug_prob_2d"] = flags.get("occlude_aug_prob", 0.5)
    return LoadingConfig(**flags), dataset, int(inputs["phase"]) == 0


def rng_of(inputs: Mapping[str, Any]) -> np.random.Generator:
    """Returns the random number generator of the example."""
    return np.random.Generator(np.random.PCG64(int(inputs["rng_seed"])))


def pools_of(arrays: Mapping[str, Any]) -> AugmentationPools:
    """Returns the stored pools, with the original choice, which never takes the last item."""
    occluders, backgrounds = [], []
    while f"occluder{len(occluders)}_im" in arrays:
        key = f"occluder{len(occluders)}"
        occluders.append(Occluder(arrays[f"{key}_im"], arrays[f"{key}_mask"]))
    while f"background{len(backgrounds)}" in arrays:
        backgrounds.append(arrays[f"background{len(backgrounds)}"])
    return AugmentationPools(
        occluders, backgrounds, lambda items, rng: items[rng.integers(0, len(items) - 1)]
    )


def assert_same_image(actual: np.ndarray, expected: np.ndarray, max_fraction: float) -> None:
    """Asserts that at most a fraction of the values differs by more than 2 levels."""
    assert actual.dtype == np.uint8 and actual.shape == expected.shape
    difference = np.abs(actual.astype(int) - expected)
    fraction = (difference > 2).mean()
    assert fraction <= max_fraction, f"{fraction:.4f} of values differ"
    assert difference.mean() < 1


def assert_same_output(
    actual: Mapping[str, Any],
    inputs: Mapping[str, Any],
    suffix: str,
    tolerances: Mapping[str, float],
    max_image_fraction: float,
) -> None:
    """Compares all outputs of a case.

    Args:
        actual: Outputs of the loader.
        inputs: Arrays of the case, with the expected outputs.
        suffix: Suffix of the keys, '' or '_2d'.
        tolerances: Absolute tolerance by output name; missing means exact.
        max_image_fraction: Fraction of image values that may differ by more than 2 levels.
    """
    expected = {k[len("out_") :]: v for k, v in inputs.items() if k.startswith("out_")}
    assert_same_image(actual[f"image{suffix}"], expected.pop("image_u8"), max_image_fraction)
    for name, value in expected.items():
        if value.dtype.kind in "US":
            assert actual[name] == str(value)
        else:
            assert actual[name].dtype == value.dtype, name
            base = name[: -len(suffix)] if suffix else name
            assert_close(actual[name], value, rtol=1e-6, atol=tolerances.get(base, 0.0))
