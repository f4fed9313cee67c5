"""Packs the SavedModel folder of a full-image model as a .tar.gz to publish.

    python -m ckpt_tools.package_model --model=demo_output/export/estimator \\
        --output=my_model.tar.gz

`metrabs.load_model` and TensorFlow Hub load it from any web server. Prints its SHA-256 and the
entry for a catalog of models (METRABS_MODEL_CATALOG, see docs/how-to/use-a-model.md).
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Optional

from metrabs.command import run_tool
from metrabs.errors import UserError
from metrabs.estimator.export import pack_export
from metrabs.files import sha256_of_file
from metrabs.settings import setting

_SUFFIX = ".tar.gz"


@dataclasses.dataclass(frozen=True)
class PackageSettings:
    """Settings of the command."""

    model: str = setting(None, "SavedModel folder")
    output: Optional[str] = setting(None, f"file to write; default: <model>{_SUFFIX}")
    url: Optional[str] = setting(None, "URL of the published archive, for the catalog entry")


def run(settings: PackageSettings) -> None:
    """Runs the command.

    Raises:
        UserError: the folder has no SavedModel, or the archive cannot be put at its place.
    """
    folder = pathlib.Path(settings.model).resolve()
    if not (folder / "saved_model.pb").is_file():
        raise UserError(
            f"'{settings.model}' is not the folder of a SavedModel: it has no saved_model.pb."
        )
    output = pathlib.Path(settings.output or folder.with_name(folder.name + _SUFFIX))
    if not output.name.endswith(_SUFFIX):
        raise UserError(f"--output must end in {_SUFFIX}, not be '{output}'.")
    if folder in output.resolve().parents:
        raise UserError("--output must lie outside of the model's folder.")
    pack_export(folder, output)
    url = settings.url or f"https://example.org/{output.name}"
    entry = {output.name[: -len(_SUFFIX)]: {"urls": [url], "sha256": sha256_of_file(output)}}
    print(f"Wrote {output} ({output.stat().st_size / 1e6:.1f} MB).")
    print(f"Catalog entry: {json.dumps(entry)}")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, PackageSettings, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
