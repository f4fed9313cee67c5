"""The style of each synthetic dataset: environments, clothes, poses, cameras and sensors.

Every style imitates the images of its namesake: motion capture suits in a laboratory,
dancers in a white studio, crowds in a saturated game, hikers on grainy photographs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Optional

from metrabs.errors import unknown_name_error
from metrabs.synthetic.photo import PhotoStyle

_Range = tuple[float, float]
_Weights = Mapping[str, float]

# fmt: off
_EVERYDAY: _Weights = {"standing": 5, "walking": 4, "sitting": 2, "reaching": 3, "crouching": 1,
                       "lying": 0.3, "wild": 0.3}
_ACTING: _Weights = {"standing": 5, "walking": 5, "sitting": 1, "reaching": 5, "crouching": 1,
                     "wild": 1, "gymnastics": 0.2}
_DANCE: _Weights = {"standing": 3, "walking": 3, "reaching": 5, "wild": 2, "gymnastics": 0.5}
_SPORT: _Weights = {"standing": 2, "walking": 5, "reaching": 5, "crouching": 1.5,
                    "gymnastics": 1, "lying": 0.3, "wild": 1}
_STREET: _Weights = {"standing": 3, "walking": 6, "sitting": 1, "reaching": 1}
_FLOOR: _Weights = {"sitting": 3, "crouching": 2, "reaching": 4, "lying": 0.5, "standing": 3}
_CALM: _Weights = {"standing": 5, "walking": 3, "reaching": 2}
_ALL: _Weights = {"standing": 4, "walking": 4, "sitting": 2, "reaching": 4, "crouching": 1,
                  "lying": 0.5, "gymnastics": 1, "wild": 1}
# fmt: on


@dataclasses.dataclass(frozen=True)
class Style:
    """How the images of a dataset are made. Ranges are sampled uniformly.

    Attributes:
        environments: kinds of environments, see `environment.ENVIRONMENT_KINDS`.
        clothing: kinds of clothing, see `outfits.CLOTHING_KINDS`.
        poses: relative frequency of pose classes.
        distance_mm: from the camera to the person.
        height_mm: Height of the camera above the floor.
        roll_degrees: standard deviation of the camera's roll.
        off_axis_degrees: how far the person may be from the optical axis.
        distortion: how strong lens distortion may be, as the range of the coefficient k1; the
            other coefficients go along. None: an ideal lens.
        num_solids: furniture and the like around the person, fewest and most.
        occluder_probability: probability that something stands in front of the person.
        extra_people_probability: probability of more people.
        truncation_probability: probability that the crop cuts the person.
        brightness: factor on the light.
        has_masks: whether examples come with a person mask.
        photo: the sensor.
        all_around_probability: probability that the camera may stand anywhere around the person;
            otherwise it is in front. Photographs are mostly taken from the front, and telling
            front from back is what takes a network longest to learn.
    """

    environments: tuple[str, ...] = ("room",)
    clothing: tuple[str, ...] = ("casual",)
    poses: _Weights = dataclasses.field(default_factory=lambda: _EVERYDAY)
    distance_mm: _Range = (2800, 5000)
    height_mm: _Range = (900, 1800)
    roll_degrees: float = 1.0
    off_axis_degrees: float = 14.0
    distortion: Optional[_Range] = None
    num_solids: tuple[int, int] = (0, 3)
    occluder_probability: float = 0.1
    extra_people_probability: float = 0.0
    truncation_probability: float = 0.05
    brightness: float = 1.0
    has_masks: bool = True
    photo: PhotoStyle = PhotoStyle()
    all_around_probability: float = 0.2


# fmt: off
_CRISP = PhotoStyle(blur_px=(0, 0.4), grain=(0, 0.008), jpeg_quality=(92, 97))
_VIVID = PhotoStyle(saturation=(1.1, 1.45), contrast=(1.0, 1.2), blur_px=(0, 0.5), grain=(0, 0.01))
_GRAINY = PhotoStyle(saturation=(0.6, 1.0), cast=0.06, blur_px=(0.3, 1.1), grain=(0.015, 0.05),
                     jpeg_quality=(70, 92))
_FADED = PhotoStyle(saturation=(0.4, 0.8), contrast=(0.8, 0.95), brightness=(0.42, 0.6))
_DIM = PhotoStyle(brightness=(0.2, 0.34), saturation=(0.7, 1.0), cast=0.06, grain=(0.01, 0.03))
_DOME = PhotoStyle(tint=(0.97, 1.05, 0.88), saturation=(0.8, 1.0), grain=(0.01, 0.03))
_LAB_LENS = (-0.22, -0.12)
_WIDE_LENS = (-0.32, -0.18)

STYLES: dict[str, Style] = {
    "surreal": Style(
        ("room", "hall"), ("casual", "sport"), _ACTING, (3000, 8000), (800, 2200), photo=_GRAINY,
        off_axis_degrees=4,
    ),
    "h36m": Style(
        ("room",), ("casual",), _EVERYDAY, (3800, 6000), (1300, 1700), 0.6, distortion=_LAB_LENS,
        num_solids=(0, 2), occluder_probability=0.06,
    ),
    "fit3d": Style(
        ("hall",), ("sport",), _SPORT, (3800, 5500), (1200, 1700), 0.6, distortion=_LAB_LENS,
        num_solids=(0, 1), photo=_CRISP,
    ),
    "chi3d": Style(
        ("hall",), ("casual",), _ACTING, (3800, 5500), (1200, 1700), 0.6, distortion=_LAB_LENS,
        extra_people_probability=0.9, num_solids=(0, 1), photo=_CRISP,
    ),
    "humansc3d": Style(
        ("hall",), ("casual", "sport"), _FLOOR, (3800, 5500), (1200, 1700), 0.6,
        distortion=_LAB_LENS, num_solids=(0, 2), photo=_CRISP,
    ),
    "sailvos": Style(
        ("street", "room", "nature"), ("game", "formal"), _STREET, (2000, 7000), (1000, 2600), 2.0,
        extra_people_probability=0.4, occluder_probability=0.25, photo=_VIVID, has_masks=False,
    ),
    "panoptic": Style(
        ("hall",), ("casual",), _CALM, (2500, 4200), (600, 3200), 1.5, distortion=(-0.3, -0.1),
        extra_people_probability=0.4, num_solids=(0, 2), photo=_DOME,
    ),
    "muco": Style(
        ("green_screen", "room", "nature", "street"), ("casual", "sport"), _ACTING, (2800, 5500),
        (1000, 2800), 2.0, extra_people_probability=0.6, num_solids=(0, 2),
        occluder_probability=0.15,
    ),
    "aist": Style(
        ("studio",), ("sport", "casual", "warm"), _DANCE, (4000, 6000), (1100, 1600), 0.5,
        num_solids=(0, 0), occluder_probability=0.0, photo=_CRISP,
    ),
    "gpa": Style(
        ("room", "hall"), ("mocap",), _FLOOR, (3000, 5500), (1000, 2200), 1.0, num_solids=(2, 6),
        occluder_probability=0.3,
    ),
    "humbi": Style(
        ("studio", "hall"), ("casual", "formal", "warm"), _CALM, (2200, 3500), (700, 2400), 1.5,
        distortion=(-0.15, 0.0), num_solids=(0, 1), photo=_FADED,
    ),
    "aspset": Style(
        ("nature", "street"), ("sport",), _SPORT, (5000, 9000), (1200, 2000), 1.0,
        num_solids=(0, 3), photo=_CRISP,
    ),
    "agora": Style(
        ("nature", "street", "room"), ("casual", "formal", "warm"), _STREET, (3000, 9000),
        (1300, 3200), 1.0, extra_people_probability=0.8, occluder_probability=0.25, photo=_CRISP,
    ),
    "tdoh": Style(
        ("room",), ("casual", "sport"), _EVERYDAY, (2600, 4200), (1000, 1700), 1.0,
        num_solids=(1, 4), occluder_probability=0.85,
    ),
    "tdpeople": Style(
        ("nature", "street", "hall"), ("game", "casual"), _ACTING, (2500, 4500), (800, 2000), 1.0,
        num_solids=(0, 1), photo=_VIVID,
    ),
    "bml_movi": Style(
        ("hall",), ("markers",), _ACTING, (4500, 6000), (1100, 1500), 0.5, distortion=_LAB_LENS,
        num_solids=(0, 1), occluder_probability=0.0,
    ),
    "mads": Style(
        ("room",), ("sport", "formal"), _DANCE, (3000, 4500), (1200, 2200), 1.0,
        distortion=_LAB_LENS, num_solids=(0, 1), photo=_GRAINY,
    ),
    "umpm": Style(
        ("hall",), ("mocap", "casual"), _CALM, (3000, 5500), (1800, 2800), 1.0,
        distortion=_WIDE_LENS, extra_people_probability=0.4, photo=_FADED, has_masks=False,
    ),
    "bmhad": Style(
        ("hall",), ("mocap",), _SPORT, (3000, 4500), (1200, 1900), 1.0, distortion=_WIDE_LENS,
        num_solids=(0, 2), photo=_GRAINY,
    ),
    "tdhp_full": Style(
        ("green_screen",), ("casual", "sport", "mocap"), _ACTING, (2600, 4500), (500, 3200), 2.0,
        num_solids=(0, 1), occluder_probability=0.05,
    ),
    "totalcapture": Style(
        ("hall",), ("mocap",), _ACTING, (3500, 6500), (1600, 2800), 1.0, distortion=_LAB_LENS,
        num_solids=(0, 0), occluder_probability=0.0, photo=_DIM,
    ),
    "jta": Style(
        ("street",), ("game", "formal", "warm"), _STREET, (4000, 14000), (1500, 4500), 1.0,
        extra_people_probability=0.9, occluder_probability=0.35, photo=_VIVID, has_masks=False,
    ),
    "ikea": Style(
        ("room",), ("casual",), _FLOOR, (2200, 3500), (1300, 2300), 1.0, num_solids=(2, 6),
        occluder_probability=0.3, photo=_GRAINY, has_masks=False,
    ),
    "human4d": Style(
        ("room",), ("mocap", "sport"), _ACTING, (2400, 3600), (900, 1500), 1.0, num_solids=(0, 1),
        photo=_FADED,
    ),
    "behave": Style(
        ("room", "hall"), ("casual",), _FLOOR, (2000, 3300), (900, 1900), 2.0, num_solids=(1, 3),
        occluder_probability=0.45,
    ),
    "rich": Style(
        ("nature", "street", "room"), ("casual", "sport"), _SPORT, (3000, 7000), (900, 3000), 3.0,
        distortion=(-0.12, -0.02), num_solids=(0, 4), photo=_CRISP,
    ),
    "spec": Style(
        ("nature", "street"), ("casual",), _STREET, (1800, 7000), (400, 4000), 8.0,
        off_axis_degrees=20, photo=_CRISP, has_masks=False,
    ),
    "hspace": Style(
        ("room", "hall", "nature"), ("casual", "formal", "game"), _ACTING, (3000, 7000),
        (1000, 2600), 1.0, extra_people_probability=0.6, photo=_VIVID,
    ),
    "mpii": Style(
        ("street", "nature", "room"), ("casual", "sport", "warm"), _ALL, (2000, 7000), (900, 2200),
        3.0, extra_people_probability=0.3, photo=_GRAINY, has_masks=False,
    ),
    "coco": Style(
        ("street", "nature", "room", "hall"), ("casual", "sport", "swim", "warm"), _ALL,
        (2000, 8000), (800, 2200), 3.0, extra_people_probability=0.4, occluder_probability=0.25,
        num_solids=(0, 5),
    ),
    "posetrack": Style(
        ("hall", "street"), ("sport",), _SPORT, (4000, 10000), (1200, 3500), 2.0,
        extra_people_probability=0.6, photo=_GRAINY, has_masks=False,
    ),
    "jrdb": Style(
        ("street", "hall"), ("casual", "warm", "formal"), _STREET, (2500, 9000), (900, 1300), 0.5,
        extra_people_probability=0.6, photo=_DIM, has_masks=False,
    ),
    # Only in the test split: nobody trains on it.
    "heldout": Style(
        ("nature", "void", "studio"), ("swim", "warm", "formal"), _ALL, (2200, 8000), (500, 3000),
        4.0, distortion=(-0.1, 0.1), extra_people_probability=0.3, occluder_probability=0.2,
        num_solids=(0, 5), photo=PhotoStyle(cast=0.08, grain=(0, 0.04)),
    ),
}
# fmt: on


def find_style(name: str) -> Style:
    """Returns the style of a dataset; raises UserError for an unknown name."""
    if name not in STYLES:
        raise unknown_name_error("style", name, STYLES)
    return STYLES[name]
