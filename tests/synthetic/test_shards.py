from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from metrabs.data.storage.masks import decode_mask
from metrabs.skeletons import tables
from metrabs.synthetic.shards import (
    SHARD_SIZE,
    Shard,
    is_complete,
    make_shard,
    plan_shards,
    read_annotations,
)


def test_plan_covers_every_image_once():
    shards = plan_shards(0, "h36m", "train", 2 * SHARD_SIZE + 5)
    paths = [path for shard in shards for path in shard.image_paths]
    assert len(paths) == len(set(paths)) == 2 * SHARD_SIZE + 5
    assert len({shard.annotation_path for shard in shards}) == 3


def test_annotations_describe_the_images(tmp_path):
    shard = Shard(1, "muco", "train", 0, 3)
    assert make_shard(shard, tmp_path) == 3
    for annotation in read_annotations(shard, tmp_path):
        image = cv2.imread(str(tmp_path / annotation.image_path))
        assert image.shape == (256, 256, 3)
        assert annotation.style == "muco" and annotation.activity
        assert annotation.joints.shape == (555, 3) and np.isfinite(annotation.joints).all()
        mask = decode_mask(annotation.mask)
        points = np.rint(annotation.camera.world_to_image(annotation.joints)).astype(int)
        points = points[((points >= 0) & (points < 256)).all(axis=1)]
        assert mask[points[:, 1], points[:, 0]].mean() > 0.3


def test_two_dimensional_sets_annotate_their_own_joints_in_the_image(tmp_path):
    names = tables.merged_joint_info("huge2d_common").names
    for dataset in ("mpii", "coco"):
        shard = Shard(1, dataset, "train", 0, 2)
        make_shard(shard, tmp_path)
        for annotation in read_annotations(shard, tmp_path):
            assert annotation.joints.shape == (17, 2)
            valid = np.isfinite(annotation.joints).all(axis=1)
            assert not valid[names.index("nose")] or dataset == "coco"
            assert (annotation.joints[valid] >= 0).all() and (annotation.joints[valid] < 256).all()
            assert valid[:12].sum() >= 7


@pytest.mark.parametrize("change", [{"seed": 2}, {"stop": 2}])
def test_shard_of_other_settings_does_not_count_as_complete(change, tmp_path):
    shard = Shard(1, "aist", "valid", 0, 1)
    assert not is_complete(shard, tmp_path)
    make_shard(shard, tmp_path)
    assert is_complete(shard, tmp_path)
    assert not is_complete(dataclasses.replace(shard, **change), tmp_path)


def test_missing_image_makes_a_shard_incomplete(tmp_path):
    shard = Shard(1, "aist", "valid", 0, 2)
    make_shard(shard, tmp_path)
    (tmp_path / shard.image_paths[1]).unlink()
    assert not is_complete(shard, tmp_path)


def test_images_depend_on_seed_split_and_number(tmp_path):
    shards = [
        Shard(1, "aist", "valid", 0, 1),
        Shard(2, "aist", "valid", 0, 1),
        Shard(1, "aist", "train", 0, 1),
        Shard(1, "aist", "valid", 1, 2),
    ]
    contents = set()
    for number, shard in enumerate(shards):
        make_shard(shard, tmp_path / str(number))
        contents.add((tmp_path / str(number) / shard.image_paths[0]).read_bytes())
    assert len(contents) == 4
