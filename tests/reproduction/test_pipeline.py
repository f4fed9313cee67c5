"""Which stages a recipe has, what they depend on, and when they count as complete."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from metrabs.acae.weights_file import load_affine_weights
from metrabs.config import Config
from metrabs.reproduction.pipeline import ReproductionPipeline, train_autoencoder
from metrabs.reproduction.recipe import MODELS, Recipe
from metrabs.reproduction.stages import Stage, is_complete
from metrabs.resumable import write_marker
from metrabs.skeletons import tables


@pytest.fixture
def recipe(tmp_path: pathlib.Path) -> Recipe:
    """All models, an export and a curve over the number of datasets."""
    models = {name: Config().replace(training_steps=10) for name in MODELS}
    return Recipe(tmp_path, models, exported="consistency", scale_datasets=("synth1", "synth3"))


def _stages(recipe: Recipe) -> dict[str, Stage]:
    return {stage.name: stage for stage in ReproductionPipeline(recipe).stages()}


def _upstream(stage: Stage) -> set[str]:
    return {stage.name}.union(*(_upstream(other) for other in stage.depends_on))


def test_each_stage_comes_after_those_it_depends_on(recipe: Recipe) -> None:
    finished: set[str] = set()
    for stage in ReproductionPipeline(recipe).stages():
        assert {other.name for other in stage.depends_on} <= finished
        assert stage.name not in finished
        finished.add(stage.name)
    evaluated = {f"evaluation_{name}" for name in MODELS}
    assert finished >= {*MODELS, *evaluated, "datasets", "results", "export", "report", "scale"}


def test_data_are_in_the_output_whatever_the_environment_says(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATA_ROOT", "CACHE_DIR"):
        monkeypatch.setenv(name, "/elsewhere")
    assert recipe.folders.root == recipe.output / "datasets"
    assert recipe.folders.cache == recipe.output / "datasets" / "cache"


def test_only_step_3_depends_on_step_1_and_the_autoencoder(recipe: Recipe) -> None:
    stages = _stages(recipe)
    assert _upstream(stages["merged"]) == {"merged", "datasets"}
    assert _upstream(stages["control"]) == {"control", "separate", "datasets"}
    for name in ("consistency", "latent", "hybrid"):
        assert _upstream(stages[name]) == {
            name,
            "separate",
            "datasets",
            "pseudo_labels",
            "autoencoder",
        }


def test_small_recipes_have_neither_export_nor_curve(tmp_path: pathlib.Path) -> None:
    stages = _stages(Recipe(tmp_path, {"separate": Config()}))
    assert set(stages) == {
        "datasets",
        "separate",
        "pseudo_labels",
        "autoencoder",
        "evaluation_separate",
        "results",
    }


def _completed_after(recipe: Recipe, changed: Recipe) -> set[str]:
    """Completes all stages of a recipe; returns those that are complete for a changed one."""
    for stage in _stages(recipe).values():
        write_marker(recipe.output / stage.name / "complete.json", stage.fingerprint())
    return {name for name, stage in _stages(changed).items() if is_complete(stage, recipe.output)}


def test_more_steps_of_fine_tuning_keep_everything_else(recipe: Recipe) -> None:
    longer = recipe.models["hybrid"].replace(training_steps=11)
    changed = dataclasses.replace(recipe, models={**recipe.models, "hybrid": longer})
    assert set(_stages(recipe)) - _completed_after(recipe, changed) == {
        "hybrid",
        "evaluation_hybrid",
        "results",
        "report",
    }


def test_more_steps_of_step_1_keep_only_what_does_not_build_on_it(recipe: Recipe) -> None:
    longer = recipe.models["separate"].replace(training_steps=11)
    changed = dataclasses.replace(recipe, models={**recipe.models, "separate": longer})
    assert _completed_after(recipe, changed) == {"datasets", "merged", "evaluation_merged"}


def test_another_number_of_workers_keeps_everything(recipe: Recipe) -> None:
    changed = dataclasses.replace(recipe, workers=7)
    assert _completed_after(recipe, changed) == set(_stages(recipe))


def test_another_seed_keeps_nothing(recipe: Recipe) -> None:
    assert _completed_after(recipe, dataclasses.replace(recipe, seed=5)) == set()


def test_the_autoencoder_learns_from_predictions_of_all_formats(tmp_path: pathlib.Path) -> None:
    names = tables.merged_joint_info("small5").names
    poses = np.random.default_rng(0).normal(size=(64, len(names), 3)) * 300 + [0, 0, 4000]
    np.savez(
        tmp_path / "predictions.npz",
        coords3d_pred_cam=poses.astype(np.float32),
        joint_names=np.array(names),
    )
    weights_path = tmp_path / "acae" / "weights.npz"
    train_autoencoder(tmp_path / "predictions.npz", weights_path, num_steps=250, seed=1)
    weights = load_affine_weights(weights_path)
    assert weights.joint_names == tuple(names)
    np.testing.assert_allclose(weights.w1.sum(axis=0), 1, atol=1e-4)
    history = json.loads((tmp_path / "acae" / "history.json").read_text())
    assert history[-1]["step"] == 250 and np.isfinite(history[-1]["reconstruction_m"])
