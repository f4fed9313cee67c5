from __future__ import annotations

import keyword
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from metrabs.estimator.estimator import PoseEstimator
from metrabs.estimator.export import save_estimator
from metrabs.estimator.serving import pad_people
from metrabs.skeletons.tables import Skeleton
from tests.estimator.fakes import FakeCropModel, FakeDetector

NAMES = ["pelv", "lsho", "rsho", "head", "neck"]
SKELETONS = {
    "": Skeleton([0, 1, 2, 3, 4], NAMES, [(0, 1)]),
    "two": Skeleton([4, 0], ["neck", "pelv"], [(0, 1)]),
}
BOXES = np.array([[10, 5, 20, 40], [30, 10, 20, 30]], np.float32)
IMAGES = np.random.default_rng(1).integers(0, 255, (2, 60, 80, 3), dtype=np.uint8)
INTRINSICS = np.array([[[50, 0, 40], [0, 50, 30], [0, 0, 1]]], np.float32)
# Two people in the first image and one in the second, which is padded.
PADDED_BOXES = np.stack([BOXES, [BOXES[1], np.zeros(4, np.float32)]])
FUNCTIONS = ("detect_poses", "detect_poses_batched", "estimate_poses", "estimate_poses_batched")


def _estimator(has_detector=True):
    template = np.random.default_rng(0).normal(size=(5, 3)) * 200
    crop_model = FakeCropModel(np.array(NAMES), np.array([[0, 1], [0, 2], [0, 3]]), template)
    table = np.concatenate([BOXES, [[0.9], [0.4]]], axis=1)
    detector = FakeDetector(np.concatenate([table, table[:1]]), np.array([2, 1]))
    return PoseEstimator(crop_model, SKELETONS, detector=detector if has_detector else None)


@pytest.fixture(scope="module")
def live():
    return _estimator()


@pytest.fixture(scope="module")
def export(live, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving") / "1"
    save_estimator(live, folder)
    return str(folder)


@pytest.fixture(scope="module")
def session(export):
    """The model as C++ and TensorFlow Serving see it: a graph, and tensors by their names."""
    with tf.Graph().as_default() as graph:
        session = tf.compat.v1.Session(graph=graph)
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], export)
    yield session, meta_graph
    session.close()


def _serve(session, name, **inputs):
    session, meta_graph = session
    signature = meta_graph.signature_def[name]
    feeds = {signature.inputs[key].name: value for key, value in inputs.items()}
    fetches = {key: output.name for key, output in signature.outputs.items()}
    return session.run(fetches, feeds)


def _assert_same_people(served, ragged):
    num_people = next(iter(ragged.values())).row_lengths().numpy()
    assert served.pop("num_people").tolist() == num_people.tolist()
    assert sorted(served) == sorted(ragged)
    for key, value in ragged.items():
        assert served[key].shape == (len(num_people), num_people.max(), *value.values.shape[1:])
        for image, number in enumerate(num_people):
            np.testing.assert_allclose(
                served[key][image, :number], value[image], rtol=1e-4, atol=0.05
            )
            assert not served[key][image, number:].any()


def test_serving_obeys_names_and_types_of_all_inputs_and_outputs(session):
    signatures = dict(session[1].signature_def)
    del signatures["__saved_model_init_op"]
    assert sorted(signatures) == sorted([
        *FUNCTIONS, "serving_default", "serving_with_boxes", "serving_with_boxes_and_intrinsics",
        "serving_with_intrinsics",
    ])  # fmt: skip
    types = {tf.uint8, tf.float32, tf.int32, tf.bool, tf.string}
    for signature in signatures.values():
        assert signature.method_name == "tensorflow/serving/predict"
        for infos in (signature.inputs, signature.outputs):
            for name, info in infos.items():
                assert name.isidentifier() and not keyword.iskeyword(name)
                assert re.fullmatch(r"\w+:\d+", info.name)
                assert tf.as_dtype(info.dtype) in types


