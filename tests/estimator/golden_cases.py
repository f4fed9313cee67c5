"""How the golden cases of the full-image model were called, read off their names and shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from metrabs.estimator.box_inputs import BoxInputs, make_box_inputs
from metrabs.estimator.estimator import PoseEstimator
from metrabs.estimator.test_time_augmentation import make_augmentations
from metrabs.estimator.virtual_cameras import (
    BoxCameras,
    CropCameras,
    augment_cameras,
    look_at_boxes,
)
from tests.estimator.fakes import FakeDetector, fake_crop_model, fake_detector, fake_skeletons
from tests.golden.tolerances import assert_close

Arrays = Mapping[str, Any]

_TOLERANCES = {"boxes": 1e-3, "poses3d": 0.05, "poses2d": 0.01}  # pixels and score, mm, pixels
_SKELETON_OF_SIZE = {5: "mini_5", 4: "extra_4", 0: "unknown"}
_VALUE_PATTERNS = {
    r"aug(\d)": lambda value: {"num_aug": int(value)},
    r"fov(\d+)": lambda value: {"default_fov_degrees": float(value)},
    r"aa(\d)": lambda value: {"antialias_factor": int(value)},
    r"ibs(\d+)": lambda value: {"internal_batch_size": int(value)},
    r"max(\d)": lambda value: {"max_detections": int(value)},
    r"thr0(\d)": lambda value: {"detector_threshold": int(value) / 10},
}
_FIXED_WORDS = {
    "noavg": {"average_aug": False},
    "nosup": {"suppress_implausible_poses": False},
    "flip": {"detector_flip_aug": True},
    "none": {"detector_threshold": 1.5},
    "dmix": {"internal_batch_size": 11},
}
_CASE_ARGUMENTS: dict[str, dict[str, Any]] = {
    "det/K1_E1_upz_d5_sup": {"num_aug": 3},
    "det/thr07_flip": {"num_aug": 1, "suppress_implausible_poses": False},
    "det_vflip/thr07": {"num_aug": 1, "suppress_implausible_poses": False},
    "detb_expected_max3/aug2_nosup": {"max_detections": 3},
}


def cases_with_estimators(
    golden_file: Arrays, common: Arrays
) -> Iterator[tuple[str, PoseEstimator]]:
    """Yields the cases in which a function was called, and their models."""
    names = {key.split("/poses3d")[0] for key in golden_file if "/poses3d" in key}
    models: dict[str, PoseEstimator] = {}
    for case in sorted(name for name in names if not name.startswith("reasons")):
        kind = _model_kind(case)
        if kind not in models:
            models[kind] = _build_estimator(common, case)
        yield case, models[kind]


def run_case(model: PoseEstimator, case: str, golden_file: Arrays, common: Arrays) -> Any:
    """Makes the call of a case; returns its dense or ragged tensors."""
    group, _, name = case.partition("/")
    batched = group.startswith(("estb", "detb"))
    arguments = call_arguments(case, golden_file, common)
    images = common["images"][: 1 if "allfiltered" in group else None]
    if group.startswith("est"):
        function = model.estimate_poses_batched if batched else model.estimate_poses
        boxes = _boxes(batched, "zero" in name, common)
        return function(images if batched else images[0], boxes, **arguments)
    function = model.detect_poses_batched if batched else model.detect_poses
    return function(images if batched else images[0], **arguments)


def call_arguments(case: str, golden_file: Arrays, common: Arrays) -> dict[str, Any]:
    """Reads keyword arguments off a case such as 'est/K1_E1_upz_d5_aug5_noavg'."""
    group, _, name = case.partition("/")
    batched = group.startswith(("estb", "detb"))
    arguments: dict[str, Any] = {}
    for word in name.split("_"):
        arguments.update(_FIXED_WORDS.get(word, {}))
        for pattern, read in _VALUE_PATTERNS.items():
            match = re.fullmatch(pattern, word)
            if match:
                arguments.update(read(match.group(1)))
        arguments.update(_camera_argument(word, batched, common))
    if "E1" in name or "E3" in name:
        arguments["world_up_vector"] = common["UPZ"]
    if "vflip" in group:
        arguments["detector_flip_aug"] = True
    arguments.update(_CASE_ARGUMENTS.get(case, {}))
    poses = golden_file.get(f"{case}/poses3d", golden_file.get(f"{case}/poses3d/flat"))
    arguments["skeleton"] = _SKELETON_OF_SIZE.get(poses.shape[-2], "")
    return arguments


def _build_estimator(common: Arrays, case: str) -> PoseEstimator:
    """Builds the model of a case such as 'est_rot360/aug5' or 'det_transform/aug2_sup'."""
    group = case.split("/")[0]
    detector: Optional[tf.Module] = fake_detector(common)
    if "nodetector" in group:
        detector = None
    elif "allfiltered" in group:
        detector = FakeDetector(common["det_flat"][4:5], np.array([1]))
    transform = "transform" in group
    modes = {"rot360": "full", "rot360half": "half_full"}
    return PoseEstimator(
        fake_crop_model(common),
        fake_skeletons(common, "skeletons_transform" if transform else "skeletons"),
        detector=detector,
        bone_lengths_mm=common["bone_lengths"],
        joint_transform=common["joint_transform"] if transform else None,
        rotation_mode=modes.get(group.split("_")[-1], "normal"),
        detector_flip_vertical_too="vflip" in group,
    )


def _model_kind(case: str) -> str:
    """Returns a key that is equal for cases with the same model."""
    return case.split("/")[0].partition("_")[2].replace("expected_max3", "")


def assert_poses_match(result: Mapping[str, Any], case: str, golden_file: Arrays) -> None:
    """Compares dense or ragged results with the golden ones."""
    for key, tolerance in _TOLERANCES.items():
        if key not in result:
            assert case.startswith("est") and key == "boxes"
            continue
        actual, name = result[key], f"{case}/{key}"
        if isinstance(actual, tf.RaggedTensor):
            lengths = golden_file[f"{name}/row_lengths"]
            assert actual.row_lengths().numpy().tolist() == lengths.tolist(), name
            actual, name = actual.values, f"{name}/flat"
        assert_close(actual, golden_file[name], rtol=0, atol=tolerance)


def camera_of_case(name: str, common: Arrays) -> dict[str, np.ndarray]:
    """Reads the camera off a name such as 'fov55' or 'K1_E1_d12'."""
    camera: dict[str, np.ndarray] = {
        "intrinsic_matrix": np.full([3, 3], -1, np.float32),
        "extrinsic_matrix": np.eye(4, dtype=np.float32),
        "distortion_coeffs": np.zeros(5, np.float32),
        "world_up_vector": common["UPZ" if "E1" in name else "UPY"],
    }
    for word in name.split("_"):
        camera.update(_camera_argument(word, False, common))
    return camera


def augmented_cameras(
    name: str, num_aug: int, common: Arrays
) -> tuple[BoxInputs, BoxCameras, CropCameras]:
    """Builds the cameras of `boxes_a` in image 0, whose crops have 256 pixels."""
    camera = camera_of_case(name, common)
    inputs = make_box_inputs(
        common["images"][:1],
        tf.RaggedTensor.from_row_lengths(common["boxes_a"], [len(common["boxes_a"])]),
        camera["intrinsic_matrix"][np.newaxis],
        camera["distortion_coeffs"][np.newaxis],
        (camera["extrinsic_matrix"][:3, :3] @ camera["world_up_vector"])[np.newaxis],
        55.0,
    )
    box_cameras = look_at_boxes(
        inputs.boxes, inputs.intrinsics, inputs.distortion_coeffs, inputs.up_cam, 256
    )
    augmentations = make_augmentations(num_aug)
    return inputs, box_cameras, augment_cameras(box_cameras, inputs.intrinsics, augmentations, 256)


def _boxes(batched: bool, none_at_all: bool, common: Arrays) -> Any:
    if not batched:
        return common["boxes_a"][: 0 if none_at_all else None]
    if none_at_all:
        return tf.RaggedTensor.from_row_lengths(tf.zeros([0, 4]), [0, 0, 0])
    return tf.RaggedTensor.from_row_lengths(common["boxes_r_flat"], common["boxes_r_lengths"])


def _camera_argument(word: str, batched: bool, common: Arrays) -> dict[str, Any]:
    names = {
        "K1": "intrinsic_matrix", "K3": "intrinsic_matrix",
        "E1": "extrinsic_matrix", "E3": "extrinsic_matrix",
        "d5": "distortion_coeffs", "d12": "distortion_coeffs",
    }  # fmt: skip
    if word == "d0":
        return {}
    if word == "dmix":
        rows = [common["D12"], np.zeros(12), np.pad(common["D5"], [0, 7])]
        return {"distortion_coeffs": np.array(rows, np.float32)}
    if word not in names:
        return {}
    value = common[word[0].upper() + word[1:]]
    return {names[word]: value[np.newaxis] if batched and word.endswith("1") else value}
