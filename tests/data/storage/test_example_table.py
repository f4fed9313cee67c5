from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import pathlib

import numpy as np
import pytest

from metrabs.data.examples import PoseDataset, dataset_codes
from metrabs.data.storage.array_file import verify_array_file
from metrabs.data.storage.cache import open_cache, write_cache
from metrabs.errors import UserError
from tests.data.conftest import JOINTS, random_example_3d


@pytest.fixture
def table(tmp_path):
    examples = [
        dataclasses.replace(random_example_3d(i, "ba"[i % 2]), image=None) for i in range(6)
    ]
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, examples))
    return open_cache(tmp_path / "set.pkl").train


def test_a_table_is_a_sequence(table):
    paths = [example.image_path for example in table]
    assert table[-1].image_path == paths[5]
    assert [example.image_path for example in table[1:4]] == paths[1:4]
    with pytest.raises(IndexError):
        table[6]


def test_paths_and_datasets_are_known_without_building_examples(table):
    assert table.image_path(3) == "a/3.jpg"
    names, codes = dataset_codes(table)
    assert [names[code] for code in codes] == list("bababa")


def test_changing_an_example_does_not_change_the_table(table):
    example = table[2]
    example.world_coords[:] = 0
    example.bbox[:] = 0
    example.camera.t[:] = 0
    example.camera.R[:] = 0
    assert np.abs(table[2].world_coords[~np.isnan(table[2].world_coords)]).min() > 0
    assert table[2].bbox[0] > 0 and table[2].camera.t[1] < 0 and table[2].camera.R.any()


def test_a_range_of_rows_is_that_of_the_examples(table):
    rows = table.rows(2, 5)
    assert rows.image_paths() == [example.image_path for example in table[2:5]]
    assert len(table.rows(3, 3)) == 0
    assert [len(block) for block in table.blocks(4)] == [4, 2]


def test_garbage_instead_of_an_example_is_refused_by_its_number(tmp_path, table):
    path = tmp_path / "set.pkl"
    data = bytearray(path.read_bytes())
    coords = table[2].world_coords
    valid = coords[~np.isnan(coords).any(axis=1)].tobytes()
    start = data.index(valid)
    joints = len(valid) // 12
    data[start - 2 * joints - joints % 2 * 2 : start] = b"\xff" * (2 * joints + joints % 2 * 2)
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged at example 2"):
        open_cache(path).train[2]
    with pytest.raises(UserError, match="was changed"):
        verify_array_file(path)


def test_a_file_that_is_cut_while_it_is_open_is_refused(tmp_path, table):
    path = tmp_path / "set.pkl"
    with open(path, "rb+") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(UserError, match="ends too early"):
        list(table)


def test_forked_and_threaded_readers_do_not_disturb_each_other(tmp_path):
    examples = [dataclasses.replace(random_example_3d(i), image=None) for i in range(50)]
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, examples))
    table = open_cache(tmp_path / "set.pkl").train
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        is_right = all(table[i].image_path == f"a/{i}.jpg" for _ in range(5) for i in range(50))
        os.write(writer, b"1" if is_right else b"0")
        os._exit(0)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda i: table[i % 50].image_path, range(300)))
    assert paths == [f"a/{i % 50}.jpg" for i in range(300)]
    assert os.read(reader, 1) == b"1"
    os.waitpid(child, 0)


def test_reading_at_random_leaves_nothing_in_memory(tmp_path):
    one = dataclasses.replace(
        random_example_3d(0), image=None, mask={"size": [9, 9], "counts": bytes(60000)}
    )
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, [one] * 1000))
    table = open_cache(tmp_path / "set.pkl").train
    before = resident_bytes()
    for i in np.random.default_rng(0).integers(0, 1000, 700):
        assert table[int(i)].mask is not None
    assert resident_bytes() - before < 10e6 < os.path.getsize(tmp_path / "set.pkl")


def resident_bytes():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
