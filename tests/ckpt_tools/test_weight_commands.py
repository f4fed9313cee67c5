"""The commands that read and write checkpoints; what they do is tested with their library."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ckpt_tools import (
    average_checkpoints,
    convert_precision,
    export_onnx,
    export_released,
    import_efficientnetv2,
    import_released,
    inspect_model,
)
from metrabs.command import run_command
from metrabs.training.export import save_crop_model
from metrabs.training.model_loading import load_crop_model
from tests.checkpoint_tools import official_layout as layout
from tests.checkpoint_tools.tiny import (
    build_model,
    network_weights,
    tiny_backbone,  # noqa: F401  (a fixture)
    write_checkpoint,
)

pytestmark = pytest.mark.usefixtures("tiny_backbone")

ACTIONS = {
    average_checkpoints: average_checkpoints.average,
    convert_precision: convert_precision.convert,
    export_onnx: export_onnx.export_model,
    export_released: export_released.export_model,
    import_efficientnetv2: import_efficientnetv2.import_weights,
    import_released: import_released.import_model,
    inspect_model: inspect_model.show,
}


def run(command, *arguments):
    return run_command(
        command.__doc__, command.define_flags, ACTIONS[command], list(map(str, arguments))
    )


def assert_same_weights(first, second):
    for a, b in zip(network_weights(first), network_weights(second)):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("command", list(ACTIONS), ids=lambda command: command.__name__)
def test_help_tells_how_the_command_is_used(command, capsys):
    assert run(command, "--help") == 0
    assert f"python -m {command.__name__} " in capsys.readouterr().out


@pytest.mark.parametrize("command", list(ACTIONS), ids=lambda command: command.__name__)
def test_missing_arguments_are_explained(command, capsys):
    assert run(command) == 1
    assert "Give " in capsys.readouterr().err


def test_inspection_prints_text_or_json(tmp_path, capsys):
    write_checkpoint(tmp_path / "run")
    assert run(inspect_model, tmp_path / "run") == 0
    assert "3 joints" in capsys.readouterr().out
    assert run(inspect_model, tmp_path / "run", tmp_path / "run", "--json") == 0
    assert [r["input_resolution"] for r in json.loads(capsys.readouterr().out)] == [64, 64]
    assert run(inspect_model, tmp_path / "missing") == 1
    assert "missing" in capsys.readouterr().err


def test_release_and_back(tmp_path, capsys):
    model = write_checkpoint(tmp_path / "run")
    released, imported = tmp_path / "released", tmp_path / "imported"
    assert run(export_released, f"--checkpoint={tmp_path / 'run'}", f"--output={released}") == 0
    assert run(import_released, f"--model={released}", f"--output={imported}",
               "--num_steps=7") == 0
    assert "0.00" in capsys.readouterr().out.partition("difference between joints: ")[2][:4]
    assert_same_weights(load_crop_model(imported / "ckpt-7"), model)
    # The way it is used may change predictions; the check finds that out.
    other = ("--nocentered_stride", f"--output={tmp_path / 'other'}")
    assert run(import_released, f"--model={released}", *other) == 1
    assert "--nocentered_stride" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    assert run(import_released, f"--model={released}", "--nocheck", *other) == 0


@pytest.mark.slow
def test_precision_and_average(tmp_path, capsys):
    model = write_checkpoint(tmp_path / "a")
    half = ("--dtype=float16", f"--output={tmp_path / 'b'}")
    assert run(convert_precision, f"--checkpoint={tmp_path / 'a'}", *half) == 0
    assert "float32 -> float16" in capsys.readouterr().out
    both = (tmp_path / "a", tmp_path / "b", "--shares=1,0")
    assert run(average_checkpoints, *both, f"--output={tmp_path / 'c'}") == 0
    assert_same_weights(load_crop_model(tmp_path / "c/ckpt-5"), model)
    assert run(average_checkpoints, *both[:2], "--shares=a,b", f"--output={tmp_path / 'd'}") == 1
    assert "--shares" in capsys.readouterr().err


def test_official_weights_of_another_network_are_refused(tmp_path, capsys):
    layout.write_name_based_checkpoint(tmp_path / "model", {"v": np.float32(1)})
    assert run(import_efficientnetv2, f"--source={tmp_path}", "--backbone=efficientnetv2-b0",
               f"--output={tmp_path / 'w.h5'}") == 1
    assert "lacks" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["checkpoint", "export"])
def test_onnx_is_written_from_checkpoints_and_exports(kind, tmp_path, capsys):
    pytest.importorskip("tf2onnx")
    if kind == "checkpoint":
        write_checkpoint(tmp_path / "model")
    else:
        save_crop_model(build_model(), tmp_path / "model")
    output = tmp_path / "model.onnx"
    assert run(export_onnx, f"--model={tmp_path / 'model'}", f"--output={output}") == 0
    assert output.stat().st_size > 1000
    assert "Largest difference" in capsys.readouterr().out
