from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import CacheWriter, open_cache, write_cache
from metrabs.data.storage.columns import rows_from_bytes, rows_to_bytes
from metrabs.errors import UserError
from metrabs.skeletons import JointInfo
from metrabs.skeletons.conversion import JointConverter
from tests.data.conftest import JOINTS, random_example_2d, random_example_3d


def mixed_examples():
    """Examples with and without mask, lens, residuals, joints; paths of all lengths."""
    examples = []
    for i in range(12):
        rng = np.random.default_rng(i)
        example = dataclasses.replace(
            random_example_3d(i, "abc"[i % 3], num_missing=i % 7),
            image=None,
            image_path="x" * i + ".jpg",
            activity_name=f"activity {i % 4}",
        )
        if i % 2:
            example = dataclasses.replace(
                example,
                mask={"size": [9, 7], "counts": rng.bytes(3 * i)},
                univ_coords=rng.normal(0, 1, (6, 3)).astype(np.float32),
            )
        if i % 3 == 0:
            example.camera.distortion_coeffs = rng.normal(0, 0.1, 5).astype(np.float32)
        if i % 4 == 0:
            coords = np.round(rng.normal(3e7, 500, (6, 3)), 1)
            far = np.where(np.isnan(example.world_coords), np.nan, np.round(16 * coords) / 16)
            example = dataclasses.replace(example, world_coords=far)
        examples.append(example)
    return examples


@pytest.fixture
def examples():
    return mixed_examples()


@pytest.fixture
def rows(tmp_path, examples):
    write_cache(tmp_path / "mixed.pkl", PoseDataset("mixed", JOINTS, examples))
    return open_cache(tmp_path / "mixed.pkl").train.rows(0, len(examples))


def written(path, rows, joint_info=JOINTS):
    with CacheWriter(path, "copy", joint_info) as writer:
        writer.append_rows("train", rows)
    return open_cache(path).train


def assert_same(read, example):
    assert read.image_path == example.image_path and read.mask == example.mask
    assert np.array_equal(read.world_coords, example.world_coords, equal_nan=True)
    assert (read.univ_coords is None) == (example.univ_coords is None)
    assert read.camera.has_same_distortion(example.camera)
    assert (read.dataset, read.activity_name) == (example.dataset, example.activity_name)


def test_appending_rows_is_the_same_as_appending_their_examples(tmp_path, rows, examples):
    with CacheWriter(tmp_path / "copy.pkl", "mixed", JOINTS) as writer:
        writer.append_rows("train", rows.take(np.arange(5)))
        writer.append("train", examples[5])
        writer.append_rows("train", rows.take(np.arange(6, 12)))
    assert [e.image_path for e in open_cache(tmp_path / "copy.pkl").train] == [
        e.image_path for e in examples
    ]
    for read, example in zip(open_cache(tmp_path / "copy.pkl").train, examples):
        assert_same(read, example)


def test_bytes_and_rows_are_inverse(rows):
    records, blobs = rows_to_bytes(rows, 1000)
    again = rows_from_bytes(records, blobs, rows.categories, rows.num_joints)
    assert records["blob_start"][0] == 1000
    assert len(blobs) % 4 == 0
    for name, values in rows.parts.items():
        assert np.array_equal(again.parts[name], values), name


@pytest.mark.parametrize("selection", [[3, 0, 0, 11], [], np.arange(12) % 3 == 1])
def test_taken_rows_are_the_examples_with_these_indices(tmp_path, rows, examples, selection):
    selection = np.array(selection, dtype=None if len(selection) else int)
    expected = [examples[i] for i in np.arange(12)[selection]]
    taken = rows.take(selection)
    assert len(taken) == len(expected)
    for read, example in zip(written(tmp_path / "t.pkl", taken), expected):
        assert_same(read, example)


def test_only_the_texts_that_occur_are_kept(tmp_path, rows):
    table = written(tmp_path / "t.pkl", rows.take(np.array([1, 4])))
    assert table.dataset_codes()[0] == ["b"]


def test_dense_coordinates_are_those_of_the_examples(rows, examples):
    expected = np.stack([np.float64(e.world_coords) for e in examples])
    assert np.array_equal(rows.dense_coords("world"), expected, equal_nan=True)
    near = rows.take(np.array([1, 2, 3]))
    assert near.dense_coords("world").dtype == np.float32
    universal = rows.dense_coords("universal")
    assert np.array_equal(universal[1], examples[1].univ_coords)
    assert np.isnan(universal[0]).all()


def test_renumbered_joints_agree_with_the_joint_converter(tmp_path, rows, examples):
    destination = JointInfo("x,head,lkne,rkne,pelv,y,neck", "head-pelv-lkne")
    converter = JointConverter(JOINTS, destination)
    index_of = np.full(JOINTS.num_joints, -1)
    found = converter.source_indices >= 0
    index_of[converter.source_indices[found]] = np.flatnonzero(found)
    converted = written(tmp_path / "t.pkl", rows.with_joints(index_of, 7), destination)
    for read, example in zip(converted, examples):
        expected = converter.dense(example.world_coords)
        assert np.array_equal(read.world_coords, expected, equal_nan=True)
        if example.univ_coords is not None:
            assert np.array_equal(
                read.univ_coords, converter.dense(example.univ_coords), equal_nan=True
            )


def test_2d_examples_can_be_renumbered_and_copied(tmp_path):
    examples = [dataclasses.replace(random_example_2d(i), image=None) for i in range(3)]
    write_cache(tmp_path / "2d.pkl", PoseDataset("2d", JOINTS, examples))
    rows = open_cache(tmp_path / "2d.pkl").train.rows(0, 3)
    reverse = np.arange(6)[::-1]
    with CacheWriter(tmp_path / "copy.pkl", "copy", JOINTS) as writer:
        writer.append_rows("train", rows.with_joints(reverse, 6), is_3d=False)
    for read, example in zip(open_cache(tmp_path / "copy.pkl").train, examples):
        assert np.array_equal(read.coords, example.coords[::-1], equal_nan=True)


def test_all_examples_can_be_given_to_one_dataset(tmp_path, rows):
    table = written(tmp_path / "t.pkl", rows.with_dataset("new"))
    assert {example.dataset for example in table} == {"new"}
    assert table[3].activity_name == "activity 3"


def test_rows_of_other_joints_are_refused(tmp_path, rows):
    with pytest.raises(UserError, match="6 joints does not fit a dataset with 7"):
        written(tmp_path / "t.pkl", rows, JointInfo("a,b,c,d,e,f,g"))
