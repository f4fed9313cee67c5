"""Affine combination weights and their file: an .npz with `w1`, `w2` and the joint names."""

from __future__ import annotations

import dataclasses
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np

from metrabs.errors import UserError
from metrabs.files import PathLike, atomic_path
from metrabs.folders import DataFolders

_SUM_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class AffineWeights:
    """Weights of the encoder and the decoder.

    Attributes:
        w1: `[joints, latents]` float32; `latent_l = sum_j joint_j * w1[j, l]`.
        w2: `[latents, joints]` float32; `joint_j = sum_l latent_l * w2[l, j]`.
        joint_names: Names in the order of the joints; None where a file has no names.
    """

    w1: np.ndarray
    w2: np.ndarray
    joint_names: Optional[tuple[str, ...]] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "w1", np.asarray(self.w1, np.float32))
        object.__setattr__(self, "w2", np.asarray(self.w2, np.float32))
        if self.joint_names is not None:
            object.__setattr__(self, "joint_names", tuple(map(str, self.joint_names)))
        self._check()

    @property
    def num_joints(self) -> int:
        """Number of joints."""
        return self.w1.shape[0]

    @property
    def num_latents(self) -> int:
        """Number of latent keypoints."""
        return self.w2.shape[0]

    def for_joints(self, joint_names: Sequence[str]) -> AffineWeights:
        """Returns the weights with the joints in another order.

        Args:
            joint_names: the same names in the wanted order.

        Raises:
            UserError: the weights were made for other joints.
        """
        names = list(joint_names)
        if self.joint_names is None:
            if len(names) == self.num_joints:
                return dataclasses.replace(self, joint_names=tuple(names))
            raise UserError(
                f"The affine weights are for {self.num_joints} joints, but the model has "
                f"{len(names)}; train weights for this model."
            )
        if sorted(names) != sorted(self.joint_names):
            different = sorted(set(names) ^ set(self.joint_names))
            raise UserError(
                f"The affine weights are for {self.num_joints} joints and the model has "
                f"{len(names)}; "
                f"{len(different)} names occur on one side only: {', '.join(different[:5])}. "
                "Train weights for this model."
            )
        indices = [self.joint_names.index(name) for name in names]
        return AffineWeights(self.w1[indices], self.w2[:, indices], tuple(names))

    def _check(self) -> None:
        if self.w1.ndim != 2 or self.w2.shape != self.w1.shape[::-1]:
            raise UserError(
                f"Affine weights must have shapes [joints, latents] and [latents, joints], not "
                f"{list(self.w1.shape)} and {list(self.w2.shape)}."
            )
        if self.joint_names is not None and len(self.joint_names) != self.num_joints:
            raise UserError(
                f"Affine weights for {self.num_joints} joints have {len(self.joint_names)} names."
            )
        for name, matrix in (("w1", self.w1), ("w2", self.w2)):
            sums = matrix.sum(axis=0, dtype=np.float64)
            if not np.all(np.abs(sums - 1) < _SUM_TOLERANCE):  # also rejects NaN
                worst = sums[np.argmax(np.nan_to_num(np.abs(sums - 1), nan=np.inf))]
                raise UserError(
                    f"Columns of affine weights must sum to 1, but one of '{name}' sums to "
                    f"{worst:.4g}."
                )


def save_affine_weights(path: PathLike, weights: AffineWeights, **extra: Any) -> None:
    """Writes weights to an .npz file.

    Args:
        path: File name; the suffix .npz is expected.
        weights: Weights to write.
        **extra: Further arrays, which readers of `w1` and `w2` ignore.
    """
    arrays = {"w1": weights.w1, "w2": weights.w2, **extra}
    if weights.joint_names is not None:
        arrays["joint_names"] = np.array(weights.joint_names)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def load_affine_weights(path: PathLike, folders: Optional[DataFolders] = None) -> AffineWeights:
    """Reads weights from a file.

    Args:
        path: An .npz file, or the bare name of one in `skeleton_conversion` in the data root.
        folders: Where data are; default: as the environment says.

    Raises:
        UserError: the file is missing or does not hold valid weights.
    """
    path = find_affine_weights(path, folders)
    try:
        with np.load(path, allow_pickle=False) as file:
            if not {"w1", "w2"} <= set(file):
                raise UserError(f"{path} must hold arrays w1 and w2, it has: {', '.join(file)}.")
            names = tuple(file["joint_names"]) if "joint_names" in file else None
            return AffineWeights(file["w1"], file["w2"], names)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not a readable .npz file: {error}.") from error


def find_affine_weights(
    name_or_path: PathLike, folders: Optional[DataFolders] = None
) -> pathlib.Path:
    """Returns the path of a weights file, given itself or as a bare name.

    Args:
        name_or_path: See `load_affine_weights`.
        folders: Where data are; default: as the environment says.

    Raises:
        UserError: There is no such file.
    """
    path = pathlib.Path(name_or_path)
    candidates = [path]
    if len(path.parts) == 1:
        candidates += (folders or DataFolders.at()).affine_weights_candidates(path)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise UserError(
        f"Affine weights not found: {', '.join(map(str, candidates))}. Give an .npz file, or the "
        "name of a file in the folder skeleton_conversion of the data root."
    )


def zero_small_weights(weights: AffineWeights, threshold: float) -> AffineWeights:
    """Sets weights below a threshold to zero and renormalises the columns.

    Mirror symmetry is kept, since mirrored entries are equal and are thresholded identically.

    Args:
        weights: Trained weights.
        threshold: Absolute values below it become zero; 0.001 to 0.01 is sensible.

    Raises:
        UserError: a column would lose most of its weight.
    """
    return AffineWeights(
        _thresholded(weights.w1, threshold),
        _thresholded(weights.w2, threshold),
        weights.joint_names,
    )


def _thresholded(matrix: np.ndarray, threshold: float) -> np.ndarray:
    kept = np.where(np.abs(matrix) < threshold, 0, matrix)
    sums = kept.sum(axis=0)
    if np.any(np.abs(sums) < 0.5):
        raise UserError(
            f"A threshold of {threshold} removes most weights of some point; use a smaller one."
        )
    return kept / sums
