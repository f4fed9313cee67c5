"""From official files to numbers, with the commands that a researcher types.

Miniature fakes of the datasets are converted, merged, trained on for a few steps; the model is
exported and evaluated on all four benchmarks. Its numbers are poor, but there are numbers.
"""

from __future__ import annotations

import csv
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from metrabs.estimator.detectors import contract
from tests.data_preparation.fakes import coco as fake_coco
from tests.data_preparation.fakes import h36m as fake_h36m
from tests.data_preparation.fakes import mupots as fake_mupots
from tests.data_preparation.fakes import tdhp as fake_tdhp
from tests.data_preparation.fakes import tdpw as fake_tdpw

_ROOT = pathlib.Path(__file__).parent.parent
_TRAINING = (
    "--train", "--dataset=huge8", "--dataset2d=coco", "--backbone=mobilenetv3-small",
    "--backbone_weights=none", "--proc_side=64", "--depth=4", "--dtype=float32",
    "--batch_size=8", "--batch_size_2d=4", "--training_steps=20", "--workers=1",
    "--checkpoint_period=20", "--background_aug_prob=0", "--occlude_aug_prob=0",
    "--occlude_aug_prob_2d=0", "--logdir=run",
)  # fmt: skip


class TwoPeople(tf.Module):
    """A detector that always sees a person in each half of the image."""

    @tf.function(input_signature=contract.prediction_signature(batched=True))
    def predict_multi_image(self, images, threshold, nms_iou_threshold, flip_aug, bothflip_aug):
        size = tf.cast(tf.shape(images)[1:3], tf.float32)
        left = tf.stack([0.0, 0.0, size[1] / 2, size[0], 0.9])
        right = tf.stack([size[1] / 2, 0.0, size[1] / 2, size[0], 0.8])
        boxes = tf.tile(tf.stack([left, right])[tf.newaxis], [tf.shape(images)[0], 1, 1])
        return tf.RaggedTensor.from_tensor(boxes, ragged_rank=1)

    @tf.function(input_signature=contract.prediction_signature(batched=False))
    def predict_single_image(self, image, threshold, nms_iou_threshold, flip_aug, bothflip_aug):
        return self.predict_multi_image(
            image[tf.newaxis], threshold, nms_iou_threshold, flip_aug, bothflip_aug
        ).values


def _make_datasets(root: pathlib.Path) -> None:
    activities = {1: ["Walking"], 9: ["Greeting"], 11: ["Walking"]}
    fake_h36m.make_h36m(root, activities, fake_h36m.ALL_CAMERAS)
    fake_tdhp.make_tdhp(root)
    for number in (2, 3, 4, 6):
        fake_tdhp.write_test_sequence(root / "3dhp" / f"TS{number}", number)
    fake_tdpw.make_tdpw(root)
    fake_mupots.make_mupots(root)
    fake_coco.make_coco(root)


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Runs a program of the repository on the fakes and returns what it prints."""
    root = tmp_path_factory.mktemp("data")
    _make_datasets(root)
    tf.saved_model.save(TwoPeople(), str(root / "detector"))
    environment = {**os.environ, "DATA_ROOT": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=_ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr[-3000:]}"
        return done.stdout

    run.root = root  # type: ignore[attr-defined]
    return run


@pytest.mark.slow
def test_official_files_become_numbers_on_all_four_benchmarks(call):
    root = call.root
    call("-m", "data_preparation", "h36m", "--train_subjects=1", "--test_subjects=9,11")
    call(
        "-m",
        "data_preparation",
        "tdhp_full",
        "--subjects=1,8",
        "--sequence_numbers=1",
        "--cameras=0,1",
    )
    call("-m", "data_preparation", "coco")
    call("-m", "data_preparation.merge", "--name=huge8", "--members=h36m,tdhp_full")
    call("main.py", *_TRAINING)
    call("main.py", "--export_file=crop_model", "--logdir=run")
    call(
        "-m",
        "ckpt_tools.export_estimator",
        f"--model={root / 'experiments/run/crop_model'}",
        f"--detector={root / 'detector'}",
        f"--output={root / 'estimator'}",
    )
    for benchmark in ("h36m", "tdhp", "tdpw", "mupots"):
        extra = ["--gtassoc"] if benchmark == "tdpw" else []
        call(
            "-m",
            "metrabs.evaluation",
            benchmark,
            f"--model={root / 'estimator'}",
            f"--output={root / 'results' / 'tiny'}",
            *extra,
        )
        path = next((root / "results" / "tiny").glob(f"{benchmark}_pred_aug*_numbers.csv"))
        with open(path) as file:
            numbers = {row["metric"]: row["value"] for row in csv.DictReader(file)}
        assert np.isfinite(float(numbers["WACV 2023: MPJPE"]))
        assert 0 <= float(numbers["WACV 2023: PCK@100"]) <= 100
    table = call("-m", "metrabs.evaluation", "poster-table", f"--results={root / 'results'}")
    assert "here: tiny" in table
