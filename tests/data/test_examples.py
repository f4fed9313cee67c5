from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metrabs.data.examples import ConcatenatedExamples, PoseDataset, check_example, dataset_codes
from metrabs.errors import UserError
from tests.data.conftest import JOINTS, random_example_3d


def paths(examples):
    return [example.image_path for example in examples]


def test_trainval_is_train_followed_by_valid(dataset_3d):
    trainval = dataset_3d.split("trainval")
    assert len(trainval) == 19
    assert paths(trainval) == paths(dataset_3d.train) + paths(dataset_3d.valid)
    assert trainval[-1] is dataset_3d.valid[-1] and trainval[15] is dataset_3d.valid[0]
    assert paths(trainval[13:17]) == paths(dataset_3d.train[13:]) + paths(dataset_3d.valid[:2])


def test_indices_beyond_the_end_are_refused():
    examples = ConcatenatedExamples([[], [random_example_3d(0)]])
    for index in (1, -2):
        with pytest.raises(IndexError):
            examples[index]
    assert len(list(ConcatenatedExamples([]))) == 0


def test_a_dataset_iterates_over_its_phases_in_order(dataset_3d):
    assert paths(dataset_3d) == paths(dataset_3d.train) + paths(dataset_3d.valid)


def test_an_unknown_split_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="'training'.*trainval"):
        PoseDataset("x", JOINTS).split("training")


def test_dataset_codes_agree_for_lists_and_concatenations(dataset_3d):
    names, codes = dataset_codes(dataset_3d.split("trainval"))
    assert [names[c] for c in codes] == ["a"] * 5 + ["b"] * 3 + ["c"] * 7 + ["a"] * 4
    assert len(dataset_codes(ConcatenatedExamples([]))[1]) == 0


def test_wrong_shapes_are_named_with_the_path():
    example = dataclasses.replace(random_example_3d(0), world_coords=np.zeros((6, 2)))
    with pytest.raises(UserError, match=r"a/0.jpg.*\(6, 2\).*\(6, 3\)"):
        check_example(example, 6)
