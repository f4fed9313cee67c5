"""The command line: spelling of flags, files of flags, errors, exit codes, the three tasks."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from metrabs.cli import (
    export_crop_model,
    given_settings,
    help_text,
    main,
    parse_flags,
    predict_dataset,
    train,
)
from metrabs.config import Config, all_settings
from metrabs.errors import Interrupted, WorkerLostError
from tests.training.tiny import build_tiny_backbone, tiny_config

_MAIN = pathlib.Path(__file__).parent.parent / "main.py"


def _settings(*arguments: str) -> dict[str, Any]:
    return given_settings(parse_flags(arguments))


def test_hyphens_and_underscores_are_the_same() -> None:
    assert _settings("--proc-side=128") == _settings("--proc_side=128") == {"proc_side": 128}
    assert _settings("--rot-aug", "5") == {"rot_aug": 5.0}


@pytest.mark.parametrize(
    "spelling", ["--nogeom_aug", "--no-geom-aug", "--no_geom_aug", "--geom-aug=false"]
)
def test_bools_are_switched_off_in_several_spellings(spelling: str) -> None:
    assert _settings(spelling) == {"geom_aug": False}


def test_dataset_is_an_alias_and_hyphens_in_names_become_underscores() -> None:
    assert _settings("--dataset=bml-movi") == {"dataset3d": "bml_movi"}
    assert _settings("--dataset3d=/a-b/c-d.pkl") == {"dataset3d": "/a-b/c-d.pkl"}


def test_flags_can_come_from_files(tmp_path: pathlib.Path) -> None:
    with_dashes = tmp_path / "recipe.flags"
    with_dashes.write_text("# a comment\n--proc-side=96\n--dataset=huge8\n--no-color-aug\n")
    without_dashes = tmp_path / "recipe.txt"
    without_dashes.write_text("# a comment\nproc-side=96\n\ndataset huge8\nno-color-aug\n")
    expected = {"proc_side": 96, "dataset3d": "huge8", "color_aug": False}
    assert _settings(f"--flagfile={with_dashes}") == expected
    assert _settings(f"--file={without_dashes}") == expected
    assert _settings("--file", str(without_dashes), "--proc_side=64")["proc_side"] == 64


@pytest.mark.parametrize(("given", "expected"), [
    (["--dataset=synth3"], "synth2d"), (["--dataset=synth3", "--dataset2d="], ""),
    (["--dataset=h36m"], "mpii"),
])  # fmt: skip
def test_builtin_3d_data_go_with_builtin_2d_data_unless_told_otherwise(
    given: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs: list[Config] = []
    monkeypatch.setattr("metrabs.training.train.train", configs.append)
    assert main(["--train", *given]) == 0
    assert configs[0].data.dataset2d == expected


def test_help_names_every_setting() -> None:
    text = help_text()
    for _, field, _ in all_settings():
        assert field.name in text


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["--train", "--batch_sise=3"], 2, "batch_sise"),
        (["--train", "--training_steps=many"], 2, "training_steps"),
        (["--train", "--dtype=float12"], 1, "float16, float32, bfloat16"),
        (["--train", "words"], 1, "'words' is not a flag"),
        ([], 1, "Nothing to do"),
        (["--flagfile=/missing.flags"], 1, "/missing.flags"),
        (["--file=/missing.txt"], 1, "/missing.txt"),
        (
            ["--train", "--training_steps=5", "--backbone_weights=none", "--dataset=missing"],
            1,
            "no cache file",
        ),
        (["--predict", "--logdir=missing"], 1, "no checkpoint"),
        (["--export_file=model", "--load_path=ckpt-9"], 1, "no checkpoint"),
    ],
)
def test_mistakes_give_one_line_and_touch_nothing(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.delenv("CACHE_DIR", raising=False)
    assert main(arguments) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and message in lines[0]
    assert not list(tmp_path.iterdir())


def test_commands_of_the_front_door_are_tasks(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    configs: list[Config] = []
    monkeypatch.setattr("metrabs.training.train.train", configs.append)
    assert train(["--batch-size=3"]) == 0
    assert configs[0].data.batch_size == 3
    for command in (predict_dataset, export_crop_model):
        assert command(["--output=x", "--logdir=missing"]) == 1
        assert "no checkpoint" in capsys.readouterr().err
    assert export_crop_model(["--logdir=missing"]) == 1
    assert "Give --output=FOLDER" in capsys.readouterr().err


def test_unusable_cache_and_unknown_backbone_are_one_line(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "foreign.pkl"
    foreign.write_bytes(b"no cache at all")
    config = tiny_config(tmp_path)
    common = [
        "--train",
        f"--data_root={tmp_path}",
        "--training_steps=2",
        "--dataset2d=",
        f"--logdir={tmp_path / 'run'}",
        "--backbone_weights=none",
    ]
    for arguments in (
        [f"--dataset={foreign}"],
        [f"--dataset={config.data.dataset3d}", "--backbone=alexnet"],
    ):
        assert main(common + arguments) == 1
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: ")
    assert "alexnet" in lines[0] and "resnet50" in lines[0]
    assert not (tmp_path / "run").exists()


def test_without_data_root_all_data_are_in_a_folder_of_the_working_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_ROOT", "")  # restored afterwards
    monkeypatch.chdir(tmp_path)
    assert main(["--export_file=model", "--logdir=run"]) == 1
    error = capsys.readouterr().err
    assert f"data and runs are in '{tmp_path}/metrabs_data'" in error
    assert f"{tmp_path}/metrabs_data/experiments/run" in error
    assert not list(tmp_path.iterdir())


def test_the_data_root_can_be_given_and_comes_before_the_environment(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_ROOT", "/nowhere")
    monkeypatch.delenv("CACHE_DIR", raising=False)
    root = tmp_path / "data"
    assert main(["--export_file=model", "--logdir=run", f"--data_root={root}"]) == 1
    assert f"{root}/experiments/run" in capsys.readouterr().err
    assert (
        main(
            [
                "--train",
                "--training_steps=2",
                "--dataset=mine",
                f"--data_root={root}",
                "--backbone_weights=none",
            ]
        )
        == 1
    )
    assert f"{root}/cache/mine.pkl" in capsys.readouterr().err


def test_ends_of_training_have_their_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_ROOT", "/nowhere")

    def fail_with(error: Exception) -> int:
        def train(config: Any) -> None:
            raise error

        monkeypatch.setattr("metrabs.training.train.train", train)
        return main(["--train"])

    assert fail_with(tf.errors.ResourceExhaustedError(None, None, "no memory")) == 42
    assert fail_with(WorkerLostError("no heartbeat")) == 75
    assert fail_with(Interrupted(15)) == 143
    assert fail_with(Interrupted(2)) == 130
    assert "Out of memory" in capsys.readouterr().err


def test_trains_predicts_and_exports_without_repeating_settings(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrabs.models.build.build_backbone", build_tiny_backbone)
    config = tiny_config(tmp_path / "data", training_steps=2, with_2d=False)
    file = tmp_path / "recipe.flags"
    file.write_text(
        "".join(
            f"--{name}={value}\n"
            for name, value in config.to_flat_dict().items()
            if value is not None
        )
    )
    assert main(["--train", f"--flagfile={file}"]) == 0
    run_folder = pathlib.Path(config.run.logdir)
    assert json.loads((run_folder / "config.json").read_text())["proc_side"] == 64
    tasks = ["--predict", "--export_file=model", "--pred_path=poses.npz", "--test_on=valid"]
    assert main([f"--logdir={run_folder}", "--workers=0", *tasks]) == 0
    with np.load(run_folder / "poses.npz") as poses:
        assert poses["coords3d_pred_cam"].shape == (3, 7, 3)
    assert (run_folder / "model" / "saved_model.pb").exists()


def test_help_starts_without_tensorflow() -> None:
    code = "import sys, main; main.main(); assert 'tensorflow' not in sys.modules"
    result = subprocess.run(
        [sys.executable, "-c", code, "--help"], cwd=_MAIN.parent, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "--training_steps" in result.stdout
