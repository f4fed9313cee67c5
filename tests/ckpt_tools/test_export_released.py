from __future__ import annotations

import pytest
import tensorflow as tf

from ckpt_tools import export_released
from ckpt_tools.common.original_model import variable_name
from tests.ckpt_tools.common.official_layout import tiny_network_shapes
from tests.ckpt_tools.common.tiny import write_checkpoint


@pytest.mark.usefixtures("tiny_backbone")
def test_backbone_of_the_written_model_has_the_original_variable_names(tmp_path, capsys):
    write_checkpoint(tmp_path / "run")
    output = tmp_path / "original"
    given = [f"--checkpoint={tmp_path / 'run'}", f"--output={output}"]
    assert export_released.main(given) == 0
    assert str(output) in capsys.readouterr().out
    names = {variable_name(v) for v in tf.saved_model.load(str(output)).backbone.weights}
    assert names == {f"efficientnetv2-b0/{name}" for name in tiny_network_shapes()}


def test_missing_checkpoint_is_explained(tmp_path, capsys):
    given = [f"--checkpoint={tmp_path / 'missing'}", f"--output={tmp_path / 'original'}"]
    assert export_released.main(given) == 1
    assert "missing" in capsys.readouterr().err
