"""What the loader must know about particular datasets, in one table keyed by the dataset's name.

Every example stores the name of its dataset (`Pose3DExample.dataset`), and only that name decides.
Examples of any other dataset, or without a name, have the neutral traits.

Deviation: the original implementation searches image paths for the names of datasets, so that the
name of a folder can change how its images are augmented.
"""

from __future__ import annotations

import dataclasses
import re
from typing import NamedTuple, Optional

# Merged sets of the original implementation in which some datasets are often seen only in part,
# by the start of their name, and those of that name in which they are not.
_SETS_WITH_PARTIAL_VIEWS = ("many", "huge", "annotations_28ds")
_SETS_WITHOUT_PARTIAL_VIEWS = ("huge6", "huge8", "huge9")


class ColorCorrection(NamedTuple):
    """How to correct the colours of cameras that differ visibly from all others.

    Attributes:
        is_dark: Whether to brighten the image.
        neutral_ab: Lab colour (a, b), in OpenCV's 8-bit convention, that should look neutral.
        sequences: Regular expression for the part of the image path that names the sequences in
            question; '' for all sequences.
    """

    is_dark: bool = False
    neutral_ab: Optional[tuple[int, int]] = None
    sequences: str = ""


@dataclasses.dataclass(frozen=True)
class DatasetTraits:
    """What distinguishes a dataset for the loader; the defaults are neutral.

    Attributes:
        color_correction: Colour correction of some or all sequences.
        background_prob: Probability of background replacement where it is switched on, for
            datasets whose backgrounds are varied or rendered to fit the person; None for that of
            the settings.
        partial_visibility_prob: Probability of partial views in the merged sets that have them;
            None for that of the settings.
        has_far_world: Whether world coordinates are too large for float32.
    """

    color_correction: Optional[ColorCorrection] = None
    background_prob: Optional[float] = None
    partial_visibility_prob: Optional[float] = None
    has_far_world: bool = False

    def correction_for(self, image_path: str) -> Optional[ColorCorrection]:
        """Returns the colour correction of an image of the dataset, or None."""
        correction = self.color_correction
        if correction is None or not re.search(correction.sequences, image_path):
            return None
        return correction

    def background_replacement_prob(self, default: float) -> float:
        """Returns the probability of background replacement.

        Args:
            default: Probability in the settings; 0 switches the effect off for all datasets.
        """
        return default if self.background_prob is None or default == 0 else self.background_prob

    def partial_view_prob(self, default: float, merged_set: str) -> float:
        """Returns the probability that an example is cropped to a part of the person.

        Args:
            default: Probability in the settings.
            merged_set: Name of the dataset that is trained on, such as 'huge8'.
        """
        has_partial_views = (
            merged_set.startswith(_SETS_WITH_PARTIAL_VIEWS)
            and merged_set not in _SETS_WITHOUT_PARTIAL_VIEWS
        )
        if self.partial_visibility_prob is None or not has_partial_views:
            return default
        return self.partial_visibility_prob


_NEUTRAL = DatasetTraits()
_TRAITS = {
    "agora": DatasetTraits(background_prob=0.2),
    "h36m": DatasetTraits(partial_visibility_prob=0.5),
    "hspace": DatasetTraits(background_prob=0.2),
    "mupots": DatasetTraits(ColorCorrection(is_dark=True, sequences=r"(^|/)TS[1-5]/")),
    "panoptic": DatasetTraits(ColorCorrection(neutral_ab=(120, 138))),
    "sailvos": DatasetTraits(background_prob=0.2, has_far_world=True),
    "spec": DatasetTraits(background_prob=0.2),
    "tdhp": DatasetTraits(
        ColorCorrection(is_dark=True, neutral_ab=(110, 145), sequences=r"(^|/)TS[1-4]/")),
}  # fmt: skip


def traits_of(dataset: str) -> DatasetTraits:
    """Returns the traits of a dataset, by the name that its examples carry; may be neutral."""
    return _TRAITS.get(dataset, _NEUTRAL)
