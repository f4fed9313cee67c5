"""Reading annotation files of datasets, with errors that name the file and say what to do.

Pickles are read by an unpickler that admits NumPy arrays and plain values only, so that a
downloaded file cannot run code.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from metrabs import inert_pickle
from metrabs.errors import UserError
from metrabs.files import PathLike

_ADVICE = "Download or unpack it again; the dataset's page in docs/prepare shows the layout"


@contextlib.contextmanager
def reading(path: PathLike, what: str) -> Iterator[None]:
    """Turns any error while a file is read into a `UserError` that names the file.

    Args:
        path: The file.
        what: What it should be, such as 'a MATLAB file with the variable annot3'.
    """
    if not os.path.exists(path):
        raise UserError(f"File '{path}' does not exist. {_ADVICE}.")
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # readers raise various errors for damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"File '{path}' is not {what} ({reason}). {_ADVICE}.") from error


def read_json(path: PathLike) -> Any:
    """Reads a JSON file."""
    with reading(path, "a JSON file"), open(path, encoding="utf-8") as file:
        return json.load(file)


def read_mat(path: PathLike, *variables: str) -> Any:
    """Reads variables of a MATLAB file of version 5 to 7.

    Structs become objects with attributes; axes of length 1 are removed.

    Args:
        path: The file.
        variables: One or more names.

    Returns:
        The value of the variable, or a list of values if there are several names.
    """
    with reading(path, f"a MATLAB file (version 5 to 7) with {', '.join(variables)}"):
        content = _mat_content(path, variables)
        values = [content[name] for name in variables]
    return values[0] if len(values) == 1 else values


# Damaged files can crash SciPy's reader, so it runs in a process of its own.
_READ_MAT = """
import pickle, sys
import scipy.io
try:
    result = scipy.io.loadmat(sys.argv[1], squeeze_me=True, struct_as_record=False,
                              variable_names=sys.argv[2:])
except Exception as error:
    result = str(error) or type(error).__name__
with open(sys.stdout.fileno(), "wb", closefd=False) as output:
    pickle.dump(result, output, protocol=5)
"""


def _mat_content(path: PathLike, variables: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-c", _READ_MAT, os.fspath(path), *variables]
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if finished.returncode != 0:
        raise ValueError("reading it crashes SciPy, so it is damaged")
    result = pickle.loads(finished.stdout)  # of our own process
    if isinstance(result, str):
        raise ValueError(result)
    return dict(result)


@contextlib.contextmanager
def open_hdf5(path: PathLike, *variables: str) -> Iterator[Any]:
    """Opens an HDF5 file, such as a MATLAB file of version 7.3, that has the given variables."""
    import h5py

    with reading(path, f"an HDF5 (MATLAB 7.3) file with {', '.join(variables)}"):
        with h5py.File(path, "r") as file:
            missing = [name for name in variables if name not in file]
            if missing:
                raise KeyError(f"missing: {', '.join(missing)}")
            yield file


def read_cdf(path: PathLike, variable: str) -> np.ndarray:
    """Reads a variable of a file in NASA's Common Data Format."""
    try:
        import cdflib
    except ImportError as error:
        raise UserError(
            "Reading CDF files needs the package cdflib. Install the extra: "
            'pip install -e ".[data]"'
        ) from error
    with reading(path, f"a CDF file with the variable {variable}"):
        return np.asarray(cdflib.CDF(os.fspath(path)).varget(variable))


def read_pickle(path: PathLike) -> Any:
    """Reads a pickle of plain values and NumPy arrays, written by Python 2 or 3.

    Raises:
        UserError: the file is missing or damaged, or has anything else in it.
    """
    with reading(path, "a pickle of arrays and plain values"), open(path, "rb") as file:
        return inert_pickle.load(file)
