from __future__ import annotations

import cv2
import numpy as np
import pytest

from metrabs.skeletons import tables
from metrabs.synthetic.environment import Environment, sample_environment
from metrabs.synthetic.joints import joints_of
from metrabs.synthetic.materials import Surface
from metrabs.synthetic.person import move_person, sample_person
from metrabs.synthetic.poses import POSE_CLASSES
from metrabs.synthetic.rendering import render
from metrabs.synthetic.solids import Solid
from tests.synthetic.conftest import camera_facing


@pytest.fixture
def environment() -> Environment:
    return sample_environment(np.random.default_rng(0), "hall")


@pytest.mark.parametrize("pose_class", POSE_CLASSES)
@pytest.mark.parametrize("distortion", [None, (-0.25, 0.15, 0.001, -0.001, 0.0)])
def test_joints_land_on_the_person(pose_class, distortion, environment):
    rng = np.random.default_rng(POSE_CLASSES.index(pose_class))
    person = sample_person(rng, pose_class, "mocap")
    camera = camera_facing(person)
    camera.distortion_coeffs = None if distortion is None else np.array(distortion, np.float32)
    rendering = render([person], environment, camera, (256, 256))
    mask = cv2.dilate((rendering.person_ids == 0).astype(np.uint8), np.ones([3, 3]))
    points = np.rint(camera.world_to_image(joints_of(person.state))).astype(int)
    inside = ((points >= 0) & (points < 256)).all(axis=1)
    assert inside.mean() > 0.9
    assert mask[points[inside, 1], points[inside, 0]].mean() > 0.93


def test_inner_joints_always_land_on_the_person(environment):
    names = [f"{joint}_h36m" for joint in ("lkne", "rkne", "lelb", "relb", "spin", "neck")]
    assert set(names) <= set(tables.merged_joint_info("huge8").names)
    for seed in range(6):
        person = sample_person(np.random.default_rng(seed), "walking", "casual")
        camera = camera_facing(person)
        rendering = render([person], environment, camera, (256, 256))
        points = np.rint(camera.world_to_image(joints_of(person.state, names))).astype(int)
        assert (rendering.person_ids[points[:, 1], points[:, 0]] == 0).all()


def test_projected_skin_encloses_the_mask(person, environment):
    camera = camera_facing(person)
    rows, columns = np.nonzero(render([person], environment, camera, (256, 256)).person_ids == 0)
    points = camera.world_to_image(person.vertices_mm)
    low, high = points.min(axis=0), points.max(axis=0)
    np.testing.assert_allclose([columns.min(), rows.min()], low, atol=3)
    np.testing.assert_allclose([columns.max(), rows.max()], high, atol=3)


def test_nearer_person_hides_the_farther_one(person, environment):
    camera = camera_facing(person)
    backward = camera.R[2].astype(np.float64) * [1, 1, 0]
    behind = move_person(person, 900 * backward)
    alone = render([person], environment, camera, (256, 256)).person_ids == 0
    both = render([behind, person], environment, camera, (256, 256)).person_ids
    # Along the outline, the farther person may fill the rest of a pixel.
    assert ((both == 1) != alone).sum() < 0.01 * alone.sum()
    assert 0 < (both == 0).sum() < alone.sum()


def test_solids_in_front_of_the_person_hide_it_and_solids_behind_do_not(person, environment):
    camera = camera_facing(person)
    grey = Surface(np.full(3, 0.5), np.full(3, 0.4), 0, 500.0)
    middle = person.state.positions_mm.mean(axis=0)
    forward = camera.R[2].astype(np.float64) * [1, 1, 0]
    visible = {}
    for name, distance in (("front", -900.0), ("back", 900.0)):
        box = Solid(middle + distance * forward, np.array([300.0, 300, 300]), 0.3, False, grey)
        with_solid = Environment(**{**vars(environment), "solids": (box,)})
        visible[name] = (render([person], with_solid, camera, (256, 256)).person_ids == 0).sum()
    alone = (render([person], environment, camera, (256, 256)).person_ids == 0).sum()
    assert visible["back"] == alone
    assert visible["front"] < 0.8 * alone


def test_an_empty_environment_can_be_rendered(person, environment):
    rendering = render([], environment, camera_facing(person), (256, 192))
    assert rendering.image.shape == (192, 256, 3)
    assert np.isfinite(rendering.image).all()
    assert (rendering.person_ids == -1).all()


def test_people_cast_a_shadow_on_the_floor(person):
    environment = sample_environment(np.random.default_rng(1), "studio")
    camera = camera_facing(person)
    camera.orbit_around(person.state.positions_mm.mean(axis=0), 0.5, "horizontal")
    empty = render([], environment, camera, (256, 256)).image
    rendering = render([person], environment, camera, (256, 256))
    darker = (empty - rendering.image).mean(axis=2) > 0.02
    assert (darker & (rendering.person_ids < 0)).sum() > 50
