"""Writes the crop model of a checkpoint of ours as a SavedModel in the original layout.

    python -m ckpt_tools.export_released --checkpoint=imported/ --output=crop_model/

Variables of the backbone are named and listed as in the original models, so that programs written
for those find them. For everyday use, `main.py --export_file` writes a smaller and simpler
SavedModel.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Optional

from ckpt_tools.common.model_checkpoints import locate_checkpoint
from ckpt_tools.common.original_model import save_in_original_layout
from metrabs.command import run_tool
from metrabs.settings import setting
from metrabs.training.model_loading import load_crop_model


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """Settings of the command."""

    checkpoint: str = setting(None, "checkpoint, or a folder with checkpoints")
    output: str = setting(None, "folder of the SavedModel")


def run(settings: ExportSettings) -> None:
    """Runs the command."""
    crop_model = load_crop_model(locate_checkpoint(settings.checkpoint))
    save_in_original_layout(crop_model, settings.output)
    print(f"Wrote {settings.output}.")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, ExportSettings, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
