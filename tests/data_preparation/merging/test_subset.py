from __future__ import annotations

import dataclasses

import pytest

from data_preparation.merging.subset import write_subset
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import open_cache, write_cache
from metrabs.errors import UserError
from tests.data.conftest import JOINTS, random_example_3d


@pytest.fixture
def dataset(tmp_path):
    examples = [
        dataclasses.replace(random_example_3d(i, "aab"[i % 3]), image=None) for i in range(60)
    ]
    write_cache(
        tmp_path / "large.pkl",
        PoseDataset("large", JOINTS, examples, examples[:5], samples_per_batch={"a": 2, "b": 1}),
    )
    return open_cache(tmp_path / "large.pkl")


def subset(dataset, tmp_path, num, seed=0):
    write_subset(dataset, tmp_path / "small.pkl", "small", num, seed)
    return open_cache(tmp_path / "small.pkl")


def test_a_random_choice_of_the_training_examples_and_all_others_are_kept(dataset, tmp_path):
    small = subset(dataset, tmp_path, 20)
    paths = [example.image_path for example in small.train]
    known = [example.image_path for example in dataset.train]
    assert len(set(paths)) == 20 and paths == [path for path in known if path in paths]
    assert paths != known[:20] and len(small.valid) == 5
    assert (small.name, small.samples_per_batch) == ("small", dataset.samples_per_batch)
    again = [e.image_path for e in subset(dataset, tmp_path, 20).train]
    other = [e.image_path for e in subset(dataset, tmp_path, 20, seed=1).train]
    assert again == paths != other


def test_fewer_examples_than_asked_for_are_all_kept(dataset, tmp_path):
    assert len(subset(dataset, tmp_path, 1000).train) == 60


def test_a_choice_without_a_member_is_refused(dataset, tmp_path):
    with pytest.raises(UserError, match="Among 1 random examples there is none of"):
        subset(dataset, tmp_path, 1)
    assert not (tmp_path / "small.pkl").exists()
