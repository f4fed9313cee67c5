"""Figures of poses and latent points: contents of the axes, and files."""

from __future__ import annotations

import numpy as np
import pytest

from metrabs.skeletons import JointInfo
from metrabs.visualization import figures

SKELETON = JointInfo("pelv,neck,lhip,rhip", "neck-pelv-rhip")
POSE_MM = np.array([[0, 0, 3000], [0, -500, 3000], [100, 20, 3000], [-100, 20, 2900.0]])


@pytest.fixture
def image():
    return np.full((60, 80, 3), 128, np.uint8)


def test_pose_figure_shows_space_upright_in_metres_with_equal_scales(image, tmp_path):
    poses = np.stack([POSE_MM, POSE_MM + [800, 0, 0]])
    views = [figures.PoseView("a", poses, SKELETON), figures.PoseView("b", poses, SKELETON)]
    figure = figures.pose_figure(image, views, poses[..., :2] * 0.1 + 30, None, [[1, 2, 30, 40]])
    assert len(figure.axes) == 3
    axes = figure.axes[1]
    low, high = axes.get_zlim()
    assert low < 0 < 0.5 < high  # the neck, 500 mm up, is at +0.5 m
    assert axes.get_ylim()[0] < 2.9 < 3.0 < axes.get_ylim()[1]
    spans = [np.ptp(limits) for limits in (axes.get_xlim(), axes.get_ylim(), (low, high))]
    np.testing.assert_allclose(axes._box_aspect / axes._box_aspect[0], spans / spans[0])
    assert len(axes.collections) == 4  # bones and joints of two people
    path = tmp_path / "poses.png"
    figures.save_figure(figure, path)
    assert path.read_bytes()[:4] == b"\x89PNG" and [path] == list(tmp_path.iterdir())


def test_pose_figure_supports_missing_joints_and_no_people(image, tmp_path):
    missing = POSE_MM.copy()
    missing[1] = np.nan
    views = [
        figures.PoseView("one", missing, SKELETON),
        figures.PoseView("none", np.zeros((0, 4, 3)), SKELETON),
    ]
    figures.save_figure(figures.pose_figure(image, views), tmp_path / "a.png")
    figures.save_figure(figures.pose_figure(image, views[1:]), tmp_path / "b.png")
    figures.save_figure(figures.pose_figure(image, []), tmp_path / "c.png")


def test_latent_points_are_drawn_where_the_weights_put_them(tmp_path):
    weights = np.array([[0.5, 0, 0], [0.5, 0, 0], [0, 1, 0], [0, 0, 1]])
    figure = figures.latent_points_figure(weights, POSE_MM, SKELETON, num_lines=2)
    front, side = figure.axes
    latent_dots = [c for c in front.collections if c.get_sizes().tolist() == [38]]
    positions = np.concatenate([dots.get_offsets() for dots in latent_dots])
    # The middle of the person is (0, -240, 2950) mm; up is positive.
    np.testing.assert_allclose(positions, [[0, 0.01], [0.1, -0.26], [-0.1, -0.26]], atol=1e-9)
    assert side.get_xlabel() == "away [m]"
    figures.save_figure(figure, tmp_path / "latents.png")


def test_sides_of_latents_follow_the_weights_unless_given():
    weights = np.array([[0.5, 0.1, 0.1], [0.5, 0, 0], [0, 0.9, 0], [0, 0, 0.9]])
    sides = figures._sides_of_latents(weights, ["center", "center", "left", "right"])
    assert sides == ["center", "left", "right"]
    given = figures.latent_points_figure(weights, POSE_MM, SKELETON, ["left"] * 3)
    dots = [c for c in given.axes[0].collections if c.get_sizes().tolist() == [38]]
    assert len({tuple(d.get_facecolor()[0]) for d in dots}) == 1
