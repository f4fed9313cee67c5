from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from metrabs.config import Config
from metrabs.data.examples import PoseDataset
from metrabs.data.loading.pipeline import batch_size_of, evaluation_batches, training_batches
from metrabs.data.loading.worker_pool import process_pool
from metrabs.data.storage.cache import open_cache, write_cache
from metrabs.errors import UserError
from tests.data.conftest import JOINTS, random_example_3d


@pytest.fixture
def config():
    return Config().replace(proc_side=32, batch_size=6, batch_size_2d=4, workers=0, seed=3)


@pytest.fixture
def stored(tmp_path, monkeypatch, dataset_3d):
    """The 3D dataset with its images in files, opened from a cache file."""
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))

    def to_file(example):
        path = tmp_path / example.image_path
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), example.image[..., ::-1])
        return dataclasses.replace(example, image=None)

    stored = dataclasses.replace(
        dataset_3d,
        train=[to_file(e) for e in dataset_3d.train],
        valid=[to_file(e) for e in dataset_3d.valid],
    )
    write_cache(tmp_path / "tiny.pkl", stored)
    return open_cache(tmp_path / "tiny.pkl")


def assert_same_batches(a, b):
    a, b = list(a), list(b)
    assert len(a) == len(b)
    for batch_a, batch_b in zip(a, b):
        assert batch_a.keys() == batch_b.keys()
        for key in batch_a:
            assert np.array_equal(batch_a[key], batch_b[key]), key


def test_a_training_batch_has_all_arrays_of_both_streams(dataset_3d, dataset_2d, config):
    batch = next(training_batches(dataset_3d, dataset_2d, config, 0, 1))
    expected = {
        "image": ((6, 32, 32, 3), np.uint8),
        "intrinsics": ((6, 3, 3), np.float32),
        "coords3d_true": ((6, 6, 3), np.float32),
        "coords2d_true": ((6, 6, 2), np.float32),
        "joint_validity_mask": ((6, 6), bool),
        "is_joint_in_fov": ((6, 6), np.float32),
        "rot_to_orig_cam": ((6, 3, 3), np.float32),
        "rot_to_world": ((6, 3, 3), np.float32),
        "cam_loc": ((6, 3), np.float32),
        "image_path": ((6,), object),
        "image_2d": ((4, 32, 32, 3), np.uint8),
        "intrinsics_2d": ((4, 3, 3), np.float32),
        "coords2d_true_2d": ((4, 6, 2), np.float32),
        "joint_validity_mask_2d": ((4, 6), bool),
        "is_joint_in_fov_2d": ((4, 6), bool),
        "image_path_2d": ((4,), object),
    }
    assert {key: (value.shape, value.dtype) for key, value in batch.items()} == expected
    assert [path[:1] for path in batch["image_path"]] == [b"a", b"a", b"b", b"c", b"c", b"c"]


def test_batches_do_not_depend_on_the_number_of_workers(stored, dataset_2d, config):
    with_workers = config.replace(workers=2)
    assert_same_batches(
        training_batches(stored, dataset_2d, config, 0, 4),
        training_batches(stored, dataset_2d, with_workers, 0, 4),
    )
    assert_same_batches(
        evaluation_batches(stored.valid, JOINTS, config.loading, 3, 0),
        evaluation_batches(stored.valid, JOINTS, config.loading, 3, 2),
    )


def test_training_resumes_with_the_batches_that_would_have_come(dataset_3d, config):
    whole = training_batches(dataset_3d, None, config, 0, 9)
    resumed = training_batches(dataset_3d, None, config, 6, 3)
    assert_same_batches(itertools.islice(whole, 6, None), resumed)


def test_the_order_of_the_release_can_be_replayed_and_resumed(dataset_3d, dataset_2d, config):
    config = config.replace(released_order=True)
    whole = list(training_batches(dataset_3d, dataset_2d, config, 0, 5))
    resumed = training_batches(dataset_3d, dataset_2d, config, 3, 2)
    assert_same_batches(whole[3:], resumed)
    for batch in whole:
        names = [path[:1] for path in batch["image_path"]]
        assert names == [b"a", b"a", b"b", b"c", b"c", b"c"]
    usual = next(training_batches(dataset_3d, None, config.replace(released_order=False), 0, 1))
    assert not np.array_equal(usual["image"], whole[0]["image"])


