"""Settings that all datasets share."""

from __future__ import annotations

import dataclasses
from typing import Any

from metrabs.settings import setting


@dataclasses.dataclass(frozen=True)
class Setup:
    """Settings that all datasets share; all but the data root become flags.

    Attributes:
        data_root: Folder of all data.
    """

    data_root: str
    detections: str = setting(
        "", "file or folder of precomputed person detections; default: the usual place"
    )
    detector: str = setting(
        "",
        "person detector for images without precomputed detections: 'efficientdet', the "
        "folder of a SavedModel, or package.module:function",
    )
    masks: str = setting(
        "",
        "file or folder of precomputed person masks of the crops; default: the folder "
        "'masks' next to the crops, if there is one",
    )
    segmenter: str = setting(
        "",
        "person segmenter to run on the crops: the folder of a SavedModel, or "
        "package.module:function",
    )
    strict: bool = setting(
        False, "missing detections or masks and unreadable sequences are errors"
    )

    def fingerprint(self) -> dict[str, Any]:
        """Returns the settings that finished sequences depend on."""
        return {
            "detections": self.detections,
            "detector": self.detector,
            "segmenter": self.segmenter,
        }
