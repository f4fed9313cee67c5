from __future__ import annotations

import pickle

import numpy as np
import pytest

from data_preparation.common.context import ConversionContext
from data_preparation.common.crop_geometry import CropOptions
from data_preparation.common.crop_images import write_jpeg
from data_preparation.common.setup import Setup
from metrabs.data.examples import Pose2DExample
from metrabs.data.storage.images import read_image
from metrabs.errors import UserError

HERE = "tests.data_preparation.common.toy"
BOX = np.array([20, 10, 30, 60], np.float32)


def example_in(path="toy/a.jpg", box=BOX, image=None):
    return Pose2DExample(path, np.array([[25, 20], [40, 60.0]]), box, image=image)


def test_detections_come_from_the_usual_files_of_the_dataset(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "second.pkl").write_bytes(pickle.dumps({"a.jpg": [[*BOX, 0.5]]}))
    context = ConversionContext(Setup(str(tmp_path)), "toy", ("first.pkl", "second.pkl"))
    assert context.can_detect
    np.testing.assert_array_equal(context.detect("a.jpg"), [[*BOX, 0.5]])


def test_images_without_detection_result_are_counted(tmp_path):
    context = ConversionContext(Setup(str(tmp_path)), "toy")
    assert not context.can_detect
    assert context.detect("a.jpg").shape == (0, 5)
    assert context.issues.entries["degraded", "no detection result"].samples == ["a.jpg"]


def test_strict_rejects_missing_results(tmp_path):
    context = ConversionContext(Setup(str(tmp_path), strict=True), "toy")
    with pytest.raises(UserError, match="No detection result: 'a.jpg'.*--strict"):
        context.detect("a.jpg")


def test_crops_show_the_person_of_the_full_image(tmp_path):
    image = np.zeros((120, 100, 3), np.uint8)
    image[20, 25] = image[60, 40] = 255
    context = ConversionContext(Setup(str(tmp_path)), "toy")
    cropped = context.crop(example_in(image=image), "toy_downscaled/a.jpg")
    assert cropped.image_path == "toy_downscaled/a.jpg" and cropped.image is None
    crop = read_image(str(tmp_path / cropped.image_path))
    for x, y in cropped.coords.round().astype(int):
        assert crop[y - 1 : y + 2, x - 1 : x + 2].max() > 60
    assert cropped.mask is None


def test_people_outside_the_image_are_skipped_and_counted(tmp_path):
    context = ConversionContext(Setup(str(tmp_path)), "toy")
    outside = example_in(box=np.array([5000, 10, 30, 60]), image=np.zeros((120, 100, 3), np.uint8))
    assert context.crop(outside, "toy_downscaled/a.jpg") is None
    assert context.issues.entries["skipped", "person outside the image"].count == 1
    assert not (tmp_path / "toy_downscaled").exists()


@pytest.mark.parametrize("is_skipped", [True, False])
def test_images_that_cannot_be_decoded_are_skipped_if_the_options_say_so(tmp_path, is_skipped):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "a.jpg").write_bytes(b"not an image")
    context = ConversionContext(Setup(str(tmp_path)), "toy")
    options = CropOptions(skip_broken_images=is_skipped)
    if is_skipped:
        assert context.crop(example_in(), "toy_downscaled/a.jpg", options) is None
        assert context.issues.entries["skipped", "broken image"].count == 1
    else:
        with pytest.raises(UserError, match="a.jpg"):
            context.crop(example_in(), "toy_downscaled/a.jpg", options)


@pytest.mark.parametrize("takes_crop_masks", [True, False])
def test_the_segmenter_runs_on_crops_of_datasets_that_take_its_masks(tmp_path, takes_crop_masks):
    write_jpeg(tmp_path / "toy" / "a.jpg", np.zeros((120, 100, 3), np.uint8))
    setup = Setup(str(tmp_path), segmenter=f"{HERE}:segment_box")
    context = ConversionContext(setup, "toy", takes_crop_masks=takes_crop_masks)
    cropped = context.crop(example_in(), "toy_downscaled/a.jpg")
    assert (cropped.mask is not None) == takes_crop_masks
