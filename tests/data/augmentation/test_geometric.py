from __future__ import annotations

import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.geometric import (
    random_partial_subbox,
    sample_geometric_augmentation,
    sample_partial_visibility_box,
)

CONFIG = LoadingConfig()


def draws(config, may_mirror, count=300):
    rng = np.random.default_rng(0)
    return [sample_geometric_augmentation(config, may_mirror, rng) for _ in range(count)]


def test_changes_stay_in_the_ranges_of_the_settings_and_fill_them():
    changes = draws(CONFIG, True)
    zooms, rolls = np.array([c.zoom for c in changes]), np.array([c.roll for c in changes])
    shifts = np.linalg.norm([c.shift for c in changes], axis=1)
    assert 0.75 <= zooms.min() < 0.8 and 1.2 < zooms.max() <= 1.25
    assert 0.3 < np.abs(rolls).max() <= np.deg2rad(20)
    assert 0.09 < shifts.max() <= 0.1
    assert 0.4 < np.mean([c.is_mirrored for c in changes]) < 0.6


def test_mirroring_can_be_forbidden():
    assert not any(change.is_mirrored for change in draws(CONFIG, False))


def test_full_rotations_come_with_their_probability():
    rolls = np.array([c.roll for c in draws(LoadingConfig(full_rot_aug_prob=0.5), False)])
    assert 0.3 < (np.abs(rolls) > np.deg2rad(20)).mean() < 0.6


def test_partial_boxes_lie_inside_and_hold_more_than_a_quarter():
    rng = np.random.default_rng(0)
    box = np.array([10, 20, 100, 100], np.float32)
    for _ in range(100):
        left, top, width, height = random_partial_subbox(box, rng)
        assert width == height and width > 50
        assert left >= 10 and top >= 20 and left + width <= 110 and top + height <= 120


def test_a_box_stays_as_it_is_with_the_complementary_probability():
    box = np.array([10, 20, 30, 100], np.float32)
    boxes = [sample_partial_visibility_box(box, 0.3, seed) for seed in range(200)]
    kept = [np.array_equal(other, box) for other in boxes]
    assert 0.6 < np.mean(kept) < 0.8
    assert sample_partial_visibility_box(box, 0, 1) is box
