"""Calling full-image models: settings, cameras and results for batches of images.

Works with any full-image model that `tf.saved_model.load` returns, also with the original ones.
TensorFlow is imported only when a model is called, so that commands that have nothing to predict
are quick.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, Optional, TypeVar

import numpy as np

from metrabs.errors import UserError, unknown_name_error
from metrabs.settings import check_settings, setting
from metrabs.skeletons.tables import Skeleton

_DETECTION_ARGUMENTS = (
    "detector_threshold", "detector_nms_iou_threshold", "max_detections", "detector_flip_aug",
    "suppress_implausible_poses",
)  # fmt: skip
# Settings that matter for speed and memory alone.
_NOT_IN_RESULTS = ("internal_batch_size",)

Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class PredictionSettings:
    """Arguments of the model's functions that do not change between images, see its reference.

    Raises:
        UserError: a value is inadmissible.
    """

    skeleton: str = setting("", "name of the output format, such as smpl_24; default: all joints")
    num_aug: int = setting(5, "number of views per person that are averaged", at_least=1)
    antialias_factor: int = setting(1, "supersampling factor of the crops", at_least=1)
    internal_batch_size: int = setting(
        64, "number of crops given to the network at once; 0: no limit", at_least=0
    )
    detector_threshold: float = setting(
        0.3, "smallest score of a detection", at_least=0, at_most=1
    )
    detector_nms_iou_threshold: float = setting(
        0.7, "overlap above which detections are merged", at_least=0, at_most=1
    )
    max_detections: int = setting(
        -1, "largest number of people per image, the best first; -1: all", at_least=-1
    )
    detector_flip_aug: bool = setting(False, "the detector also sees the mirrored image")
    suppress_implausible_poses: bool = setting(True, "drop implausible and duplicate poses")

    def __post_init__(self) -> None:
        check_settings(self)

    def result_settings(self) -> dict[str, Any]:
        """Returns the settings that results depend on, by name: all but those for speed."""
        settings = dataclasses.asdict(self)
        return {name: settings[name] for name in settings if name not in _NOT_IN_RESULTS}


@dataclasses.dataclass(frozen=True)
class BatchCameras:
    """Cameras of a batch of N images, one for each or one for all.

    Attributes:
        intrinsic_matrix: `[N or 1, 3, 3]` in pixels; None: derived from the field of view.
        distortion_coeffs: `[N or 1, n]`, n <= 12, in OpenCV's order.
        extrinsic_matrix: `[N or 1, 4, 4]` world -> camera, translation in mm.
        world_up: `[3]`, upward direction in the world frame.
        fov_degrees: Field of view over the longer image side, where intrinsics are unknown.
    """

    intrinsic_matrix: Optional[np.ndarray] = None
    distortion_coeffs: Any = ((0.0, 0.0, 0.0, 0.0, 0.0),)
    extrinsic_matrix: Any = dataclasses.field(default_factory=lambda: np.eye(4)[np.newaxis])
    world_up: Any = (0.0, -1.0, 0.0)
    fov_degrees: float = 55.0

    def arguments(self) -> dict[str, np.ndarray]:
        """Returns the arguments of the model's functions."""
        arguments: dict[str, Any] = {
            "distortion_coeffs": self.distortion_coeffs,
            "extrinsic_matrix": self.extrinsic_matrix,
            "world_up_vector": self.world_up,
            "default_fov_degrees": self.fov_degrees,
        }
        if self.intrinsic_matrix is not None:
            arguments["intrinsic_matrix"] = self.intrinsic_matrix
        return {name: np.asarray(value, np.float32) for name, value in arguments.items()}


