from __future__ import annotations

import pathlib

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.evaluation.benchmarks.base import check_same_frames, read_sorted_predictions
from metrabs.evaluation.benchmarks.three_dpw import ThreeDpw


def test_record_of_predictions_leaves_out_settings_of_the_evaluation():
    record = ThreeDpw(gtassoc=True, smoothing="causal", testset_only=True).prediction_record()
    assert record == {"benchmark": "tdpw", "gtassoc": True, "real_intrinsics": False}


def test_settings_left_out_of_the_record_exist():
    for name in ThreeDpw.NOT_IN_PREDICTIONS:
        assert hasattr(ThreeDpw(), name)


def test_predictions_are_sorted_by_image_path(tmp_path):
    np.savez(
        tmp_path / "p.npz",
        image_path=["b", "a", "b"],
        coords3d_pred_world=np.arange(9.0).reshape(3, 1, 3),
    )
    image_paths, poses_mm = read_sorted_predictions(tmp_path / "p.npz")
    assert image_paths == ["a", "b", "b"]
    assert poses_mm[:, 0, 0].tolist() == [3, 0, 6]


def test_a_file_of_other_content_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", something=np.zeros(3))
    with pytest.raises(UserError, match="x.npz' is not a prediction file"):
        read_sorted_predictions(tmp_path / "x.npz")


@pytest.mark.parametrize("number", [2, 0])
def test_arrays_that_do_not_fit_each_other_are_rejected(number, tmp_path):
    np.savez(tmp_path / "p.npz", image_path=["a"], coords3d_pred_world=np.zeros([number, 1, 3]))
    with pytest.raises(UserError, match="p.npz' is not a prediction file"):
        read_sorted_predictions(tmp_path / "p.npz")


@pytest.mark.parametrize(("predicted", "message"), [
    (["a"], "lacks 1 frames, such as 'b'"),
    (["a", "b", "c"], "holds 1 frames that are not evaluated, such as 'c'"),
    (["a", "b", "b"], "several people in some frames"),
])  # fmt: skip
def test_predictions_of_other_frames_are_rejected(predicted, message):
    check_same_frames(["a", "b"], ["a", "b"], pathlib.Path("p.npz"))
    with pytest.raises(UserError, match=message):
        check_same_frames(predicted, ["a", "b"], pathlib.Path("p.npz"))
