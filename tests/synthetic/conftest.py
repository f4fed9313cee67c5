"""People and cameras that several tests of the synthetic room use."""

from __future__ import annotations

import numpy as np
import pytest

from metrabs.geometry.camera import Camera
from metrabs.synthetic.person import Person, sample_person


def camera_facing(person: Person, side: int = 256, distance_mm: float = 4000.0) -> Camera:
    """A camera that looks at a person, whose image fills most of a square."""
    middle = person.state.positions_mm.mean(axis=0)
    camera = Camera(optical_center=middle + [distance_mm, 300, 200])
    camera.turn_towards(target_world_point=middle)
    camera.scale_output(0.4 * side * distance_mm / 1000)
    return camera.center_principal_point((side, side))


@pytest.fixture
def person() -> Person:
    """A standing person."""
    return sample_person(np.random.default_rng(3), "standing", "casual")
