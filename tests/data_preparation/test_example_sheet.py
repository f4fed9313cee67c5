from __future__ import annotations

import dataclasses

import numpy as np

from data_preparation import example_sheet
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.masks import encode_mask
from tests.data.conftest import JOINTS, random_example_3d


def test_the_mask_darkens_what_is_outside():
    bare = random_example_3d(0)
    mask = np.zeros((120, 160), np.uint8)
    mask[20:100, 30:120] = 1
    with_mask = example_sheet._stored_image_preview(
        dataclasses.replace(bare, mask=encode_mask(mask)), JOINTS
    )
    without = example_sheet._stored_image_preview(bare, JOINTS)
    scale = with_mask.shape[0] // 120
    assert with_mask[: 4 * scale].mean() < 0.6 * without[: 4 * scale].mean()
    inside = np.s_[50 * scale : 60 * scale, 60 * scale : 70 * scale]
    assert np.array_equal(with_mask[inside], without[inside])


def test_a_random_choice_takes_all_members_in_turn():
    examples = [random_example_3d(i, "abb"[i % 3]) for i in range(9)]
    chosen = example_sheet.choose_examples(examples, 5, seed=3)
    assert [examples[i].dataset for i in chosen] == ["a", "b", "a", "b", "a"]
    assert len(set(chosen)) == 5
    assert sorted(example_sheet.choose_examples(examples, 99, seed=3)) == list(range(9))


def test_a_sheet_has_a_tile_for_each_image_and_crop():
    dataset = PoseDataset("few", JOINTS, [random_example_3d(i) for i in range(2)])
    sheet = example_sheet.draw_sheet(dataset, "train", [0, 1], num_augmented=1, seed=0)
    assert sheet.shape[0] > 2 * 320 and 3 * 320 < sheet.shape[1] < 4 * 320
