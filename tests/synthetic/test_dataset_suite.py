from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from metrabs.data.storage.cache import open_cache
from metrabs.errors import UserError
from metrabs.skeletons import tables
from metrabs.skeletons.merged_sets import member_names, samples_per_batch
from metrabs.synthetic.dataset_suite import build_dataset_suite, num_train_examples

_SIZES = {
    "examples_per_dataset": 1,
    "valid_examples_per_dataset": 1,
    "num_test_examples": 6,
    "examples_per_dataset_2d": 2,
}


def _ignore(done: int, total: int) -> None:
    """Shows no progress."""


def _contents(root: pathlib.Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("suite")
    build_dataset_suite(root, seed=5, workers=1, on_progress=_ignore, **_SIZES)
    return root


@pytest.mark.parametrize(
    "name, joint_list, members",
    [
        ("synth28", "huge8", member_names("huge8")),
        ("synth14", "medium3", member_names("medium3")),
        ("synth3", "small5", member_names("small5")),
    ],
)
def test_merged_sets_hold_their_members_with_their_own_joints(suite, name, joint_list, members):
    dataset = open_cache(suite / "cache" / f"{name}.pkl")
    assert dataset.joint_info.names == tables.merged_joint_info(joint_list).names
    assert dataset.samples_per_batch == samples_per_batch(joint_list)
    assert {example.dataset for example in dataset.train} == set(members)
    assert {example.dataset for example in dataset.valid} == set(members)
    for example in [*dataset.train, *dataset.valid]:
        known = np.isfinite(example.world_coords).all(axis=1)
        names = {n for n, is_known in zip(dataset.joint_info.names, known) if is_known}
        assert names == set(tables.format_members(example.dataset))


def test_every_member_of_the_555_joints_is_annotated_in_some_image(suite):
    dataset = open_cache(suite / "cache" / "synth28.pkl")
    known = [np.isfinite(example.world_coords).all(axis=1) for example in dataset.train]
    assert np.any(known, axis=0).all()


@pytest.mark.parametrize(
    "name, num_joints", [("synth28", 555), ("synth14", 277), ("synth3", 77), ("synth1", 25)]
)
def test_test_split_has_all_joints_and_is_shared(suite, name, num_joints):
    dataset = open_cache(suite / "cache" / f"{name}.pkl")
    full = open_cache(suite / "cache" / "synth28.pkl")
    ids = [full.joint_info.ids[joint] for joint in dataset.joint_info.names]
    assert dataset.joint_info.num_joints == num_joints
    assert [e.image_path for e in dataset.test] == [e.image_path for e in full.test]
    assert len(dataset.test) == 6
    for example, full_example in zip(dataset.test, full.test):
        np.testing.assert_array_equal(example.world_coords, full_example.world_coords[ids])
        assert np.isfinite(example.world_coords).all()


def test_images_exist_and_contain_the_boxes(suite):
    for name in ("synth28", "synth1", "synth2d"):
        for example in open_cache(suite / "cache" / f"{name}.pkl"):
            assert (suite / example.image_path).is_file()
            left, top, width, height = example.bbox
            assert left >= 0 and top >= 0 and width > 0 and height > 0
            assert left + width <= 256.01 and top + height <= 256.01


def test_two_dimensional_set_has_the_common_joints(suite):
    dataset = open_cache(suite / "cache" / "synth2d.pkl")
    assert dataset.joint_info.names == tables.merged_joint_info("huge2d_common").names
    assert {example.dataset for example in dataset.train} == set(member_names("huge2d_common"))
    assert dataset.samples_per_batch == samples_per_batch("huge2d_common")


def test_some_sets_have_masks_and_some_have_none(suite):
    has_mask = {
        e.dataset: e.mask is not None for e in open_cache(suite / "cache" / "synth28.pkl").train
    }
    assert has_mask["h36m"] and not has_mask["jta"]


def test_result_does_not_depend_on_the_number_of_workers(suite, tmp_path):
    build_dataset_suite(tmp_path, seed=5, workers=2, on_progress=_ignore, **_SIZES)
    assert _contents(tmp_path) == _contents(suite)


def test_damaged_suite_is_completed_to_the_same_bytes(suite, tmp_path):
    root = tmp_path / "suite"
    shutil.copytree(suite, root)
    kept = root / "synthetic" / "aist" / "train_000000.jpg"
    modified = kept.stat().st_mtime_ns
    for name in ("gpa/train_000000.jpg", "h36m/train_000000.npz", "test/test_000003.jpg"):
        (root / "synthetic" / name).unlink()
    (root / "cache" / "synth3.pkl").write_bytes(b"half a file")
    progress = []
    build_dataset_suite(
        root, seed=5, workers=1, on_progress=lambda *counts: progress.append(counts), **_SIZES
    )
    assert _contents(root) == _contents(suite)
    assert kept.stat().st_mtime_ns == modified
    assert progress[-1][0] == progress[-1][1] and progress[0][0] > 40


def test_image_paths_are_relative_to_the_data_root(suite, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    root = tmp_path / "inner" / "suite"
    shutil.copytree(suite, root)
    build_dataset_suite(root, seed=5, workers=1, **_SIZES)
    example = open_cache(root / "cache" / "synth1.pkl").train[0]
    assert example.image_path.startswith("inner/suite/synthetic/h36m/")
    with pytest.raises(UserError, match="must lie in the data root"):
        build_dataset_suite(root, data_root=tmp_path / "elsewhere", **_SIZES)


def test_training_images_follow_the_composition_of_a_batch():
    counts = {name: num_train_examples(name, 120) for name in member_names("huge8")}
    assert sum(counts.values()) == pytest.approx(120 * 28, rel=0.01)
    assert counts["panoptic"] == pytest.approx(7 * counts["human4d"], rel=0.02)


def test_sizes_below_one_are_a_user_error(tmp_path):
    with pytest.raises(UserError, match="at least 1"):
        build_dataset_suite(tmp_path, num_test_examples=0)


@pytest.mark.slow
def test_killed_build_resumes_to_the_same_bytes(suite, tmp_path):
    command = (
        "from metrabs.synthetic.dataset_suite import build_dataset_suite; "
        f"build_dataset_suite({str(tmp_path)!r}, seed=5, workers=1, **{_SIZES!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.DEVNULL)
    while len(list(tmp_path.rglob("*.jpg"))) < 20 and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cache" / "synth2d.pkl").exists()
    build_dataset_suite(tmp_path, seed=5, workers=1, on_progress=_ignore, **_SIZES)
    leftovers = {name for name in _contents(tmp_path) if "/." in name}
    finished = {k: v for k, v in _contents(tmp_path).items() if k not in leftovers}
    assert finished == _contents(suite)
    assert len(leftovers) <= 1  # at most the file that was being written
