"""Packs the SavedModel folder of a full-image model as a .tar.gz to publish.

    python -m ckpt_tools.package_model --model=demo_output/export/estimator \\
        --output=my_model.tar.gz

`metrabs.load_model` and TensorFlow Hub load it from any web server. Prints its SHA-256 and the
entry for a catalog of models (METRABS_MODEL_CATALOG, see docs/how-to/use-a-model.md).
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from metrabs.command import reject_positional_args, required, run_command

_SUFFIX = ".tar.gz"


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    flags.DEFINE_string("model", None, "SavedModel folder", flag_values=values)
    flags.DEFINE_string("output", None, "file to write; default: <model>.tar.gz",
                        flag_values=values)
    flags.DEFINE_string("url", None, "address where it will be found, for the catalog entry",
                        flag_values=values)


def package(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    from metrabs.errors import UserError
    from metrabs.files import sha256_of_file

    reject_positional_args(words)
    (name,) = required(values, "model")
    folder = pathlib.Path(name).resolve()
    if not (folder / "saved_model.pb").is_file():
        raise UserError(f"'{name}' is not the folder of a SavedModel: it has no saved_model.pb.")
    output = pathlib.Path(values.output or folder.with_name(folder.name + _SUFFIX))
    if not output.name.endswith(_SUFFIX):
        raise UserError(f"--output must end in {_SUFFIX}, not be '{output}'.")
    if folder in output.resolve().parents:
        raise UserError("--output must lie outside of the model's folder.")
    from metrabs.estimator.export import pack_export  # takes seconds

    pack_export(folder, output)
    sha256 = sha256_of_file(output)
    url = values.url or f"https://example.org/{output.name}"
    entry = {output.name[: -len(_SUFFIX)]: {"urls": [url], "sha256": sha256}}
    print(f"Wrote {output} ({output.stat().st_size / 1e6:.1f} MB).")
    print(f"Catalog entry: {json.dumps(entry)}")


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, package))
