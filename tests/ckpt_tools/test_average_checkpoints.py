from __future__ import annotations

import numpy as np
import pytest

from ckpt_tools.average_checkpoints import average_checkpoints, main
from metrabs.errors import UserError
from metrabs.training.model_loading import load_crop_model
from tests.ckpt_tools.common.tiny import network_weights, write_checkpoint

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.mark.parametrize(
    ("weights", "first", "second"),
    [pytest.param((), 0.5, 0.5, marks=pytest.mark.slow), ((1, 3), 0.25, 0.75)],
)
def test_weights_are_the_weighted_mean(weights, first, second, tmp_path):
    models = [
        write_checkpoint(tmp_path / name, seed=seed, num_steps=steps)
        for name, seed, steps in (("a", 1, 4), ("b", 2, 9))
    ]
    path = average_checkpoints([tmp_path / "a", tmp_path / "b/ckpt-9"], tmp_path / "c", weights)
    assert path == str(tmp_path / "c/ckpt-9")
    averaged = load_crop_model(tmp_path / "c/ckpt-9")
    assert averaged.joint_info == models[0].joint_info
    for ours, a, b in zip(*map(network_weights, (averaged, *models))):
        np.testing.assert_allclose(
            ours.numpy(), first * a.numpy() + second * b.numpy(), rtol=1e-5, atol=1e-6
        )


@pytest.mark.slow
def test_mean_of_one_model_is_that_model(tmp_path):
    model = write_checkpoint(tmp_path / "a")
    average_checkpoints([tmp_path / "a"] * 3, tmp_path / "b")
    for ours, given in zip(*map(network_weights, (load_crop_model(tmp_path / "b/ckpt-5"), model))):
        np.testing.assert_allclose(ours.numpy(), given.numpy(), rtol=1e-6)


@pytest.mark.parametrize("weights", [(1,), (1, -1), (0, 0), (1, np.nan)])
def test_unusable_weights_are_refused(weights, tmp_path):
    write_checkpoint(tmp_path / "a")
    with pytest.raises(UserError, match="--weights"):
        average_checkpoints([tmp_path / "a"] * 2, tmp_path / "b", weights)
    assert not (tmp_path / "b").exists()


def test_one_checkpoint_or_none_or_a_used_folder_are_refused(tmp_path):
    write_checkpoint(tmp_path / "a")
    with pytest.raises(UserError, match="at least two"):
        average_checkpoints([tmp_path / "a"], tmp_path / "b")
    with pytest.raises(UserError, match="no checkpoint"):
        average_checkpoints([tmp_path / "a", tmp_path / "missing"], tmp_path / "b")
    with pytest.raises(UserError, match="in use already"):
        average_checkpoints([tmp_path / "a"] * 2, tmp_path / "a")


def test_other_models_are_refused(tmp_path):
    write_checkpoint(tmp_path / "a")
    write_checkpoint(tmp_path / "b", depth=4)
    with pytest.raises(UserError, match="another model"):
        average_checkpoints([tmp_path / "a", tmp_path / "b"], tmp_path / "c")


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["weights", "shares"])
def test_command_takes_weights_also_by_their_earlier_name(flag, tmp_path, capsys):
    model = write_checkpoint(tmp_path / "a", seed=1)
    write_checkpoint(tmp_path / "b", seed=2)
    both = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert main([*both, f"--{flag}=1,0", f"--output={tmp_path / 'c'}"]) == 0
    averaged = load_crop_model(tmp_path / "c/ckpt-5")
    for ours, given in zip(*map(network_weights, (averaged, model))):
        np.testing.assert_array_equal(ours.numpy(), given.numpy())
    assert main([*both, f"--{flag}=a,b", f"--output={tmp_path / 'd'}"]) == 1
    assert "--weights" in capsys.readouterr().err
