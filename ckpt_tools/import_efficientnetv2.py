"""Converts an official EfficientNetV2 checkpoint to a weights file for --backbone_weights.

    python -m ckpt_tools.import_efficientnetv2 --checkpoint=efficientnetv2-s.tgz \\
        --backbone=efficientnetv2-s --output=efficientnetv2-s.h5
    python main.py --train --backbone=efficientnetv2-s --backbone_weights=efficientnetv2-s.h5 ...

The authors publish ImageNet weights at
https://storage.googleapis.com/cloud-tpu-checkpoints/efficientnet/v2/<name>.tgz with the names
efficientnetv2-b0 to -b3, -s, -m, -l and -xl-21k: TensorFlow checkpoints whose variables are named
after layers. Next to a variable there may be its moving average, named
`<variable>/ExponentialMovingAverage`, which is the better classifier. Plain values are imported by
default, since the original models were trained from those; --use_averages imports the averages.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Optional

import numpy as np
import tensorflow as tf

from ckpt_tools.common.original_model import variable_name
from ckpt_tools.common.original_names import match_names, original_layer_names
from ckpt_tools.common.stored_variables import StoredVariables
from metrabs.backbones.efficientnetv2 import efficientnetv2
from metrabs.backbones.registry import backbone_names, canonical_backbone_name
from metrabs.command import run_tool
from metrabs.errors import UserError, unknown_name_error
from metrabs.files import PathLike, atomic_path
from metrabs.hub.archive import DamagedArchiveError, extract_archive
from metrabs.settings import setting

_ALIASES = {"source": "checkpoint"}
_PREFIX = "efficientnetv2-"
_AVERAGE_SUFFIX = "/ExponentialMovingAverage"


@dataclasses.dataclass(frozen=True)
class ImportSettings:
    """Settings of the command."""

    checkpoint: str = setting(None, "the .tgz, its unpacked folder, or a checkpoint in it")
    backbone: str = setting(None, "name of the backbone, such as efficientnetv2-s")
    output: str = setting(None, "file to write, .h5")
    use_averages: bool = setting(False, "import moving averages instead of plain values")


def import_efficientnetv2(
    source: PathLike, backbone: str, output: PathLike, use_averages: bool = False
) -> int:
    """Writes the weights of an official checkpoint as a Keras weights file.

    Args:
        source: The checkpoint, its folder, or its .tgz archive.
        backbone: Name of the network, such as 'efficientnetv2-s'.
        output: The .h5 file to write, for `--backbone_weights`.
        use_averages: Whether to import moving averages instead of plain values.

    Returns:
        Number of variables.

    Raises:
        UserError: the checkpoint is damaged, belongs to another network, or lacks averages.
    """
    name = canonical_backbone_name(backbone)
    known = [known_name for known_name in backbone_names() if known_name.startswith(_PREFIX)]
    if name not in known:
        raise unknown_name_error("EfficientNetV2", backbone, known)
    if pathlib.Path(output).suffix != ".h5":
        raise UserError(f"--output must end in .h5, not be '{output}'.")
    network = efficientnetv2(name[len(_PREFIX) :].upper())(None)
    with _checkpoint_of(pathlib.Path(source)) as path:
        network.set_weights(_read(StoredVariables(path), network, name, use_averages))
    with atomic_path(output) as temporary:
        network.save_weights(str(temporary), save_format="h5")
    return len(network.weights)


def _read(
    stored: StoredVariables, network: tf.keras.Model, name: str, use_averages: bool
) -> list[np.ndarray]:
    averages = {
        v.name[: -len(_AVERAGE_SUFFIX)]: v
        for v in stored.variables
        if v.name.endswith(_AVERAGE_SUFFIX)
    }
    plain = {v.name: v for v in stored.variables if not v.name.endswith(_AVERAGE_SUFFIX)}
    if use_averages and not averages:
        raise UserError(f"'{stored.path}' has no moving averages; leave out --use_averages.")
    layers = original_layer_names(network, name)
    wanted = {}
    for weight in network.weights:
        layer, _, kind = variable_name(weight).rpartition("/")
        # Without the name of the model, which precedes names in the published files.
        wanted[f"{layers[layer]}/{kind}"[len(name) + 1 :]] = tuple(weight.shape)
    matches = match_names(wanted, {n: v.shape for n, v in plain.items()}, f"'{stored.path}'")
    chosen = {**plain, **averages} if use_averages else plain
    return [stored.read(chosen[match]).astype(np.float32) for match in matches.values()]


@contextlib.contextmanager
def _checkpoint_of(source: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the path of a checkpoint or its folder, unpacking an archive temporarily."""
    if not source.is_file() or source.suffix == ".index":
        yield source
        return
    with tempfile.TemporaryDirectory() as scratch:
        try:
            extract_archive(source, pathlib.Path(scratch))
        except DamagedArchiveError as error:
            raise UserError(f"'{source}' is not a usable archive: {error}.") from error
        records = sorted(pathlib.Path(scratch).rglob("checkpoint"))
        yield records[0].parent if records else _only_index(pathlib.Path(scratch), source)


def _only_index(folder: pathlib.Path, source: pathlib.Path) -> pathlib.Path:
    found = sorted(folder.rglob("*.index"))
    if len(found) != 1:
        raise UserError(f"'{source}' must contain one checkpoint, but contains {len(found)}.")
    return found[0]


def run(settings: ImportSettings) -> None:
    """Runs the command."""
    count = import_efficientnetv2(
        settings.checkpoint, settings.backbone, settings.output, settings.use_averages
    )
    print(f"Wrote {count} variables to {settings.output}.")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, ImportSettings, run, arguments, aliases=_ALIASES)


if __name__ == "__main__":
    sys.exit(main())
