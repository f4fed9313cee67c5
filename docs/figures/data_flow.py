"""Draws the diagrams of docs/explanation/data-flow.md.

Run with `python docs/figures/data_flow.py` from the top folder.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

Point = tuple[float, float]

FOLDER = pathlib.Path(__file__).parent
FILE_COLOR, PROGRAM_COLOR, ACAE_COLOR = "#dbe9f6", "#fdebd0", "#e3f1dc"


class Box(NamedTuple):
    """A box of a diagram, centred at (x, y)."""

    x: float
    y: float
    text: str
    color: str
    width: float = 1.7
    height: float = 0.62


def draw(
    name: str,
    boxes: dict[str, Box],
    arrows: list[tuple[str, str, str]],
    size: tuple[float, float],
    paths: Sequence[tuple[str, list[Point]]] = (),
) -> None:
    """Writes a diagram.

    Args:
        name: File name without extension.
        boxes: Boxes by name.
        arrows: First box, second box, label.
        size: Width and height in inches, which are also the units of the boxes.
        paths: Further arrows with corners: label and points.
    """
    figure, axes = plt.subplots(figsize=size)
    for first, second, label in arrows:
        _draw_arrow(axes, boxes[first], boxes[second], label)
    for label, points in paths:
        axes.plot(*zip(*points[:-1]), color="#444444", linewidth=1, zorder=1)
        axes.annotate(
            "",
            points[-1],
            points[-2],
            zorder=1,
            arrowprops={"arrowstyle": "-|>", "color": "#444444", "shrinkA": 0, "shrinkB": 3},
        )
        _draw_label(axes, points[1], points[2], label)
    for box in boxes.values():
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        axes.add_patch(
            FancyBboxPatch(
                corner,
                box.width,
                box.height,
                boxstyle="round,pad=0.02,rounding_size=0.08",
                facecolor=box.color,
                edgecolor="#555555",
                linewidth=1,
                zorder=2,
            )
        )
        axes.text(box.x, box.y, box.text, ha="center", va="center", fontsize=8.5, zorder=3)
    axes.set_xlim(0, size[0])
    axes.set_ylim(0, size[1])
    axes.axis("off")
    figure.subplots_adjust(0, 0, 1, 1)
    figure.savefig(FOLDER / f"{name}.png", dpi=130)
    plt.close(figure)


def _draw_arrow(axes: plt.Axes, first: Box, second: Box, label: str) -> None:
    start, end = _ends(first, second)
    axes.annotate(
        "",
        end,
        start,
        zorder=1,
        arrowprops={"arrowstyle": "-|>", "color": "#444444", "shrinkA": 3, "shrinkB": 3},
    )
    if label:
        _draw_label(axes, start, end, label)


def _draw_label(axes: plt.Axes, start: Point, end: Point, label: str) -> None:
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    axes.text(
        x,
        y,
        label,
        ha="center",
        va="center",
        fontsize=7.5,
        style="italic",
        zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )


def _ends(first: Box, second: Box) -> tuple[Point, Point]:
    """Returns the points on the borders of two boxes between which an arrow is drawn."""
    dx, dy = second.x - first.x, second.y - first.y
    if abs(dx) > abs(dy):
        side = 1 if dx > 0 else -1
        return (
            (first.x + side * first.width / 2, first.y),
            (second.x - side * second.width / 2, second.y),
        )
    side = 1 if dy > 0 else -1
    return (
        (first.x, first.y + side * first.height / 2),
        (second.x, second.y - side * second.height / 2),
    )


def draw_data_flow() -> None:
    """Draws the way from raw datasets to poses."""
    boxes = {
        "raw": Box(1.1, 3.0, "raw datasets", FILE_COLOR),
        "cache": Box(4.0, 3.0, "cache files\nand small crops", FILE_COLOR),
        "merged": Box(6.9, 3.0, "merged cache\n(huge8)", FILE_COLOR),
        "checkpoint": Box(9.8, 3.0, "checkpoint", FILE_COLOR),
        "predictions": Box(9.8, 1.8, "predictions in\nall formats", FILE_COLOR),
        "acae": Box(6.9, 1.8, "autoencoder\nweights", ACAE_COLOR),
        "crop": Box(9.8, 0.6, "crop model\n(SavedModel)", FILE_COLOR),
        "full": Box(6.9, 0.6, "full-image model\n(SavedModel)", FILE_COLOR),
        "poses": Box(4.0, 0.6, "poses of all people\nin all formats", FILE_COLOR),
        "image": Box(1.1, 0.6, "images, videos", FILE_COLOR),
    }
    arrows = [
        ("raw", "cache", "convert"),
        ("cache", "merged", "merge"),
        ("merged", "checkpoint", "train"),
        ("checkpoint", "predictions", "predict"),
        ("predictions", "acae", "train ACAE"),
        ("crop", "full", "export"),
        ("acae", "full", "bundle"),
        ("full", "poses", "predict"),
        ("image", "poses", ""),
    ]
    draw(
        "data_flow",
        boxes,
        arrows,
        (11.8, 3.6),
        paths=[
            ("export", [(10.67, 3.0), (11.3, 3.0), (11.3, 0.6), (10.67, 0.6)]),
            ("fine-tune", [(6.9, 2.13), (6.9, 2.42), (9.2, 2.42), (9.2, 2.67)]),
        ],
    )


def draw_training_step() -> None:
    """Draws one training step."""
    boxes = {
        "sampler": Box(1.1, 1.9, "sampler\n(seed, step)", PROGRAM_COLOR),
        "workers": Box(3.6, 1.9, "worker processes:\nload, crop, augment", PROGRAM_COLOR, 1.9),
        "store": Box(3.6, 0.6, "cache file, images", FILE_COLOR, 1.9),
        "batch": Box(6.1, 1.9, "batch:\ncrops, joints, cameras", FILE_COLOR, 1.9),
        "backbone": Box(8.5, 1.9, "backbone", PROGRAM_COLOR),
        "heads": Box(10.8, 1.9, "heads: 2D and 3D\nby soft-argmax", PROGRAM_COLOR, 1.9),
        "absolute": Box(10.8, 0.6, "absolute\nreconstruction", PROGRAM_COLOR, 1.9),
        "loss": Box(8.3, 0.6, "losses of\nthe variant", PROGRAM_COLOR),
        "acae": Box(6.1, 0.6, "autoencoder\n(step 3)", ACAE_COLOR),
    }
    draw(
        "training_step",
        boxes,
        [
            ("sampler", "workers", ""),
            ("store", "workers", ""),
            ("workers", "batch", ""),
            ("batch", "backbone", ""),
            ("backbone", "heads", ""),
            ("heads", "absolute", ""),
            ("absolute", "loss", ""),
            ("acae", "loss", ""),
        ],
        (11.9, 2.5),
    )


def draw_full_image_model() -> None:
    """Draws the way of an image through a full-image model."""
    boxes = {
        "image": Box(1.1, 1.9, "image", FILE_COLOR),
        "detector": Box(3.4, 1.9, "person detector", PROGRAM_COLOR),
        "cameras": Box(5.9, 1.9, "virtual camera for\neach person and view", PROGRAM_COLOR, 1.9),
        "crops": Box(8.4, 1.9, "crops", FILE_COLOR),
        "network": Box(10.7, 1.9, "crop model", PROGRAM_COLOR),
        "back": Box(10.7, 0.6, "turn back into the\nreal camera's frame", PROGRAM_COLOR, 1.9),
        "mean": Box(8.2, 0.6, "mean over views,\nspread", PROGRAM_COLOR),
        "filter": Box(5.9, 0.6, "plausibility,\nduplicates", PROGRAM_COLOR),
        "skeleton": Box(3.5, 0.6, "choice of skeleton,\nworld frame", PROGRAM_COLOR, 1.9),
        "people": Box(1.1, 0.6, "boxes, poses3d,\nposes2d", FILE_COLOR),
    }
    names = list(boxes)
    draw("full_image_model", boxes, [(a, b, "") for a, b in zip(names, names[1:])], (12.0, 2.5))


if __name__ == "__main__":
    draw_data_flow()
    draw_training_step()
    draw_full_image_model()
