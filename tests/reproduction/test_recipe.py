"""What the result of a training depends on, and the settings that trainings share."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.reproduction import recipe as recipe_module
from metrabs.reproduction.recipe import Recipe, influential_settings
from metrabs.settings import check_settings

_RECIPE = Recipe(pathlib.Path("output"), {"separate": Config()})


@pytest.mark.parametrize("change", [
    {"training_steps": 7}, {"base_learning_rate": 0.5}, {"batch_size": 3}, {"seed": 4},
    {"backbone": "resnet50"}, {"dataset3d": "synth3"}, {"proc_side": 128}, {"rot_aug": 1.0},
    {"dual_finetune_lr": True}, {"regularize_to_manifold": True}, {"dtype": "float32"},
])  # fmt: skip
def test_results_depend_on_model_data_and_optimization(change: dict[str, Any]) -> None:
    changed = influential_settings(Config().replace(**change))
    differences = {
        name for name, value in influential_settings(Config()).items() if changed[name] != value
    }
    assert differences == set(change)


@pytest.mark.parametrize("change", [
    {"workers": 7}, {"logdir": "elsewhere"}, {"checkpoint_period": 3}, {"validate_period": 5},
    {"comment": "a note"}, {"data_root": "/data"}, {"cache_dir": "/cache"},
    {"loglevel": "debug"}, {"batch_size_test": 2},
])  # fmt: skip
def test_results_do_not_depend_on_logging_and_hardware(change: dict[str, Any]) -> None:
    assert influential_settings(Config().replace(**change)) == influential_settings(Config())


def test_settings_without_influence_exist() -> None:
    assert set(recipe_module._WITHOUT_INFLUENCE) < set(Config().to_flat_dict())


def test_trainings_share_seed_and_workers() -> None:
    recipe = Recipe(pathlib.Path("output"), {"separate": Config()}, seed=9, workers=4)
    config = recipe.training_config(Config(), pathlib.Path("run"), affine_weights="weights.npz")
    assert config.run.logdir == "run" and config.model.affine_weights == "weights.npz"
    flat = config.to_flat_dict()
    assert flat["seed"] == 9 and flat["workers"] == 3  # the training itself uses one core


def test_datasets_depend_on_seed_and_sizes() -> None:
    assert _RECIPE.dataset_settings() == {
        "seed": 1,
        "examples_per_dataset": 120,
        "examples_per_dataset_2d": 150,
        "num_test_examples": 400,
    }


def test_empty_datasets_are_rejected() -> None:
    with pytest.raises(UserError, match="num_test_examples.*at least 1"):
        check_settings(Recipe(pathlib.Path("output"), {}, num_test_examples=0))
