from __future__ import annotations

import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from metrabs.errors import UserError
from metrabs.hub import cache, resolve
from metrabs.hub.catalog import CATALOG_VARIABLE
from tests.hub.serving import IMPATIENT, corrupt, redirect, refuse, stall, tar_gz, truncate, zipped

PATH = "/model.tar.gz"
FILES = {
    "saved_model.pb": b"graph",
    "variables/variables.index": b"index",
    "variables/data": random.Random(2).randbytes(100_000),
}
ARCHIVE = tar_gz(FILES)
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch) -> pathlib.Path:
    folder = tmp_path / "cache" / "models"
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(folder))
    return folder


def get(source: Any, **options: Any) -> pathlib.Path:
    return resolve(source, settings=IMPATIENT, progress=False, **options)


def content_of(folder: pathlib.Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def suffixes_in(models: pathlib.Path) -> list[str]:
    return sorted(path.name.partition(".")[2] for path in models.iterdir())


# Local models


def test_local_folder_is_used_as_is(tmp_path, models):
    (tmp_path / "saved_model.pb").touch()
    assert get(tmp_path) == tmp_path
    assert get(str(tmp_path)) == tmp_path
    assert not models.exists()


def test_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "saved_model.pb").touch()
    assert get("~") == tmp_path


def test_local_archive_is_unpacked_once(tmp_path, models):
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(ARCHIVE)
    folder = get(archive)
    assert content_of(folder) == FILES and folder.parent == models
    (folder / "mark").touch()
    assert get(archive) == folder and (folder / "mark").exists()
    assert archive.exists() and suffixes_in(models) == ["", "descriptor.txt"]


def test_newer_local_archive_is_unpacked_again(tmp_path):
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(ARCHIVE)
    first = get(archive)
    archive.write_bytes(tar_gz({"saved_model.pb": b"newer"}))
    assert content_of(get(archive)) == {"saved_model.pb": b"newer"}
    assert content_of(first) == FILES


def test_damaged_local_archive_is_named(tmp_path, models):
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(ARCHIVE[:-500])
    with pytest.raises(UserError, match="Cannot use '.*model.tar.gz': damaged archive"):
        get(archive)
    assert suffixes_in(models) == []


def test_digest_of_a_local_archive_is_verified(tmp_path):
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(ARCHIVE)
    with pytest.raises(UserError, match=f"digest is {DIGEST}, expected 000"):
        get(archive, sha256="0" * 64)
    assert content_of(get(archive, sha256=DIGEST.upper())) == FILES


@pytest.mark.parametrize("source", ["./nothing", "nothing.tar.gz", "a/b", "ftp://host/x"])
def test_missing_local_model_is_explained(source):
    with pytest.raises(UserError, match=f"No model at '{source}': expected the folder"):
        get(source)


def test_folder_without_a_model_is_explained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some_folder").mkdir()
    for source in (str(tmp_path), "some_folder"):
        with pytest.raises(UserError, match="has no saved_model.pb"):
            get(source)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match="Unknown model 'metrabs_foo'. Known: .*metrabs_l"):
        get("metrabs_foo")


