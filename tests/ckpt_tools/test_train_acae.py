from __future__ import annotations

import numpy as np
import pytest

from ckpt_tools import train_acae as command
from metrabs.acae.weights_file import load_affine_weights
from metrabs.errors import UserError

NAMES = ["lelb", "lwri", "pelv", "relb", "rwri"]


@pytest.fixture
def predictions(tmp_path):
    paths = []
    for seed in (0, 1):
        poses = np.random.default_rng(seed).normal(size=(40, 5, 3)) * 200 + [0, 0, 3000]
        paths.append(str(tmp_path / f"predictions_{seed}.npz"))
        np.savez(paths[-1], coords3d_pred_cam=poses.astype(np.float32), joint_names=NAMES)
    return paths


@pytest.mark.parametrize("flag", ["output", "output_path"])
def test_command_writes_weights_for_the_joints_of_the_predictions(flag, tmp_path, predictions):
    output = str(tmp_path / "weights.npz")
    arguments = [
        f"--pred_path={predictions[0]}",
        f"--test_pred_path={predictions[1]}",
        f"--{flag}={output}",
        "--num_latents_sided=4",
        "--num_latents_central=1",
        "--num_steps=50",
        "--zero_below=0.001",
    ]
    assert command.main(arguments) == 0
    weights = load_affine_weights(output)
    assert weights.joint_names == tuple(NAMES)
    assert weights.num_latents == 5
    assert int(np.load(output)["num_latents_sided"]) == 4


def test_predictions_of_several_files_are_joined(predictions):
    poses, names = command.load_predictions(predictions)
    assert poses.shape == (80, 5, 3) and names == NAMES


def test_files_with_other_joints_are_refused(tmp_path, predictions):
    other = str(tmp_path / "other.npz")
    np.savez(other, coords3d_pred_cam=np.ones([3, 5, 3]), joint_names=NAMES[::-1])
    with pytest.raises(UserError, match="other.npz has other joints"):
        command.load_predictions([*predictions, other])


def test_unreadable_predictions_are_explained(tmp_path):
    np.savez(tmp_path / "empty.npz")
    for name in ("empty.npz", "missing.npz"):
        with pytest.raises(UserError, match=f"{name} is not a file of predictions"):
            command.load_predictions([str(tmp_path / name)])


def test_test_predictions_with_other_joints_are_refused(tmp_path, predictions, capsys):
    other = str(tmp_path / "other.npz")
    np.savez(other, coords3d_pred_cam=np.ones([3, 5, 3]), joint_names=NAMES[::-1])
    arguments = [
        f"--pred_path={predictions[0]}",
        f"--test_pred_path={other}",
        f"--output={tmp_path / 'weights.npz'}",
    ]
    assert command.main(arguments) == 1
    assert "--test_pred_path" in capsys.readouterr().err


def test_missing_flags_are_explained(capsys):
    assert command.main([]) == 1
    assert "--pred_path and --output" in capsys.readouterr().err
