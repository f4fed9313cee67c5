from __future__ import annotations

import dataclasses
import pathlib
import pickle
import subprocess
import sys
import zlib

import numpy as np
import pytest

from metrabs.data.examples import Pose2DExample, Pose3DExample, PoseDataset
from metrabs.data.storage.cache import CacheWriter, open_cache, write_cache
from metrabs.data.storage.masks import decode_mask
from metrabs.errors import UserError
from tests.data.conftest import JOINTS, random_camera, random_example_2d, random_example_3d


def without_image(example):
    return dataclasses.replace(example, image=None)


def same_coords(a, b):
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


@pytest.fixture
def stored(tmp_path):
    examples = [without_image(random_example_3d(i, "abc"[i % 3])) for i in range(7)]
    path = tmp_path / "set.pkl"
    with CacheWriter(path, "set", JOINTS, samples_per_batch={"a": 1, "b": 2, "c": 1}) as writer:
        for example in examples:
            writer.append("train", example)
        writer.append("test", examples[0])
    return path, examples


def test_examples_come_back_as_they_were_written(stored):
    path, examples = stored
    dataset = open_cache(path)
    assert (dataset.name, dataset.samples_per_batch) == ("set", {"a": 1, "b": 2, "c": 1})
    assert dataset.joint_info == JOINTS
    assert (len(dataset.train), len(dataset.valid), len(dataset.test)) == (7, 0, 1)
    for read, written in zip(dataset.train, examples):
        assert isinstance(read, Pose3DExample)
        assert read.image_path == written.image_path and read.dataset == written.dataset
        assert same_coords(read.world_coords, written.world_coords)
        assert np.array_equal(read.bbox, written.bbox)
        assert read.camera.allclose(written.camera)
        assert np.allclose(read.camera.world_up, written.camera.world_up)
        assert read.mask is None and read.univ_coords is None and read.image is None


def test_optional_properties_come_back(tmp_path):
    bare = without_image(random_example_3d(0))
    camera = random_camera(np.random.default_rng(0))
    camera.distortion_coeffs = np.linspace(0, 0.01, 12, dtype=np.float32)
    full = dataclasses.replace(
        bare,
        camera=camera,
        mask={"size": [120, 160], "counts": b"PPYo0"},
        univ_coords=np.ones((6, 3), np.float32),
        activity_name="Sitting",
        scene_name="outdoor",
    )
    zipped = dataclasses.replace(bare, mask={"size": [2, 3], "zcounts": zlib.compress(b"51")})
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, [bare, full, bare, zipped]))
    read = open_cache(tmp_path / "set.pkl").train
    assert [e.mask for e in read] == [None, full.mask, None, zipped.mask]
    assert [e.activity_name for e in read] == ["unknown", "Sitting", "unknown", "unknown"]
    assert read[1].scene_name == "outdoor"
    assert same_coords(read[1].univ_coords, full.univ_coords) and read[2].univ_coords is None
    assert np.array_equal(read[1].camera.distortion_coeffs, camera.distortion_coeffs)
    assert read[3].camera.distortion_coeffs is None


def test_masks_given_as_run_lengths_are_encoded(tmp_path):
    runs = {"size": [10, 50], "counts": [100, 300, 100]}
    example = dataclasses.replace(without_image(random_example_3d(0)), mask=runs)
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, [example]))
    read = open_cache(tmp_path / "set.pkl").train[0]
    assert np.array_equal(decode_mask(read.mask), decode_mask(runs))


def test_2d_examples_come_back_with_and_without_camera(tmp_path):
    plain = without_image(random_example_2d(1))
    with_camera = dataclasses.replace(plain, camera=random_camera(np.random.default_rng(0)))
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, [plain, with_camera]))
    read = open_cache(tmp_path / "set.pkl").train
    assert isinstance(read[0], Pose2DExample) and read[0].camera is None
    assert read[1].camera.allclose(with_camera.camera)
    assert same_coords(read[1].coords, plain.coords)


def test_people_kilometres_from_the_origin_keep_their_precision(tmp_path):
    near = without_image(random_example_3d(0))
    rng = np.random.default_rng(0)
    camera = near.camera.copy()
    camera.t = rng.normal(3e7, 500, 3)
    far = dataclasses.replace(near, world_coords=rng.normal(3e7, 500, (6, 3)), camera=camera)
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, [near, far]))
    read = open_cache(tmp_path / "set.pkl").train
    assert read[0].world_coords.dtype == np.float32
    assert np.abs(read[1].world_coords - far.world_coords).max() < 1e-6
    assert np.array_equal(read[1].camera.t, far.camera.t)


