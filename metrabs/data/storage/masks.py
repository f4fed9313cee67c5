"""Person masks as COCO's compressed run-length encoding, optionally with zlib on top.

An encoded mask is a dict: 'size' = [height, width] and 'counts' = bytes, or 'zcounts' = those
bytes compressed by zlib. The runs go down the columns, zeros first. Each run length (from the
fourth on its difference to the one two before) is written in groups of five bits, lowest first,
as the character 48 + bits + 32 if more groups follow.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Union

import cv2
import numpy as np

from metrabs.errors import UserError

_FIRST_CHARACTER = 48
_GROUP_BITS = 5
_GROUP_MASK = (1 << _GROUP_BITS) - 1
_MORE_FOLLOWS = 1 << _GROUP_BITS
_SIGN_BIT = 1 << (_GROUP_BITS - 1)


def encode_mask(mask: np.ndarray, use_zlib: bool = True) -> dict[str, Any]:
    """Encodes a mask.

    Args:
        mask: [h, w], non-zero is inside.
        use_zlib: store 'zcounts' instead of 'counts'.
    """
    is_inside = (np.asarray(mask) != 0).astype(np.uint8)
    runs = _runs_of(cv2.transpose(is_inside).ravel())
    counts = _text_from_runs(runs)
    coded = {"zcounts": zlib.compress(counts)} if use_zlib else {"counts": counts}
    return {"size": [int(side) for side in np.shape(mask)], **coded}


def decode_mask(encoded: Mapping[str, Any]) -> np.ndarray:
    """Decodes a mask to a uint8 array [h, w] of 0 and 1.

    Args:
        encoded: 'size' with 'counts' (bytes, text, or a list of run lengths) or 'zcounts'.

    Raises:
        UserError: if the runs do not fill an image of the given size.
    """
    height, width = (int(side) for side in encoded["size"])
    counts = zlib.decompress(encoded["zcounts"]) if "zcounts" in encoded else encoded["counts"]
    is_text = isinstance(counts, (bytes, str))
    runs = _runs_from_text(counts) if is_text else np.asarray(counts, np.int64)
    if (runs < 0).any() or runs.sum() != height * width:
        raise UserError(
            f"Damaged mask: its runs cover {runs.sum()} pixels, but the image has "
            f"{height} x {width}. Encode it again as COCO run lengths."
        )
    values = np.arange(len(runs), dtype=np.uint8) & 1
    return cv2.transpose(np.repeat(values, runs).reshape(width, height))


def _runs_of(pixels: np.ndarray) -> np.ndarray:
    """Returns the lengths of the runs of equal values, the first one of zeros (maybe empty)."""
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [pixels.size]]))
    return np.concatenate([[0], runs]) if pixels.size and pixels[0] else runs


def _text_from_runs(runs: np.ndarray) -> bytes:
    numbers = runs.astype(np.int64)
    numbers[3:] -= runs[1:-2]
    num_groups_max = max(1, int(np.abs(numbers).max()).bit_length() // _GROUP_BITS + 1)
    shifts = _GROUP_BITS * np.arange(num_groups_max)
    rest = numbers[:, np.newaxis] >> shifts  # [numbers, groups], the sign is kept
    groups = rest & _GROUP_MASK
    # A group is the last one if it holds the sign bit and all remaining bits equal the sign.
    is_last = rest >> (_GROUP_BITS - 1) == np.where(groups & _SIGN_BIT, -1, 0)
    characters = groups + np.where(is_last, 0, _MORE_FOLLOWS) + _FIRST_CHARACTER
    is_written = np.arange(num_groups_max) <= np.argmax(is_last, axis=1)[:, np.newaxis]
    return characters[is_written].astype(np.uint8).tobytes()


def _runs_from_text(text: Union[bytes, str]) -> np.ndarray:
    text = text.encode("ascii") if isinstance(text, str) else text
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - _FIRST_CHARACTER
    ends = np.flatnonzero(codes & _MORE_FOLLOWS == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    shifts = _GROUP_BITS * (np.arange(len(codes)) - np.repeat(starts, ends - starts + 1))
    numbers = np.add.reduceat((codes & _GROUP_MASK) << shifts, starts)
    is_negative = codes[ends] & _SIGN_BIT != 0
    numbers -= is_negative.astype(np.int64) << (shifts[ends] + _GROUP_BITS)
    # Differences to the run two before: a running sum within the odd and within the even ones.
    runs = numbers
    runs[1::2] = np.cumsum(numbers[1::2])
    runs[2::2] = np.cumsum(numbers[2::2])
    return runs
