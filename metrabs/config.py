"""The settings of a run: all groups together, to and from JSON.

The command-line flags are generated from these dataclasses (`metrabs/cli.py`); checkpoints and
exports carry them as JSON. Nothing below the command line ever reads a flag: functions get a
`Config`, or one of its groups, which `metrabs.config_groups` declares.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any

from metrabs.config_groups import DataConfig as DataConfig
from metrabs.config_groups import LoadingConfig as LoadingConfig
from metrabs.config_groups import LossConfig as LossConfig
from metrabs.config_groups import ModelConfig as ModelConfig
from metrabs.config_groups import OptimizationConfig as OptimizationConfig
from metrabs.config_groups import RunConfig as RunConfig
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.settings import checked_value, unknown_setting_error


@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of a run, in groups."""

    run: RunConfig = RunConfig()
    data: DataConfig = DataConfig()
    loading: LoadingConfig = LoadingConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    optimization: OptimizationConfig = OptimizationConfig()

    def replace(self, **settings: Any) -> Config:
        """Returns a copy with some settings changed, given by their flat names.

        Args:
            **settings: Values by name, for example `proc_side=128, dataset3d='synth3'`.

        Raises:
            UserError: a name is not a setting or a value is not admitted.
        """
        groups: dict[str, dict[str, Any]] = {name: {} for name in _group_names()}
        for name, value in settings.items():
            group, field_and_type = _find_setting(name)
            groups[group][name] = checked_value(*field_and_type, value)
        return dataclasses.replace(
            self, **{g: dataclasses.replace(getattr(self, g), **v) for g, v in groups.items() if v}
        )

    def to_flat_dict(self) -> dict[str, Any]:
        """Returns {setting name: value} over all groups."""
        flat: dict[str, Any] = {}
        for group in _group_names():
            flat.update(dataclasses.asdict(getattr(self, group)))
        return flat

    def portable(self) -> Config:
        """Returns a copy without the folders of data, which are a matter of each call."""
        return self.replace(data_root=None, cache_dir=None)

    def to_json(self) -> str:
        """Returns the settings as a JSON string; `from_json` is the inverse."""
        return json.dumps(self.to_flat_dict(), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: PathLike = "the settings") -> Config:
        """Reads settings written by `to_json`; missing names keep their defaults.

        Args:
            text: JSON string written by `to_json`.
            source: Name of its file, for error messages.

        Raises:
            UserError: the string is not JSON or has unknown names or inadmissible values.
        """
        try:
            flat = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"'{source}' is not valid JSON: {error}.") from error
        if not isinstance(flat, dict):
            raise UserError(f"'{source}' must hold one JSON object of names and values.")
        try:
            return cls().replace(**flat)
        except UserError as error:
            raise UserError(f"'{source}' cannot be used: {error}") from error


def all_settings() -> list[tuple[str, dataclasses.Field[Any], Any]]:
    """Returns (group name, dataclass field, resolved type) of every setting, in order."""
    result: list[tuple[str, dataclasses.Field[Any], Any]] = []
    for group in _group_names():
        cls = type(getattr(Config(), group))
        types = typing.get_type_hints(cls)
        result.extend((group, field, types[field.name]) for field in dataclasses.fields(cls))
    return result


def _group_names() -> list[str]:
    return [field.name for field in dataclasses.fields(Config)]


def _find_setting(name: str) -> tuple[str, tuple[dataclasses.Field[Any], Any]]:
    for group, field, kind in all_settings():
        if field.name == name:
            return group, (field, kind)
    raise unknown_setting_error(name, [field.name for _, field, _ in all_settings()])
