"""Converters on photographs and annotations of real datasets, where there are some.

    pytest tests/data_preparation/test_real_samples.py --samples_dir=FOLDER

The folder has subfolders `coco` and `mpii` as in the test data of the mmpose repository.
"""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest

from data_preparation.coco import Coco
from data_preparation.common.run import prepare
from data_preparation.common.setup import Setup
from data_preparation.mpii import Mpii
from metrabs.data.storage.cache import open_cache
from metrabs.data.storage.images import read_image
from metrabs.data.storage.masks import decode_mask
from metrabs.geometry import boxes
from tests.data_preparation.fakes.mpii import Rectangle, write_annotations


@pytest.fixture
def coco_root(samples_of, tmp_path):
    samples = samples_of("coco")
    shutil.copytree(samples, tmp_path / "coco" / "val2014")
    (tmp_path / "coco" / "annotations").mkdir()
    shutil.copy(
        samples / "test_coco.json",
        tmp_path / "coco" / "annotations" / "person_keypoints_val2014.json",
    )
    return tmp_path


@pytest.fixture
def mpii_root(samples_of, tmp_path):
    """The flat list of people as the official annotation file, and perfect detections."""
    samples = samples_of("mpii")
    shutil.copytree(samples, tmp_path / "mpii" / "images")
    people: dict[str, list[Rectangle]] = {}
    for person in json.loads((samples / "test_mpii.json").read_text()):
        is_annotated = np.array(person["joints_vis"])[:, np.newaxis] > 0
        joints_px = np.where(is_annotated, np.array(person["joints"], float), np.nan)
        rectangle = Rectangle(joints_px, (*person["center"], person["scale"]))
        people.setdefault(person["image"], []).append(rectangle)
    write_annotations(tmp_path / "mpii", people, [1] * len(people))
    detections = {
        f"images/{name}": [[*boxes.bounding_box(person.joints_px), 0.9] for person in of_image]
        for name, of_image in people.items()
    }
    (tmp_path / "mpii" / "yolov4_detections.pkl").write_bytes(pickle.dumps(detections))
    return tmp_path


def check_crop(root, example, min_overlap=0.4):
    """Asserts that the person is in the crop, about where the box is; returns the labelled."""
    height, width = read_image(str(root / example.image_path)).shape[:2]
    assert max(example.bbox[2:]) <= 385
    joints = example.coords[~np.isnan(example.coords).any(axis=1)]
    assert ((joints > -1) & (joints < (width + 1, height + 1))).all()
    assert boxes.iou(boxes.bounding_box(joints), example.bbox) > min_overlap
    return joints


def test_people_of_coco_become_crops_with_masks(coco_root):
    converter = Coco(splits=("val2014",))
    report = prepare(converter, Setup(str(coco_root)), coco_root / "cache", num_workers=0)
    assert not report.failures
    examples = open_cache(report.caches["coco"]).valid
    assert len(examples) > 0
    shares = []
    for example in examples:
        x, y = check_crop(coco_root, example).astype(int).T
        mask = decode_mask(example.mask)
        is_inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
        shares.append(mask[y[is_inside], x[is_inside]].mean())
    assert np.mean(shares) > 0.8  # joints lie on the person, but for hidden ones


# Plain boxes are squares with room around people.
@pytest.mark.parametrize(
    "variant, cache, min_joints, min_overlap",
    [("plain", "mpii", 1, 0.15), ("yolo_nofilt", "mpii_yolo_nofilt", 7, 0.4)],
)
def test_people_of_mpii_become_crops(mpii_root, variant, cache, min_joints, min_overlap):
    report = prepare(Mpii(variant), Setup(str(mpii_root)), mpii_root / "cache", num_workers=0)
    assert not report.failures
    examples = open_cache(report.caches[cache]).train
    assert len(examples) > 0
    for example in examples:
        assert len(check_crop(mpii_root, example, min_overlap)) >= min_joints
