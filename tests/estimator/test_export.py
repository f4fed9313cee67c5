from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from metrabs.acae.weights_file import AffineWeights
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.estimator.detectors.registry import build_detector
from metrabs.estimator.estimator import PoseEstimator
from metrabs.estimator.export import MANIFEST_PATH, export_estimator, pack_export
from metrabs.files import sha256_of_file
from metrabs.skeletons.tables import Skeleton
from tests.estimator.fakes import FakeCropModel, FakeDetector

NAMES = ["pelv", "lsho", "rsho", "head", "neck"]
EDGES = np.array([[0, 1], [0, 2], [0, 3]], np.int32)
SKELETONS = {
    "": Skeleton([0, 1, 2, 3, 4], NAMES, [(0, 1)]),
    "a+b_2": Skeleton([4, 0], ["neck", "pelv"], [(0, 1)]),
}
BOXES = np.array([[10, 5, 20, 40, 0.9], [30, 10, 20, 30, 0.4]], np.float32)
WEIGHTS = AffineWeights(np.full([5, 2], 0.2), np.full([2, 5], 0.5), tuple(NAMES[::-1]))

# Runs where this package cannot be imported, as on a stranger's machine.
STRANGER = """
import sys
sys.modules["metrabs"] = None  # importing it raises ImportError now, installed or not
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
image = np.load(sys.argv[2])
boxes = [[10, 5, 20, 40], [30, 10, 20, 30]]
results = {
    "by_default": model.detect_poses(image),
    "by_keyword": model.estimate_poses(image=image, boxes=boxes, num_aug=2, skeleton="a+b_2"),
    "by_position": model.estimate_poses(
        image.astype(float), boxes, np.diag([50.0, 50, 1]), [0.01, 0, 0, 0], np.eye(4),
        [0, -1, 0], 55, 64, 1, 2, False, "a+b_2"),
}
ragged = model.estimate_poses_batched(
    image[np.newaxis], tf.ragged.constant([boxes], ragged_rank=1, dtype=tf.float32), num_aug=2)
results["batched"] = {key: value.values for key, value in ragged.items()}
signature = model.signatures["serving_default"]
results["served"] = signature(images=tf.constant(image[np.newaxis]))
results["signature"] = {"inputs": np.array(sorted(signature.structured_input_signature[1]))}
results["attributes"] = {
    "names": model.per_skeleton_joint_names["a+b_2"].numpy().astype(str),
    "edges": model.per_skeleton_joint_edges["a+b_2"],
    "edges_documented": model.per_skeleton_edges["a+b_2"],
    "indices": model.per_skeleton_indices["a+b_2"],
    "joint_names": model.joint_names.numpy().astype(str),
    "crop_joint_names": model.crop_model.joint_names.numpy().astype(str),
    "resolution": model.crop_model.input_resolution,
    "affine_w1": model.affine_w1, "affine_w2": model.affine_w2,
    "signatures": np.array(sorted(model.signatures)),
}
try:
    model.estimate_poses(image, boxes, skeleton="nonsense")
except tf.errors.InvalidArgumentError as error:
    results["error"] = {"message": np.array(str(error))}
np.savez(sys.argv[3], **{f"{a}/{b}": np.asarray(v) for a, d in results.items()
                         for b, v in d.items()})
"""


def _crop_model():
    template = np.random.default_rng(0).normal(size=(5, 3)) * 200
    return FakeCropModel(np.array(NAMES), EDGES, template)


def _detector():
    return FakeDetector(BOXES, np.array([2]))


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "estimator"
    detector = _detector()
    detector.description = "two fixed boxes"
    return export_estimator(
        _crop_model(), folder, detector=detector, skeletons=SKELETONS,
        affine_weights=WEIGHTS, config=Config().replace(proc_side=256),
    )  # fmt: skip


