from __future__ import annotations

import pytest

from ckpt_tools.convert_precision import convert_precision, main
from ckpt_tools.inspect_model import inspect
from metrabs.errors import UserError
from metrabs.models.description import read_config
from tests.ckpt_tools.common.tiny import write_checkpoint

pytestmark = pytest.mark.usefixtures("tiny_backbone")


def test_half_precision_and_back_keeps_weights_and_predictions(tmp_path):
    write_checkpoint(tmp_path / "a")
    there = convert_precision(tmp_path / "a", "float16", tmp_path / "b")
    back = convert_precision(tmp_path / "b", "float32", tmp_path / "c")
    assert there.checkpoint == tmp_path / "b/ckpt-5"
    assert (there.old_dtype, there.new_dtype) == ("float32", "float16")
    assert (back.old_dtype, back.new_dtype) == ("float16", "float32")
    # float16 has 11 bits, and random heads put the joints of this model many metres away.
    assert 0 < there.difference_mm < 300
    assert back.difference_mm == pytest.approx(there.difference_mm, rel=0.2)
    assert read_config(tmp_path / "b").model.dtype == "float16"
    assert read_config(tmp_path / "c") == read_config(tmp_path / "a")
    assert inspect(tmp_path / "b").num_parameters == inspect(tmp_path / "a").num_parameters


@pytest.mark.slow
def test_same_precision_changes_nothing(tmp_path):
    write_checkpoint(tmp_path / "a")
    assert convert_precision(tmp_path / "a", "float32", tmp_path / "b").difference_mm == 0


def test_missing_checkpoint_and_used_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match="no checkpoint"):
        convert_precision(tmp_path / "a", "float16", tmp_path / "b")
    write_checkpoint(tmp_path / "a")
    with pytest.raises(UserError, match="in use already"):
        convert_precision(tmp_path / "a", "float16", tmp_path / "a")
    with pytest.raises(UserError, match="dtype"):
        convert_precision(tmp_path / "a", "int8", tmp_path / "b")


@pytest.mark.slow
def test_command_prints_both_precisions(tmp_path, capsys):
    write_checkpoint(tmp_path / "a")
    arguments = [f"--checkpoint={tmp_path / 'a'}", "--dtype=float16", f"--output={tmp_path / 'b'}"]
    assert main(arguments) == 0
    assert "float32 -> float16" in capsys.readouterr().out
    assert (tmp_path / "b/ckpt-5.index").exists()
