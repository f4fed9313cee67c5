from __future__ import annotations

import concurrent.futures
import multiprocessing
import pickle

import numpy as np
import pytest

from data_preparation.common.detections import (
    DetectionFiles,
    FallbackDetections,
    NullDetections,
    RunningDetector,
    as_boxes,
    import_tensorflow,
    load_detection_source,
)
from metrabs.errors import UserError

IMAGE = np.full((4, 6, 3), 51, np.uint8)
HERE = "tests.data_preparation.common.toy"


def refused_image():
    raise AssertionError("the image is not needed")


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value))
    return str(path)


def test_boxes_of_images_are_looked_up(tmp_path):
    path = write(tmp_path / "found.pkl", {"a/1.jpg": [[1, 2, 3, 4, 0.5]], "a/2.jpg": []})
    source = DetectionFiles(path)
    np.testing.assert_array_equal(
        source.find("a/1.jpg", refused_image), np.array([[1, 2, 3, 4, 0.5]], np.float32)
    )
    assert source.find("a/2.jpg", refused_image).shape == (0, 5)
    assert source.find("a/3.jpg", refused_image) is None


def test_boxes_of_frames_are_in_one_file_per_video(tmp_path):
    write(tmp_path / "found" / "s1" / "cam.pkl", [np.zeros((0, 5)), [[1, 2, 3, 4, 1]]])
    source = DetectionFiles(str(tmp_path / "found"))
    assert source.find("s1/cam.mp4:0", refused_image).shape == (0, 5)
    assert source.find("s1/cam.mp4:1", refused_image)[0, 2] == 3
    assert source.find("s1/cam.mp4:2", refused_image) is None
    assert source.find("s1/other.mp4:0", refused_image) is None
    assert source.find("s1/cam.jpg", refused_image) is None


def test_a_detector_accepts_an_image_or_a_function_that_returns_it():
    source = RunningDetector(lambda image: [[0, 0, image.shape[1], image.shape[0], 1]])
    for image in (IMAGE, lambda: IMAGE):
        np.testing.assert_array_equal(source.find("key", image), [[0, 0, 6, 4, 1]])


def test_the_first_result_counts_even_if_it_is_empty(tmp_path):
    path = write(tmp_path / "found.pkl", {"a": []})
    detector = RunningDetector(lambda image: [[0, 0, 1, 1, 1]])
    source = FallbackDetections([DetectionFiles(path), detector])
    assert len(source.find("a", IMAGE)) == 0 and len(source.find("b", IMAGE)) == 1


def test_given_files_take_precedence_over_the_usual_ones_and_the_detector(tmp_path):
    usual = str(tmp_path / "usual.pkl")
    assert isinstance(load_detection_source("", (usual,), ""), NullDetections)
    given = write(tmp_path / "given.pkl", {"a": [[1, 1, 1, 1, 1]]})
    write(tmp_path / "usual.pkl", {"a": [[2, 2, 2, 2, 1]]})
    load_detection_source.cache_clear()
    assert load_detection_source("", (usual,), "").find("a", IMAGE)[0, 0] == 2
    assert load_detection_source(given, (usual,), "").find("a", IMAGE)[0, 0] == 1
    source = load_detection_source(given, (), f"{HERE}:detect_all")
    assert source.find("b", IMAGE)[0, 4] == pytest.approx(0.2)


def test_rejects_results_of_another_form(tmp_path):
    with pytest.raises(UserError, match=r"Detections of 'x' have shape \(1, 4\)"):
        as_boxes([[1, 2, 3, 4]], "x")
    with pytest.raises(UserError, match="of 'x' are not a table of numbers"):
        as_boxes([[1, 2, 3, 4, 0.5], [1, 2]], "x")
    with pytest.raises(UserError, match="holds a list; expected a dict"):
        DetectionFiles(write(tmp_path / "list.pkl", []))
    write(tmp_path / "found" / "cam.pkl", {"0": []})
    with pytest.raises(UserError, match="cam.pkl' holds a dict; expected a list"):
        DetectionFiles(str(tmp_path / "found")).find("cam.mp4:0", refused_image)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yolo", "Unknown detector 'yolo'"),
        ("nowhere.at:all", "cannot be imported"),
        (f"{HERE}:nothing", "cannot be imported"),
    ],
)
def test_rejects_unknown_detectors(name, message):
    with pytest.raises(UserError, match=message):
        load_detection_source("", (), name)


def test_the_built_in_detector_can_be_used():
    load_detection_source.cache_clear()
    source = load_detection_source("", (), "efficientdet")
    found = source.find("a", np.zeros((48, 64, 3), np.uint8))
    assert found.shape == (0, 5) and found.dtype == np.float32


def num_threads(_):
    """Runs in a worker process."""
    tf = import_tensorflow()
    return tf.config.threading.get_intra_op_parallelism_threads()


def test_a_worker_process_takes_one_thread_for_its_network():
    before = import_tensorflow().config.threading.get_intra_op_parallelism_threads()
    with concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn")
    ) as executor:
        assert executor.submit(num_threads, None).result() == 1
    assert import_tensorflow().config.threading.get_intra_op_parallelism_threads() == before


def test_a_saved_model_can_be_used(tmp_path):
    import tensorflow as tf

    class Detector(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec((None, None, None, 3), tf.uint8),
                tf.TensorSpec((), tf.float32),
                tf.TensorSpec((), tf.float32),
                tf.TensorSpec((), tf.bool),
                tf.TensorSpec((), tf.bool),
            ]
        )
        def predict_multi_image(self, images, threshold, nms, flip, both):
            del nms, flip, both
            width = tf.cast(tf.shape(images)[2], tf.float32)
            return tf.RaggedTensor.from_tensor([[[1.0, 2.0, width, 4.0, threshold]]])

    tf.saved_model.save(Detector(), str(tmp_path / "model"))
    found = load_detection_source("", (), str(tmp_path / "model")).find("a", IMAGE)
    np.testing.assert_allclose(found, [[1, 2, 6, 4, 0.2]])