def test_another_seed_gives_other_batches(dataset_3d, config):
    one, other = (
        next(training_batches(dataset_3d, None, config.replace(seed=seed), 0, 1))
        for seed in (1, 2)
    )
    assert not np.array_equal(one["image"], other["image"])


def test_evaluation_shows_all_examples_once_in_order_without_augmentation(dataset_3d, config):
    batches = list(evaluation_batches(dataset_3d.train, JOINTS, config.loading, 4, 0))
    paths = np.concatenate([batch["image_path"] for batch in batches])
    assert [len(batch["image"]) for batch in batches] == [4, 4, 4, 3]
    assert paths.tolist() == [e.image_path.encode() for e in dataset_3d.train]
    alone = next(evaluation_batches(dataset_3d.train[2:3], JOINTS, config.loading, 1, 0))
    assert np.array_equal(alone["image"][0], batches[0]["image"][2])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_image_is_named(tmp_path, monkeypatch, config, workers):
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    example = dataclasses.replace(random_example_3d(0), image=None)
    with pytest.raises(UserError, match="a/0.jpg' does not exist"):
        list(evaluation_batches([example], JOINTS, config.loading, 1, workers))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_named(stored, tmp_path, config, workers):
    (tmp_path / stored.train[0].image_path).write_bytes(b"no image")
    with pytest.raises(UserError, match="a/0.jpg' cannot be decoded"):
        list(evaluation_batches(stored.train, JOINTS, config.loading, 4, workers))


@pytest.fixture
def broken(stored, tmp_path):
    """The dataset after one of its images got lost and another one was cut short."""
    (tmp_path / stored.train[1].image_path).unlink()
    path = tmp_path / stored.train[9].image_path
    path.write_bytes(path.read_bytes()[:-200])
    return stored


def test_broken_images_are_named_and_replaced_by_examples_of_their_dataset(broken, config, caplog):
    batches = list(training_batches(broken, None, config, 0, 12))
    paths = [path for batch in batches for path in batch["image_path"]]
    assert not {b"a/1.jpg", b"c/9.jpg"} & set(paths)
    assert all(
        [p[:1] for p in batch["image_path"]] == [b"a", b"a", b"b", b"c", b"c", b"c"]
        for batch in batches
    )
    messages = [record.getMessage() for record in caplog.records]
    assert sum("a/1.jpg' cannot be read" in message for message in messages) == 1
    assert sum("c/9.jpg' cannot be read" in message for message in messages) == 1


def test_replacements_depend_neither_on_workers_nor_on_where_a_run_resumes(broken, config):
    whole = list(training_batches(broken, None, config, 0, 8))
    with_workers = config.replace(workers=2)
    assert_same_batches(training_batches(broken, None, with_workers, 0, 8), whole)
    assert_same_batches(training_batches(broken, None, config, 5, 3), whole[5:])


def test_the_other_examples_of_a_batch_stay_as_they_are(stored, tmp_path, config):
    whole = next(training_batches(stored, None, config, 0, 1))
    (tmp_path / whole["image_path"][4].decode()).unlink()
    replaced = next(training_batches(stored, None, config, 0, 1))
    assert replaced["image_path"][4] != whole["image_path"][4]
    kept = [0, 1, 2, 3, 5]
    assert_same_batches(
        [{k: v[kept] for k, v in replaced.items()}], [{k: v[kept] for k, v in whole.items()}]
    )


def test_training_stops_when_more_images_are_broken_than_allowed(broken, config):
    config = config.replace(max_broken_images=1)
    with pytest.raises(UserError, match="2 images could not be read.*max_broken_images=1"):
        list(training_batches(broken, None, config, 0, 12))


def test_default_batch_sizes_are_the_shares_or_32(dataset_3d, dataset_2d):
    assert batch_size_of(dataset_3d, None) == 6
    assert batch_size_of(dataset_2d, None) == 32
    assert batch_size_of(dataset_3d, 5) == 5


