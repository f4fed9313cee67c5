"""Files of predictions: .npz, gathered in memory, or HDF5, written batch by batch.

Both hold the same arrays, with one row per example except for the names of the joints. Strings are
Unicode in .npz and UTF-8 in .h5, which is the convention of HDF5.
"""

from __future__ import annotations

import collections
import pathlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence

import h5py
import numpy as np

from metrabs.errors import UserError
from metrabs.files import PathLike, atomic_path

NPZ_SUFFIX, HDF5_SUFFIX = ".npz", ".h5"
Arrays = Mapping[str, np.ndarray]


def check_prediction_path(path: PathLike) -> None:
    """Checks that the ending of a file name is that of a known format.

    Raises:
        UserError: it has another ending.
    """
    if pathlib.Path(path).suffix not in (NPZ_SUFFIX, HDF5_SUFFIX):
        raise UserError(
            f"The predictions file '{path}' must end in {NPZ_SUFFIX} or {HDF5_SUFFIX}; the ending "
            "chooses the format."
        )


def write_predictions(path: PathLike, batches: Iterable[Arrays], constants: Arrays) -> None:
    """Writes predictions; an interruption leaves the earlier file, if any.

    Args:
        path: File to write; its ending chooses the format. HDF5 needs memory for one batch only.
        batches: Arrays with one row per example, by name; all batches have the same names.
        constants: Arrays that belong to all examples.

    Raises:
        UserError: the ending is unknown.
    """
    check_prediction_path(path)
    with atomic_path(path) as temporary:
        if temporary.suffix == HDF5_SUFFIX:
            _write_hdf5(temporary, batches, constants)
        else:
            with temporary.open("wb") as file:
                np.savez(file, **joined(batches), **constants)


def read_predictions(path: PathLike, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads some arrays of a file of predictions, of either format; strings are decoded.

    Raises:
        UserError: the file cannot be read or lacks an array.
    """
    check_prediction_path(path)
    try:
        if pathlib.Path(path).suffix == HDF5_SUFFIX:
            with h5py.File(path, "r") as file:
                return {name: _read_hdf5(file[name]) for name in names}
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is not a file of predictions with {', '.join(names)}: {error}"
        ) from error


def joined(batches: Iterable[Arrays]) -> dict[str, np.ndarray]:
    """Joins the arrays of batches along their first axes."""
    columns: dict[str, list[np.ndarray]] = collections.defaultdict(list)
    for batch in batches:
        for name, values in batch.items():
            columns[name].append(values)
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _write_hdf5(path: pathlib.Path, batches: Iterable[Arrays], constants: Arrays) -> None:
    with h5py.File(path, "w") as file:
        for batch in batches:
            for name, values in batch.items():
                _append(file, name, _for_hdf5(values))
        for name, values in constants.items():
            file[name] = _for_hdf5(values)


def _append(file: h5py.File, name: str, values: np.ndarray) -> None:
    if name not in file:
        kind = h5py.string_dtype() if values.dtype == object else values.dtype
        file.create_dataset(
            name, data=values, dtype=kind, chunks=values.shape, maxshape=(None, *values.shape[1:])
        )
        return
    dataset = file[name]
    dataset.resize(len(dataset) + len(values), axis=0)
    dataset[-len(values) :] = values


def _for_hdf5(values: np.ndarray) -> np.ndarray:
    return values.astype(object) if values.dtype.kind == "U" else values


def _read_hdf5(dataset: h5py.Dataset) -> np.ndarray:
    if h5py.check_string_dtype(dataset.dtype):
        return np.array(dataset.asstr()[()], dtype=str)
    return dataset[()]
