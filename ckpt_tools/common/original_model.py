"""Crop models of the original implementation: reading them, and writing ours in their layout.

An original crop model is a SavedModel with the parts `backbone` and `heatmap_heads` and the
variables `joint_names`, `joint_edges` and `input_resolution`. It may be nested as `crop_model` in
a full-image model. Its settings are not in the file; those that do not follow from its
variables have to be given.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from ckpt_tools.common.original_names import match_names, original_layer_names
from ckpt_tools.common.stored_variables import StoredVariable, StoredVariables
from metrabs.acae.weights_file import AffineWeights
from metrabs.backbones.registry import canonical_backbone_name
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.models.build import build_crop_model
from metrabs.models.crop_model import CropModel
from metrabs.models.description import CONFIG_FILE, ModelDescription
from metrabs.models.variants import AutoencoderVariant
from metrabs.skeletons import JointInfo
from metrabs.training.export import save_crop_model


def read_original_crop_model(
    path: PathLike, settings: Optional[Mapping[str, Any]] = None
) -> tuple[CropModel, Config]:
    """Builds the crop model of a SavedModel, mapping its variables by name.

    Args:
        path: Folder of a SavedModel in the original layout: a crop model, or a full-image model
            that contains one. Our own exports of crop models are also read.
        settings: Settings by flat name that do not follow from the file. The backbone follows from
            the variable names of EfficientNetV2 only; see `metrabs.config.ModelConfig` for
            `centered_stride`, `box_size_mm`, `mix_3d_inside_fov` and the like.

    Returns:
        The model, in float32 unless the settings say otherwise, and its settings.

    Raises:
        UserError: the file is damaged or unrelated, or the settings do not fit it.
    """
    stored = StoredVariables(path)
    config = _own_config(pathlib.Path(path)).replace(
        backbone_weights="none",
        dtype="float32",
        affine_weights=None,
        transform_coords=False,
        predict_all_and_latents=False,
        regularize_to_manifold=False,
    )
    config = config.replace(**(settings or {}))
    joint_info = _read_joints(stored)
    kernel, bias = _read_head(stored)
    config = config.replace(
        backbone=_backbone_name(stored, config, settings or {}),
        depth=_depth(bias, joint_info, str(path)),
        proc_side=int(_read_attribute(stored, "input_resolution")),
    )
    model = build_crop_model(ModelDescription(config, joint_info))
    model.backbone.set_weights(_read_backbone(stored, model.backbone, config.model.backbone))
    model.heatmap_heads.set_last_point_weights(kernel, bias)
    return model, config


def save_in_original_layout(model: CropModel, folder: PathLike) -> None:
    """Writes a crop model as a SavedModel whose variables are named and listed as in the original.

    Args:
        model: A built crop model.
        folder: Folder of the SavedModel; an existing SavedModel is replaced.

    Raises:
        UserError: the folder contains something else, or the model's class is not Metrabs.
    """
    if model.model_config.model_class != "Metrabs":
        raise UserError(
            "Only models of the class Metrabs can be written in the original layout, not "
            f"{model.model_config.model_class}."
        )
    backbone, network = model.backbone, backbone_network(model.backbone)
    names = original_layer_names(network, canonical_backbone_name(model.model_config.backbone))
    renamed = renamed_network(network, names)
    twin = tf.keras.models.clone_model(
        backbone, clone_function=lambda layer: renamed if layer is network else layer
    )
    twin.set_weights(backbone.get_weights())
    copy = CropModel(
        twin, model.joint_info, model.model_config, model.proc_side, _affine_weights(model)
    )
    copy((tf.keras.Input([model.proc_side] * 2 + [3]), tf.keras.Input([3, 3])), training=False)
    copy.heatmap_heads.set_weights(model.heatmap_heads.get_weights())
    save_crop_model(copy, folder, backbone_weights=_in_original_order(twin.weights))


def backbone_network(backbone: tf.keras.Model) -> tf.keras.Model:
    """Returns the network inside a backbone, which is wrapped by the scaling of its input."""
    return next(layer for layer in backbone.layers if isinstance(layer, tf.keras.Model))


def renamed_network(network: tf.keras.Model, names: Mapping[str, str]) -> tf.keras.Model:
    """Returns a copy of a network, with other names of layers and so of variables."""

    def _clone(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
        config = layer.get_config()
        return type(layer).from_config({**config, "name": names.get(layer.name, layer.name)})

    copy = tf.keras.models.clone_model(network, clone_function=_clone)
    copy.set_weights(network.get_weights())
    return copy


def variable_name(variable: tf.Variable) -> str:
    """Returns the name of a variable without its output number ':0'."""
    return variable.name.partition(":")[0]


def _own_config(path: pathlib.Path) -> Config:
    """Reads the settings that our own exports carry; the defaults otherwise."""
    file = path / CONFIG_FILE
    return Config.from_json(file.read_text(encoding="utf-8"), file) if file.exists() else Config()


def _find_attribute(stored: StoredVariables, name: str) -> Optional[StoredVariable]:
    return stored.at(f"crop_model/{name}") or stored.at(name) or stored.at(f"model/{name}")


def _read_attribute(stored: StoredVariables, name: str) -> np.ndarray:
    variable = _find_attribute(stored, name)
    if variable is None:
        raise UserError(
            f"'{stored.path}' is not a crop model: it has no '{name}'. Give the SavedModel folder "
            "of a crop model, or of a full-image model that contains one."
        )
    return stored.read(variable)


def _read_joints(stored: StoredVariables) -> JointInfo:
    names = [name.decode() for name in _read_attribute(stored, "joint_names").tolist()]
    edges = _read_attribute(stored, "joint_edges").reshape(-1, 2).tolist()
    return JointInfo(names, [(first, second) for first, second in edges])


def _read_head(stored: StoredVariables) -> tuple[np.ndarray, np.ndarray]:
    """Returns kernel `[1, 1, C, channels]` and bias `[channels]` of the heads."""
    found = stored.below("heatmap_heads") or [
        v for v in stored.variables if "heatmap_heads" in v.name.split("/")
    ]
    kernels = [v for v in found if len(v.shape) == 4]
    biases = [v for v in found if len(v.shape) == 1]
    if len(kernels) != 1 or len(biases) != 1:
        raise UserError(
            f"'{stored.path}' is not a crop model: its part 'heatmap_heads' must have one kernel "
            f"and one bias, but has {len(kernels)} and {len(biases)}."
        )
    kernel, bias = (stored.read(v).astype(np.float32) for v in (kernels[0], biases[0]))
    return kernel, bias


def _depth(bias: np.ndarray, joint_info: JointInfo, path: str) -> int:
    """Returns the depth bins of heads that predict every joint by (1 + depth) channels."""
    channels_per_joint, rest = divmod(len(bias), joint_info.num_joints)
    if rest or channels_per_joint < 2:
        raise UserError(
            f"The heads of '{path}' have {len(bias)} channels, which is not a multiple of its "
            f"{joint_info.num_joints} joints: they predict latent points, whose decoder is not "
            "among the variables. Only models that predict all joints can be imported."
        )
    return channels_per_joint - 1


def _backbone_name(stored: StoredVariables, config: Config, settings: Mapping[str, Any]) -> str:
    if "backbone" in settings or config.model.backbone != Config().model.backbone:
        return canonical_backbone_name(config.model.backbone)
    scopes = {part for v in stored.variables for part in v.name.split("/")[:-1]}
    found = {scope.lower() for scope in scopes if scope.lower().startswith("efficientnetv2-")}
    return canonical_backbone_name(found.pop() if len(found) == 1 else config.model.backbone)


def _read_backbone(
    stored: StoredVariables, backbone: tf.keras.Model, name: str
) -> list[np.ndarray]:
    """Returns the values of the backbone's weights, in our order."""
    shapes = {variable_name(w): tuple(w.shape) for w in backbone.weights}
    candidates = {v.name: v for v in stored.below("backbone") or stored.variables}
    layers = original_layer_names(backbone_network(backbone), name)
    original = {ours: _renamed(ours, layers) for ours in shapes}
    known = {part for v in candidates for part in v.split("/")}
    if name.startswith("efficientnetv2-") and "stem" not in known:
        original = {ours: ours for ours in shapes}  # our own export
    matches = match_names(
        {_without_model(name, original[ours]): shape for ours, shape in shapes.items()},
        {n: v.shape for n, v in candidates.items()},
        f"'{stored.path}'",
    )
    return [
        stored.read(candidates[matches[_without_model(name, original[ours])]]).astype(np.float32)
        for ours in shapes
    ]


def _renamed(name: str, layers: Mapping[str, str]) -> str:
    layer, _, weight = name.rpartition("/")
    return f"{layers[layer]}/{weight}"


def _without_model(backbone: str, name: str) -> str:
    """Drops the leading name of the model, which other programs may have changed."""
    return name[len(backbone) + 1 :] if name.startswith(f"{backbone}/") else name


def _affine_weights(model: CropModel) -> Optional[AffineWeights]:
    if not isinstance(model.variant, AutoencoderVariant):
        return None
    return AffineWeights(model.variant.w1, model.variant.w2, tuple(model.joint_info.names))


def _in_original_order(weights: Sequence[tf.Variable]) -> list[tf.Variable]:
    """Sorts as in the original: trainable ones of blocks, stem, head; then the others likewise."""

    def _rank(weight: tf.Variable) -> tuple[bool, int]:
        parts = weight.name.split("/")
        return not weight.trainable, 1 if "stem" in parts else 2 if "head" in parts else 0

    return sorted(weights, key=_rank)
