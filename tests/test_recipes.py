"""The recipes of the poster are complete and consistent; none repeats the numbers of another."""

from __future__ import annotations

import collections
import pathlib
import re
from typing import Any

import pytest

from metrabs.backbones.registry import canonical_backbone_name
from metrabs.cli import given_settings, main, parse_flags
from metrabs.config import Config
from metrabs.evaluation.poster import TABLE_1
from metrabs.models.build import parse_ghost_batch_sizes
from metrabs.models.variant_choice import variant_class

_ROOT = pathlib.Path(__file__).parent.parent
_RECIPES = sorted(path.stem for path in (_ROOT / "flags").glob("*.flags"))
_TRAININGS = [name for name in _RECIPES if name != "pseudo_labels"]
_STEP_1 = [name for name in _TRAININGS if name.startswith(("separate", "merged"))]
_STEP_3 = [name for name in _TRAININGS if name not in _STEP_1]
_GUIDE = (_ROOT / "docs" / "how-to" / "reproduce-the-poster.md").read_text()
_ROWS_OF_TABLE_1 = {
    "merged_s256": "EffNetV2-S, merged joints",
    "separate_s256": "EffNetV2-S, separate joints",
    "regularized_s256": "EffNetV2-S, consistency regularisation",
    "latent_s256": "EffNetV2-S, latent prediction",
    "hybrid_s256": "EffNetV2-S, hybrid",
    "separate_l256": "EffNetV2-L, separate joints",
    "regularized_l256": "EffNetV2-L, consistency regularisation",
    "hybrid_l256": "EffNetV2-L, hybrid",
}
_VARIANTS = {
    "separate": "SeparateVariant", "merged": "MergedVariant", "regularized": "RegularizedVariant",
    "latent": "LatentVariant", "hybrid": "HybridVariant",
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_the_top_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes name the files they include relative to the top folder."""
    monkeypatch.chdir(_ROOT)


def _settings(recipe: str) -> dict[str, Any]:
    return given_settings(parse_flags([f"--flagfile=flags/{recipe}.flags"]))


def _header(recipe: str) -> str:
    lines = (_ROOT / "flags" / f"{recipe}.flags").read_text().splitlines()
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    assert lines[: len(comments)] == [line for line in lines if line.startswith("#")]
    return " ".join(comments)


@pytest.mark.parametrize("recipe", _RECIPES)
def test_recipes_open_with_what_why_and_how(recipe: str) -> None:
    header = _header(recipe)
    positions = [
        header.index(f"{title}: ")
        for title in ("Reproduces", "Needs", "Command", "Poster", "Cost")
    ]
    assert positions == sorted(positions) and positions[0] == 0
    assert f"--flagfile=flags/{recipe}.flags" in header


@pytest.mark.parametrize("recipe", _TRAININGS)
def test_trainings_are_named_after_their_recipe_and_fit_together(recipe: str) -> None:
    config = Config().replace(**_settings(recipe))
    assert config.run.logdir == recipe
    kind, size = recipe.split("_")[0], re.findall(r"\d{3}", recipe)[0]
    assert variant_class(config.model).__name__ == _VARIANTS[kind]
    assert config.loading.proc_side == int(size)
    letters = {"s": "efficientnetv2-s", "l": "efficientnetv2-l", "r": "resnet50"}
    assert canonical_backbone_name(config.model.backbone) == letters[recipe.split("_")[1][0]]
    groups = parse_ghost_batch_sizes(config.model.ghost_bn)
    assert sum(groups) == config.data.batch_size + config.data.batch_size_2d == 128
    dataset = {"small5": "small5", "medium3": "medium3", "h36m": "h36m"}.get(
        recipe.split("_")[-1], "huge8"
    )
    assert config.data.dataset3d == dataset and config.data.dataset2d == "huge2d_common"


@pytest.mark.parametrize("recipe", _STEP_1)
def test_step_1_starts_from_imagenet_weights(recipe: str) -> None:
    config = Config().replace(**_settings(recipe))
    assert config.model.backbone_weights == "imagenet"
    assert not config.model.load_backbone_from and not config.optimization.dual_finetune_lr
    assert config.optimization.training_steps == (800000 if "384" in recipe else 400000)
    assert config.optimization.validate_period == 2000


@pytest.mark.parametrize("recipe", _STEP_3)
def test_step_3_starts_from_the_checkpoint_of_step_1_before_the_switch(recipe: str) -> None:
    settings = _settings(recipe)
    source, checkpoint = settings["load_backbone_from"].split("/")
    assert source in _STEP_1
    step_1 = Config().replace(**_settings(source))
    switch = step_1.optimization.training_steps - step_1.optimization.finetune_in_inference_mode
    assert checkpoint == f"ckpt-{switch}"
    assert settings["affine_weights"] == f"acae_{source}"
    config = Config().replace(**settings)
    for name in ("backbone", "depth", "box_size_mm", "centered_stride"):
        assert getattr(config.model, name) == getattr(step_1.model, name)
    assert config.data.dataset3d == step_1.data.dataset3d
    assert config.loading.proc_side == step_1.loading.proc_side
    assert config.optimization.dual_finetune_lr
    assert config.optimization.training_steps == 40000
    assert config.optimization.validate_period == 500
    header = _header(recipe)
    assert f"flags/{source}.flags" in header and settings["affine_weights"] in header


def test_pseudo_labels_are_predicted_with_the_checkpoint_that_step_3_starts_from() -> None:
    settings = _settings("pseudo_labels")
    assert settings == {"load_path": "ckpt-399000", "test_time_mirror_aug": True}
    assert _settings("regularized_s256")["load_backbone_from"].endswith(settings["load_path"])


def test_no_number_is_given_twice() -> None:
    """The number of a checkpoint follows from others, which is tested above."""
    given = collections.Counter()
    for path in [*(_ROOT / "flags").glob("*.flags"), *(_ROOT / "flags" / "common").iterdir()]:
        lines = [line for line in path.read_text().splitlines() if line.startswith("--")]
        given.update(line for line in lines if re.search(r"=[\d.,e-]+$", line))
    assert given and max(given.values()) == 1, given.most_common(3)


def test_the_guide_names_every_recipe_and_every_included_file_is_used() -> None:
    for recipe in _RECIPES:
        assert f"`{recipe}`" in _GUIDE, recipe
    everything = "".join(path.read_text() for path in (_ROOT / "flags").rglob("*.flags"))
    for path in (_ROOT / "flags" / "common").iterdir():
        assert f"--flagfile=flags/common/{path.name}\n" in everything, path.name


@pytest.mark.parametrize("recipe", _ROWS_OF_TABLE_1)
def test_numbers_of_table_1_are_the_posters(recipe: str) -> None:
    expected = list(TABLE_1[_ROWS_OF_TABLE_1[recipe]])
    row = next(line for line in _GUIDE.splitlines() if line.startswith(f"| `{recipe}`"))
    assert [float(number) for number in re.findall(r"\d+\.\d", row)] == expected
    numbers = re.findall(r"(?<!Human)\d+\.\d", _header(recipe).split("Poster:")[1])
    assert [float(number) for number in numbers[:16]] == expected
    assert _ROWS_OF_TABLE_1[recipe] in _header(recipe)


@pytest.mark.parametrize("size", ["s256", "l256", "r50_256", "s384", "l384"])
def test_numbers_of_table_2_are_the_same_in_guide_and_recipe(size: str) -> None:
    text = _header(f"regularized_{size}").split("Table 2, ")[1].split("Cost:")[0]
    stated = [float(number) for number in re.findall(r"(?<!Human)\d+\.\d", text)]
    rows = [
        line
        for line in _GUIDE.splitlines()
        if line.startswith(f"| `separate_{size}`, `regularized_{size}`")
    ]
    assert len(stated) == 7 * len(rows) > 0
    assert [float(n) for row in rows for n in re.findall(r"\d+\.\d", row)] == stated


def test_all_rows_of_table_1_have_a_recipe() -> None:
    assert set(_ROWS_OF_TABLE_1.values()) == set(TABLE_1)


def test_recipes_from_another_folder_are_a_mistake_in_one_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--train", f"--flagfile={_ROOT}/flags/separate_s256.flags"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ") and "flags/common/" in message
    assert len(message.splitlines()) == 1
