"""Prints what a checkpoint or SavedModel contains: kind, joints, parameters, types, settings.

    python -m ckpt_tools.inspect_model demo_output/consistency
    python -m ckpt_tools.inspect_model estimator/ metrabs_s --json

Takes folders of SavedModels, checkpoints, folders of checkpoints, and anything else that
metrabs.hub resolves (names, URLs and archives of models, which it downloads or unpacks). No model
is built, so that this takes a moment for any size.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, Optional

from ckpt_tools.common.model_location import locate_model
from ckpt_tools.common.stored_variables import StoredVariable, StoredVariables
from metrabs.command import run_tool
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.estimator.export import MANIFEST_PATH
from metrabs.files import PathLike
from metrabs.models.description import CONFIG_FILE, JOINTS_FILE
from metrabs.settings import setting

_JOINT_NAME_PLACES = ("crop_model/joint_names", "joint_names", "model/joint_names")
_PARTS = ("backbone", "heatmap_heads", "detector", "optimizer")
_SKELETONS_PLACE = "per_skeleton_joint_names"


@dataclasses.dataclass(frozen=True)
class InspectionSettings:
    """Settings of the command.

    Attributes:
        paths: Checkpoints and SavedModels.
    """

    paths: tuple[str, ...] = ()
    json: bool = setting(False, "print JSON with everything in full")


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What a checkpoint or SavedModel contains.

    Attributes:
        kind: One of 'full-image model', 'crop model', 'SavedModel', 'checkpoint of a run' and
            'checkpoint'.
        path: Path of the variables.
        num_parameters: Number of floating-point values, by part of the model.
        num_bytes: Size of all variables.
        dtypes: Number of variables of each type.
        joint_names: Joints of the crop model, where there is one.
        input_resolution: Side of the crops in pixels, where it is stored.
        skeletons: Number of joints of each output format of a full-image model.
        settings: Settings of its run that differ from the defaults; None where not stored.
    """

    kind: str
    path: str
    num_parameters: dict[str, int]
    num_bytes: int
    dtypes: dict[str, int]
    joint_names: list[str]
    input_resolution: Optional[int]
    skeletons: dict[str, int]
    settings: Optional[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Returns all attributes in types that JSON supports."""
        return dataclasses.asdict(self)

    def to_text(self) -> str:
        """Returns a summary of a few lines."""
        parts = ", ".join(f"{name}: {count:,}" for name, count in self.num_parameters.items())
        dtypes = ", ".join(f"{count} {dtype}" for dtype, count in self.dtypes.items())
        lines = [
            f"{self.kind}: {self.path}",
            f"parameters: {sum(self.num_parameters.values()):,} ({parts})",
            f"variables: {dtypes}; {self.num_bytes / 1e6:.1f} MB",
        ]
        if self.input_resolution is not None:
            lines.append(f"crops: {self.input_resolution} x {self.input_resolution} px")
        if self.joint_names:
            lines.append(f"{len(self.joint_names)} joints: {_shortened(self.joint_names)}")
        if self.skeletons:
            named = (f"{name or repr(name)} ({n})" for name, n in sorted(self.skeletons.items()))
            lines.append(f"skeletons: {', '.join(named)}")
        if self.settings is not None:
            changed = (f"{name}={value}" for name, value in sorted(self.settings.items()))
            lines.append(f"settings: {' '.join(changed)}")
        return "\n".join(lines)


def inspect(path: PathLike) -> Inspection:
    """Summarises a file; no model is built, so that this takes a moment.

    Args:
        path: A SavedModel, a checkpoint, or a folder with checkpoints.

    Raises:
        UserError: there is neither, or it is damaged.
    """
    stored = StoredVariables(path)
    resolution = _find(stored, "input_resolution")
    names = _find(stored, "joint_names")
    parts = _parts(stored)
    parameters: collections.Counter[str] = collections.Counter()
    for variable in stored.variables:
        if variable.dtype.is_floating:
            parameters[parts.get(variable.key, "other")] += variable.num_values
    return Inspection(
        kind=_kind(pathlib.Path(path), stored),
        path=str(stored.path),
        num_parameters=dict(parameters.most_common()),
        num_bytes=sum(v.num_values * v.dtype.size for v in stored.variables if v.dtype.size),
        dtypes=dict(collections.Counter(v.dtype.name for v in stored.variables).most_common()),
        joint_names=[] if names is None else [n.decode() for n in stored.read(names).tolist()],
        input_resolution=None if resolution is None else int(stored.read(resolution)),
        skeletons={
            v.key.split("/")[1] if v.key.count("/") > 2 else "": v.num_values
            for v in stored.below(_SKELETONS_PLACE)
        },
        settings=_settings(stored.path),
    )


def _find(stored: StoredVariables, name: str) -> Optional[StoredVariable]:
    places = (place.replace("joint_names", name) for place in _JOINT_NAME_PLACES)
    return next(filter(None, map(stored.at, places)), None)


def _kind(path: pathlib.Path, stored: StoredVariables) -> str:
    if stored.path.name != "variables":
        return (
            "checkpoint of a run"
            if (path / CONFIG_FILE).exists() or (stored.path.parent / JOINTS_FILE).exists()
            else "checkpoint"
        )
    if stored.below(_SKELETONS_PLACE):
        return "full-image model"
    return "SavedModel" if _find(stored, "joint_names") is None else "crop model"


def _parts(stored: StoredVariables) -> dict[str, str]:
    """Returns {key of a variable: part of the model that owns it}."""
    parts: dict[str, str] = {}
    for part in _PARTS:
        for variable in stored.below(part):
            parts.setdefault(variable.key, part)
    for variable in stored.below("model_variables"):  # our full-image models list them
        is_head = "heatmap_heads" in variable.name.split("/")
        parts.setdefault(variable.key, "heatmap_heads" if is_head else "backbone")
    return parts


def _settings(path: pathlib.Path) -> Optional[dict[str, Any]]:
    """Reads settings as stored, including those of other versions of this program."""
    is_saved_model = path.name == "variables"
    folder = path.parent.parent if is_saved_model else path.parent
    settings = _read_json(folder / CONFIG_FILE)
    if settings is None and is_saved_model:
        settings = (_read_json(folder / MANIFEST_PATH) or {}).get("crop_model_config")
    if settings is None:
        return None
    defaults = Config().to_flat_dict()
    return {k: v for k, v in settings.items() if k not in defaults or v != defaults[k]}


def _read_json(path: pathlib.Path) -> Optional[dict[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _shortened(names: Sequence[str], num_shown: int = 12) -> str:
    return ", ".join(names[:num_shown]) + (", ..." if len(names) > num_shown else "")


def run(settings: InspectionSettings) -> None:
    """Runs the command.

    Raises:
        UserError: there is nothing to inspect, or it is damaged.
    """
    if not settings.paths:
        raise UserError("Give checkpoints or SavedModels to inspect.")
    inspections = [inspect(locate_model(path)) for path in settings.paths]
    if settings.json:
        print(json.dumps([inspection.to_dict() for inspection in inspections], indent=2))
    else:
        print("\n\n".join(inspection.to_text() for inspection in inspections))


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, InspectionSettings, run, arguments, positional="paths")


if __name__ == "__main__":
    sys.exit(main())
