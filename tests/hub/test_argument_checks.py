"""The functions are tiny; those of full-image models have the same kinds of arguments."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest
import tensorflow as tf

from metrabs.hub.argument_checks import check_arguments

IMAGE = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
NAMES = ("mean", "count", "missing")


class _Model(tf.Module):
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.uint8, name="image"),
            tf.TensorSpec([2, 2], tf.float32, name="matrix"),
            tf.TensorSpec([], tf.string, name="skeleton"),
        ],
        autograph=False,
    )
    def mean(self, image, matrix=((1.0, 0.0), (0.0, 1.0)), skeleton=""):
        return tf.reduce_mean(tf.cast(image, tf.float32)) * tf.linalg.det(matrix)

    @tf.function(
        input_signature=[tf.RaggedTensorSpec([None, None, 4], tf.float32, ragged_rank=1)],
        autograph=False,
    )
    def count(self, boxes):
        return boxes.row_lengths()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("model"))
    tf.saved_model.save(_Model(), folder)
    return folder


@pytest.fixture
def model(path):
    return check_arguments(tf.saved_model.load(path), NAMES)


def test_right_calls_have_the_same_results(model):
    mean = IMAGE.mean()
    assert model.mean(IMAGE).numpy() == mean
    assert model.mean(IMAGE.astype(float), np.eye(2) * 2, skeleton="x").numpy() == mean * 4
    assert model.mean(image=tf.constant(IMAGE), matrix=[[1, 0], [0, 3]]).numpy() == mean * 3
    boxes = tf.RaggedTensor.from_row_lengths(np.ones([3, 4], np.float32), [1, 2])
    assert model.count(boxes).numpy().tolist() == [1, 2]


@pytest.mark.parametrize(
    "args, kwargs, message",
    [
        ((IMAGE[0],), {}, r"mean\(\): image must be uint8 of the shape (None, None, 3), not "
         "ndarray of type uint8 and shape (5, 3)."),
        ((IMAGE[..., :1],), {}, "not ndarray of type uint8 and shape (4, 5, 1)"),
        ((tf.cast(IMAGE, tf.float32),), {}, "of type float32 and shape (4, 5, 3)"),
        ((IMAGE, np.eye(2)[np.newaxis]), {}, "matrix must be float32 of the shape (2, 2), not "),
        ((IMAGE, [[1, 2], [3]]), {}, "a list whose parts have different lengths"),
        ((IMAGE,), {"skeleton": 7}, "skeleton must be string of the shape (), not 7."),
        ((IMAGE,), {"skelton": ""}, "unexpected keyword argument 'skelton'. Expected: image, "
         "matrix, skeleton."),
        ((), {}, "missing a required argument: 'image'"),
    ],
)  # fmt: skip
def test_wrong_calls_are_explained_and_leave_other_threads_alone(model, args, kwargs, message):
    message = re.escape(message.replace("\\", ""))
    with pytest.raises(TypeError, match=message) as caught:
        model.mean(*args, **kwargs)
    assert len(str(caught.value).splitlines()) == 1
    answers = []
    thread = threading.Thread(target=lambda: answers.append(model.mean(IMAGE)), daemon=True)
    thread.start()
    thread.join(timeout=60)
    assert answers, "the other thread waits for ever"


def test_dense_boxes_are_refused_with_the_way_to_make_ragged_ones(model):
    for boxes in (np.ones([2, 3, 4], np.float32), [[[1.0, 2, 3, 4]], []]):
        with pytest.raises(TypeError, match="boxes must be a ragged .*from_row_lengths"):
            model.count(boxes)


def test_checked_functions_work_in_graphs_and_can_be_saved_again(model, tmp_path):
    in_graph = tf.function(lambda image: model.mean(image, skeleton="x"))
    assert in_graph(tf.constant(IMAGE)).numpy() == IMAGE.mean()
    images = tf.data.Dataset.from_tensors(IMAGE).map(model.mean)
    assert next(iter(images)).numpy() == IMAGE.mean()
    tf.saved_model.save(model, str(tmp_path))
    assert tf.saved_model.load(str(tmp_path)).mean(IMAGE).numpy() == IMAGE.mean()
    assert model.mean.concrete_functions


def test_models_without_such_functions_come_back_as_they_are():
    model = tf.Module()
    assert check_arguments(model) is model
