from __future__ import annotations

import pickle
import shutil

import cv2
import numpy as np
import pytest

from metrabs.data.storage.image_archive import pack_folder
from metrabs.data.storage.images import ImageError, read_image


def test_channels_are_in_the_order_red_green_blue(tmp_path):
    image = np.zeros((4, 5, 3), np.uint8)
    image[..., 0] = 200
    cv2.imwrite(str(tmp_path / "red.png"), image[..., ::-1])
    assert np.array_equal(read_image(str(tmp_path / "red.png")), image)


def test_grey_images_get_three_channels(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((4, 5), 7, np.uint8))
    assert np.array_equal(read_image(str(tmp_path / "grey.png")), np.full((4, 5, 3), 7))


def test_missing_and_damaged_files_are_told_apart(tmp_path):
    with pytest.raises(ImageError, match="nowhere.jpg' does not exist"):
        read_image(str(tmp_path / "nowhere.jpg"))
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 nothing")
    with pytest.raises(ImageError, match="bad.jpg' cannot be decoded"):
        read_image(str(tmp_path / "bad.jpg"))
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(ImageError, match="empty.jpg' cannot be decoded"):
        read_image(str(tmp_path / "empty.jpg"))
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(str(tmp_path))


def photo(path, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
    return path


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_jpeg_that_is_cut_short_is_refused_and_not_filled_up(tmp_path, share):
    path = photo(tmp_path / "cut.jpg")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ImageError, match="cut.jpg' ends too early"):
        read_image(str(path))


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path):
    path = photo(tmp_path / "long.jpg")
    expected = read_image(str(path))
    path.write_bytes(path.read_bytes() + bytes(500))
    assert np.array_equal(read_image(str(path)), expected)


def test_the_error_keeps_its_path_on_the_way_between_processes(tmp_path):
    with pytest.raises(ImageError) as caught:
        read_image(str(tmp_path / "nowhere.jpg"))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.path.endswith("nowhere.jpg") and str(copy) == str(caught.value)


def test_images_of_a_packed_folder_are_read_from_its_archive(tmp_path):
    path = photo(tmp_path / "set" / "sequence" / "camera" / "1.jpg")
    expected = read_image(str(path))
    pack_folder(tmp_path / "set", tmp_path / "set.packed")
    shutil.rmtree(tmp_path / "set")
    assert np.array_equal(read_image(str(path)), expected)
    with pytest.raises(ImageError, match="2.jpg' does not exist"):
        read_image(str(path.with_name("2.jpg")))


def test_a_file_that_is_there_wins_over_the_archive(tmp_path):
    path = photo(tmp_path / "set" / "1.jpg")
    pack_folder(tmp_path / "set", tmp_path / "set.packed")
    changed = read_image(str(photo(path, seed=1)))
    assert np.array_equal(read_image(str(path)), changed)
