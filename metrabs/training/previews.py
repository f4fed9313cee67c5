"""Previews of a few validation examples, drawn periodically during training."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import tensorflow as tf

from metrabs.config import Config
from metrabs.data.examples import PoseDataset
from metrabs.data.loading.pipeline import Batch, evaluation_batches
from metrabs.models.crop_model import CropModel
from metrabs.visualization.comparison import comparison_image, stack_images

_NEAREST_MM = 1.0  # nearer points are not projected


class ValidationPreviews:
    """Draws the predictions for some examples next to the ground truth; always the same ones.

    Args:
        model: Crop model, in its state at each call.
        dataset: Dataset; examples spread evenly over its validation split are shown.
        config: Settings of the run.
    """

    def __init__(self, model: CropModel, dataset: PoseDataset, config: Config) -> None:
        self._model = model
        self._dataset = dataset
        self._config = config
        self._batch: Optional[Batch] = None

    def draw(self) -> np.ndarray:
        """Returns one uint8 image [h, w, 3] of all examples.

        Only annotated joints are drawn. In the 3D view, both poses are relative to the mean of
        these joints; the caption gives the errors in mm.
        """
        if self._batch is None:  # loaded once
            self._batch = self._load()
        batch = self._batch
        image = tf.cast(batch["image"], tf.float32) / 255
        predicted = self._model.predict_multi_float32(image, batch["intrinsics"]).numpy()
        return stack_images(
            [
                self._draw_example({name: values[i] for name, values in batch.items()}, pose)
                for i, pose in enumerate(predicted)
            ]
        )

    def _load(self) -> Batch:
        examples = self._dataset.split(self._config.data.validate_on)
        count = min(self._config.run.num_pictures, len(examples))
        indices = np.linspace(0, len(examples) - 1, count).round().astype(int)
        chosen = [examples[int(index)] for index in indices]
        return next(
            evaluation_batches(
                chosen,
                self._dataset.joint_info,
                self._config.loading,
                count,
                workers=0,
                folders=self._config.run.folders,
            )
        )

    def _draw_example(self, example: dict[str, Any], predicted: np.ndarray) -> np.ndarray:
        is_valid = example["joint_validity_mask"][:, np.newaxis]
        true = np.where(is_valid, example["coords3d_true"], np.nan)
        predicted = np.where(is_valid, predicted, np.nan)
        centered = predicted - np.nanmean(predicted, axis=0)
        true_centered = true - np.nanmean(true, axis=0)
        error_mm = _mean_distance(centered, true_centered)
        caption = f"truth in white; error {error_mm:.0f} mm relative to the mean"
        overlay = None
        if self._model.variant.is_absolute:
            caption += f", {_mean_distance(predicted, true):.0f} mm absolute"
            overlay = _projected(predicted, example["intrinsics"])
        return comparison_image(
            example["image"],
            overlay,
            _projected(true, example["intrinsics"]),
            centered,
            true_centered,
            self._dataset.joint_info,
            caption,
        )


def _projected(pose3d_cam_mm: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Projects `[J, 3]` to pixels `[J, 2]`; NaN for points behind the camera."""
    depth = pose3d_cam_mm[:, 2:]
    normalized = pose3d_cam_mm / np.where(depth > _NEAREST_MM, depth, np.nan)
    return (normalized @ intrinsics.T)[:, :2]


def _mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.nanmean(np.linalg.norm(a - b, axis=-1)))
