"""Writes a crop model as an ONNX file and compares the two (extra `onnx`).

    python -m ckpt_tools.export_onnx --model=demo_output/consistency --output=crop_model.onnx
    python -m ckpt_tools.export_onnx --model=metrabs_s --output=crop_model.onnx

The model is a checkpoint of ours, an exported crop model, or an original SavedModel, whose
settings are then assumed as by ckpt_tools.import_released without flags.

The file takes `image` float32 `[n, S, S, 3]`, RGB in 0..1, and `intrinsic_matrix` float32
`[n, 3, 3]`, and outputs `poses3d` float32 `[n, J, 3]`, mm in the camera frame of the crop. Its
metadata hold `joint_names` and `joint_edges` as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from ckpt_tools.common.comparison import largest_difference_mm
from ckpt_tools.common.model_checkpoints import locate_checkpoint
from ckpt_tools.common.model_location import locate_model
from ckpt_tools.common.original_model import read_original_crop_model
from metrabs.command import run_tool
from metrabs.errors import UserError
from metrabs.estimator.crop_prediction import CropPredictor, crop_predictor
from metrabs.files import PathLike, atomic_path
from metrabs.models.description import joint_info_of
from metrabs.settings import setting
from metrabs.training.model_loading import load_crop_model

OPSET = 17


@dataclasses.dataclass(frozen=True)
class OnnxSettings:
    """Settings of the command."""

    model: str = setting(
        None,
        "checkpoint or folder with checkpoints; or folder, archive, URL or name of a SavedModel",
    )
    output: str = setting(None, "file to write, .onnx")
    tolerance_mm: float = setting(1.0, "largest difference between joints that passes", "mm")


def export_onnx(crop_model: Any, path: PathLike, tolerance_mm: float = 1.0) -> float:
    """Writes a crop model as an ONNX file, provided that the file predicts the same.

    Args:
        crop_model: A crop model, live or loaded from a SavedModel.
        path: The file to write.
        tolerance_mm: Largest distance between joints that counts as the same prediction.

    Returns:
        The largest distance in mm between joints that ONNX Runtime and TensorFlow predict on
        noise.

    Raises:
        UserError: the extra is not installed, the model has operations that ONNX lacks, or the
            predictions differ.
    """
    onnx = _import_onnx()
    side = int(crop_model.input_resolution.numpy())
    converted = _convert(crop_predictor(crop_model), side)
    joint_info = joint_info_of(crop_model)
    for key, value in (("joint_names", joint_info.names), ("joint_edges", joint_info.edges)):
        converted.metadata_props.add(key=key, value=json.dumps(value))
    with atomic_path(path) as temporary:
        onnx.save(converted, str(temporary))
        difference = largest_difference_mm(
            crop_predictor(crop_model), onnx_predictor(temporary), side
        )
        if not difference <= tolerance_mm:
            raise UserError(
                f"ONNX Runtime predicts joints up to {difference:.2f} mm away from TensorFlow's, "
                "so nothing was written. A model that computes in float32 is closer; see "
                "ckpt_tools.convert_precision."
            )
    return difference


def onnx_predictor(path: PathLike) -> CropPredictor:
    """Returns the prediction function `(crops, intrinsics) -> poses3d` of an ONNX file.

    Raises:
        UserError: the extra is not installed, or the file is damaged.
    """
    _import_onnx()
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has many error types without a common base
        raise UserError(f"'{path}' is not a usable ONNX model: {error}.") from error

    def _predict(crops: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
        return session.run(None, {"image": crops, "intrinsic_matrix": intrinsics})[0]

    return _predict


def _import_onnx() -> Any:
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"ONNX needs further packages ({error}): pip install 'metrabs[onnx]'."
        ) from error
    return onnx


def _convert(predict: Any, side: int) -> Any:
    import tf2onnx

    specs = [
        tf.TensorSpec([None, side, side, 3], tf.float32, name="image"),
        tf.TensorSpec([None, 3, 3], tf.float32, name="intrinsic_matrix"),
    ]

    @tf.function(input_signature=specs, autograph=False)
    def _poses(image: tf.Tensor, intrinsic_matrix: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"poses3d": predict(image, intrinsic_matrix)}

    converted, _ = tf2onnx.convert.from_function(
        _poses, specs, opset=OPSET, custom_op_handlers={"Cross": (_convert_cross, [])}
    )
    known = {"", "ai.onnx", "ai.onnx.ml"}
    foreign = {node.op_type for node in converted.graph.node if node.domain not in known}
    if foreign:
        raise UserError(f"ONNX has no counterpart of: {', '.join(sorted(foreign))}.")
    return converted


def _convert_cross(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Cross product over the last axis, which ONNX does not have: a1 b2 - a2 b1, cyclically."""
    first, second = node.input
    shapes, dtypes = node.output_shapes, node.output_dtypes

    def _cyclic(tensor: str, order: Sequence[int], part: str) -> str:
        indices = ctx.make_const(f"{name}_{part}_order", np.array(order, np.int64)).output[0]
        return ctx.make_node("Gather", [tensor, indices], attr={"axis": -1}).output[0]

    left = ctx.make_node(
        "Mul", [_cyclic(first, [1, 2, 0], "a1"), _cyclic(second, [2, 0, 1], "b2")]
    )
    right = ctx.make_node(
        "Mul", [_cyclic(first, [2, 0, 1], "a2"), _cyclic(second, [1, 2, 0], "b1")]
    )
    ctx.remove_node(node.name)
    ctx.make_node(
        "Sub",
        [left.output[0], right.output[0]],
        name=node.name,
        outputs=node.output,
        shapes=shapes,
        dtypes=dtypes,
    )


def run(settings: OnnxSettings) -> None:
    """Runs the command."""
    difference = export_onnx(_load(settings.model), settings.output, settings.tolerance_mm)
    print(f"Wrote {settings.output}. Largest difference between joints: {difference:.4f} mm")


def _load(name: str) -> Any:
    path = locate_model(name)
    if not (path / "saved_model.pb").exists():
        return load_crop_model(locate_checkpoint(path))
    loaded = tf.saved_model.load(str(path))
    crop_model = getattr(loaded, "crop_model", loaded)
    if hasattr(crop_model, "predict_multi_float32"):
        return crop_model
    # The original reconstruction uses operations that ONNX does not have.
    return read_original_crop_model(path)[0]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, OnnxSettings, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
