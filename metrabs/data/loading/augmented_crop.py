"""The picture of an example's crop: what 3D and 2D examples have in common, with augmentation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.appearance import augment_appearance
from metrabs.data.augmentation.background import replace_background
from metrabs.data.augmentation.color_correction import correct_colors
from metrabs.data.augmentation.draws import seeded_generator
from metrabs.data.augmentation.pools import AugmentationPools
from metrabs.data.augmentation.sources import default_pools
from metrabs.data.augmentation.view import (
    NO_CHANGE,
    ViewChange,
    draw_view_change,
    maybe_partial_box,
)
from metrabs.data.loading import crops
from metrabs.data.storage.masks import decode_mask
from metrabs.data.traits import ColorCorrection
from metrabs.folders import DataFolders
from metrabs.geometry.camera import Camera


class Chances(NamedTuple):
    """How probable the effects are for one example, where it is augmented at all."""

    partial_view: float
    background: float
    occlusion: float


class Seeds(NamedTuple):
    """Of the effects' random choices: one each, so that no effect changes those of another."""

    appearance: int
    background: int
    view: int
    partial_view: int


@dataclasses.dataclass(frozen=True)
class AugmentedCrop:
    """Makes the crop of one example.

    Attributes:
        config: settings.
        is_training: whether to augment; otherwise only if `config.test_aug`, without mirroring.
        chances: probabilities of the effects.
        seeds: of the effects.
        pools: objects and backgrounds to paste; None means `default_pools` of the folders.
        folders: Where data are; None means as the environment says.
    """

    config: LoadingConfig
    is_training: bool
    chances: Chances
    seeds: Seeds
    pools: Optional[AugmentationPools] = None
    folders: Optional[DataFolders] = None

    @property
    def is_augmented(self) -> bool:
        """Whether anything is random."""
        return self.is_training or self.config.test_aug

    def draw_box_and_view(self, box_ltwh: Any) -> tuple[np.ndarray, ViewChange]:
        """Returns the box to crop, float32 [4] (maybe a part of the given one), and its view."""
        # Stored boxes may be float16, whose centres would be up to half a pixel off.
        box, change = np.asarray(box_ltwh, np.float32), NO_CHANGE
        if self.is_augmented:
            box = maybe_partial_box(box, self.chances.partial_view, self.seeds.partial_view)
        if self.is_augmented and self.config.geom_aug:
            rng = seeded_generator(self.seeds.view)
            change = draw_view_change(self.config, self.is_training, rng)
        return box, change

    def render(
        self, image: np.ndarray, mask: Optional[Mapping[str, Any]], camera: Camera,
        crop_camera: Camera, correction: Optional[ColorCorrection] = None,
    ) -> np.ndarray:
        """Returns the augmented crop, uint8 [side, side, 3] RGB.

        Args:
            image: uint8 [h, w, 3] RGB, the stored image.
            mask: run-length encoded person mask of the stored image, or None.
            camera: of the stored image.
            crop_camera: of the crop.
            correction: Colour correction of the image's dataset.
        """
        background_rng = self._background_generator() if mask is not None else None
        if mask is not None and background_rng is not None:
            # One warp of four channels is faster than two warps.
            image = crops.with_mask_channel(image, decode_mask(mask))
        crop = crops.render_crop(image, camera, crop_camera, self.config, self.is_training)
        crop, crop_mask = crops.without_mask_channel(crop)
        if correction is not None:
            crop = correct_colors(crop, correction)
        if not self.is_augmented:
            return crop
        pools = self.pools if self.pools is not None else default_pools(self.folders)
        if crop_mask is not None and background_rng is not None:
            crop = replace_background(crop, crop_mask, pools, self.config, background_rng)
        appearance_rng = seeded_generator(self.seeds.appearance)
        return augment_appearance(
            crop, self.chances.occlusion, self.config, pools, appearance_rng
        )

    def _background_generator(self) -> Optional[np.random.Generator]:
        """Returns the generator of a new background, or None if the background is to stay."""
        if not self.is_augmented or self.chances.background == 0:
            return None
        rng = seeded_generator(self.seeds.background)
        return rng if rng.random() < self.chances.background else None