def test_an_abandoned_iterator_does_not_disturb_the_next_one(stored, config):
    config = config.replace(workers=2)
    batches = training_batches(stored, None, config, 0, 1000)
    first = next(batches)
    batches.close()
    assert_same_batches([first], training_batches(stored, None, config, 0, 1))


def first_worker(num_workers):
    pool = process_pool(num_workers)
    return next(iter(pool._processes.values()))


def test_the_death_of_one_worker_is_one_clear_error_and_does_not_last(stored, config):
    config = config.replace(workers=2)
    batches = training_batches(stored, None, config, 0, 100_000)
    next(batches)
    first_worker(2).kill()
    started = time.monotonic()
    with pytest.raises(UserError, match="process died"):
        for _ in batches:
            assert time.monotonic() - started < 30
    assert len(list(training_batches(stored, None, config, 0, 2))) == 2


def test_the_death_of_an_idle_worker_is_reported_too(stored, config):
    config = config.replace(workers=2)
    list(training_batches(stored, None, config, 0, 1))
    first_worker(2).kill()
    time.sleep(0.5)
    with pytest.raises(UserError, match="process died"):
        list(training_batches(stored, None, config, 0, 1))


def test_shards_share_out_every_batch(dataset_3d, dataset_2d, config):
    config = config.replace(batch_size=6, batch_size_2d=4)
    joint = list(training_batches(dataset_3d, dataset_2d, config, 3, 2))
    shards = [
        list(training_batches(dataset_3d, dataset_2d, config, 3, 2, shard_index=i, num_shards=2))
        for i in range(2)
    ]
    for step in range(2):
        for key, values in joint[step].items():
            for i in range(2):
                assert np.array_equal(shards[i][step][key], values[i::2]), key


def test_shards_must_be_equal(dataset_3d, config):
    with pytest.raises(UserError, match="Batches of 6 examples .* among 4"):
        next(training_batches(dataset_3d, None, config, 0, 1, num_shards=4))


def test_images_of_large_batches_come_unharmed_and_outlive_the_stream(stored, config):
    config = config.replace(proc_side=256, batch_size=8)  # 1.5 MB of images
    expected = list(training_batches(stored, None, config, 0, 3))
    actual = list(training_batches(stored, None, config.replace(workers=2), 0, 3))
    assert_same_batches(actual, expected)
    actual[0]["image"][...] = 0  # nobody else's memory
    assert_same_batches(actual[1:], expected[1:])


_PROGRAM = """
import os, sys
from metrabs.config import Config
from metrabs.data.loading import pipeline, worker_pool
from metrabs.data.storage.cache import open_cache

def heavy_modules():
    return [name for name in ("tensorflow", "matplotlib") if name in sys.modules]

if __name__ == "__main__":
    dataset = open_cache(sys.argv[1])
    config = Config().replace(proc_side=32, batch_size=6, workers=1)
    batches = pipeline.training_batches(dataset, None, config, 0, 1000)
    next(batches)
    pool = worker_pool.process_pool(1)
    print(pool.submit(heavy_modules).result(), list(pool._processes)[0], flush=True)
    import time; time.sleep(60)
"""


def test_workers_import_no_tensorflow_and_die_with_a_killed_program(stored, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, str(program), str(tmp_path / "tiny.pkl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        heavy_modules, worker = process.stdout.readline().rsplit(" ", 1)
        process.send_signal(signal.SIGKILL)
    assert heavy_modules == "[]"
    for _ in range(100):
        if not os.path.exists(f"/proc/{int(worker)}"):
            return
        time.sleep(0.1)
    pytest.fail("the worker outlives the program")


def test_the_merged_set_of_examples_is_not_confused_by_training_on_trainval(dataset_3d, config):
    config = config.replace(train_on="trainval", batch_size=19)
    dataset = PoseDataset("x", JOINTS, dataset_3d.train, dataset_3d.valid)
    batch = next(training_batches(dataset, None, config, 0, 1))
    everything = {e.image_path.encode() for e in [*dataset_3d.train, *dataset_3d.valid]}
    assert set(batch["image_path"]) == everything
