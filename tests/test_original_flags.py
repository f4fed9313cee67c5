"""All flags of the original program: each has its default and works, or is rejected with a reason.

The table holds the flags of the original main program with their defaults, and another value to
try. Intended deviations from it are in tables of their own.
"""

from __future__ import annotations

import ast
import pathlib
from typing import Any

import pytest

from metrabs.backbones.registry import build_backbone
from metrabs.cli import given_settings, main, parse_flags
from metrabs.config import Config, all_settings
from metrabs.errors import UserError
from metrabs.models.build import build_crop_model
from metrabs.models.description import ModelDescription
from metrabs.original_flags import OBSOLETE_FLAGS
from metrabs.settings import is_optional
from metrabs.skeletons import JointInfo

# name: (original default, another value)
_ORIGINAL: dict[str, tuple[Any, Any]] = {
    "logdir": ("default_logdir", "some/run"),
    "loglevel": ("info", "debug"),
    "comment": (None, "a comment"),
    "seed": (1, 2),
    "wandb_project": ("metrabs", "mine"),
    "workers": (None, 3),
    "multi_gpu": (False, True),
    "train": (False, True),
    "predict": (False, True),
    "export_file": (None, "model"),
    "pred_path": (None, "poses.h5"),
    "viz": (False, True),
    "load_path": (None, "ckpt-7"),
    "checkpoint_dir": (None, "checkpoints"),
    "init_path": (None, "other/ckpt-7"),
    "proc_side": (256, 384),
    "geom_aug": (True, False),
    "test_aug": (False, True),
    "rot_aug": (20.0, 5.0),
    "scale_aug_up": (25.0, 5.0),
    "scale_aug_down": (25.0, 5.0),
    "shift_aug": (10.0, 5.0),
    "partial_visibility_prob": (0.0, 0.5),
    "occlude_aug_prob": (0.5, 0.25),
    "occlude_aug_prob_2d": (0.7, 0.25),
    "occlude_aug_scale": (1.0, 0.5),
    "background_aug_prob": (0.7, 0.25),
    "color_aug": (True, False),
    "test_time_mirror_aug": (False, True),
    "full_rot_aug_prob": (0.0, 0.5),
    "antialias_train": (1, 2),
    "antialias_test": (1, 2),
    "image_interpolation_train": ("linear", "cubic"),
    "image_interpolation_test": ("linear", "lanczos4"),
    "test_subjects": (None, "9,11"),
    "valid_subjects": (None, "8"),
    "train_subjects": (None, "1,5,6,7"),
    "train_on": ("train", "trainval"),
    "validate_on": ("valid", "test"),
    "test_on": ("test", "valid"),
    "dtype": ("float16", "bfloat16"),
    "validate_period": (None, 2000),
    "checkpoint_period": (2000, 500),
    "training_steps": (None, 400000),
    "weight_decay": (3e-3, 1e-3),
    "base_learning_rate": (2.121e-4, 1e-4),
    "dual_finetune_lr": (False, True),
    "loss_scale": (128.0, 64.0),
    "dynamic_loss_scale": (False, True),
    "ema_momentum": (1.0, 0.999),
    "grad_accum_steps": (1, 2),
    "force_grad_accum": (False, True),
    "finetune_in_inference_mode": (0, 1000),
    "constrain_kernel_norm": (20.0, float("inf")),
    "batch_size": (32, 64),
    "batch_size_test": (150, 50),
    "batch_size_2d": (32, 16),
    "ghost_bn": ("", "16,16"),
    "data_format": ("NHWC", "NCHW"),
    "stride_train": (32, 16),
    "stride_test": (32, 16),
    "centered_stride": (True, False),
    "dataset2d": ("mpii", "coco"),
    "dataset3d": ("h36m", "huge8"),
    "image_barecat_path": (None, "images.barecat"),
    "model_joints": (None, "huge8"),
    "output_joints": (None, "h36m"),
    "bone_length_dataset": (None, "h36m"),
    "model_class": ("Metrabs", "Model25D"),
    "backbone": ("efficientnetv2-s", "resnet50"),
    "depth": (8, 16),
    "box_size_mm": (2200.0, 3000.0),
    "universal_skeleton": (False, True),
    "weak_perspective": (False, True),
    "mix_3d_inside_fov": (0.5, 0.25),
    "mean_relative": (True, False),
    "loss2d_factor": (0.2, 0.5),
    "absloss_factor": (0.1, 0.5),
    "absloss_start_step": (5000, 50),
    "affine_weights": (None, "acae"),
    "load_backbone_from": (None, "model"),
    "regularize_to_manifold": (False, True),
    "loss_manif_factor": (1.0, 0.5),
    "loss_manif_factor2d": (1.0, 0.5),
    "transform_coords": (False, True),
    "predict_all_and_latents": (False, True),
    "teacher_loss_factor": (1.0, 0.5),
    "teacher_start_step": (5000, 50),
    "allhead_aegt_loss_factor": (1.0, 0.5),
    "stop_gradient_latent": (True, False),
    "stop_gradient_whole_latenthead_to_backbone": (False, True),
    "group_norm": (False, True),
}
_TASKS = ("train", "predict", "export_file")
# Other defaults: an empty string for none; no external log by default; and 32 only where a merged
# dataset does not define how many examples of each dataset make up a batch (as in the original).
_OTHER_DEFAULTS = {"comment": "", "wandb_project": None, "batch_size": None, "batch_size_2d": None}
_REFUSALS = {
    "viz": "--viz is not supported: there are no windows. --picture_period=N writes previews of "
           "predicted poses to TensorBoard files.",
    "data_format": "--data_format=NCHW is not supported: arrays are NHWC everywhere; TensorFlow "
                   "chooses the layout on the device itself. Omit the flag.",
    "image_barecat_path": "--image_barecat_path=images.barecat is not supported: the original "
                          "implementation never reads it. Images are files below $DATA_ROOT; omit "
                          "the flag.",
    **{
        f"{split}_subjects": f"--{split}_subjects={value} is not supported: the original training "
        "program does not read it. Choose subjects when the cache file of the dataset is made, by "
        "the commands in data_preparation/."
        for split, value in (("train", "1,5,6,7"), ("valid", "8"), ("test", "9,11"))
    },
}  # fmt: skip
_WITHOUT_EFFECT = ("force_grad_accum",)
_PACKAGE = pathlib.Path(__file__).parent.parent / "metrabs"


