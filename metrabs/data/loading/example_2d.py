"""From a 2D example to a network input, mostly without a camera; see also `example_3d`."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.geometric import GeometricAugmentation
from metrabs.data.augmentation.pools import AugmentationPools
from metrabs.data.augmentation.sampling import sample_seed
from metrabs.data.examples import Pose2DExample
from metrabs.data.loading import crops
from metrabs.data.loading.augmented_crop import AugmentedCrop, EffectProbabilities, EffectSeeds
from metrabs.folders import DataFolders
from metrabs.geometry.camera import Camera
from metrabs.geometry.reprojection import reproject_image_points
from metrabs.skeletons import JointInfo

# Joints this close to the lower image border (as a fraction of the height) are often annotated
# although they are outside the image.
_LOWEST_USABLE = 0.95


def load_example_2d(
    example: Pose2DExample,
    joint_info: JointInfo,
    config: LoadingConfig,
    is_training: bool,
    rng: np.random.Generator,
    pools: Optional[AugmentationPools] = None,
    folders: Optional[DataFolders] = None,
) -> dict[str, Any]:
    """Crops a person, augments the crop and moves the 2D joints into it.

    Deviation: without training, nothing is augmented unless `config.test_aug` says so; the
    original varies the view even then.

    Args:
        example: The person; it is not changed.
        joint_info: Its joints (for mirroring).
        config: Loading settings.
        is_training: Whether to augment.
        rng: Random generator of this example alone.
        pools: Occluders and backgrounds; default: `default_pools`.
        folders: Where data are; default: as the environment says.

    Returns:
        image_2d: uint8 [side, side, 3] RGB.
        image_path_2d: str.
        intrinsics_2d: float32 [3, 3] of the crop.
        coords2d_true_2d: float32 [J, 2], pixels of the crop; missing joints 0.
        joint_validity_mask_2d: bool [J], whether the position is known.
        is_joint_in_fov_2d: bool [J], False outside the crop; missing joints count as inside.

    Raises:
        UserError: the image is missing or damaged.
    """
    appearance, view, partial_view, background = (sample_seed(rng) for _ in range(4))
    seeds = EffectSeeds(appearance, background, view, partial_view)
    probabilities = EffectProbabilities(
        partial_view=config.partial_visibility_prob if is_training else 0.0,
        background=config.background_aug_prob,
        occlusion=config.occlude_aug_prob_2d,
    )
    crop = AugmentedCrop(config, is_training, probabilities, seeds, pools, folders)
    box, augmentation = crop.sample_geometry(example.bbox)
    stored_image = crops.load_image(example, folders)
    camera, crop_camera = _cameras(
        example, stored_image.shape, box, config.proc_side, augmentation
    )
    image = crop.render(stored_image, example.mask, camera, crop_camera)
    coords = _usable_coords(example.coords, stored_image.shape[0])
    if augmentation.is_mirrored:
        coords = coords[joint_info.mirror_mapping]
    coords = reproject_image_points(coords, camera, crop_camera)
    return {
        "image_2d": image,
        "image_path_2d": example.image_path,
        "intrinsics_2d": np.float32(crop_camera.intrinsic_matrix),
        "coords2d_true_2d": crops.fill_missing_with_zeros(coords),
        "joint_validity_mask_2d": ~np.isnan(coords).any(axis=-1),
        "is_joint_in_fov_2d": crops.is_in_crop(coords, config.proc_side),
    }


def _cameras(
    example: Pose2DExample,
    imshape: tuple[int, ...],
    box_ltwh: np.ndarray,
    side: int,
    augmentation: GeometricAugmentation,
) -> tuple[Camera, Camera]:
    """Returns the cameras of the stored image, a stand-in where it is unknown, and of the crop."""
    if example.camera is None:
        return crops.uncalibrated_crop_camera(imshape, box_ltwh, side, augmentation)
    crop_camera = crops.calibrated_crop_camera(example.camera, box_ltwh, side, augmentation)
    return example.camera, crop_camera


def _usable_coords(coords: Any, image_height: int) -> np.ndarray:
    """Returns a float32 copy of joints [J, 2] in which those at the lower border are NaN."""
    coords = np.array(coords, np.float32)
    coords[coords[:, 1] > _LOWEST_USABLE * image_height] = np.nan
    return coords
