"""What a converter works with: files, detections, crops, and the count of what is left out."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
from typing import Any, Optional

import numpy as np

from data_preparation.common.converter import Converter
from data_preparation.common.crop_geometry import USUAL_CROP, CropOptions, CropPlan, plan_crop
from data_preparation.common.crop_images import (
    SourceMask,
    render_crop,
    render_mask,
    write_jpeg,
)
from data_preparation.common.detections import Image, NoFinder, PeopleFinder, loaded_finder
from data_preparation.common.segmentation import loaded_segmenter
from data_preparation.common.tally import Tally
from metrabs.data.examples import Example, Pose2DExample
from metrabs.data.storage.images import read_image
from metrabs.data.storage.masks import encode_mask
from metrabs.errors import UserError
from metrabs.geometry.reprojection import reproject_image_points


@dataclasses.dataclass(frozen=True)
class Setup:
    """Settings that all datasets share.

    Attributes:
        data_root: folder of all data.
        detections: file or folder of precomputed detections; '': where the dataset has them.
        detector: person detector, see `data_preparation.common.detections`; '': none.
        masks: file or folder of precomputed masks of the crops; '': `masks` in the crop folder.
        segmenter: person segmenter, see `data_preparation.common.segmentation`; '': none.
        strict: whether a missing detection or mask, or a sequence that cannot be read, is an
            error instead of being counted.
    """

    data_root: str
    detections: str = ""
    detector: str = ""
    masks: str = ""
    segmenter: str = ""
    strict: bool = False

    def fingerprint(self) -> dict[str, Any]:
        """Returns those settings that finished sequences depend on."""
        return {"detections": self.detections, "detector": self.detector,
                "segmenter": self.segmenter}


class Workbench:
    """Serves one converter while it converts one sequence.

    Attributes:
        data_root: folder of all data.
        folder: the raw data of the dataset.
        tally: counts of what was left out and why.
    """

    def __init__(self, converter: Converter, setup: Setup) -> None:
        self.data_root = pathlib.Path(setup.data_root)
        self.folder = self.data_root / converter.FOLDER
        self.tally = Tally()
        self._converter = converter
        self._setup = setup

    def skip(self, reason: str, what: Any) -> None:
        """Counts something that is left out for a reason that lies in the data."""
        self.tally.add("skipped", reason, str(what))

    def lack(self, reason: str, what: Any) -> None:
        """Counts something that has to do without a detection or mask that should be there.

        Raises:
            UserError: the setting `strict` is on.
        """
        if self._setup.strict:
            raise UserError(f"{reason.capitalize()}: '{what}'. Supply it, or leave out --strict.")
        self.tally.add("noted", reason, str(what))

    @property
    def can_detect(self) -> bool:
        """Whether there is a detector or a file of detections."""
        return not isinstance(self._finder(), NoFinder)

    def detect(self, key: str, image: Optional[Image] = None) -> np.ndarray:
        """Returns the people detected in an image, float32 [n, 5]: box, confidence.

        Args:
            key: path of the image relative to the dataset's folder, as in detection files. Frames
                of a video: path of the video, a colon, and the number of the frame.
            image: uint8 [h, w, 3] RGB, or a function that gives it; default: read from the file.
                It is used only if there are no precomputed detections.
        """
        if image is None:
            image = functools.partial(read_image, str(self.folder / key))
        found = self._finder().find(key, image)
        if found is None:
            self.lack("no detection result", key)
            return np.zeros((0, 5), np.float32)
        return found

    def crop(
        self, example: Example, crop_path: str, options: CropOptions = USUAL_CROP,
        mask: Optional[SourceMask] = None,
    ) -> Optional[Example]:
        """Writes the crop of a person and returns the example that belongs to it.

        Args:
            example: the person in the full image, which is `example.image` or, if that is None,
                read from `example.image_path` below the data root.
            crop_path: where to write the crop, relative to the data root.
            options: of the dataset.
            mask: of the person in the full image, if there is one.

        Returns:
            None if the person is outside the image, which is counted.
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

    def _finder(self) -> PeopleFinder:
        setup = self._setup
        usual = tuple(str(self.folder / name) for name in self._converter.DETECTION_FILES)
        return loaded_finder(setup.detections, usual, setup.detector)

    def _segment(self, crop: np.ndarray, plan: CropPlan) -> Optional[dict[str, Any]]:
        if not (self._setup.segmenter and self._converter.TAKES_CROP_MASKS):
            return None
        mask = loaded_segmenter(self._setup.segmenter)(crop, plan.box_px)
        return None if mask is None else encode_mask(mask)


def check_detections(converter: Converter, setup: Setup) -> None:
    """Checks that there are detections for a dataset that cannot do without.

    Raises:
        UserError: there are none.
    """
    folder = pathlib.Path(setup.data_root) / converter.FOLDER
    usual = [folder / name for name in converter.DETECTION_FILES]
    has_some = setup.detections or setup.detector or any(path.exists() for path in usual)
    if converter.needs_detections and not has_some:
        raise UserError(
            f"{converter.TITLE} needs a person detector. Give --detector=efficientdet or another "
            f"one, or precomputed results by --detections=FILE (looked for: {usual[0]})."
        )


def _moved_to_crop(
    example: Example, plan: CropPlan, crop_path: str, mask: Optional[dict[str, Any]]
) -> Example:
    moved: dict[str, Any] = dict(
        image_path=crop_path, image=None, bbox=plan.box_px, mask=mask,
        camera=None if example.camera is None else plan.new_camera,
    )
    if isinstance(example, Pose2DExample):
        moved["coords"] = reproject_image_points(
            example.coords, plan.old_camera, plan.new_camera)
    return dataclasses.replace(example, **moved)
