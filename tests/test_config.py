"""The settings as a whole: changing, storing and reading them."""

from __future__ import annotations

import json
import pathlib

import pytest

from metrabs.config import Config, all_settings
from metrabs.errors import UserError
from metrabs.folders import DataFolders
from metrabs.settings import checked_value


def test_settings_survive_storing() -> None:
    config = Config().replace(dataset3d="synth3", training_steps=10, constrain_kernel_norm=1e9)
    assert Config.from_json(config.to_json()) == config


def test_names_are_unique_and_defaults_are_admitted() -> None:
    names = [field.name for _, field, _ in all_settings()]
    assert len(set(names)) == len(names)
    for _, field, kind in all_settings():
        assert checked_value(field, kind, field.default) == field.default


def test_an_infinite_norm_survives_storing() -> None:
    config = Config().replace(constrain_kernel_norm=float("inf"))
    assert Config.from_json(config.to_json()) == config


def test_missing_names_keep_their_defaults() -> None:
    assert Config.from_json('{"depth": 4}') == Config().replace(depth=4)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not valid JSON"),
        ("[]", "one JSON object"),
        ('{"jit_compile": true}', "no setting 'jit_compile'"),
        ('{"learning_rate": 1}', "Similar ones: base_learning_rate"),
        ('{"depth": 0}', "'depth' must be at least 1"),
    ],
)
def test_what_is_wrong_with_a_stored_description_is_one_short_line(
    text: str, message: str
) -> None:
    file = pathlib.Path("run", "config.json")
    with pytest.raises(UserError, match=message) as error:
        Config.from_json(text, file)
    assert str(file) in str(error.value)
    assert len(str(error.value)) < 200 and "\n" not in str(error.value)


def test_stored_descriptions_are_plain_json() -> None:
    assert json.loads(Config().to_json())["backbone"] == "efficientnetv2-s"


def test_a_portable_copy_does_not_say_where_data_are() -> None:
    config = Config().replace(data_root="/data", cache_dir="/caches", depth=4)
    assert config.run.folders == DataFolders(pathlib.Path("/data"), pathlib.Path("/caches"))
    assert config.portable() == Config().replace(depth=4)
