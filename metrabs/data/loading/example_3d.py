"""From a 3D example to a network input: crop, geometry of the crop, augmentation."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.pools import AugmentationPools
from metrabs.data.augmentation.sampling import sample_seed
from metrabs.data.examples import Pose3DExample
from metrabs.data.loading import crops
from metrabs.data.loading.augmented_crop import AugmentedCrop, EffectProbabilities, EffectSeeds
from metrabs.data.traits import traits_of
from metrabs.folders import DataFolders
from metrabs.geometry.camera import Camera
from metrabs.skeletons import JointInfo


def load_example_3d(
    example: Pose3DExample,
    joint_info: JointInfo,
    config: LoadingConfig,
    is_training: bool,
    rng: np.random.Generator,
    pools: Optional[AugmentationPools] = None,
    dataset_name: str = "",
    folders: Optional[DataFolders] = None,
) -> dict[str, Any]:
    """Crops a person, augments the crop and expresses the joints in the crop's camera.

    Args:
        example: The person; it is not changed.
        joint_info: Its joints (for mirroring).
        config: Loading settings.
        is_training: Whether to augment; otherwise only if `config.test_aug`, without mirroring.
        rng: Random generator of this example alone.
        pools: Occluders and backgrounds; default: `default_pools`.
        dataset_name: Name of the (merged) dataset that the example is taken from.
        folders: Where data are; default: as the environment says.

    Returns:
        image: uint8 [side, side, 3] RGB.
        image_path: str.
        intrinsics: float32 [3, 3] of the crop.
        coords3d_true: float32 [J, 3], mm, camera frame of the crop; missing joints 0.
        coords2d_true: float32 [J, 2], pixels of the crop; missing joints 0.
        joint_validity_mask: bool [J], whether the 3D position is known.
        is_joint_in_fov: float32 [J], 0 where the 2D position is outside the crop; missing joints
            count as inside, so combine it with the validity.
        rot_to_orig_cam, rot_to_world: float32 [3, 3], from the crop's camera frame to that of the
            stored image and to the world; improper for a mirrored crop.
        cam_loc: float32 [3], mm, position of the camera in the world; 0 for datasets whose
            worlds are too large for float32.

    Raises:
        UserError: the image is missing or damaged.
    """
    traits = traits_of(example.dataset)
    probabilities = EffectProbabilities(
        partial_view=traits.partial_view_prob(config.partial_visibility_prob, dataset_name),
        background=traits.background_replacement_prob(config.background_aug_prob),
        occlusion=config.occlude_aug_prob,
    )
    appearance, background, view, partial_view = (sample_seed(rng) for _ in range(4))
    seeds = EffectSeeds(appearance, background, view, partial_view)
    crop = AugmentedCrop(config, is_training, probabilities, seeds, pools, folders)
    box, augmentation = crop.sample_geometry(example.bbox)
    crop_camera = crops.calibrated_crop_camera(example.camera, box, config.proc_side, augmentation)
    image = crop.render(
        crops.load_image(example, folders),
        example.mask,
        example.camera,
        crop_camera,
        traits.correction_for(example.image_path),
    )
    mirroring = joint_info.mirror_mapping if augmentation.is_mirrored else None
    joints = _joints_in_crop(example, crop_camera, config, mirroring)
    return {"image": image, "image_path": example.image_path, **joints}


def _joints_in_crop(
    example: Pose3DExample,
    crop_camera: Camera,
    config: LoadingConfig,
    mirroring: Optional[list[int]],
) -> dict[str, np.ndarray]:
    metric = _camera_coords(example.world_coords, crop_camera)
    use_universal = config.universal_skeleton and example.univ_coords is not None
    target = _camera_coords(example.univ_coords, crop_camera) if use_universal else metric
    if mirroring is not None:
        metric, target = metric[mirroring], target[mirroring]
    coords2d = crop_camera.camera_to_image(metric)
    is_valid = ~np.isnan(target).any(axis=-1)
    is_far_world = traits_of(example.dataset).has_far_world
    return {
        "intrinsics": np.float32(crop_camera.intrinsic_matrix),
        "coords3d_true": crops.fill_missing_with_zeros(target),
        "coords2d_true": crops.fill_missing_with_zeros(coords2d),
        "rot_to_orig_cam": np.float32(example.camera.R @ crop_camera.R.T),
        "rot_to_world": np.float32(crop_camera.R.T),
        "cam_loc": np.float32(example.camera.t) * (not is_far_world),
        "joint_validity_mask": is_valid,
        "is_joint_in_fov": np.float32(crops.is_in_crop(coords2d, config.proc_side)),
    }


def _camera_coords(world_coords: Any, camera: Camera) -> np.ndarray:
    # The subtraction is exact enough only in the type that the dataset needed for its world.
    relative = np.asarray(world_coords - camera.t, np.float32)
    return relative @ np.asarray(camera.R.T, np.float32)
