from __future__ import annotations

import multiprocessing
import os
import pathlib
import sqlite3

import pytest

from metrabs.data.storage.image_archive import ImageArchive, archive_of_folder, pack_folder
from metrabs.errors import UserError

FILES = {f"s{i % 3}/cam {i % 2}/{i:03d}.jpg": bytes([i]) * (i + 1) for i in range(40)}


@pytest.fixture
def folder(tmp_path):
    for name, data in FILES.items():
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "set"


def test_every_file_comes_back_from_any_number_of_shards(folder, tmp_path):
    for shard_bytes, num_shards in ((1 << 20, 1), (300, 3)):
        path = tmp_path / f"{shard_bytes}.packed"
        assert pack_folder(folder, path, shard_bytes) == len(FILES)
        archive = ImageArchive(path)
        assert archive.names() == sorted(FILES)
        assert {name: archive.read(name) for name in FILES} == FILES
        assert archive.read("s0/cam 0") is None and archive.read("") is None
        assert len(list(tmp_path.glob(f"{shard_bytes}.packed-shard-*"))) == num_shards


def test_progress_is_told(folder, tmp_path):
    seen = []
    pack_folder(folder, tmp_path / "a.packed", on_progress=seen.append)
    assert sum(seen) == len(FILES)


def read_in_child(archive, names, results):
    contents = {name: archive.read(name) for name in names}
    # SQLite does not notice a fork; a connection of the parent may work or not.
    assert archive._connections.process == os.getpid()
    results.put(contents)


def test_an_archive_in_use_can_be_used_by_forked_processes_at_once(folder, tmp_path):
    pack_folder(folder, tmp_path / "a.packed")
    archive = ImageArchive(tmp_path / "a.packed")
    archive.read("s0/cam 0/000.jpg")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    children = [
        context.Process(target=read_in_child, args=(archive, sorted(FILES), results))
        for _ in range(3)
    ]
    for child in children:
        child.start()
    assert {name: archive.read(name) for name in FILES} == FILES
    assert [results.get(timeout=60) for _ in children] == [FILES] * 3
    for child in children:
        child.join()
        assert child.exitcode == 0


def test_archives_of_the_barecat_package_are_read(tmp_path):
    (tmp_path / "old.barecat-shard-00000").write_bytes(b"xxABC")
    with sqlite3.connect(tmp_path / "old.barecat-sqlite-index") as index:
        index.execute(
            "CREATE TABLE files (path TEXT PRIMARY KEY, shard INTEGER, offset INTEGER, "
            "size INTEGER DEFAULT 0, crc32c INTEGER, mode INTEGER, uid INTEGER, gid INTEGER, "
            "mtime_ns INTEGER)"
        )
        index.execute("INSERT INTO files (path, shard, offset, size) VALUES ('a/b.jpg', 0, 2, 3)")
    archive = archive_of_folder(str(tmp_path / "old"))
    assert archive is not None and archive.read("a/b.jpg") == b"ABC"
    os.rename(tmp_path / "old.barecat-sqlite-index", tmp_path / "old.barecat")
    assert ImageArchive(tmp_path / "old.barecat").read("a/b.jpg") == b"ABC"
    assert archive_of_folder(str(tmp_path / "other")) is None


def test_a_missing_or_cut_shard_is_reported(folder, tmp_path):
    path = tmp_path / "a.packed"
    pack_folder(folder, path, 300)
    shard = tmp_path / "a.packed-shard-00001"
    with open(shard, "rb+") as file:
        file.truncate(10)
    archive = ImageArchive(path)
    with pytest.raises(UserError, match="Shard 1 .*too short"):
        [archive.read(name) for name in sorted(FILES)]
    os.unlink(shard)
    with pytest.raises(UserError, match="lacks its shard 1"):
        [ImageArchive(path).read(name) for name in sorted(FILES)]


def test_what_is_not_an_archive_is_refused(tmp_path):
    path = tmp_path / "a.packed"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(UserError, match="not the index of an image archive"):
        ImageArchive(path)


def test_an_archive_is_not_overwritten_and_a_missing_folder_reported(folder, tmp_path):
    path = tmp_path / "a.packed"
    pack_folder(folder, path)
    before = path.read_bytes()
    with pytest.raises(UserError, match="exists already"):
        pack_folder(folder, path)
    assert path.read_bytes() == before
    with pytest.raises(UserError, match="no folder"):
        pack_folder(tmp_path / "nowhere", tmp_path / "b.packed")


def test_a_failure_leaves_neither_index_nor_shards(folder, tmp_path, monkeypatch):
    def fail(self):
        raise OSError("disk error")

    monkeypatch.setattr(pathlib.Path, "read_bytes", fail)
    with pytest.raises(OSError, match="disk error"):
        pack_folder(folder, tmp_path / "a.packed", 300)
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
