from __future__ import annotations

import h5py
import numpy as np
import pytest

from metrabs.datasets.h36m import Recording, activity_name, read_boxes, read_cameras
from metrabs.errors import UserError


@pytest.mark.parametrize(
    ("activity", "name"),
    [("Waiting 1", "Waiting"), ("Greeting", "Greeting"), ("TakingPhoto 1", "Photo")],
)
def test_both_takes_have_the_same_activity_name(activity, name):
    assert activity_name(activity) == name
    assert Recording(9, activity, "54138969").activity_name == name


def test_paths_of_a_recording(tmp_path):
    recording = Recording(9, "Waiting 1", "54138969")
    assert str(recording) == "S9/Waiting 1.54138969"
    assert recording.image_path(64) == "S9/Images/Waiting 1.54138969/frame_000064.jpg"
    assert recording.file(tmp_path, "Videos", "mp4") == (
        tmp_path / "S9" / "Videos" / "Waiting 1.54138969.mp4"
    )


def test_a_frame_without_a_person_has_an_empty_box(tmp_path):
    path = tmp_path / "S1" / "MySegmentsMat" / "ground_truth_bb" / "Walking.54138969.mat"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        references = file.create_dataset("Masks", (1, 1), h5py.ref_dtype)
        references[0, 0] = file.create_dataset("#refs#/0", data=np.zeros((9, 7), np.uint8)).ref
    boxes_px = read_boxes(tmp_path, Recording(1, "Walking", "54138969"))
    np.testing.assert_array_equal(boxes_px, np.zeros((1, 4)))


def test_error_names_damaged_metadata(tmp_path):
    path = tmp_path / "metadata.xml"
    path.write_text("<root><w0>[1 2 3]</w0></root>")
    with pytest.raises(UserError, match="metadata.xml' is not Human3.6M's metadata"):
        read_cameras(path)


def test_error_names_damaged_boxes(tmp_path):
    path = tmp_path / "S1" / "MySegmentsMat" / "ground_truth_bb" / "Walking.54138969.mat"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not HDF5")
    recording = Recording(1, "Walking", "54138969")
    with pytest.raises(UserError, match="Walking.54138969.mat' is not an HDF5"):
        read_boxes(tmp_path, recording)