def test_digest_makes_no_sense_for_a_folder(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(UserError, match="omit sha256"):
        get(tmp_path, sha256=DIGEST)


@pytest.mark.parametrize("sha256", ["", "abc", "g" * 64])
def test_malformed_digest_is_explained(sha256):
    with pytest.raises(UserError, match="64 hexadecimal digits"):
        get("http://127.0.0.1:1/x", sha256=sha256)


# Downloads


@pytest.mark.parametrize("prefix", ["", "./", "metrabs_mini/"])
@pytest.mark.parametrize("pack", [tar_gz, zipped])
def test_model_lies_at_the_root_of_its_cache_folder(prefix, pack, server, models):
    archive = pack({prefix + name: content for name, content in FILES.items()})
    url = server.publish(PATH, archive)
    folder = get(url)
    assert folder == models / hashlib.sha1(url.encode()).hexdigest()
    assert content_of(folder) == FILES
    assert suffixes_in(models) == ["", "descriptor.txt"]


def test_cached_model_needs_no_network(server):
    url = server.publish(PATH, ARCHIVE)
    folder = get(url)
    server.planned[PATH] = [refuse(404)] * 9
    assert get(url) == folder
    assert len(server.log) == 1


def test_model_that_tensorflow_hub_has_cached_is_reused(server, models):
    url = server.publish(PATH, ARCHIVE)
    folder = models / hashlib.sha1(url.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"from hub")
    assert get("http://127.0.0.1:1/other.tar.gz", mirrors=[url]) == folder
    assert get(url) == folder
    assert server.log == []


def test_cache_folder_without_a_model_is_replaced(server, models):
    url = server.publish(PATH, ARCHIVE)
    folder = models / hashlib.sha1(url.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "variables").mkdir()
    assert content_of(get(url)) == FILES


def test_named_model_comes_from_its_first_working_address(server, models, monkeypatch, tmp_path):
    gone = server.publish("/gone.tar.gz", b"", refuse(404))
    short_link = server.publish("/short", b"", redirect(server.publish(PATH, ARCHIVE)))
    catalog = tmp_path / "models.json"
    catalog.write_text(json.dumps({"mini": {"urls": [gone, short_link], "sha256": DIGEST}}))
    monkeypatch.setenv(CATALOG_VARIABLE, str(catalog))
    assert content_of(get("mini")) == FILES
    assert [path for path, _ in server.log] == ["/gone.tar.gz", "/short", PATH]
    assert get("mini") == cache.model_folder(models, gone)


def test_all_addresses_failing_gives_every_reason(server, models):
    gone = server.publish("/gone", b"", refuse(404))
    broken = server.publish("/broken", ARCHIVE, *[truncate(10)] * 9)
    with pytest.raises(UserError, match="gone: .* 404 .*broken: .*10 of .* by other means"):
        get(gone, mirrors=[broken])
    assert not any(path.is_dir() for path in models.iterdir())


def test_download_that_was_corrupted_on_the_way_is_repeated(server):
    url = server.publish(PATH, ARCHIVE, corrupt)
    assert content_of(get(url)) == FILES
    assert server.log == [(PATH, None), (PATH, None)]


@pytest.mark.parametrize("sha256", [None, DIGEST], ids=["unknown", "known"])
def test_corrupt_mirror_is_passed_over(sha256, server):
    bad = server.publish("/bad.tar.gz", ARCHIVE, corrupt, corrupt)
    assert content_of(get(bad, mirrors=[server.publish(PATH, ARCHIVE)], sha256=sha256)) == FILES


def test_wrong_digest_is_refused(server, models):
    url = server.publish(PATH, ARCHIVE)
    with pytest.raises(UserError, match="SHA-256 digest"):
        get(url, sha256="0" * 64)
    assert suffixes_in(models) == []


def test_unverified_copy_in_the_cache_is_replaced_when_a_digest_is_given(server):
    url = server.publish(PATH, tar_gz({"saved_model.pb": b"unverified"}))
    get(url)
    server.files[PATH] = ARCHIVE
    assert content_of(get(url, sha256=DIGEST)) == FILES
    server.log.clear()
    assert content_of(get(url, sha256=DIGEST)) == FILES
    assert server.log == []


def test_page_instead_of_an_archive_is_refused(server, models):
    url = server.publish(PATH, b"<html>Please log in</html>")
    with pytest.raises(UserError, match="damaged archive"):
        get(url)
    assert suffixes_in(models) == []


def test_archive_without_a_model_is_refused(server, models):
    url = server.publish(PATH, tar_gz({"ckpt.pt": b"weights"}))
    with pytest.raises(UserError, match="has no saved_model.pb"):
        get(url)
    assert suffixes_in(models) == []


def test_malicious_archive_leaves_nothing_behind(server, models):
    url = server.publish(PATH, tar_gz({**FILES, "../../escape": b"evil"}))
    with pytest.raises(UserError, match="Refused"):
        get(url)
    assert suffixes_in(models) == []
    assert sorted(path.name for path in models.parent.iterdir()) == ["models"]


def test_cache_that_cannot_be_written_is_explained(server, models):
    models.parent.mkdir()
    models.touch()
    with pytest.raises(UserError, match="TFHUB_CACHE_DIR"):
        get(server.publish(PATH, ARCHIVE))


# Several at the same time


_RESOLVE_IN_OWN_PROCESS = textwrap.dedent("""
    import sys
    from metrabs.hub import DownloadSettings, resolve
    settings = DownloadSettings(timeout_s=10, num_attempts=3, backoff_s=0.01)
    print(resolve(sys.argv[1], settings=settings, progress=False))
    assert not {"tensorflow", "numpy"} & set(sys.modules)
""")


def start_process(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _RESOLVE_IN_OWN_PROCESS, url],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()},
    )  # fmt: skip


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_processes_download_once(server, models):
    def serve_late(request):
        time.sleep(0.5)
        truncate(len(ARCHIVE))(request)

    url = server.publish(PATH, ARCHIVE, serve_late)
    processes = [start_process(url) for _ in range(2)]
    outputs = [process.communicate(timeout=20)[0] for process in processes]
    folder = models / hashlib.sha1(url.encode()).hexdigest()
    assert outputs == [f"{folder}\n"] * 2
    assert len(server.log) == 1
    assert content_of(folder) == FILES
    assert suffixes_in(models) == ["", "descriptor.txt"]


def test_work_of_a_killed_process_is_taken_over(server, models):
    url = server.publish(PATH, ARCHIVE, stall(50_000))
    process = start_process(url)
    wait_until(lambda: any(p.stat().st_size == 50_000 for p in models.glob("*.part")))
    process.kill()
    process.communicate()
    assert "metrabs.lock" in suffixes_in(models)
    assert content_of(get(url)) == FILES
    assert server.log == [(PATH, None), (PATH, "bytes=50000-")]
    assert suffixes_in(models) == ["", "descriptor.txt"]


def test_half_placed_model_is_never_seen(server, models):
    files = {**{f"variables/{i}": b"x" * 1000 for i in range(500)}, "saved_model.pb": b"graph"}
    files = dict(reversed(list(files.items())))  # the graph comes first
    url = server.publish(PATH, tar_gz(files))
    folder = models / hashlib.sha1(url.encode()).hexdigest()
    numbers_seen: set[int] = set()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            if cache.find_cached(folder, None):
                numbers_seen.add(len(list((folder / "variables").iterdir())))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        get(url)
        wait_until(lambda: bool(numbers_seen))
    finally:
        is_over.set()
        watcher.join()
    assert numbers_seen == {500}
