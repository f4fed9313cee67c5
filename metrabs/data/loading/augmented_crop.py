"""The image of an example's crop, with all augmentations; common to 3D and 2D examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.background import replace_background
from metrabs.data.augmentation.color import augment_color
from metrabs.data.augmentation.color_correction import correct_colors
from metrabs.data.augmentation.geometric import (
    NO_AUGMENTATION,
    GeometricAugmentation,
    sample_geometric_augmentation,
    sample_partial_visibility_box,
)
from metrabs.data.augmentation.occlusion import erase_rectangle, paste_objects
from metrabs.data.augmentation.pools import AugmentationPools
from metrabs.data.augmentation.sampling import child_generator, seeded_generator
from metrabs.data.augmentation.sources import default_pools
from metrabs.data.loading import crops
from metrabs.data.storage.masks import decode_mask
from metrabs.data.traits import ColorCorrection
from metrabs.folders import DataFolders
from metrabs.geometry.camera import Camera


class EffectProbabilities(NamedTuple):
    """Probabilities of the effects for one example, if it is augmented."""

    partial_view: float
    background: float
    occlusion: float


class EffectSeeds(NamedTuple):
    """Random seeds of the effects, one each, so that effects stay independent."""

    appearance: int
    background: int
    view: int
    partial_view: int


@dataclasses.dataclass(frozen=True)
class AugmentedCrop:
    """Makes the crop of one example.

    Attributes:
        config: Loading settings.
        is_training: Whether to augment; otherwise only if `config.test_aug`, without mirroring.
        probabilities: Probabilities of the effects.
        seeds: Random seeds of the effects.
        pools: Occluders and backgrounds; None means `default_pools` of the folders.
        folders: Where data are; None means as the environment says.
    """

    config: LoadingConfig
    is_training: bool
    probabilities: EffectProbabilities
    seeds: EffectSeeds
    pools: Optional[AugmentationPools] = None
    folders: Optional[DataFolders] = None

    @property
    def is_augmented(self) -> bool:
        """Whether anything is random."""
        return self.is_training or self.config.test_aug

    def sample_geometry(self, box_ltwh: Any) -> tuple[np.ndarray, GeometricAugmentation]:
        """Returns the box to crop, float32 [4], possibly a part of the given one, and its view."""
        # Stored boxes may be float16, whose centres would be up to half a pixel off.
        box, augmentation = np.asarray(box_ltwh, np.float32), NO_AUGMENTATION
        if self.is_augmented:
            box = sample_partial_visibility_box(
                box, self.probabilities.partial_view, self.seeds.partial_view
            )
        if self.is_augmented and self.config.geom_aug:
            rng = seeded_generator(self.seeds.view)
            augmentation = sample_geometric_augmentation(self.config, self.is_training, rng)
        return box, augmentation

    def render(
        self,
        image: np.ndarray,
        mask: Optional[Mapping[str, Any]],
        camera: Camera,
        crop_camera: Camera,
        correction: Optional[ColorCorrection] = None,
    ) -> np.ndarray:
        """Returns the augmented crop, uint8 [side, side, 3] RGB.

        Args:
            image: uint8 [h, w, 3] RGB, the stored image.
            mask: run-length encoded person mask of the stored image, or None.
            camera: Camera of the stored image.
            crop_camera: Camera of the crop.
            correction: Colour correction of the image's dataset.
        """
        background_rng = self._background_generator() if mask is not None else None
        if mask is not None and background_rng is not None:
            # One warp of four channels is faster than two warps.
            image = crops.append_mask_channel(image, decode_mask(mask))
        crop = crops.render_crop(image, camera, crop_camera, self.config, self.is_training)
        crop, crop_mask = crops.split_mask_channel(crop)
        if correction is not None:
            crop = correct_colors(crop, correction)
        if not self.is_augmented:
            return crop
        pools = self.pools if self.pools is not None else default_pools(self.folders)
        if crop_mask is not None and background_rng is not None:
            crop = replace_background(crop, crop_mask, pools, self.config, background_rng)
        appearance_rng = seeded_generator(self.seeds.appearance)
        return augment_appearance(
            crop, self.probabilities.occlusion, self.config, pools, appearance_rng
        )

    def _background_generator(self) -> Optional[np.random.Generator]:
        """Returns the generator of a new background, or None if the background is to stay."""
        if not self.is_augmented or self.probabilities.background == 0:
            return None
        rng = seeded_generator(self.seeds.background)
        return rng if rng.random() < self.probabilities.background else None


def augment_appearance(
    image: np.ndarray,
    occlusion_prob: float,
    config: LoadingConfig,
    pools: AugmentationPools,
    rng: np.random.Generator,
) -> np.ndarray:
    """Changes the colours of a crop and occludes a part of it.

    Objects are pasted before the colours change, noise rectangles are drawn after it.

    Args:
        image: uint8 [side, side, 3] RGB.
        occlusion_prob: Probability of an occlusion.
        config: Whether colours change, and the scale of occlusions.
        pools: Occluders to paste.
        rng: Random generator.
    """
    occlusion_rng, color_rng = child_generator(rng), child_generator(rng)
    scale = config.occlude_aug_scale
    kind = occlusion_rng.choice(["objects", "random-erase"]) if occlusion_prob > 0 else "none"
    is_occluded = kind != "none" and occlusion_rng.uniform(0, 1) < occlusion_prob
    if kind == "objects" and is_occluded:
        image = paste_objects(image, pools, scale, occlusion_rng)
    if config.color_aug:
        image = augment_color(image, color_rng)
    if kind == "random-erase" and is_occluded:
        image = erase_rectangle(image, scale, occlusion_rng)
    return image
