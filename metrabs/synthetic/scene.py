"""Whole scenes: a person crop in a dataset's style, or an image with several people."""

from __future__ import annotations

import dataclasses
from typing import Optional

import numpy as np

from metrabs.geometry import boxes
from metrabs.geometry.camera import Camera
from metrabs.synthetic import photo
from metrabs.synthetic.body import bone_id
from metrabs.synthetic.environment import (
    Environment,
    natural_color,
    sample_environment,
    sample_solid,
)
from metrabs.synthetic.joints import joints_of
from metrabs.synthetic.materials import Surface
from metrabs.synthetic.person import Person, move_person, sample_person
from metrabs.synthetic.rendering import Rendering, render
from metrabs.synthetic.solids import Solid
from metrabs.synthetic.styles import Style, find_style
from metrabs.synthetic.views import CROP_SIDE, person_box, sample_crop_camera, sample_wide_camera

_SMALLEST_VISIBLE_SHARE = 0.12


@dataclasses.dataclass(frozen=True)
class PersonCrop:
    """An image around one person.

    Attributes:
        image: uint8 [256, 256, 3] RGB.
        camera: Camera of the image.
        person: the person in the middle.
        box_px: float32 [4] left, top, width, height.
        mask: bool [256, 256], where the person is seen.
        activity: the pose class.
    """

    image: np.ndarray
    camera: Camera
    person: Person
    box_px: np.ndarray
    mask: np.ndarray
    activity: str


@dataclasses.dataclass(frozen=True)
class Scene:
    """An image of several people.

    Attributes:
        image: uint8 [height, width, 3] RGB.
        camera: Camera of the image.
        joints_mm: [people, 555, 3] annotated points in the world (order of 'huge8').
        boxes_px: float32 [people, 4] left, top, width, height.
        person_ids: int16 [height, width]: who is seen, -1 for nobody.
    """

    image: np.ndarray
    camera: Camera
    joints_mm: np.ndarray
    boxes_px: np.ndarray
    person_ids: np.ndarray


def render_person_crop(rng: np.random.Generator, style: Style) -> PersonCrop:
    """Draws an image as a dataset with the given style would contain it.

    Args:
        rng: Source of randomness; the same generator state gives the same image.
        style: one of `styles.STYLES`.
    """
    names, weights = zip(*style.poses.items())
    activity = str(rng.choice(names, p=np.array(weights) / sum(weights)))
    person = sample_person(rng, activity, str(rng.choice(style.clothing)))
    person = move_person(person, np.array([*rng.uniform(-1500, 1500, 2), 0]))
    camera = sample_crop_camera(rng, style, person)
    environment = _sample_environment_around(rng, style, camera)
    others = _sample_extra_people(rng, style, person, camera)
    seat = _seat_under(rng, person) if activity == "sitting" else ()
    clutter = _sample_clutter(rng, style, person, camera)
    box = person_box(camera, person, (CROP_SIDE, CROP_SIDE))
    full = dataclasses.replace(environment, solids=seat + clutter)
    rendering = render([person, *others], full, camera, (CROP_SIDE, CROP_SIDE))
    if (rendering.person_ids == 0).sum() < _SMALLEST_VISIBLE_SHARE * boxes.area(box):
        # Hidden almost entirely: remove what stands in front.
        bare = dataclasses.replace(environment, solids=seat)
        rendering = render([person], bare, camera, (CROP_SIDE, CROP_SIDE))
    image = photo.take_photo(rng, rendering.image, style.photo)
    return PersonCrop(image, camera, person, box, rendering.person_ids == 0, activity)


def render_scene(
    rng: np.random.Generator,
    num_people: int,
    width: int,
    height: int,
    style: Optional[Style] = None,
) -> Scene:
    """Draws an image of several people who stand side by side and do different things.

    Args:
        rng: Source of randomness.
        num_people: at least 1.
        width, height: Size of the image in pixels.
        style: Clothes, environments and sensor; default: those of the 'coco' dataset.
    """
    style = find_style("coco") if style is None else style
    reach = 550.0 * (num_people - 1)
    camera = sample_wide_camera(rng, reach, width, height)
    across = camera.R[0].astype(np.float64)
    people = []
    for place_in_row in np.linspace(-reach, reach, num_people):
        person = sample_person(
            rng,
            str(rng.choice(("standing", "walking", "reaching", "crouching"))),
            str(rng.choice(style.clothing)),
        )
        spot = across * place_in_row + rng.uniform(-250, 250, 3)
        people.append(move_person(person, spot * np.array([1, 1, 0])))
    environment = _sample_environment_around(rng, style, camera)
    rendering: Rendering = render(people, environment, camera, (width, height))
    return Scene(
        image=photo.take_photo(rng, rendering.image, style.photo),
        camera=camera,
        joints_mm=np.stack([joints_of(person.state) for person in people]),
        boxes_px=np.stack([person_box(camera, person, (width, height)) for person in people]),
        person_ids=rendering.person_ids,
    )


