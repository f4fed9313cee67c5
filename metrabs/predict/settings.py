"""How a full-image model is called: the arguments that are the same for all images."""

from __future__ import annotations

import dataclasses

from metrabs.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class PredictionSettings:
    """Arguments of the model's functions that do not change between images, see its reference.

    Raises:
        UserError: a value is inadmissible.
    """

    skeleton: str = setting("", "name of the output format, such as smpl_24; default: all joints")
    num_aug: int = setting(5, "number of views per person that are averaged", at_least=1)
    antialias_factor: int = setting(1, "supersampling factor of the crops", at_least=1)
    internal_batch_size: int = setting(
        64, "number of crops given to the network at once; 0: no limit", at_least=0
    )
    detector_threshold: float = setting(
        0.3, "smallest score of a detection", at_least=0, at_most=1
    )
    detector_nms_iou_threshold: float = setting(
        0.7, "overlap above which detections are merged", at_least=0, at_most=1
    )
    max_detections: int = setting(
        -1, "largest number of people per image, the best first; -1: all", at_least=-1
    )
    detector_flip_aug: bool = setting(False, "the detector also sees the mirrored image")
    suppress_implausible_poses: bool = setting(True, "drop implausible and duplicate poses")

    def __post_init__(self) -> None:
        check_settings(self)
