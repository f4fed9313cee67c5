"""Tells what is in a checkpoint or SavedModel: kind, joints, parameters, types, settings.

    python -m ckpt_tools.inspect_model demo_output/consistency
    python -m ckpt_tools.inspect_model estimator/ metrabs_s --json

Takes folders of SavedModels, checkpoints, folders of checkpoints, and whatever metrabs.hub knows
(names, addresses and archives of models, which it downloads or unpacks). No model is built, so
that this takes a moment for any size.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from metrabs.command import run_command


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    flags.DEFINE_bool("json", False, "print JSON with everything in full", flag_values=values)


def show(values: flags.FlagValues, paths: Sequence[str]) -> None:
    """Prints what is in each of the paths."""
    from metrabs.checkpoint_tools.inspection import inspect
    from metrabs.errors import UserError

    if not paths:
        raise UserError("Give checkpoints or SavedModels to inspect.")
    inspections = [inspect(_local(path)) for path in paths]
    if values.json:
        print(json.dumps([inspection.to_dict() for inspection in inspections], indent=2))
    else:
        print("\n\n".join(inspection.to_text() for inspection in inspections))


def _local(path: str) -> pathlib.Path:
    from metrabs.hub import known_names, resolve

    is_archive = path.endswith((".tar.gz", ".tgz", ".zip"))
    is_remote = path.startswith(("http://", "https://")) or path in known_names()
    if pathlib.Path(path).is_dir() or not (is_archive or is_remote):
        return pathlib.Path(path)
    return resolve(path)


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, show))
