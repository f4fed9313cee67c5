"""The command `metrabs`: one entrance to all commands.

`metrabs COMMAND ...` calls the same code as `python main.py --train`, `python -m metrabs.predict`,
`python -m data_preparation` and so on. A command's module is imported only when it is called.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Sequence
from typing import Optional

from metrabs.command import EXIT_INVALID_FLAGS, asks_for_help, exit_code_of, fail
from metrabs.importing import import_registered


@dataclasses.dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        place: Where its function is, 'package.module:function'. It takes the arguments without the
            names of program and command, and returns the exit code.
        summary: What it does, in half a line.
    """

    place: str
    summary: str


COMMAND_GROUPS: dict[str, dict[str, Command]] = {
    "Use models": {
        "predict": Command(
            "metrabs.predict.__main__:main", "find people and their 3D poses in images and videos"
        ),
        "evaluate": Command("metrabs.evaluation.__main__:main", "evaluate a model on a benchmark"),
    },
    "Train models": {
        "train": Command("metrabs.cli:train", "train a crop model, or resume its training"),
        "predict-dataset": Command(
            "metrabs.cli:predict_dataset", "predict the poses of a dataset with a trained model"
        ),
        "train-autoencoder": Command(
            "ckpt_tools.train_acae:main", "train the affine-combining autoencoder on predictions"
        ),
        "export-crop-model": Command(
            "metrabs.cli:export_crop_model", "write a trained crop model as a SavedModel"
        ),
        "export": Command(
            "ckpt_tools.export_estimator:main", "pack crop model and detector as full-image model"
        ),
        "reproduce": Command(
            "metrabs.reproduction.__main__:main", "reproduce the paper's method end to end"
        ),
        "package": Command(
            "ckpt_tools.package_model:main", "pack a full-image model as an archive to publish"
        ),
    },
    "Prepare data": {
        "prepare": Command("data_preparation.__main__:main", "prepare a dataset for training"),
        "prepare-custom": Command(
            "data_preparation.from_manifest:main", "prepare a dataset of your own from a manifest"
        ),
        "prepare-synthetic": Command(
            "data_preparation.synthetic:main", "render the built-in synthetic datasets"
        ),
        "prepare-backgrounds": Command(
            "data_preparation.inria_holidays:main", "prepare backgrounds for augmentation"
        ),
        "prepare-occluders": Command(
            "data_preparation.pascal_voc:main", "prepare occluders for augmentation"
        ),
        "merge": Command("data_preparation.merge:main", "merge datasets into one for training"),
        "inspect": Command("data_preparation.inspect:main", "report what a dataset contains"),
        "pack-images": Command("data_preparation.pack_images:main", "pack images into an archive"),
    },
    "Convert models": {
        "inspect-model": Command(
            "ckpt_tools.inspect_model:main", "report what checkpoints and SavedModels contain"
        ),
        "average": Command("ckpt_tools.average_checkpoints:main", "average checkpoints"),
        "convert-precision": Command(
            "ckpt_tools.convert_precision:main", "convert a checkpoint to another precision"
        ),
        "export-onnx": Command("ckpt_tools.export_onnx:main", "export a crop model as ONNX"),
        "export-original": Command(
            "ckpt_tools.export_released:main", "write a checkpoint in the original format"
        ),
        "import-original": Command(
            "ckpt_tools.import_released:main", "read a checkpoint in the original format"
        ),
        "import-efficientnetv2": Command(
            "ckpt_tools.import_efficientnetv2:main", "read official EfficientNetV2 weights"
        ),
    },
}
COMMANDS = {name: command for group in COMMAND_GROUPS.values() for name, command in group.items()}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs a command.

    Args:
        arguments: Name of a command and its arguments; default: the command line of this process.

    Returns:
        The exit code: 2 for an unknown command, else the command's own.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given else "--help"
    if name == "--version":
        from metrabs import __version__

        print(f"metrabs {__version__}")
        return 0
    if name == "help" or asks_for_help([name]):
        return exit_code_of(lambda: print(help_text()))
    if name not in COMMANDS:
        return fail(_unknown_command_message(name), EXIT_INVALID_FLAGS)
    places = {name: command.place for name, command in COMMANDS.items()}
    return import_registered("command", name, places)(given[1:])


def help_text() -> str:
    """Returns the text of `metrabs --help`."""
    lines = [
        "Absolute metric 3D human pose estimation in many skeleton formats.", "",
        "usage: metrabs COMMAND [arguments]    runs a command",
        "       metrabs COMMAND --help         explains a command and its flags",
    ]  # fmt: skip
    width = max(map(len, COMMANDS)) + 2
    for title, group in COMMAND_GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:<{width}}{command.summary}" for name, command in group.items()]
    return "\n".join(lines)


def _unknown_command_message(name: str) -> str:
    similar = difflib.get_close_matches(name, COMMANDS, n=2)
    hint = f" Did you mean {' or '.join(similar)}?" if similar else ""
    return f"Unknown command '{name}'.{hint} `metrabs --help` lists all commands."


if __name__ == "__main__":
    sys.exit(main())
