"""The table of backbones: name -> network, input scaling, changes of padding and stride.

To add a backbone, add one row to `_table`: a builder `(weights) -> Keras model without head`, the
scaling of its input, and the rules that fix its padding and centre its last stride. A builder may
use any Keras model, from `keras.applications` or written in a module of this package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Optional, Union

import tensorflow as tf

from metrabs.backbones import input_scaling
from metrabs.backbones.adaptation import (
    Rule,
    rebuild,
    set_batch_norm_momentum,
    use_ghost_batch_norm,
    use_group_norm,
)
from metrabs.backbones.constraints import limit_kernel_norms
from metrabs.backbones.efficientnet_lite import efficientnet_lite0, efficientnet_lite_rules
from metrabs.backbones.efficientnetv2 import efficientnetv2, efficientnetv2_rules
from metrabs.backbones.mobilenetv3 import mobilenetv3, mobilenetv3_rules
from metrabs.backbones.resnet import (
    basic_resnet,
    basic_resnet_rules,
    resnet,
    resnet_v1_5_rules,
    resnet_v1_rules,
    resnet_v2_rules,
)
from metrabs.backbones.weights_files import NetworkBuilder, build_pretrained, load_weights_file
from metrabs.errors import UserError, unknown_name_error

OUTPUT_STRIDE = 32


@dataclasses.dataclass(frozen=True)
class BackboneSpec:
    """One row of the table.

    Attributes:
        build: `(weights) -> network without head`; weights is 'imagenet' or None.
        scale: input scaling, from RGB in 0..1.
        rules: `(network, centered_stride) -> rules` of padding and stride.
        limits_kernel_norms: whether the kernel norm limit applies (EfficientNetV2 only).
        has_public_weights: whether there are 'imagenet' weights to download.
    """

    build: NetworkBuilder
    scale: input_scaling.InputScaling
    rules: Callable[[tf.keras.Model, bool], list[Rule]]
    limits_kernel_norms: bool = False
    has_public_weights: bool = True


def _table() -> dict[str, BackboneSpec]:
    plus_minus_one, caffe = input_scaling.plus_minus_one, input_scaling.caffe_bgr
    table = {
        "efficientnet-lite0": BackboneSpec(
            efficientnet_lite0, input_scaling.efficientnet_lite, efficientnet_lite_rules
        )
    }
    for size in ("B0", "B1", "B2", "B3", "S", "M", "L", "XL"):
        table[f"efficientnetv2-{size.lower()}"] = BackboneSpec(
            efficientnetv2(size),
            plus_minus_one,
            efficientnetv2_rules,
            limits_kernel_norms=True,
            has_public_weights=size != "XL",
        )
    for size in ("Small", "Large"):
        for suffix, minimalistic in (("", False), ("-mini", True)):
            table[f"mobilenetv3-{size.lower()}{suffix}"] = BackboneSpec(
                mobilenetv3(size, minimalistic), plus_minus_one, mobilenetv3_rules
            )
    for depth, blocks in ((18, (2, 2, 2, 2)), (34, (3, 4, 6, 3))):
        table[f"resnet{depth}"] = BackboneSpec(
            basic_resnet(blocks), caffe, basic_resnet_rules, has_public_weights=False
        )
    for depth in (50, 101, 152):
        v1, v2 = resnet(f"ResNet{depth}"), resnet(f"ResNet{depth}V2")
        table[f"resnet{depth}"] = BackboneSpec(v1, caffe, resnet_v1_rules)
        table[f"resnet{depth}v1-5"] = BackboneSpec(
            v1, input_scaling.imagenet_mean_stdev, resnet_v1_5_rules, has_public_weights=False
        )
        table[f"resnet{depth}v2"] = BackboneSpec(v2, plus_minus_one, resnet_v2_rules)
    return table


_BACKBONES = _table()


def backbone_names() -> list[str]:
    """Returns the names that `build_backbone` knows, sorted."""
    return sorted(_BACKBONES)


def canonical_backbone_name(name: str) -> str:
    """Resolves spellings: 'EfficientNetV2_S', 'mobilenetV3Smallmini', 'resnet50V1_5'.

    Raises:
        UserError: there is no such backbone.
    """
    folded = {known.replace("-", ""): known for known in _BACKBONES}
    canonical = folded.get(name.lower().replace("_", "").replace("-", ""))
    if canonical is None:
        raise unknown_name_error("backbone", name, _BACKBONES)
    return canonical


def build_backbone(
    name: str,
    *,
    proc_side: int = 256,
    weights: str = "imagenet",
    centered_stride: bool = True,
    ghost_batch_sizes: Union[int, Sequence[int]] = (),
    batch_norm_momentum: Optional[float] = None,
    group_norm: bool = False,
    kernel_norm_limit: float = 20.0,
    stride: int = OUTPUT_STRIDE,
    caffe_channel_order: str = "bgr",
) -> tf.keras.Model:
    """Builds a backbone that takes RGB crops in 0..1.

    Args:
        name: See `backbone_names`; case, underscores and hyphens do not matter.
        proc_side: Side of the crops in pixels, a multiple of the stride.
        weights: 'imagenet', 'none' or the path of a Keras weights file.
        centered_stride: Whether to centre the sampling grid of the last strided stage.
        ghost_batch_sizes: Group sizes of ghost batch normalisation; empty: ordinary.
        batch_norm_momentum: Momentum of the moving statistics; None: the backbone's own.
        group_norm: Whether group normalisation replaces batch normalisation (ResNets only).
        kernel_norm_limit: Largest norm of convolution kernels (EfficientNetV2 only).
        stride: Output stride; only 32 is supported.
        caffe_channel_order: 'rgb' feeds ResNet V1 as the original does, for its weights.

    Returns:
        Callable `(image [B, S, S, 3], training=False) -> features [B, S/32, S/32, C]`, where C is
        its attribute `feature_channels`. Its precision is Keras' global policy at this moment.

    Raises:
        UserError: unknown name, unsupported stride or size, or unavailable weights.
    """
    name = canonical_backbone_name(name)
    _check_geometry(proc_side, stride)
    spec = _BACKBONES[name]
    network = _build_network(spec, name, weights)
    rules = spec.rules(network, centered_stride)
    if spec.limits_kernel_norms:
        rules.append(limit_kernel_norms(kernel_norm_limit))
    if group_norm:
        _check_group_norm(name, ghost_batch_sizes)
        rules.append(use_group_norm())
    if batch_norm_momentum is not None:
        rules.append(set_batch_norm_momentum(batch_norm_momentum))
    if ghost_batch_sizes:
        rules.append(use_ghost_batch_norm(ghost_batch_sizes))
    network = rebuild(network, rules)
    image = tf.keras.Input([None, None, 3], name="image")
    is_caffe_rgb = spec.scale is input_scaling.caffe_bgr and caffe_channel_order == "rgb"
    scale = input_scaling.caffe_rgb if is_caffe_rgb else spec.scale
    backbone = tf.keras.Model(image, network(scale(image)), name="backbone")
    backbone.feature_channels = network.output_shape[-1]
    return backbone


def ensure_weights(name: str, weights: str) -> None:
    """Ensures that a backbone's initial weights are available, downloading them if needed.

    Args:
        name: see `backbone_names`.
        weights: 'imagenet', 'none' or the path of a Keras weights file.

    Raises:
        UserError: unknown name, or weights that are unavailable or do not fit.
    """
    name = canonical_backbone_name(name)
    if weights != "none":
        _build_network(_BACKBONES[name], name, weights)


def _build_network(spec: BackboneSpec, name: str, weights: str) -> tf.keras.Model:
    if weights == "imagenet":
        if not spec.has_public_weights:
            raise UserError(
                f"There are no ImageNet weights of {name} to download. Pass "
                "--backbone_weights=none or the path of a weights file, or choose another "
                "backbone, such as resnet50 or efficientnetv2-l."
            )
        return build_pretrained(spec.build, name)
    network = spec.build(None)
    if weights != "none":
        load_weights_file(network, weights)
    return network


def _check_group_norm(name: str, ghost_batch_sizes: Union[int, Sequence[int]]) -> None:
    if not name.startswith("resnet"):
        raise UserError(f"--group_norm is for ResNets; {name} cannot use it.")
    if ghost_batch_sizes:
        raise UserError("--group_norm and --ghost_bn exclude each other; give one of them.")


def _check_geometry(proc_side: int, stride: int) -> None:
    if stride != OUTPUT_STRIDE:
        raise UserError(
            f"Output stride {stride} is not supported; the backbones have stride {OUTPUT_STRIDE}."
        )
    if proc_side < stride or proc_side % stride:
        raise UserError(f"--proc_side must be a multiple of {stride}, not {proc_side}.")
