"""What a converter works with: files, detections, crops, and counts of what is left out."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np

from data_preparation.common.crop_geometry import DEFAULT_CROP, CropOptions, CropPlan, plan_crop
from data_preparation.common.crop_images import SourceMask, render_crop, render_mask, write_jpeg
from data_preparation.common.detections import (
    DetectionSource,
    Image,
    NullDetections,
    load_detection_source,
)
from data_preparation.common.issues import DEGRADED, SKIPPED, IssueCounter
from data_preparation.common.segmentation import load_segmenter
from data_preparation.common.setup import Setup
from metrabs.data.examples import Example, Pose2DExample
from metrabs.data.storage.images import read_image
from metrabs.data.storage.masks import encode_mask
from metrabs.errors import UserError
from metrabs.geometry.reprojection import reproject_image_points


class ConversionContext:
    """Provides a converter with files, detections and crops while it converts one sequence.

    Args:
        setup: Settings that all datasets share.
        folder: Raw data of the dataset, relative to the data root.
        detection_files: Usual places of person detections, relative to `folder`.
        takes_crop_masks: Whether a person segmenter, if there is one, is run on the crops.

    Attributes:
        data_root: Folder of all data.
        folder: Absolute path of the dataset's raw data.
        issues: Counts of what was left out or degraded, and why.
    """

    def __init__(
        self,
        setup: Setup,
        folder: str,
        detection_files: Sequence[str] = (),
        takes_crop_masks: bool = False,
    ) -> None:
        self.data_root = pathlib.Path(setup.data_root)
        self.folder = self.data_root / folder
        self.issues = IssueCounter()
        self._setup = setup
        self._detection_files = tuple(str(self.folder / name) for name in detection_files)
        self._takes_crop_masks = takes_crop_masks

    def skip(self, reason: str, what: Any) -> None:
        """Counts something that is left out because of the data themselves.

        Args:
            reason: A few words, the same for everything left out for this reason.
            what: What is left out, such as an image path.
        """
        self.issues.add(SKIPPED, reason, str(what))

    def record_missing(self, reason: str, what: Any) -> None:
        """Counts something that is kept without a detection or mask that should be there.

        Args:
            reason: A few words, the same for everything of this kind, such as 'no mask result'.
            what: What is degraded, such as an image path.

        Raises:
            UserError: the setting `strict` is on.
        """
        if self._setup.strict:
            raise UserError(f"{reason.capitalize()}: '{what}'. Provide it, or drop --strict.")
        self.issues.add(DEGRADED, reason, str(what))

    @property
    def can_detect(self) -> bool:
        """Whether there is a person detector or a file of detections."""
        return not isinstance(self._detections(), NullDetections)

    def detect(self, key: str, image: Optional[Image] = None) -> np.ndarray:
        """Returns the people detected in an image, float32 `[n, 5]`: box, confidence.

        Args:
            key: Path of the image relative to the dataset's folder, as in detection files. For
                frames of a video: path of the video, a colon, and the number of the frame.
            image: uint8 `[h, w, 3]` RGB, or a function that returns it; default: read from the
                file. It is used only if there are no precomputed detections.
        """
        if image is None:
            image = functools.partial(read_image, str(self.folder / key))
        found = self._detections().find(key, image)
        if found is None:
            self.record_missing("no detection result", key)
            return np.zeros((0, 5), np.float32)
        return found

    def crop(
        self,
        example: Example,
        crop_path: str,
        options: CropOptions = DEFAULT_CROP,
        mask: Optional[SourceMask] = None,
    ) -> Optional[Example]:
        """Writes the crop of a person and returns the example in this crop.

        Args:
            example: The person in the full image, which is `example.image` or, if that is None,
                read from `example.image_path` below the data root.
            crop_path: Path of the crop to write, relative to the data root.
            options: How the crops of the dataset are made.
            mask: Mask of the person in the full image, if there is one.

        Returns:
            None, which is counted, if the person is outside the image or, depending on the
            options, the image cannot be decoded.
        """
        image = self._full_image(example, options)
        if image is None:
            return None
        plan = plan_crop(example, image.shape, options)
        if min(plan.imshape) < 1 or min(example.bbox[2:]) <= 0:
            self.skip("person outside the image", example.image_path)
            return None
        crop = render_crop(image, plan, options)
        write_jpeg(self.data_root / crop_path, crop)
        encoded = render_mask(mask, plan) if mask is not None else self._segment(crop, plan)
        return _moved_to_crop(example, plan, crop_path, encoded)

    def _full_image(self, example: Example, options: CropOptions) -> Optional[np.ndarray]:
        if example.image is not None:
            return example.image
        path = os.path.join(self.data_root, example.image_path)
        try:
            return read_image(path)
        except UserError:
            is_skipped = options.skip_broken_images and not self._setup.strict
            if is_skipped and os.path.exists(path):
                self.skip("broken image", example.image_path)
                return None
            raise

    def _detections(self) -> DetectionSource:
        setup = self._setup
        return load_detection_source(setup.detections, self._detection_files, setup.detector)

    def _segment(self, crop: np.ndarray, plan: CropPlan) -> Optional[dict[str, Any]]:
        if not (self._setup.segmenter and self._takes_crop_masks):
            return None
        mask = load_segmenter(self._setup.segmenter)(crop, plan.box_px)
        return None if mask is None else encode_mask(mask)


def _moved_to_crop(
    example: Example, plan: CropPlan, crop_path: str, mask: Optional[dict[str, Any]]
) -> Example:
    moved: dict[str, Any] = dict(
        image_path=crop_path,
        image=None,
        bbox=plan.box_px,
        mask=mask,
        camera=None if example.camera is None else plan.new_camera,
    )
    if isinstance(example, Pose2DExample):
        moved["coords"] = reproject_image_points(example.coords, plan.old_camera, plan.new_camera)
    return dataclasses.replace(example, **moved)
