from __future__ import annotations

import numpy as np

from metrabs.data.examples import Pose3DExample
from metrabs.data.loading.example_3d import load_example_3d
from metrabs.skeletons import JointInfo
from tests.golden import loading_cases

# The original turns the camera in float32, which is inexact far from the origin.
LOOSE = {
    "coords3d_true": 1.0,
    "coords2d_true": 0.15,
    "rot_to_orig_cam": 3e-4,
    "rot_to_world": 3e-4,
    "intrinsics": 2e-3,
}
DISTORTED = {**LOOSE, "intrinsics": 0.3}
TIGHT = {
    "coords3d_true": 1e-3,
    "coords2d_true": 1e-3,
    "rot_to_orig_cam": 1e-5,
    "rot_to_world": 1e-5,
    "intrinsics": 2e-3,
}

# The golden cases name datasets only in their image paths.
DATASETS = {
    "h36m_downscaled": "h36m",
    "mupots_downscaled": "mupots",
    "3dhp_downscaled": "tdhp",
    "panoptic_downscaled": "panoptic",
    "sailvos_downscaled": "sailvos",
    "agora_downscaled": "agora",
    "dummy": "",
}


def check_all_cases(arrays):
    joint_info = JointInfo(arrays["names"].tolist(), arrays["edges"].tolist())
    assert joint_info.mirror_mapping == arrays["mirror"].tolist()
    for name in arrays["cases"]:
        inputs = loading_cases.case(arrays, name)
        config, dataset, is_training = loading_cases.settings_of(inputs)
        example = Pose3DExample(
            str(inputs["in_path"]),
            inputs["in_world_coords"],
            inputs["in_bbox"],
            loading_cases.camera_of(inputs),
            mask=loading_cases.mask_of(inputs),
            univ_coords=inputs.get("in_univ_coords"),
            image=inputs["in_image"],
            dataset=DATASETS[str(inputs["in_path"]).partition("/")[0]],
        )
        output = load_example_3d(
            example,
            joint_info,
            config,
            is_training,
            loading_cases.rng_of(inputs),
            loading_cases.pools_of(arrays),
            dataset,
        )
        is_at_origin = not np.any(inputs["out_cam_loc"])
        is_distorted = len(inputs["in_dist"]) > 0
        tolerances = TIGHT if is_at_origin else DISTORTED if is_distorted else LOOSE
        print(name)
        loading_cases.assert_same_output(
            output, inputs, "", tolerances, max_image_fraction=0.001 if is_at_origin else 0.04
        )


def test_3d_examples_are_cropped_like_the_original(golden):
    check_all_cases(golden("data_load3d"))
