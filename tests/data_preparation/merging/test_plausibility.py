from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from data_preparation.merging.plausibility import PlausibilityFilter, joints_in_box
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import open_cache, write_cache
from metrabs.geometry import boxes
from tests.data.conftest import JOINTS, random_example_3d


@pytest.mark.parametrize(
    "length, usual, is_bad",
    [
        (310, 100, True),  # 3.1 times as long and 210 mm off
        (155, 50, False),  # 3.1 times as long, but only 105 mm off
        (290, 100, False),  # 190 mm off, but only 2.9 times as long
        (19, 200, True),  # less than a tenth, 181 mm off
        (10, 150, False),  # less than a tenth, but only 140 mm off
        (np.nan, 100, False),
    ],
)
def test_a_bone_is_bad_if_both_its_ratio_and_its_difference_are_large(length, usual, is_bad):
    judged = PlausibilityFilter().is_bad_bone(np.array([float(length)]), np.array([float(usual)]))
    assert judged.tolist() == [is_bad]


def rows_of(tmp_path, examples):
    write_cache(tmp_path / "set.pkl", PoseDataset("set", JOINTS, examples))
    return open_cache(tmp_path / "set.pkl").train.rows(0, len(examples))


def test_joints_are_projected_like_cameras_do_it_with_any_lens(tmp_path):
    examples = [dataclasses.replace(random_example_3d(i), image=None) for i in range(30)]
    rng = np.random.default_rng(0)
    lenses = [None, *(rng.normal(0, 0.2, n).astype(np.float32) for n in (4, 5, 5, 8, 12))]
    for i, example in enumerate(examples):
        example.camera.distortion_coeffs = lenses[i % len(lenses)]
    rows = rows_of(tmp_path, examples)
    counts = joints_in_box(rows, rows.dense_coords("world"))
    expected = [
        boxes.contains(e.bbox, e.camera.world_to_image(e.world_coords)).sum() for e in examples
    ]
    assert counts.tolist() == expected
    assert len(set(expected)) > 3


@pytest.mark.parametrize("num_inside, is_kept", [(3, False), (4, True)])
def test_four_joints_must_be_inside_the_box(tmp_path, num_inside, is_kept):
    example = random_example_3d(0, num_missing=0)
    points = example.camera.image_to_world(np.full((6, 2), 60.0), 4000.0)
    points[num_inside:] = np.nan
    example = dataclasses.replace(
        example, image=None, world_coords=points, bbox=np.float32([50, 50, 20, 20])
    )
    kept = PlausibilityFilter().filtered(rows_of(tmp_path, [example]), JOINTS, np.zeros(5))
    assert len(kept) == is_kept


def test_bad_joints_can_be_dropped_in_place_of_their_examples(tmp_path):
    example = dataclasses.replace(random_example_3d(0, num_missing=0), image=None)
    usual = np.linalg.norm(
        [example.world_coords[a] - example.world_coords[b] for a, b in JOINTS.edges], axis=1
    )
    torn = example.world_coords.copy()
    torn[JOINTS.ids["lkne"]] += [0, 0, 9000]
    example = dataclasses.replace(example, bbox=np.float32([-1e6, -1e6, 2e6, 2e6]))
    rows = rows_of(tmp_path, [example, dataclasses.replace(example, world_coords=torn)])
    assert len(PlausibilityFilter().filtered(rows, JOINTS, usual)) == 1
    kept = PlausibilityFilter(drops_joints=True).filtered(rows, JOINTS, usual)
    is_known = ~np.isnan(kept.dense_coords("world")).any(axis=2)
    assert is_known[0].all()
    assert [JOINTS.names[i] for i in np.flatnonzero(~is_known[1])] == ["lhip", "lkne"]
