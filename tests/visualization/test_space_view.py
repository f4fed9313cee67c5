from __future__ import annotations

import numpy as np
import pytest

from metrabs.skeletons import JointInfo
from metrabs.visualization.space_view import draw_top_view, draw_turned_view, space_of

LINE = JointInfo("pelv,head", "pelv-head")
STANDING = np.array([[[0.0, 900, 4000], [0, -800, 4000]]])


def colored(panel):
    """Row and column of every pixel that belongs to a central (green) bone."""
    red, green = panel[..., 0].astype(int), panel[..., 1].astype(int)
    return np.argwhere(green - red > 60)


def test_level_axes_of_a_level_camera_are_right_away_and_up():
    space = space_of([STANDING])
    np.testing.assert_allclose(space.to_level([[1000.0, 0, 0], [0, -1000, 0], [0, 0, 1000]]),
                               [[1, 0, 0], [0, 0, 1], [0, 1, 0]], atol=1e-12)  # fmt: skip


def test_up_is_up_for_a_tilted_camera():
    up = np.array([0.0, -np.cos(0.5), -np.sin(0.5)])
    space = space_of([STANDING], up)
    np.testing.assert_allclose(space.to_level(up * 1000), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(space.rotation @ space.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(space.rotation) == pytest.approx(1)


@pytest.mark.parametrize("up", [(0, 0, 1), (0, 0, -1)])
def test_camera_may_look_straight_up_or_down(up):
    space = space_of([STANDING], up)
    assert np.isfinite(space.rotation).all()
    np.testing.assert_allclose(space.to_level(np.array(up) * 1000.0), [0, 0, 1], atol=1e-12)


def test_space_holds_all_finite_points_and_is_never_too_small():
    space = space_of([STANDING, np.full([1, 2, 3], np.nan)])
    level = space.to_level(STANDING)
    assert (level >= space.low).all() and (level <= space.high).all()
    assert (space.high - space.low >= 1.2 - 1e-9).all()
    assert (space_of([]).high - space_of([]).low == 1.2).all()


def test_a_standing_person_is_upright_in_the_turned_view_and_a_dot_from_above():
    space = space_of([STANDING])
    turned, above = (
        draw(STANDING, LINE, space, 200) for draw in (draw_turned_view, draw_top_view)
    )
    assert turned.shape == above.shape == (200, 200, 3)
    height, width = np.ptp(colored(turned), axis=0)
    assert height > 100 and width < 15
    assert np.ptp(colored(above), axis=0).max() < 25


def test_further_away_is_higher_from_above_and_right_is_right():
    poses = np.concatenate([STANDING, STANDING + [800, 0, 800]])
    space = space_of([poses])
    near, far = (
        colored(draw_top_view(p[np.newaxis], LINE, space, 300)).mean(axis=0) for p in poses
    )
    assert far[0] < near[0] - 20 and far[1] > near[1] + 20


def test_no_people_give_an_empty_floor():
    space = space_of([])
    panel = draw_turned_view(np.zeros([0, 2, 3]), LINE, space, 120)
    assert len(colored(panel)) == 0 and panel.std() > 0


def test_number_of_people_outside_is_written_on_the_view(monkeypatch):
    titles = []
    monkeypatch.setattr(
        "metrabs.visualization.space_view.cv2.putText",
        lambda canvas, text, *args: titles.append(text),
    )
    space = space_of([STANDING])
    far = STANDING + [0, 0, 90000]
    draw_top_view(STANDING, LINE, space, 100)
    draw_top_view(np.concatenate([STANDING, far, far]), LINE, space, 100)
    assert titles[0] == "from above, grid 0.5 m"
    assert titles[1] == "from above, grid 0.5 m, 2 outside"
