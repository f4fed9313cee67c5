"""The last stage: figures of all results, drawn from the files of the other stages."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence

import numpy as np

from metrabs.acae.weights_file import load_affine_weights
from metrabs.data.storage.images import read_image
from metrabs.reproduction.recipe import MODELS
from metrabs.skeletons import tables
from metrabs.skeletons.tables import Skeleton
from metrabs.training.callbacks import read_history
from metrabs.visualization.charts import training_curves_figure
from metrabs.visualization.figures import PoseView, latent_points_figure, pose_figure, save_figure

_MIN_RELATIVE_HEIGHT = 0.3  # of people who are drawn, compared with the tallest box
_CURVES = {"loss": "loss", "mean_error": "mean error [mm]"}
_FORMATS = {"smpl_24": "SMPL", "coco_19": "COCO (Panoptic)", "h36m_17": "Human3.6M"}


def draw_report(root: pathlib.Path, models: Sequence[str], folder: pathlib.Path) -> None:
    """Draws all figures.

    Args:
        root: Folder of all stages.
        models: Names of the trained and evaluated models.
        folder: Where to write `image_*.png`, `test_*.png`, `training.png`, `autoencoder.png` and
            `latents.png`.
    """
    _draw_example_images(root / "examples", folder)
    _draw_test_examples(root, models, folder)
    records = []
    for stage in models:
        for record in read_history(root / stage):
            records.append(
                {
                    "step": record["step"],
                    **{
                        f"{MODELS[stage].title}: {title}": record[name]
                        for name, title in _CURVES.items()
                        if name in record
                    },
                }
            )
    save_figure(training_curves_figure(records, title="Training"), folder / "training.png")
    history = json.loads((root / "autoencoder" / "history.json").read_text())
    losses = [
        {
            "step": record["step"],
            "loss": record["loss"],
            "reconstruction error [m]": record["reconstruction_m"],
        }
        for record in history
    ]
    save_figure(
        training_curves_figure(losses, log_scale=True, title="Autoencoder"),
        folder / "autoencoder.png",
    )
    _draw_latents(root, models[0], folder)


def _draw_example_images(examples: pathlib.Path, folder: pathlib.Path) -> None:
    images = sorted((examples / "images").iterdir())
    with np.load(examples / "poses.npz") as poses:
        names = poses["images"].tolist()
        skeletons = {
            s: Skeleton([], poses[f"{s}/names"].tolist(), [tuple(e) for e in poses[f"{s}/edges"]])
            for s in _FORMATS
        }
        for image in images:
            number = names.index(image.name)
            boxes = poses[f"{number}/boxes"]
            # People far behind would shrink those in front to dots.
            is_large = boxes[:, 3] > _MIN_RELATIVE_HEIGHT * boxes[:, 3].max(initial=0)
            views = [
                PoseView(title, poses[f"{number}/{s}/poses3d"][is_large], skeletons[s])
                for s, title in _FORMATS.items()
            ]
            figure = pose_figure(
                read_image(str(image)),
                views,
                poses[f"{number}/smpl_24/poses2d"][is_large],
                boxes_ltwh_px=boxes,
            )
            save_figure(figure, folder / f"image_{image.stem}.png")


def _draw_test_examples(
    root: pathlib.Path, models: Sequence[str], folder: pathlib.Path, num_examples: int = 2
) -> None:
    """Draws the truth and the models' predictions of a few test images, in one format."""
    predictions = {name: _predictions(root, name) for name in models}
    first = predictions[models[0]]
    skeleton = tables.export_skeletons(first["joint_names"].tolist())["smpl_24"]
    positions = np.linspace(0, len(first["image_path"]) - 1, num_examples + 2)
    for i in positions[1:-1].astype(int):
        image = read_image(str(root / "datasets" / str(first["image_path"][i])))
        poses = {
            "Truth": first["coords3d_true_cam"],
            **{
                MODELS[name].title: of_model["coords3d_pred_cam"]
                for name, of_model in predictions.items()
            },
        }
        root_joint = skeleton.names.index("pelv")
        views = [
            PoseView(title, _relative(pose[i, skeleton.indices], root_joint), skeleton)
            for title, pose in poses.items()
        ]
        save_figure(pose_figure(image, views), folder / f"test_{i}.png")


def _relative(pose_cam_mm: np.ndarray, root_joint: int) -> np.ndarray:
    """Returns a pose as [1, J, 3] relative to its root joint."""
    # The absolute depth of models that trained for minutes is far off.
    return (pose_cam_mm - pose_cam_mm[root_joint])[np.newaxis]


def _predictions(root: pathlib.Path, model: str) -> dict[str, np.ndarray]:
    with np.load(root / f"evaluation_{model}" / "predictions.npz") as file:
        return dict(file)


def _draw_latents(root: pathlib.Path, model: str, folder: pathlib.Path) -> None:
    weights = load_affine_weights(root / "autoencoder" / "weights.npz")
    names = list(weights.joint_names or ())
    poses = _predictions(root, model)["coords3d_true_cam"]
    # The most upright person shows the points best.
    head, pelvis = names.index("head"), names.index("pelv")
    pose = poses[np.argmin((poses[:, head] - poses[:, pelvis])[:, 1])]
    info = tables.merged_joint_info("huge8")
    save_figure(latent_points_figure(weights.w1, pose, info), folder / "latents.png")
