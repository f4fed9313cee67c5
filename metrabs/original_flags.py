"""Flags of the original implementation that are not settings here, and what to do instead.

Commands written for the original implementation keep working: such a flag is accepted with its
default value, and with any value if it would have no effect. Otherwise the command line rejects it
and says why. All other flags of the original implementation are settings of `metrabs.config`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from metrabs.errors import UserError


@dataclasses.dataclass(frozen=True)
class OriginalFlag:
    """One flag of the original implementation.

    Attributes:
        name: Name with underscores.
        kind: Type of its value, bool or str.
        default: Default of the original implementation.
        reason: Why it is not a setting, and what to do instead.
        is_refused: Whether values other than the default are rejected.
    """

    name: str
    kind: type
    default: Any
    reason: str
    is_refused: bool = True


_SUBJECTS = (
    "the original training program does not read it. Choose subjects when the cache file of the "
    "dataset is made, by the commands in data_preparation/."
)
OBSOLETE_FLAGS = (
    OriginalFlag(
        "data_format",
        str,
        "NHWC",
        "arrays are NHWC everywhere; TensorFlow chooses the layout on the device itself. Omit "
        "the flag.",
    ),
    OriginalFlag(
        "viz",
        bool,
        False,
        "there are no windows. --picture_period=N writes previews of predicted poses to "
        "TensorBoard files.",
    ),
    OriginalFlag(
        "image_barecat_path",
        str,
        None,
        "the original implementation never reads it. Images are files below $DATA_ROOT; omit the "
        "flag.",
    ),
    OriginalFlag("train_subjects", str, None, _SUBJECTS),
    OriginalFlag("valid_subjects", str, None, _SUBJECTS),
    OriginalFlag("test_subjects", str, None, _SUBJECTS),
    OriginalFlag(
        "force_grad_accum",
        bool,
        False,
        "checkpoints of runs with and without gradient accumulation are always exchangeable.",
        is_refused=False,
    ),
)


def check_original_flags(values: Mapping[str, Any]) -> None:
    """Checks the values given for these flags.

    Args:
        values: Given values by name.

    Raises:
        UserError: a value cannot be honoured.
    """
    for flag in OBSOLETE_FLAGS:
        value = values.get(flag.name, flag.default)
        if flag.is_refused and value != flag.default:
            shown = f"--{flag.name}" if flag.kind is bool else f"--{flag.name}={value}"
            raise UserError(f"{shown} is not supported: {flag.reason}")
