"""Exports in the newest TensorFlow, which has an environment of its own: `make test-newest-tf`."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.estimator.detectors.efficientdet import build_person_detector
from metrabs.estimator.export import export_estimator
from metrabs.models.crop_model import CropModel
from metrabs.skeletons.tables import dataset_joint_info

OTHER_PYTHON = os.environ.get("NEWEST_TF_PYTHON")
SIDE = 64

# Also run here, in TensorFlow 2.15; each run writes what the estimator answers.
USE = """
import sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
image = np.load(sys.argv[2])
results = {
    "detect": model.detect_poses(image, detector_threshold=0.0, max_detections=3,
                                 suppress_implausible_poses=False),
    "estimate": model.estimate_poses(image, [[20, 10, 60, 90], [5, 5, 30, 80]], num_aug=3,
                                     distortion_coeffs=[0.1, 0, 0, 0], skeleton="smpl_24"),
    "serve": model.signatures["detect_poses_batched"](
        images=tf.constant(image[None]), intrinsic_matrix=tf.fill([1, 3, 3], -1.0),
        distortion_coeffs=tf.zeros([1, 5]), extrinsic_matrix=tf.eye(4)[None],
        world_up_vector=tf.constant([0.0, -1, 0]), default_fov_degrees=tf.constant(55.0),
        internal_batch_size=tf.constant(64), antialias_factor=tf.constant(2),
        num_aug=tf.constant(2), average_aug=tf.constant(True), skeleton=tf.constant(""),
        detector_threshold=tf.constant(0.0), detector_nms_iou_threshold=tf.constant(0.5),
        max_detections=tf.constant(2), detector_flip_aug=tf.constant(True),
        suppress_implausible_poses=tf.constant(False)),
    "serve_default": model.signatures["serving_default"](images=tf.constant(image[None])),
}
np.savez(sys.argv[3], version=tf.__version__, **{
    f"{call}/{key}": np.asarray(v) for call, d in results.items() for key, v in d.items()})
"""


def _crop_model():
    """A crop model with random weights, whose heads look at small differences."""
    tf.keras.utils.set_random_seed(3)
    image = tf.keras.Input([None, None, 3])
    x = tf.keras.layers.Conv2D(8, 8, strides=8)(image)
    x = tf.keras.layers.BatchNormalization()(x)
    x = tf.keras.layers.Conv2D(16, 4, strides=4, activation="relu")(x)
    model = CropModel(
        tf.keras.Model(image, x), dataset_joint_info("surreal"), Config().model, SIDE
    )
    model((tf.keras.Input([SIDE, SIDE, 3]), tf.keras.Input([3, 3])), training=False)
    return model


@pytest.mark.slow
@pytest.mark.skipif(not OTHER_PYTHON, reason="run by `make test-newest-tf`")
def test_newest_tensorflow_gives_the_same_poses(tmp_path):
    export = export_estimator(
        _crop_model(), tmp_path / "estimator", detector=build_person_detector()
    )
    image = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    np.save(tmp_path / "image.npy", image)
    (tmp_path / "use.py").write_text(USE)
    answers = {}
    for name, python in (("here", sys.executable), ("there", OTHER_PYTHON)):
        output = tmp_path / f"{name}.npz"
        subprocess.run(
            [python, "-I", "use.py", str(export), "image.npy", str(output)],
            check=True,
            cwd=tmp_path,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        )
        with np.load(output) as file:
            answers[name] = dict(file)
    versions = [str(answers[name].pop("version")) for name in ("here", "there")]
    assert versions[0] != versions[1]
    assert answers["here"]["detect/poses3d"].shape == (3, 24, 3)
    assert answers["here"].keys() == answers["there"].keys()
    for key, expected in answers["here"].items():
        np.testing.assert_allclose(answers["there"][key], expected, rtol=1e-3, atol=0.1)
