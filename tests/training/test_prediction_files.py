"""Files of predictions in both formats: content, memory, interruptions, mistakes."""

from __future__ import annotations

import pathlib
import weakref
from collections.abc import Iterator

import h5py
import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.training.prediction_files import joined, read_predictions, write_predictions

_NAMES = ("poses", "mask", "image_path", "joint_names")
_CONSTANTS = {"joint_names": np.array(["pelv", "kn\u00e9e"])}


def _batches() -> Iterator[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    for number, size in enumerate((3, 3, 1)):
        yield {
            "poses": rng.normal(size=[size, 2, 3]).astype(np.float32),
            "mask": rng.random([size, 2]) < 0.5,
            "image_path": np.array([f"folder/\u00fc{number}_{i}.jpg" for i in range(size)]),
        }


def test_both_formats_hold_the_same(tmp_path: pathlib.Path) -> None:
    expected = {**joined(_batches()), **_CONSTANTS}
    assert len(expected["poses"]) == 7
    for suffix in (".npz", ".h5"):
        path = tmp_path / f"poses{suffix}"
        write_predictions(path, _batches(), _CONSTANTS)
        actual = read_predictions(path, _NAMES)
        for name in _NAMES:
            np.testing.assert_array_equal(actual[name], expected[name])
            assert actual[name].dtype.kind == expected[name].dtype.kind
    assert sorted(p.name for p in tmp_path.iterdir()) == ["poses.h5", "poses.npz"]


def test_hdf5_is_written_batch_by_batch(tmp_path: pathlib.Path) -> None:
    num_alive = []

    def batches() -> Iterator[dict[str, np.ndarray]]:
        earlier: list[weakref.ref[np.ndarray]] = []
        for _ in range(6):
            num_alive.append(sum(reference() is not None for reference in earlier))
            values = np.zeros([4, 5])
            earlier.append(weakref.ref(values))
            yield {"values": values}
            del values

    write_predictions(tmp_path / "poses.h5", batches(), {})
    assert max(num_alive) <= 1
    with h5py.File(tmp_path / "poses.h5") as file:
        assert file["values"].shape == (24, 5) and file["values"].chunks == (4, 5)
        assert file["values"].maxshape == (None, 5)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_an_interruption_leaves_the_earlier_file(tmp_path: pathlib.Path, suffix: str) -> None:
    path = tmp_path / f"poses{suffix}"
    write_predictions(path, _batches(), _CONSTANTS)
    before = path.read_bytes()

    def interrupted() -> Iterator[dict[str, np.ndarray]]:
        yield next(_batches())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_predictions(path, interrupted(), _CONSTANTS)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_invalid_files_are_explained(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UserError, match="must end in .npz or .h5"):
        write_predictions(tmp_path / "poses.csv", _batches(), {})
    (tmp_path / "damaged.h5").write_bytes(b"not a file of predictions")
    write_predictions(tmp_path / "other.h5", _batches(), {})
    for name in ("damaged.h5", "other.h5", "missing.npz"):
        with pytest.raises(UserError, match=f"{name} is not a file of predictions with"):
            read_predictions(tmp_path / name, ["joint_names"])
