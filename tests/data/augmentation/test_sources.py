from __future__ import annotations

import logging

import cv2
import numpy as np
import pytest

from metrabs.data.augmentation import sources
from metrabs.data.augmentation.occluder_table import write_occluders
from metrabs.data.augmentation.pools import Occluder, synthetic_pools
from metrabs.folders import DataFolders

RED = Occluder(np.tile(np.uint8([255, 0, 0]), (30, 20, 1)), np.ones((30, 20), np.float32))


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    return tmp_path


def add_backgrounds(root, names):
    folder = root / "inria_holidays" / "jpg_small"
    folder.mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.full((64, 64, 3), 30, np.uint8))
    (root / "inria_holidays" / "non_person_images.txt").write_text("\n".join(names) + "\n")


def test_without_prepared_pictures_everything_is_synthetic(root):
    assert sources.default_pools().occluders is synthetic_pools().occluders
    assert sources.default_pools().backgrounds is synthetic_pools().backgrounds


def test_images_of_another_data_root_are_used_if_it_is_given(root, tmp_path):
    other = DataFolders.at(tmp_path / "other")
    add_backgrounds(other.root, ["100000.jpg"])
    assert sources.default_pools().backgrounds is synthetic_pools().backgrounds
    assert len(sources.default_pools(other).backgrounds) == 1


def test_prepared_pictures_are_used_each_where_it_is_present(root):
    write_occluders(root / "pascal_voc" / "occluders", [RED])
    pools = sources.default_pools()
    assert np.array_equal(pools.occluders[0].image, RED.image)
    assert pools.backgrounds is synthetic_pools().backgrounds


def test_listed_backgrounds_are_used_in_the_order_of_their_paths(root):
    add_backgrounds(root, ["100002.jpg", "100000.jpg"])
    (root / "inria_holidays" / "jpg_small" / "100001.jpg").write_bytes(b"with people, not listed")
    pools = sources.default_pools()
    assert [path[-10:] for path in pools.backgrounds] == ["100000.jpg", "100002.jpg"]
    assert pools.sample_background(np.random.default_rng(0)).shape == (64, 64, 3)
    assert pools.occluders is synthetic_pools().occluders


def test_an_empty_list_means_synthetic_backgrounds(root):
    add_backgrounds(root, [])
    assert sources.default_pools().backgrounds is synthetic_pools().backgrounds


def test_the_log_tells_the_sources_once(root, caplog):
    add_backgrounds(root, ["100000.jpg"])
    with caplog.at_level(logging.INFO, logger="metrabs"):
        for _ in range(3):
            sources.log_default_pools()
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert "60 objects, synthetic" in message and "docs/prepare/pascal_voc.md" in message
    assert "1 backgrounds, INRIA Holidays" in message