@pytest.mark.parametrize(
    "name, required",
    [
        ("detect_poses", {"image"}),
        ("detect_poses_batched", {"images"}),
        ("estimate_poses", {"image", "boxes"}),
        ("estimate_poses_batched", {"images", "boxes"}),
        ("serving_default", {"images"}),
        ("serving_with_intrinsics", {"images", "intrinsic_matrix"}),
        ("serving_with_boxes", {"images", "boxes"}),
        ("serving_with_boxes_and_intrinsics", {"images", "boxes", "intrinsic_matrix"}),
    ],
)
def test_images_and_boxes_are_required_and_other_inputs_have_defaults(session, name, required):
    signature = session[1].signature_def[name]
    assert signature.inputs.keys() - signature.defaults.keys() == required
    if name.startswith("serving"):
        assert not signature.defaults


def test_defaults_are_those_of_the_python_functions(session, live):
    kept = {"detector_threshold": 0.5, "suppress_implausible_poses": False, "num_aug": 2}
    served = _serve(session, "detect_poses_batched", images=IMAGES, **kept)
    _assert_same_people(served, live.detect_poses_batched(IMAGES, **kept))
    served = _serve(session, "detect_poses", image=IMAGES[0], **kept)
    for key, value in live.detect_poses(IMAGES[0], **kept).items():
        np.testing.assert_allclose(served[key], value, rtol=1e-4, atol=0.05)


def test_detected_people_are_served(session, live):
    _assert_same_people(
        _serve(session, "serving_default", images=IMAGES), live.detect_poses_batched(IMAGES)
    )


def test_people_in_padded_boxes_are_served(session, live):
    ragged = tf.RaggedTensor.from_row_lengths(BOXES[[0, 1, 1]], [2, 1])
    inputs = {"images": IMAGES, "boxes": PADDED_BOXES}
    served = _serve(session, "serving_with_boxes", **inputs)
    _assert_same_people(served, live.estimate_poses_batched(IMAGES, ragged))
    inputs["intrinsic_matrix"] = INTRINSICS
    served = _serve(session, "serving_with_boxes_and_intrinsics", **inputs)
    expected = live.estimate_poses_batched(IMAGES, ragged, intrinsic_matrix=INTRINSICS)
    _assert_same_people(served, expected)
    served = _serve(
        session, "estimate_poses_batched", average_aug=False, skeleton="two", num_aug=2, **inputs
    )
    expected = live.estimate_poses_batched(
        IMAGES, ragged, INTRINSICS, average_aug=False, skeleton="two", num_aug=2
    )
    _assert_same_people(served, expected)


def test_without_a_detector_boxes_are_required(tmp_path):
    save_estimator(_estimator(has_detector=False), tmp_path)
    signatures = tf.saved_model.load(str(tmp_path)).signatures
    assert "serving_with_intrinsics" not in signatures
    served = signatures["serving_default"](images=IMAGES, boxes=tf.constant(PADDED_BOXES))
    assert served["num_people"].numpy().tolist() == [2, 1]


@pytest.mark.parametrize("lengths", [[], [0, 0], [2, 0, 1]])
def test_people_are_padded_with_zeros(lengths):
    values = np.arange(1.0, 1 + 2 * sum(lengths), dtype=np.float32).reshape(-1, 2)
    ragged = tf.RaggedTensor.from_row_lengths(values, tf.constant(lengths, tf.int64))
    padded = tf.function(pad_people, autograph=False)({"boxes": ragged})
    assert padded["num_people"].numpy().tolist() == lengths
    width = max(lengths, default=0)
    np.testing.assert_array_equal(
        padded["boxes"], ragged.to_tensor(shape=[len(lengths), width, 2])
    )


@pytest.mark.slow
def test_saved_model_cli_runs_the_default_signature(export, live, tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    subprocess.run(
        [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run", "--dir", export,
         "--tag_set", "serve", "--signature_def", "serving_default",
         "--inputs", f"images={tmp_path / 'images.npy'}", "--outdir", str(tmp_path)],
        check=True, capture_output=True,
    )  # fmt: skip
    served = {path.stem: np.load(path) for path in tmp_path.glob("*.npy")}
    del served["images"]
    _assert_same_people(served, live.detect_poses_batched(IMAGES))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["serving_default", "serving_with_boxes"])
def test_signatures_convert_to_tensorflow_lite(export, name):
    converter = tf.lite.TFLiteConverter.from_saved_model(export, signature_keys=[name])
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS,
    ]  # fmt: skip
    converter.target_spec.experimental_select_user_tf_ops = ["Cross", "DeviceIndex"]
    model = converter.convert()
    assert tf.lite.Interpreter(model_content=model).get_signature_list()[name]["inputs"]