def test_an_example_without_any_joint_is_all_missing(tmp_path):
    empty = dataclasses.replace(
        without_image(random_example_3d(0)), world_coords=np.full((6, 3), np.nan, np.float32)
    )
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, [empty]))
    assert np.isnan(open_cache(tmp_path / "set.pkl").train[0].world_coords).all()


def test_an_opened_phase_is_sent_to_another_process_by_its_path(stored):
    path, _ = stored
    dataset = open_cache(path)
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 2000
    assert pickle.loads(pickled).train[3].image_path == dataset.train[3].image_path


def test_a_cache_changed_while_in_use_is_noticed(stored):
    path, examples = stored
    pickled = pickle.dumps(open_cache(path))
    write_cache(path, PoseDataset("other", JOINTS, examples[:2]))
    with pytest.raises(UserError, match="changed while"):
        pickle.loads(pickled)


def test_writing_the_same_examples_twice_gives_the_same_bytes(stored, tmp_path):
    path, _ = stored
    for name in ("first.pkl", "second.pkl"):
        write_cache(tmp_path / name, open_cache(path))
    assert (tmp_path / "first.pkl").read_bytes() == (tmp_path / "second.pkl").read_bytes()


def test_a_failure_while_writing_leaves_the_old_file_and_no_litter(stored):
    path, examples = stored
    before = path.read_bytes()
    with pytest.raises(RuntimeError), CacheWriter(path, "set", JOINTS) as writer:
        writer.append("train", examples[0])
        raise RuntimeError
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


WRITE_FOREVER = """
import sys
from metrabs.data.storage.cache import CacheWriter, open_cache

dataset = open_cache(sys.argv[1])
with CacheWriter(sys.argv[1], "new", dataset.joint_info) as writer:
    for i in range(10 ** 9):
        writer.append("train", dataset.train[0])
        if i == 2000:
            print("writing", flush=True)
"""


def test_a_killed_writer_leaves_the_old_file_and_no_litter(stored):
    path, examples = stored
    before = path.read_bytes()
    command = [sys.executable, "-c", WRITE_FOREVER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"writing\n"
        process.kill()
    assert path.read_bytes() == before and len(open_cache(path).train) == len(examples)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_bone_lengths_come_back(tmp_path):
    lengths = {"train": np.float32([1, 2, 0]), "trainval": np.float32([1.5, 2, 0])}
    dataset = PoseDataset("set", JOINTS, bone_lengths_mm=lengths)
    write_cache(tmp_path / "set.pkl", dataset)
    read = open_cache(tmp_path / "set.pkl").bone_lengths_mm
    assert list(read) == ["train", "trainval"]
    assert np.array_equal(read["trainval"], lengths["trainval"])
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS))
    assert open_cache(tmp_path / "set.pkl").bone_lengths_mm == {}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"world_coords": np.zeros((5, 3))}, "shape"),
        ({"bbox": np.array([1, 2, np.nan, 4])}, "box"),
        ({"image": np.zeros((2, 2, 3), np.uint8)}, "memory"),
    ],
)
def test_unusable_examples_are_refused(tmp_path, change, message):
    example = dataclasses.replace(without_image(random_example_3d(0)), **change)
    with pytest.raises(UserError, match=message):
        write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, [example]))
    assert not (tmp_path / "set.pkl").exists()


def test_unknown_phases_and_mixed_dimensions_are_refused(tmp_path):
    example = without_image(random_example_3d(0))
    with (
        pytest.raises(UserError, match="split 'trian'"),
        CacheWriter(tmp_path / "set.pkl", "set", JOINTS) as writer,
    ):
        writer.append("trian", example)
    mixed = PoseDataset("set", JOINTS, [example, without_image(random_example_2d(0))])
    with pytest.raises(UserError, match="not both"):
        write_cache(tmp_path / "set.pkl", mixed)


def test_an_index_that_contradicts_its_columns_is_refused(tmp_path, monkeypatch):
    from metrabs.data.storage import array_file

    write = array_file.write_array_file

    def write_garbled(path, content):
        content["phases"]["train"]["length"] = 99
        write(path, content)

    monkeypatch.setattr(array_file, "write_array_file", write_garbled)
    example = without_image(random_example_3d(0))
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, [example]))
    with pytest.raises(UserError, match="damaged"):
        open_cache(tmp_path / "set.pkl")


WRITE_MUCH = """
import resource
import sys
from benchmarks.generated_cache import write_generated_cache

write_generated_cache(sys.argv[1], 30_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_generated_cache(sys.argv[1], 400_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_examples_written(tmp_path):
    command = [sys.executable, "-c", WRITE_MUCH, str(tmp_path / "set.pkl")]
    folder = pathlib.Path(__file__).parents[3]
    grown = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    size = (tmp_path / "set.pkl").stat().st_size
    assert 1024 * int(grown.stdout) < 60e6 and size > 250e6