@dataclasses.dataclass(frozen=True)
class FramePoses:
    """The people in one image.

    Attributes:
        boxes_ltwh_px: `[n, 4]`, left, top, width, height.
        scores: `[n]`, confidence of the detector, 1 for given boxes.
        poses3d_mm: `[n, J, 3]`, in the world frame of the camera.
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
        model: Full-image model, as `metrabs.load_model` and `tf.saved_model.load` return it.
        settings: Arguments that are the same in all calls; default: those of the model.

    Attributes:
        skeleton: Names and edges of the J joints of predicted poses.

    Raises:
        UserError: the model is not a full-image model, or does not know the skeleton.
    """

    def __init__(self, model: Any, settings: Optional[PredictionSettings] = None) -> None:
        self._model = model
        self._settings = settings or PredictionSettings()
        self.skeleton = _skeleton_of(model, self._settings.skeleton)

    @property
    def has_detector(self) -> bool:
        """Whether the model finds people by itself."""
        return getattr(self._model, "detector", None) is not None

    def predict(
        self,
        images: Sequence[np.ndarray],
        boxes_ltwh_px: Optional[Sequence[np.ndarray]] = None,
        cameras: Optional[BatchCameras] = None,
    ) -> list[FramePoses]:
        """Detects people and estimates their poses.

        Args:
            images: uint8 RGB `[h, w, 3]`, all of the same size.
            boxes_ltwh_px: `[n, 4]` for each image, instead of detection.
            cameras: Cameras of the images; default: unknown ones.

        Returns:
            The people of each image.

        Raises:
            UserError: there is not enough memory, or the model rejects its input.
        """
        batch = np.stack(images)
        arguments = {**(cameras or BatchCameras()).arguments(), **self._arguments()}
        with _explained_failures():
            if boxes_ltwh_px is None:
                result = self._model.detect_poses_batched(
                    batch, **arguments, **self._detection_arguments()
                )
                boxes = result["boxes"]
            else:
                boxes = _ragged(boxes_ltwh_px)
                result = self._model.estimate_poses_batched(batch, boxes, **arguments)
        return [
            _frame_poses(boxes[i].numpy(), result["poses3d"][i], result["poses2d"][i])
            for i in range(len(images))
        ]

    def _arguments(self) -> dict[str, Any]:
        names = ("internal_batch_size", "antialias_factor", "num_aug", "skeleton")
        return {name: getattr(self._settings, name) for name in names}

    def _detection_arguments(self) -> dict[str, Any]:
        return {name: getattr(self._settings, name) for name in _DETECTION_ARGUMENTS}


def same_size_batches(
    items: Iterable[Item], batch_size: int, image_of: Callable[[Item], np.ndarray]
) -> Iterator[list[Item]]:
    """Groups consecutive items whose images have the same size.

    Args:
        items: Images with anything that belongs to them.
        batch_size: Largest number of items in a group.
        image_of: Returns the image `[h, w, 3]` of an item.
    """
    batch: list[Item] = []
    for item in items:
        if batch and (
            len(batch) == batch_size or image_of(item).shape != image_of(batch[0]).shape
        ):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _skeleton_of(model: Any, name: str) -> Skeleton:
    if not hasattr(model, "detect_poses_batched"):
        is_crop_model = hasattr(model, "predict_multi")
        hint = (
            "it is a crop model; pack it with `python -m ckpt_tools.export_estimator`"
            if is_crop_model
            else "it has no function detect_poses_batched"
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


@contextlib.contextmanager
def _explained_failures() -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise UserError(
            "Not enough memory. Use a smaller --batch_size or --internal_batch_size."
        ) from error
    except tf.errors.InvalidArgumentError as error:
        raise UserError(f"Invalid model input: {_reason(error.message)}") from error


def _reason(message: str) -> str:
    """Returns the line of TensorFlow's message that says what is wrong."""
    lines = [line.strip() for line in message.splitlines()]
    failed = [line for line in lines if line.startswith("assertion failed:")]
    return failed[0] if failed else " ".join(lines)


def _ragged(boxes: Sequence[np.ndarray]) -> Any:
    import tensorflow as tf

    flat = np.concatenate([np.reshape(b, [-1, 4]) for b in boxes]).astype(np.float32)
    return tf.RaggedTensor.from_row_lengths(flat, np.array([len(b) for b in boxes], np.int64))


def _frame_poses(boxes: np.ndarray, poses3d: Any, poses2d: Any) -> FramePoses:
    scores = boxes[:, 4] if boxes.shape[1] > 4 else np.ones(len(boxes), np.float32)
    return FramePoses(boxes[:, :4], scores, poses3d.numpy(), poses2d.numpy())
