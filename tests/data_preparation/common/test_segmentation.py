from __future__ import annotations

import pickle

import numpy as np
import pytest

from data_preparation.common.segmentation import MaskFiles, load_segmenter
from metrabs.data.storage.masks import encode_mask
from metrabs.errors import UserError

MASK = encode_mask(np.eye(5), use_zlib=False)


def test_masks_are_found_by_the_last_parts_of_the_path(tmp_path):
    (tmp_path / "b.pkl").write_bytes(pickle.dumps({"Images/x/1.jpg": MASK}))
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"crops/S1/Images/x/2.jpg": MASK, "3.jpg": 0}))
    masks = MaskFiles(tmp_path)
    assert masks.find("crops/S1/Images/x/1.jpg") == MASK
    assert masks.find("crops/S1/Images/x/2.jpg") == MASK
    assert masks.find("crops/S1/Images/y/1.jpg") is None
    assert masks.find("crops/S1/Images/x/3.jpg") is None  # a bare name fits too many crops


def test_rejects_empty_folders_and_unrelated_files(tmp_path):
    with pytest.raises(UserError, match="has no mask files"):
        MaskFiles(tmp_path)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([MASK]))
    with pytest.raises(UserError, match="a.pkl' holds a list"):
        MaskFiles(tmp_path / "a.pkl")


def test_a_function_can_be_the_segmenter():
    segment = load_segmenter("tests.data_preparation.common.toy:segment_box")
    mask = segment(np.zeros((9, 9, 3), np.uint8), np.array([1, 2, 3, 4], np.float32))
    assert mask[2:6, 1:4].all() and mask.sum() == 12
    with pytest.raises(UserError, match="Unknown segmenter 'nothing'"):
        load_segmenter("nothing")


def test_a_saved_model_can_be_the_segmenter(tmp_path):
    import tensorflow as tf

    class Segmenter(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec((None, None, 3), tf.uint8),
                tf.TensorSpec((4,), tf.float32),
            ]
        )
        def __call__(self, image, box):
            return tf.cast(image[..., 0], tf.float32) / 255 * box[2]

    tf.saved_model.save(Segmenter(), str(tmp_path))
    image = np.zeros((2, 3, 3), np.uint8)
    image[1, 2] = 200
    mask = load_segmenter(str(tmp_path))(image, np.array([0, 0, 1, 1], np.float32))
    np.testing.assert_array_equal(mask, [[0, 0, 0], [0, 0, 1]])
