from __future__ import annotations

import subprocess
import sys

from data_preparation.pack_images import pack
from metrabs.data.storage.image_archive import ImageArchive


def test_a_folder_is_packed_into_an_archive_next_to_it(tmp_path, capsys):
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "set" / "a" / "1.jpg").write_bytes(b"123")
    assert pack(f"{tmp_path}/set/") == 1
    assert ImageArchive(tmp_path / "set.packed").read("a/1.jpg") == b"123"
    assert "1 files" in capsys.readouterr().out


def test_a_mistake_is_reported_in_one_line(tmp_path):
    command = [sys.executable, "-m", "data_preparation.pack_images", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: There is no folder")
    done = subprocess.run(command[:-1], capture_output=True, text=True)
    assert done.returncode == 1 and "Give the folders" in done.stderr
