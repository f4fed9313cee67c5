"""Saving, keeping, finding and restoring checkpoints."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models.description import ModelDescription
from metrabs.training.checkpoints import (
    CheckpointManager,
    check_same_run,
    checkpoint_number,
    find_checkpoint,
    latest_checkpoint,
    run_folder,
)
from tests.training.tiny import JOINTS_2D, JOINTS_3D


def _manager(folder: pathlib.Path, value: int = 0) -> tuple[CheckpointManager, tf.Variable]:
    variable = tf.Variable([value])
    return CheckpointManager(folder, weights=variable), variable


def _names(folder: pathlib.Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.index"))


def test_the_last_two_stay(tmp_path: pathlib.Path) -> None:
    manager, _ = _manager(tmp_path)
    for step in (10, 20, 30):
        manager.save(step)
    assert _names(tmp_path) == ["ckpt-20", "ckpt-30"]
    assert latest_checkpoint(tmp_path) == tmp_path / "ckpt-30"


def test_protected_checkpoints_stay_and_do_not_count(tmp_path: pathlib.Path) -> None:
    manager, _ = _manager(tmp_path)
    manager.save(10, keep_forever=True)
    for step in (20, 30, 40):
        manager.save(step)
    assert _names(tmp_path) == ["ckpt-10", "ckpt-30", "ckpt-40"]


def test_going_back_to_an_older_checkpoint_keeps_what_comes_after(tmp_path: pathlib.Path) -> None:
    _manager(tmp_path)[0].save(100)
    _manager(tmp_path)[0].save(200)
    manager, _ = _manager(tmp_path)  # a run that went on from 100
    manager.save(150)
    assert latest_checkpoint(tmp_path) == tmp_path / "ckpt-150"
    manager.save(160)
    assert _names(tmp_path) == ["ckpt-150", "ckpt-160"]


def test_a_later_run_overwrites(tmp_path: pathlib.Path) -> None:
    _manager(tmp_path, 1)[0].save(10)
    _manager(tmp_path, 2)[0].save(10)
    other, restored = _manager(tmp_path)
    other.restore(tmp_path / "ckpt-10")
    assert restored.numpy() == [2]


def test_the_same_step_is_written_once(tmp_path: pathlib.Path) -> None:
    manager, _ = _manager(tmp_path)
    manager.save(10)
    modified = (tmp_path / "ckpt-10.index").stat().st_mtime_ns
    manager.save(10, keep_forever=True)
    assert (tmp_path / "ckpt-10.index").stat().st_mtime_ns == modified
    assert (tmp_path / "ckpt-10.keep").exists()


def test_a_kill_while_overwriting_leaves_an_earlier_checkpoint(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = _manager(tmp_path)
    first.save(10)
    first.save(20)
    again, _ = _manager(tmp_path)  # a run that went on from 10

    def _die(path: str) -> None:
        pathlib.Path(f"{path}.data-00000-of-00001").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(again._checkpoint, "write", _die)
    with pytest.raises(KeyboardInterrupt):
        again.save(20)
    assert latest_checkpoint(tmp_path) == tmp_path / "ckpt-10"


def test_folders_can_be_moved(tmp_path: pathlib.Path) -> None:
    _manager(tmp_path / "a", 5)[0].save(10)
    (tmp_path / "a").rename(tmp_path / "b")
    assert latest_checkpoint(tmp_path / "b") == tmp_path / "b" / "ckpt-10"


def test_unfinished_save_does_not_count(tmp_path: pathlib.Path) -> None:
    manager, _ = _manager(tmp_path)
    manager.save(10)
    (tmp_path / "ckpt-20.data-00000-of-00001").write_bytes(b"half")
    (tmp_path / "ckpt-20_temp").mkdir()
    assert latest_checkpoint(tmp_path) == tmp_path / "ckpt-10"
    manager.save(20)
    assert not (tmp_path / "ckpt-20_temp").exists()


@pytest.mark.parametrize("damage", ["truncated", "other"])
def test_damaged_or_unrelated_checkpoint_is_a_one_line_error(
    tmp_path: pathlib.Path, damage: str
) -> None:
    manager, _ = _manager(tmp_path)
    manager.save(10)
    if damage == "truncated":
        path = tmp_path / "ckpt-10.index"
        path.write_bytes(path.read_bytes()[:20])
    else:
        manager = CheckpointManager(tmp_path, weights=tf.Variable([1.0, 2.0]))
    with pytest.raises(UserError, match="cannot be restored") as error:
        manager.restore(tmp_path / "ckpt-10")
    assert "\n" not in str(error.value)


def test_checkpoints_are_found_by_file_prefix_and_folder(tmp_path: pathlib.Path) -> None:
    _manager(tmp_path / "run")[0].save(10)
    for name in ("run/ckpt-10", "run/ckpt-10.index", "run", tmp_path / "run" / "ckpt-10"):
        assert find_checkpoint(name, tmp_path) == tmp_path / "run" / "ckpt-10"
    assert checkpoint_number("a/ckpt-10") == 10
    with pytest.raises(UserError, match="not named ckpt"):
        checkpoint_number("a/model-10")


def test_other_joints_in_a_used_folder_are_an_error(tmp_path: pathlib.Path) -> None:
    check_same_run(tmp_path, Config(), JOINTS_3D)  # nothing there yet
    ModelDescription(Config(), JOINTS_3D).write(tmp_path)
    _manager(tmp_path)[0].save(1)
    check_same_run(tmp_path, Config().replace(training_steps=9), JOINTS_3D)
    with pytest.raises(UserError, match="7 joints.*3 of"):
        check_same_run(tmp_path, Config(), JOINTS_2D)


def test_relative_folders_are_below_experiments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_ROOT", "/data")
    assert run_folder(Config().replace(logdir="a/b")) == pathlib.Path("/data/experiments/a/b")
    assert run_folder(Config().replace(logdir="/a/b")) == pathlib.Path("/a/b")
    elsewhere = Config().replace(logdir="a/b", data_root="/elsewhere")
    assert run_folder(elsewhere) == pathlib.Path("/elsewhere/experiments/a/b")
