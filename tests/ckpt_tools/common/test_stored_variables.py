from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ckpt_tools.common.stored_variables import StoredVariables, find_variables
from metrabs.errors import UserError
from tests.ckpt_tools.common.official_layout import write_name_based_checkpoint


@pytest.fixture
def module():
    result = tf.Module()
    result.part = tf.Module()
    result.part.scale = tf.Variable(np.arange(6.0, dtype=np.float32).reshape(2, 3), name="a/b")
    result.names = tf.Variable(np.array(["x", "y"], object), dtype=tf.string, name="names")
    result.everything = [result.part.scale, result.names]
    return result


@pytest.fixture(params=["saved_model", "checkpoint"])
def path(request, module, tmp_path):
    if request.param == "saved_model":
        tf.saved_model.save(module, str(tmp_path / "model"))
        return tmp_path / "model"
    tf.train.Checkpoint(part=module.part, names=module.names).write(str(tmp_path / "ckpt-1"))
    return tmp_path / "ckpt-1.index"


def test_variables_are_found_by_name_by_owner_and_by_part(path):
    stored = StoredVariables(path)
    by_name = {variable.name: variable for variable in stored.variables}
    assert {"a/b", "names"} <= set(by_name)
    assert by_name["a/b"].shape == (2, 3) and by_name["a/b"].dtype == tf.float32
    np.testing.assert_array_equal(stored.read(by_name["a/b"]), [[0, 1, 2], [3, 4, 5]])
    assert stored.at("part/scale") == by_name["a/b"]
    assert stored.at("part/missing") is None
    assert stored.below("part") == [by_name["a/b"]]
    assert stored.read(by_name["names"]).tolist() == [b"x", b"y"]


def test_keys_can_be_names(tmp_path):
    values = {"net/stem/kernel": np.ones([2], np.float32), "step": np.int64(3)}
    write_name_based_checkpoint(tmp_path / "model.ckpt-9", values)
    stored = StoredVariables(tmp_path)
    assert [variable.name for variable in stored.variables] == ["net/stem/kernel", "step"]
    assert stored.variables[1].num_values == 1
    assert stored.at("step") is None and stored.below("net") == []


def test_of_a_folder_the_last_checkpoint_is_read(tmp_path):
    for number in (1, 2):
        write_name_based_checkpoint(tmp_path / f"ckpt-{number}", {"v": np.float32(number)})
    assert find_variables(tmp_path).name == "ckpt-2"


def test_path_without_variables_is_explained(tmp_path):
    for name in ("", "missing", "missing.index"):
        with pytest.raises(UserError, match="no checkpoint or SavedModel"):
            StoredVariables(tmp_path / name)


def test_damaged_file_is_named(tmp_path):
    write_name_based_checkpoint(tmp_path / "ckpt-1", {"v": np.ones([1000], np.float32)})
    (tmp_path / "ckpt-1.index").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="damaged"):
        StoredVariables(tmp_path)


def test_damaged_values_are_named(tmp_path):
    write_name_based_checkpoint(tmp_path / "ckpt-1", {"v": np.ones([1000], np.float32)})
    data = tmp_path / "ckpt-1.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(UserError, match="'v' cannot be read"):
        stored = StoredVariables(tmp_path)
        stored.read(stored.variables[0])
