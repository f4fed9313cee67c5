from __future__ import annotations

import pathlib
import tempfile
import threading
import time

import pytest

from metrabs.errors import UserError
from metrabs.hub import cache

ADDRESS = "https://example.org/model.tar.gz"
DIGEST = "ab" * 32


def make_model(folder: pathlib.Path, content: str = "graph") -> pathlib.Path:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    return folder


def test_cache_folder_follows_argument_then_environment_then_default(monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "set"))
    assert cache.cache_folder(tmp_path / "given") == tmp_path / "given"
    assert cache.cache_folder() == tmp_path / "set"
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    assert cache.cache_folder() == pathlib.Path(tempfile.gettempdir()) / "tfhub_modules"


def test_model_folder_is_the_sha1_of_the_address():
    # `printf abc | sha1sum`
    expected = pathlib.Path("/c/a9993e364706816aba3e25717850c26c9cd0d89d")
    assert cache.model_folder(pathlib.Path("/c"), "abc") == expected


def test_saved_model_is_found_at_the_root_or_in_the_only_top_folder(tmp_path):
    assert cache.find_saved_model(tmp_path / "nothing") is None
    model = make_model(tmp_path / "outer" / "model")
    assert cache.find_saved_model(tmp_path / "outer") == model
    assert cache.find_saved_model(model) == model
    make_model(tmp_path / "outer" / "second")
    assert cache.find_saved_model(tmp_path / "outer") is None


def test_placed_model_has_a_descriptor_next_to_it(tmp_path):
    folder = cache.model_folder(tmp_path, ADDRESS)
    assert cache.place(make_model(tmp_path / "new"), folder, ADDRESS, None) == folder
    assert cache.find_cached(folder, None) == folder
    text = (tmp_path / f"{folder.name}.descriptor.txt").read_text()
    assert text.startswith(f"Module: {ADDRESS}\nDownload Time: ")


def test_digest_on_record_is_compared(tmp_path):
    folder = cache.model_folder(tmp_path, ADDRESS)
    cache.place(make_model(tmp_path / "new"), folder, ADDRESS, DIGEST)
    assert cache.find_cached(folder, None) == folder
    assert cache.find_cached(folder, DIGEST) == folder
    assert cache.find_cached(folder, "cd" * 32) is None


def test_placing_replaces_what_was_there(tmp_path):
    folder = make_model(cache.model_folder(tmp_path, ADDRESS), "old")
    (folder / "leftover").touch()
    cache.place(make_model(tmp_path / "new"), folder, ADDRESS, None)
    assert [path.name for path in folder.iterdir()] == ["saved_model.pb"]
    assert (folder / "saved_model.pb").read_text() == "graph"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".txt"]


def test_lock_keeps_others_out_and_leaves_nothing_behind(tmp_path):
    folder, num_inside, most_inside = tmp_path / "model", 0, 0

    def work() -> None:
        nonlocal num_inside, most_inside
        for _ in range(10):
            with cache.exclusive(folder):
                num_inside += 1
                most_inside = max(most_inside, num_inside)
                time.sleep(0.001)
                num_inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most_inside == 1
    assert list(tmp_path.iterdir()) == []


def test_lock_file_left_behind_locks_nothing(tmp_path):
    (tmp_path / "model.metrabs.lock").write_text("somebody long gone")
    with cache.exclusive(tmp_path / "model"):
        pass


def test_failures_of_the_file_system_are_explained(tmp_path):
    with pytest.raises(UserError, match="TFHUB_CACHE_DIR"), cache.explained_failures(tmp_path):
        raise OSError(28, "No space left on device")
