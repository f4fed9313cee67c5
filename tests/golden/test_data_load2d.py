from __future__ import annotations

import dataclasses

from metrabs.data.examples import Pose2DExample
from metrabs.data.loading.example_2d import load_example_2d
from metrabs.skeletons import JointInfo
from tests.golden import loading_cases

WITHOUT_CAMERA = {"intrinsics": 1e-3, "coords2d_true": 1e-3}
WITH_CAMERA = {"intrinsics": 2e-3, "coords2d_true": 0.15}


def test_2d_examples_are_cropped_and_augmented_like_the_original(golden):
    arrays = golden("data_load2d")
    joint_info = JointInfo(arrays["names"].tolist())
    assert joint_info.mirror_mapping == arrays["mirror"].tolist()
    for name in arrays["cases"]:
        inputs = loading_cases.case(arrays, name)
        config, _, is_training = loading_cases.settings_of(inputs)
        # The original varies the view of 2D examples even at test time; here `test_aug` does.
        config = dataclasses.replace(config, test_aug=config.geom_aug)
        camera = loading_cases.camera_of(inputs) if "in_K" in inputs else None
        example = Pose2DExample(
            "some/image.png",
            inputs["in_coords"],
            inputs["in_bbox"],
            mask=loading_cases.mask_of(inputs),
            camera=camera,
            image=inputs["in_image"],
        )
        output = load_example_2d(
            example,
            joint_info,
            config,
            is_training,
            loading_cases.rng_of(inputs),
            loading_cases.pools_of(arrays),
        )
        print(name)
        loading_cases.assert_same_output(
            output,
            inputs,
            "_2d",
            WITHOUT_CAMERA if camera is None else WITH_CAMERA,
            max_image_fraction=0.005 if camera is None else 0.04,
        )