def _as_argument(name: str, value: Any) -> str:
    spelled = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{spelled}" if value else f"--no-{spelled}"
    return f"--{spelled}={value}"


_SETTINGS = [name for name in _ORIGINAL if name not in (*_TASKS, *_REFUSALS, *_WITHOUT_EFFECT)]


@pytest.mark.parametrize("name", _SETTINGS)
def test_settings_have_the_original_default_and_can_be_given(name: str) -> None:
    default, other = _ORIGINAL[name]
    expected = _OTHER_DEFAULTS.get(name, default)
    assert Config().to_flat_dict()[name] == expected
    values = parse_flags([_as_argument(name, other)])
    assert given_settings(values) == {name: other}
    assert Config().replace(**{name: other}).to_flat_dict()[name] == other


def test_tasks_are_flags_that_are_off() -> None:
    values = parse_flags([])
    for name in _TASKS:
        assert values[name].value == _ORIGINAL[name][0]
        assert parse_flags([_as_argument(name, _ORIGINAL[name][1])])[name].value


@pytest.mark.parametrize("name", list(_REFUSALS))
def test_what_does_not_work_is_refused_with_a_reason(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    default, other = _ORIGINAL[name]
    assert main(["--predict", _as_argument(name, other)]) == 1
    assert capsys.readouterr().err == f"error: {_REFUSALS[name]}\n"
    if default is not None:  # the default changes nothing
        assert main([_as_argument(name, default)]) == 1
        assert "Nothing to do" in capsys.readouterr().err


@pytest.mark.parametrize("name", _WITHOUT_EFFECT)
def test_flags_whose_purpose_is_always_fulfilled_are_accepted(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([_as_argument(name, _ORIGINAL[name][1])]) == 1
    assert "Nothing to do" in capsys.readouterr().err


def test_the_table_of_leftover_flags_is_the_one_tested_here() -> None:
    assert {flag.name for flag in OBSOLETE_FLAGS} == {*_REFUSALS, *_WITHOUT_EFFECT}
    for flag in OBSOLETE_FLAGS:
        assert flag.default == _ORIGINAL[flag.name][0]


@pytest.mark.parametrize("stride", [16, 8, 4])
def test_other_output_strides_are_refused(stride: int) -> None:
    config = Config().replace(stride_train=stride, stride_test=32)
    with pytest.raises(UserError, match=f"--stride_train={stride} and --stride_test=32 differ"):
        build_crop_model(ModelDescription(config, JointInfo("head,neck", "head-neck")))
    with pytest.raises(UserError, match=f"Output stride {stride} is not supported"):
        build_backbone("resnet18", stride=stride)


def test_every_setting_is_read_somewhere() -> None:
    read = set()
    for path in _PACKAGE.rglob("*.py"):
        if path.name == "config.py" and path.parent == _PACKAGE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                read.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                read.add(node.value)  # getattr
    assert [field.name for _, field, _ in all_settings() if field.name not in read] == []


def test_optional_settings_are_those_without_a_default() -> None:
    for _, field, kind in all_settings():
        assert is_optional(kind) == (field.default is None), field.name