def _sample_environment_around(
    rng: np.random.Generator, style: Style, camera: Camera
) -> Environment:
    """Draws an environment and moves its walls outward so that the camera stands inside."""
    environment = sample_environment(rng, str(rng.choice(style.environments)), style.brightness)
    return dataclasses.replace(
        environment,
        low_mm=np.minimum(environment.low_mm, camera.t - np.array([700, 700, 0]))
        * np.array([1, 1, 0]),
        high_mm=np.maximum(environment.high_mm, camera.t + np.array([700, 700, 400])),
    )


def _sample_extra_people(
    rng: np.random.Generator, style: Style, person: Person, camera: Camera
) -> list[Person]:
    """More people around, but none that hides the person."""
    if rng.random() >= style.extra_people_probability:
        return []
    names, weights = zip(*style.poses.items())
    middle = person.state.positions_mm.mean(axis=0)
    others = []
    for _ in range(rng.integers(1, 4)):
        other = sample_person(
            rng,
            str(rng.choice(names, p=np.array(weights) / sum(weights))),
            str(rng.choice(style.clothing)),
        )
        spot = _sample_spot(rng, middle, camera, (800, 2600))
        if spot is not None:
            others.append(move_person(other, np.array([*spot, 0])))
    return others


def _sample_clutter(
    rng: np.random.Generator, style: Style, person: Person, camera: Camera
) -> tuple[Solid, ...]:
    """Furniture around the person and maybe something in front."""
    middle = person.state.positions_mm.mean(axis=0)
    solids = []
    for _ in range(rng.integers(style.num_solids[0], style.num_solids[1] + 1)):
        spot = _sample_spot(rng, middle, camera, (1200, 4500))
        if spot is not None:
            solids.append(sample_solid(rng, spot, 1300))
    if rng.random() < style.occluder_probability:
        share = rng.uniform(0.35, 0.75)
        aside = camera.R[0, :2] * rng.choice([-1, 1]) * rng.uniform(150, 450) * (1 - share)
        spot = camera.t[:2] + share * (middle[:2] - camera.t[:2]) + 2 * aside
        solids.append(sample_solid(rng, spot, 700))
    return tuple(solids)


def _sample_spot(
    rng: np.random.Generator, middle: np.ndarray, camera: Camera, distance_mm: tuple[float, float]
) -> Optional[np.ndarray]:
    """A spot [2] on the floor at some distance from the person but not hiding them, or None."""
    angle = rng.uniform(-np.pi, np.pi)
    spot = middle[:2] + rng.uniform(*distance_mm) * np.array([np.cos(angle), np.sin(angle)])
    to_person, to_spot = middle[:2] - camera.t[:2], spot - camera.t[:2]
    length = np.linalg.norm(to_person)
    along = to_spot @ to_person / length
    aside = abs(to_spot[0] * to_person[1] - to_spot[1] * to_person[0]) / length
    is_in_front = along < length + 300 and aside < 700 * max(along / length, 0.5) + 300
    return None if is_in_front else spot


def _seat_under(rng: np.random.Generator, person: Person) -> tuple[Solid, ...]:
    """A stool under a sitting person."""
    pelvis = person.state.positions_mm[bone_id("pelvis")]
    seat_height = pelvis[2] - 0.8 * person.state.shape.extents[bone_id("l_thigh"), 0]
    if seat_height < 200:
        return ()
    half_sizes = np.array([*rng.uniform(130, 200, 2), seat_height / 2])
    center = np.array([pelvis[0], pelvis[1], seat_height / 2])
    color = natural_color(rng, 0.8)
    surface = Surface(color, 0.7 * color, int(rng.integers(3)), 600.0)
    return (Solid(center, half_sizes, rng.uniform(-np.pi, np.pi), False, surface),)
