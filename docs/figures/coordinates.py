"""Draws docs/figures/coordinates.png: world, camera, crop camera and image frames of one scene.

Run with `python docs/figures/coordinates.py` from the top folder.
"""

from __future__ import annotations

import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

COLORS = {"x": "#c0392b", "y": "#1e8449", "z": "#1f4e9e"}
PERSON_MM = np.array([400.0, 3600.0, 0.0])  # feet, world
CAMERA_MM = np.array([-1100.0, 300.0, 1700.0])
WORLD_ORIGIN_MM = np.array([900.0, 900.0, 0.0])  # drawn here to keep the axes apart


def camera_rotation() -> np.ndarray:
    """Returns world -> camera rotation of a camera that looks about along world y, tilted down."""
    tilt = np.deg2rad(8)
    forward = np.array([0.25, np.cos(tilt), -np.sin(tilt)])
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def draw_axes(
    axes: plt.Axes, origin: np.ndarray, directions: np.ndarray, length: float, label: str
) -> None:
    """Draws three labelled arrows; `directions` has one axis per row."""
    for name, direction in zip("xyz", directions):
        axes.quiver(
            *origin,
            *(direction * length),
            color=COLORS[name],
            linewidth=2,
            arrow_length_ratio=0.15,
        )
        axes.text(*(origin + direction * length * 1.15), name, color=COLORS[name], weight="bold")
    axes.text(*(origin + [-120, 0, -60]), label, ha="right", fontsize=9)


def draw_person(axes: plt.Axes) -> None:
    """Draws a stick figure of 1.75 m at PERSON_MM."""
    joints = {
        "head": (0, 1650),
        "neck": (0, 1430),
        "pelv": (0, 930),
        "lsho": (-180, 1400),
        "rsho": (180, 1400),
        "lwri": (-330, 900),
        "rwri": (330, 900),
        "lank": (-140, 60),
        "rank": (140, 60),
    }
    edges = [
        "head neck",
        "neck pelv",
        "neck lsho",
        "neck rsho",
        "lsho lwri",
        "rsho rwri",
        "pelv lank",
        "pelv rank",
    ]
    for edge in edges:
        a, b = (PERSON_MM + [joints[n][0], 0, joints[n][1]] for n in edge.split())
        axes.plot(*np.stack([a, b]).T, color="0.25", linewidth=3)


def draw_scene(axes: plt.Axes) -> None:
    """Draws the 3D side of the figure."""
    rotation = camera_rotation()
    draw_axes(axes, WORLD_ORIGIN_MM, np.eye(3), 600, "world (mm)")
    draw_axes(axes, CAMERA_MM, rotation, 600, "camera (mm)")
    draw_person(axes)
    corners_cam = np.array([[-1, -0.75, 2.0], [1, -0.75, 2.0], [1, 0.75, 2.0], [-1, 0.75, 2.0]])
    corners = corners_cam * 600 @ rotation + CAMERA_MM
    loop = np.concatenate([corners, corners[:1]])
    axes.plot(*loop.T, color="0.6")
    for corner in corners:
        axes.plot(*np.stack([CAMERA_MM, corner]).T, color="0.75", linewidth=0.8)
    axes.set(xlim=(-1500, 2000), ylim=(-300, 4000), zlim=(0, 2400))
    axes.set_box_aspect((3500, 4300, 2400))
    axes.view_init(elev=18, azim=-62)
    axes.tick_params(labelsize=0, pad=-4)
    axes.set_title(
        "World: z up (or as the extrinsics say). Camera: x right, y down, z forward", fontsize=10
    )


def draw_image(axes: plt.Axes) -> None:
    """Draws the image side: pixel axes, a box and its square crop."""
    axes.set(
        xlim=(-60, 700),
        ylim=(540, -60),
        aspect="equal",
        title="Image: pixels, x right, y down; (0, 0) is the centre of the first pixel",
    )
    axes.add_patch(plt.Rectangle((0, 0), 640, 480, fill=False, color="0.3"))
    axes.annotate("x", (160, -22), color=COLORS["x"], weight="bold")
    axes.annotate("", (150, -14), (0, -14), arrowprops={"arrowstyle": "->", "color": COLORS["x"]})
    axes.annotate("y", (-38, 160), color=COLORS["y"], weight="bold")
    axes.annotate("", (-14, 150), (-14, 0), arrowprops={"arrowstyle": "->", "color": COLORS["y"]})
    axes.add_patch(plt.Rectangle((330, 90), 110, 330, fill=False, color="#b9770e", linewidth=2))
    axes.text(330, 80, "box = left, top, width, height", color="#b9770e", fontsize=9)
    axes.add_patch(plt.Rectangle((212, 82), 346, 346, fill=False, color="#6c3483", linestyle="--"))
    axes.text(
        200,
        180,
        "crop: a virtual camera\nturned to the centre\nof the box, whose "
        "long\nside fills the input",
        color="#6c3483",
        fontsize=8,
        ha="right",
        va="top",
    )
    axes.plot([385] * 2, [130, 390], color="0.25", linewidth=3)
    axes.plot([350, 385, 420], [250, 165, 250], color="0.25", linewidth=3)


def main() -> None:
    """Writes the figure next to this file."""
    figure = plt.figure(figsize=(12, 4.6))
    draw_scene(figure.add_subplot(1, 2, 1, projection="3d"))
    draw_image(figure.add_subplot(1, 2, 2))
    figure.tight_layout()
    figure.savefig(pathlib.Path(__file__).with_suffix(".png"), dpi=90)


if __name__ == "__main__":
    main()
