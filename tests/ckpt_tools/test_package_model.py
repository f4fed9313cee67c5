from __future__ import annotations

import hashlib
import json
import tarfile

import pytest
import tensorflow as tf

import metrabs
from ckpt_tools import package_model


def run(*arguments):
    return package_model.main(list(map(str, arguments)))


@pytest.fixture
def model(tmp_path):
    module = tf.Module()
    module.number = tf.Variable(7)
    tf.saved_model.save(module, str(tmp_path / "model"))
    return tmp_path / "model"


def test_archive_has_the_model_at_its_root_and_loads(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    output = tmp_path / "published.tar.gz"
    assert run(f"--model={model}", f"--output={output}", "--url=https://a.org/x") == 0
    with tarfile.open(output) as tar:
        assert "saved_model.pb" in tar.getnames()
    assert int(metrabs.load_model(str(output)).number) == 7
    entry = json.loads(capsys.readouterr().out.partition("Catalog entry: ")[2])
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    assert entry == {"published": {"urls": ["https://a.org/x"], "sha256": digest}}


def test_archive_is_named_after_the_folder(model):
    assert run(f"--model={model}/") == 0
    assert model.with_name("model.tar.gz").exists()


@pytest.mark.parametrize(
    ("output", "message"), [("model.zip", ".tar.gz"), ("model/inside.tar.gz", "outside")]
)
def test_unusable_outputs_are_refused(output, message, model, tmp_path, capsys):
    assert run(f"--model={model}", f"--output={tmp_path / output}") == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.tar.gz"))


def test_folder_without_a_model_is_refused(tmp_path, capsys):
    assert run(f"--model={tmp_path}") == 1
    assert "saved_model.pb" in capsys.readouterr().err