@pytest.fixture(scope="module")
def answers(export, image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stranger")
    np.save(folder / "image.npy", image)
    (folder / "use.py").write_text(STRANGER)
    command = [sys.executable, "-I", "use.py", str(export), "image.npy", "answers.npz"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"}
    done = subprocess.run(
        command, check=True, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )
    with np.load(folder / "answers.npz") as file:
        return {**file, "log": done.stderr}


def test_the_graphs_of_an_export_can_be_optimized(answers):
    assert "topological sort failed" not in answers["log"]


def test_export_answers_like_the_live_model_without_this_package(answers, image):
    live = PoseEstimator(_crop_model(), SKELETONS, detector=_detector())
    boxes = BOXES[:, :4]
    two_views = live.estimate_poses(image, boxes, num_aug=2, skeleton="a+b_2")
    by_position = live.estimate_poses(
        image, boxes, np.diag(np.float32([50, 50, 1])), [0.01, 0, 0, 0], num_aug=2,
        average_aug=False, skeleton="a+b_2",
    )  # fmt: skip
    full = live.estimate_poses(image, boxes, num_aug=2)
    expected = {
        "by_default": live.detect_poses(image),
        "by_keyword": two_views,
        "by_position": by_position,
        "batched": full,
    }
    assert answers["served/num_people"].tolist() == [len(expected["by_default"]["boxes"])]
    for key, value in expected["by_default"].items():
        np.testing.assert_allclose(answers[f"served/{key}"], [value], rtol=1e-4, atol=0.05)
    for call, results in expected.items():
        for key, value in results.items():
            np.testing.assert_allclose(answers[f"{call}/{key}"], value, rtol=1e-4, atol=0.05)


def test_export_describes_itself(answers):
    assert answers["attributes/names"].tolist() == ["neck", "pelv"]
    assert answers["attributes/edges"].tolist() == [[0, 1]]
    assert answers["attributes/edges_documented"].tolist() == [[0, 1]]
    assert answers["attributes/indices"].tolist() == [4, 0]
    assert answers["attributes/joint_names"].tolist() == NAMES
    assert answers["attributes/crop_joint_names"].tolist() == NAMES
    assert answers["attributes/resolution"] == 256
    np.testing.assert_allclose(answers["attributes/affine_w1"], WEIGHTS.w1)
    np.testing.assert_allclose(answers["attributes/affine_w2"], WEIGHTS.w2)
    assert answers["attributes/signatures"].tolist() == [
        "detect_poses", "detect_poses_batched", "estimate_poses", "estimate_poses_batched",
        "serving_default", "serving_with_boxes", "serving_with_boxes_and_intrinsics",
        "serving_with_intrinsics",
    ]  # fmt: skip
    assert answers["signature/inputs"].tolist() == ["images"]


def test_unknown_skeleton_is_an_error_that_lists_the_known_ones(answers):
    assert "Unknown skeleton" in str(answers["error/message"])
    assert "a+b_2" in str(answers["error/message"])


def test_manifest_holds_settings_and_digests(export):
    manifest = json.loads((export / MANIFEST_PATH).read_text())
    assert manifest["num_joints_per_skeleton"] == {"": 5, "a+b_2": 2}
    assert manifest["crop_model_config"]["proc_side"] == 256
    assert manifest["settings"]["detector"] == "two fixed boxes"
    digest = sha256_of_file(export / "saved_model.pb")
    assert manifest["sha256"]["saved_model.pb"] == digest


def test_archive_has_the_model_at_its_top(export, tmp_path):
    pack_export(export, tmp_path / "model.tar.gz")
    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        assert "saved_model.pb" in tar.getnames()
        assert "variables/variables.index" in tar.getnames()


def test_only_exports_are_replaced_and_failures_leave_them_alone(tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(UserError, match="is not a SavedModel"):
        export_estimator(_crop_model(), tmp_path, skeletons=SKELETONS)
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    (earlier / "saved_model.pb").write_text("earlier export")
    with pytest.raises(UserError, match="bone lengths"):
        export_estimator(_crop_model(), earlier, skeletons=SKELETONS, bone_lengths_mm=[1.0])
    assert (earlier / "saved_model.pb").read_text() == "earlier export"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["diary.txt", "earlier"]


def test_joint_transform_asks_for_skeletons(tmp_path):
    with pytest.raises(UserError, match="give the skeletons"):
        export_estimator(_crop_model(), tmp_path / "x", joint_transform=np.eye(5))


@pytest.mark.slow
def test_loaded_crop_model_and_detector_can_be_exported_again(tmp_path, image):
    tf.saved_model.save(_crop_model(), str(tmp_path / "crop"))
    tf.saved_model.save(_detector(), str(tmp_path / "detector"))
    folder = export_estimator(
        tf.saved_model.load(str(tmp_path / "crop")), tmp_path / "estimator",
        detector=build_detector(str(tmp_path / "detector")), skeletons=SKELETONS,
    )  # fmt: skip
    manifest = json.loads((folder / MANIFEST_PATH).read_text())
    assert manifest["settings"]["detector"] == "savedmodel:detector"
    loaded = tf.saved_model.load(str(folder))
    live = PoseEstimator(_crop_model(), SKELETONS, detector=_detector())
    actual, expected = loaded.detect_poses(image), live.detect_poses(image)
    np.testing.assert_allclose(actual["poses3d"], expected["poses3d"], atol=0.05)
