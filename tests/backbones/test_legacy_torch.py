from __future__ import annotations

import collections
import pickle
import sys
import types

import numpy as np
import pytest

from metrabs.backbones.legacy_torch import read_state_dict
from metrabs.errors import UserError

MAGIC = 0x1950A86A20F9469CFC6C


class Tensor:
    """Pickles as PyTorch's tensors do."""

    def __init__(self, key, offset, shape, strides):
        self.arguments = (Storage(key), offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class Storage:
    def __init__(self, key):
        self.key = key


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            return ("storage", sys.modules["torch"].FloatStorage, obj.key, "cpu", 6, None)
        return None


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Returns a function that writes a file in the old format, with stand-ins for PyTorch."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        pass

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    torch._utils = utils
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    def write(state, storages, magic=MAGIC):
        path = tmp_path / "weights.pth"
        with open(path, "wb") as file:
            for obj in (magic, 1001, {"little_endian": True}, state, list(storages)):
                Pickler(file, 2).dump(obj)
            for values in storages.values():
                file.write(np.int64(len(values)).tobytes() + np.float32(values).tobytes())
        return path

    return write


def test_strides_and_offsets_are_applied(write):
    state = collections.OrderedDict(
        plain=Tensor("s", 0, (2, 3), (3, 1)),
        transposed=Tensor("s", 0, (3, 2), (1, 3)),
        tail=Tensor("s", 4, (2,), (1,)),
    )
    arrays = read_state_dict(write(state, {"s": range(6)}))
    plain = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(arrays["plain"], plain)
    np.testing.assert_array_equal(arrays["transposed"], plain.T)
    np.testing.assert_array_equal(arrays["tail"], [4, 5])


def test_tensors_beyond_their_storage_are_rejected(write):
    path = write({"a": Tensor("s", 4, (3,), (1,))}, {"s": range(6)})
    with pytest.raises(UserError, match="beyond its storage"):
        read_state_dict(path)


def test_other_objects_are_rejected(write):
    with pytest.raises(UserError, match="contains .*system"):
        read_state_dict(write({"a": Malicious()}, {}))


class Malicious:
    def __reduce__(self):
        import os

        return os.system, ("false",)


def test_other_formats_are_rejected(write, tmp_path):
    with pytest.raises(UserError, match="wrong magic number"):
        read_state_dict(write({}, {}, magic=7))
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(UserError, match="old format"):
        read_state_dict(tmp_path / "text.pth")
    with pytest.raises(UserError, match="cannot be read"):
        read_state_dict(tmp_path / "missing.pth")


def test_truncated_files_are_rejected(write):
    path = write({"a": Tensor("s", 0, (6,), (1,))}, {"s": range(6)})
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="cut short"):
        read_state_dict(path)
