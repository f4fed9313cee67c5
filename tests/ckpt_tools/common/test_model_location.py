from __future__ import annotations

import pytest
import tensorflow as tf

from ckpt_tools.common.model_location import locate_model
from metrabs.errors import UserError
from metrabs.estimator.export import pack_export
from tests.ckpt_tools.common.tiny import write_checkpoint


@pytest.fixture
def saved_model(tmp_path):
    module = tf.Module()
    module.number = tf.Variable(7)
    tf.saved_model.save(module, str(tmp_path / "model"))
    return tmp_path / "model"


@pytest.mark.usefixtures("tiny_backbone")
def test_checkpoints_and_their_folders_are_found(tmp_path, monkeypatch):
    write_checkpoint(tmp_path / "metrabs_s")
    monkeypatch.chdir(tmp_path)
    # The folder goes before the published model of this name.
    for given in ("metrabs_s", "metrabs_s/ckpt-5", "metrabs_s/ckpt-5.index"):
        assert str(locate_model(given)) == given


def test_folders_and_archives_of_saved_models_are_found(saved_model, tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    assert locate_model(str(saved_model)) == saved_model
    pack_export(saved_model, tmp_path / "model.tar.gz")
    unpacked = locate_model(str(tmp_path / "model.tar.gz"))
    assert unpacked != saved_model and (unpacked / "saved_model.pb").is_file()


@pytest.mark.parametrize("source", ["missing", "runs/missing", "missing.tar.gz", "."])
def test_missing_models_are_explained(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"ckpt-2000"):
        locate_model(source)
