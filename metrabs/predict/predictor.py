"""Running an exported full-image model on batches of images of one size."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from metrabs.errors import UserError, unknown_name_error
from metrabs.predict.cameras import CameraChoice
from metrabs.predict.settings import PredictionSettings
from metrabs.skeletons.tables import Skeleton


@dataclasses.dataclass(frozen=True)
class FramePoses:
    """The people in one image.

    Attributes:
        boxes_ltwh_px: `[n, 4]`, left, top, width, height.
        scores: `[n]`, confidence of the detector, 1 for given boxes.
        poses3d_mm: `[n, J, 3]`, in the world frame if there are extrinsics, else camera frame.
        poses2d_px: `[n, J, 2]`, in pixels of the image.
    """

    boxes_ltwh_px: np.ndarray
    scores: np.ndarray
    poses3d_mm: np.ndarray
    poses2d_px: np.ndarray

    @property
    def num_people(self) -> int:
        """n."""
        return len(self.scores)


class Predictor:
    """A full-image model with its settings.

    Args:
        model: what `tf.saved_model.load` returns for an export, ours or a released one.
        camera: what is known about the camera.
        settings: the other arguments.

    Attributes:
        skeleton: names and edges of the J joints that come out.

    Raises:
        UserError: it is no such model, or does not know the skeleton.
    """

    def __init__(
        self, model: Any, camera: CameraChoice, settings: Optional[PredictionSettings] = None
    ) -> None:
        self._model, self._camera = model, camera
        self._settings = settings or PredictionSettings()
        self.skeleton = _skeleton_of(model, self._settings.skeleton)

    @property
    def has_detector(self) -> bool:
        """Whether the model finds people by itself."""
        return getattr(self._model, "detector", None) is not None

    def predict(
        self, images: Sequence[np.ndarray],
        boxes_ltwh_px: Optional[Sequence[np.ndarray]] = None,
    ) -> list[FramePoses]:
        """Detects people and estimates their poses.

        Args:
            images: uint8 RGB `[h, w, 3]`, all of the same size.
            boxes_ltwh_px: `[n, 4]` for each image, instead of detection.

        Returns:
            The people of each image.

        Raises:
            UserError: there is not enough memory, or the model refuses its inputs.
        """
        batch = np.stack(images)
        try:
            if boxes_ltwh_px is None:
                result = self._model.detect_poses_batched(
                    batch, **self._common_arguments(), **self._detection_arguments()
                )
                boxes = result["boxes"]
            else:
                boxes = _ragged(boxes_ltwh_px)
                result = self._model.estimate_poses_batched(
                    batch, boxes, **self._common_arguments()
                )
        except tf.errors.ResourceExhaustedError as error:
            raise UserError(
                "Not enough memory. Use a smaller --batch_size or --internal_batch_size."
            ) from error
        except tf.errors.InvalidArgumentError as error:
            raise UserError(f"The model refuses its inputs: {_reason(error)}") from error
        return [
            _frame_poses(boxes[i].numpy(), result["poses3d"][i], result["poses2d"][i])
            for i in range(len(images))
        ]

    def _common_arguments(self) -> dict[str, Any]:
        camera, settings = self._camera, self._settings
        arguments: dict[str, Any] = {}
        if camera.intrinsic_matrix is not None:
            arguments["intrinsic_matrix"] = _float32(camera.intrinsic_matrix)[np.newaxis]
        return {
            **arguments,
            "distortion_coeffs": _float32(camera.distortion_coeffs)[np.newaxis],
            "extrinsic_matrix": _float32(camera.world_to_camera)[np.newaxis],
            "world_up_vector": _float32(camera.world_up),
            "default_fov_degrees": np.float32(camera.fov_degrees),
            "internal_batch_size": settings.internal_batch_size,
            "antialias_factor": settings.antialias_factor,
            "num_aug": settings.num_aug,
            "skeleton": settings.skeleton,
        }

    def _detection_arguments(self) -> dict[str, Any]:
        names = ("detector_threshold", "detector_nms_iou_threshold", "max_detections",
                 "detector_flip_aug", "suppress_implausible_poses")
        return {name: getattr(self._settings, name) for name in names}


def _skeleton_of(model: Any, name: str) -> Skeleton:
    if not hasattr(model, "detect_poses_batched"):
        is_crop_model = hasattr(model, "predict_multi")
        hint = (
            "it is a crop model; pack it by `python -m ckpt_tools.export_estimator`"
            if is_crop_model else "it has no function detect_poses_batched"
        )
        raise UserError(f"The model is not a full-image model: {hint}.")
    names: Mapping[str, Any] = model.per_skeleton_joint_names
    if name not in names:
        raise unknown_name_error("skeleton", name, map(repr, names))
    return Skeleton(
        model.per_skeleton_indices[name].numpy().tolist(),
        names[name].numpy().astype(str).tolist(),
        [(int(a), int(b)) for a, b in model.per_skeleton_joint_edges[name].numpy()],
    )


def _reason(error: tf.errors.OpError) -> str:
    """The line of TensorFlow's text that tells what is wrong."""
    lines = [line.strip() for line in error.message.splitlines()]
    failed = [line for line in lines if line.startswith("assertion failed:")]
    return failed[0] if failed else " ".join(lines)


def _float32(values: Any) -> np.ndarray:
    return np.asarray(values, np.float32)


def _ragged(boxes: Sequence[np.ndarray]) -> tf.RaggedTensor:
    flat = np.concatenate([np.reshape(b, [-1, 4]) for b in boxes]).astype(np.float32)
    return tf.RaggedTensor.from_row_lengths(flat, np.array([len(b) for b in boxes], np.int64))


def _frame_poses(boxes: np.ndarray, poses3d: tf.Tensor, poses2d: tf.Tensor) -> FramePoses:
    scores = boxes[:, 4] if boxes.shape[1] > 4 else np.ones(len(boxes), np.float32)
    return FramePoses(boxes[:, :4], scores, poses3d.numpy(), poses2d.numpy())
