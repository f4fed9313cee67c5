"""Flags of the released program that are not settings here, and what to do instead.

Commands that were written for the release keep working: such a flag is accepted with its default
value, and with any value if it has nothing to change. Else the command line refuses it and says
why. All other flags of the release are settings of `metrabs.config`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from metrabs.errors import UserError


@dataclasses.dataclass(frozen=True)
class ReleasedFlag:
    """One flag of the release.

    Attributes:
        name: with underscores.
        kind: type of its value, bool or str.
        default: in the release.
        reason: why it is not a setting, and what to do instead.
        is_refused: whether other values than the default are refused.
    """

    name: str
    kind: type
    default: Any
    reason: str
    is_refused: bool = True


_SUBJECTS = (
    "the training program of the release does not read it. Choose subjects where the cache file "
    "of the dataset is made, by the scripts in data_preparation/."
)
RELEASED_FLAGS = (
    ReleasedFlag(
        "data_format", str, "NHWC",
        "arrays are NHWC everywhere; TensorFlow chooses the layout on the device itself. Leave "
        "the flag out."
    ),
    ReleasedFlag(
        "viz", bool, False,
        "there are no windows. --picture_period=N writes pictures of predicted poses to "
        "TensorBoard files."
    ),
    ReleasedFlag(
        "image_barecat_path", str, None,
        "the release never reads it. Images are files below $DATA_ROOT; leave the flag out."
    ),
    ReleasedFlag("train_subjects", str, None, _SUBJECTS),
    ReleasedFlag("valid_subjects", str, None, _SUBJECTS),
    ReleasedFlag("test_subjects", str, None, _SUBJECTS),
    ReleasedFlag(
        "force_grad_accum", bool, False,
        "checkpoints of runs with and without gradient accumulation are always exchangeable.",
        is_refused=False,
    ),
)


def check_released_flags(values: Mapping[str, Any]) -> None:
    """Checks the values given for such flags.

    Args:
        values: by name; whatever is missing was not given.

    Raises:
        UserError: a value cannot be honoured.
    """
    for flag in RELEASED_FLAGS:
        value = values.get(flag.name, flag.default)
        if flag.is_refused and value != flag.default:
            shown = f"--{flag.name}" if flag.kind is bool else f"--{flag.name}={value}"
            raise UserError(f"{shown} is not supported: {flag.reason}")
