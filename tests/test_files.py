from __future__ import annotations

import contextlib
import gc
import os
import pathlib
import stat
import subprocess
import sys
from collections.abc import Iterator

import pytest

from metrabs import files
from metrabs.errors import UserError
from metrabs.files import SharedFile

_Folder = pathlib.Path


def _mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextlib.contextmanager
def _umask(umask: int) -> Iterator[None]:
    previous = os.umask(umask)
    try:
        yield
    finally:
        os.umask(previous)


def _saved_model(folder: pathlib.Path, content: str = "graph") -> pathlib.Path:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    return folder


def test_atomic_path_replaces_the_file_and_leaves_nothing_else(tmp_path: _Folder) -> None:
    target = tmp_path / "missing" / "file.npz"
    files.write_text_atomically(target, "old")
    with files.atomic_path(target) as temporary:
        assert temporary.suffix == ".npz" and temporary.parent == target.parent
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_failed_write_leaves_the_file_as_it_was(tmp_path: _Folder) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("umask, expected", [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_mode_of_files_follows_the_umask(tmp_path: _Folder, umask: int, expected: int) -> None:
    with _umask(umask):
        files.write_text_atomically(tmp_path / "file", "content")
    assert _mode(tmp_path / "file") == expected


@pytest.mark.parametrize("umask, expected", [(0o022, 0o755), (0o002, 0o775), (0o077, 0o700)])
def test_mode_of_folders_follows_the_umask(tmp_path: _Folder, umask: int, expected: int) -> None:
    with _umask(umask), files.atomic_folder(tmp_path / "folder"):
        pass
    assert _mode(tmp_path / "folder") == expected


def test_umask_is_not_changed_by_reading_it(tmp_path: _Folder) -> None:
    with _umask(0o027):
        files.write_text_atomically(tmp_path / "file", "content")
        assert os.umask(0o027) == 0o027


def test_atomic_folder_replaces_the_folder_and_leaves_nothing_else(tmp_path: _Folder) -> None:
    target = _saved_model(tmp_path / "missing" / "model", "old")
    (target / "leftover").touch()
    with files.atomic_folder(target) as folder:
        assert folder.parent == target.parent and not list(folder.iterdir())
        (folder / "saved_model.pb").write_text("new")
        assert (target / "saved_model.pb").read_text() == "old"
    assert [path.name for path in target.iterdir()] == ["saved_model.pb"]
    assert (target / "saved_model.pb").read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_failed_export_leaves_the_folder_as_it_was(tmp_path: _Folder) -> None:
    target = _saved_model(tmp_path / "model", "old")
    with pytest.raises(RuntimeError), files.atomic_folder(target) as folder:
        (folder / "saved_model.pb").write_text("half")
        raise RuntimeError
    assert (target / "saved_model.pb").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_old_folder_returns_if_the_new_one_cannot_be_placed(tmp_path: _Folder) -> None:
    target = _saved_model(tmp_path / "model", "old")
    with pytest.raises(OSError):
        files.replace_folder(tmp_path / "not there", target)
    assert (target / "saved_model.pb").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_some_complete_folder_exists_whenever_the_process_is_killed(
    tmp_path: _Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Not handled by anybody, as a killed process handles nothing."""

    target, new = _saved_model(tmp_path / "model", "old"), _saved_model(tmp_path / "new", "new")
    rename = os.rename
    calls = []

    def rename_or_die(source: files.PathLike, destination: files.PathLike) -> None:
        calls.append(destination)
        if len(calls) == 2:
            raise Killed
        rename(source, destination)

    monkeypatch.setattr(os, "rename", rename_or_die)
    with pytest.raises(Killed):
        files.replace_folder(new, target)
    assert (tmp_path / ".model.old" / "saved_model.pb").read_text() == "old"
    assert (new / "saved_model.pb").read_text() == "new"
    files.replace_folder(new, target)
    assert (target / "saved_model.pb").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_saved_models_and_empty_folders_may_be_overwritten(tmp_path: _Folder) -> None:
    files.check_is_saved_model_or_free(tmp_path / "not there")
    (tmp_path / "empty").mkdir()
    files.check_is_saved_model_or_free(tmp_path / "empty")
    files.check_is_saved_model_or_free(_saved_model(tmp_path / "model"))


def test_other_folders_and_files_may_not_be_overwritten(tmp_path: _Folder) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").touch()
    for name in ("folder", "folder/thesis.txt"):
        with pytest.raises(UserError, match="is not a SavedModel"):
            files.check_is_saved_model_or_free(tmp_path / name)


def test_sha256_of_a_file_longer_than_a_block(tmp_path: _Folder) -> None:
    # `head -c 3000000 /dev/zero | sha256sum`
    (tmp_path / "zeros").write_bytes(bytes(3_000_000))
    assert files.sha256_of_file(tmp_path / "zeros") == (
        "35bce4eae54ec8e6cc2868baa8d157914d6ae2858811b4cc0c078c94460fa26f"
    )


def test_a_shared_file_is_closed_without_a_warning_when_nothing_uses_it(
    tmp_path: pathlib.Path, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    file = SharedFile(tmp_path / "a")
    descriptor = file.fileno()
    assert os.pread(descriptor, 3, 0) == b"abc"
    del file
    gc.collect()
    with pytest.raises(OSError):
        os.fstat(descriptor)
    assert not recwarn.list


_KILLED_WRITER = """
import os, signal, sys
from metrabs import files
with files.atomic_path(sys.argv[1]) as file, files.atomic_folder(sys.argv[2]) as folder:
    file.write_text("half")
    (folder / "part").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_temporary_files_of_killed_processes_are_removed_by_the_next(tmp_path: _Folder) -> None:
    subprocess.run([sys.executable, "-c", _KILLED_WRITER, tmp_path / "a.npz", tmp_path / "b"])
    assert len(list(tmp_path.iterdir())) == 2
    files.write_text_atomically(tmp_path / "c.txt", "content")
    assert list(tmp_path.iterdir()) == [tmp_path / "c.txt"]


def test_temporary_files_of_running_processes_stay(tmp_path: _Folder) -> None:
    with files.atomic_path(tmp_path / "a.npz") as file, files.atomic_folder(tmp_path / "b"):
        files._sweep_once.cache_clear()
        files.write_text_atomically(tmp_path / "c.txt", "content")
        assert file.exists()
        file.write_text("whole")
    assert (tmp_path / "a.npz").read_text() == "whole" and (tmp_path / "b").is_dir()


def test_names_that_are_nearly_too_long_for_the_file_system_are_written(tmp_path: _Folder) -> None:
    target = tmp_path / f"{'é' * 120}.json"  # 245 bytes
    files.write_text_atomically(target, "content")
    assert target.read_text() == "content"
