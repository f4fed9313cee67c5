from __future__ import annotations

import subprocess
import sys
import tarfile

import pytest

import metrabs
from metrabs import hub
from metrabs.errors import UserError


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, metrabs, metrabs.hub; print(sorted(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert b"'metrabs.hub'" in output
    assert b"'tensorflow'" not in output and b"'numpy'" not in output


def test_load_model_is_at_hand_in_the_package():
    assert metrabs.load_model is hub.load_model
    with pytest.raises(AttributeError, match="no attribute 'load_models'"):
        _ = metrabs.load_models


@pytest.mark.slow  # TensorFlow takes seconds to import
def test_model_in_an_archive_is_loaded(tmp_path):
    import tensorflow as tf

    class Doubling(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
        def double(self, value: tf.Tensor) -> tf.Tensor:
            return 2 * value

    tf.saved_model.save(Doubling(), str(tmp_path / "doubling"))
    archive = tmp_path / "doubling.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "doubling", arcname=".")
    model = hub.load_model(archive, cache_dir=tmp_path / "cache")
    assert model.double(21.0).numpy() == 42.0


@pytest.mark.slow  # TensorFlow takes seconds to import
@pytest.mark.parametrize(
    "file",
    ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
)
@pytest.mark.parametrize("damage", ["cut", "missing", "junk"])
def test_damaged_model_is_named(file, damage, tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.values = tf.Variable(tf.ones([1000]))
    tf.saved_model.save(module, str(tmp_path / "model"))
    path = tmp_path / "model" / file
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"junk" * 50)
    with pytest.raises(UserError, match=r"model' (cannot be loaded|has no saved_model.pb)"):
        hub.load_model(tmp_path / "model")
