from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metrabs.acae.config import AcaeConfig
from metrabs.acae.training import STEPS_PER_CALL, learning_rate_schedule, train_acae
from metrabs.errors import UserError
from tests.golden.tolerances import assert_close

SIDES = [f"{part}_{kind}" for kind in "abc" for part in ("sho", "elb", "wri")]
NAMES = [f"l{name}" for name in SIDES] + ["neck", "pelv"] + [f"r{name}" for name in SIDES]
CONFIG = AcaeConfig(
    num_latents_sided=10, num_latents_central=4, num_steps=1000, learning_rate_boundaries=None
)
SHORT_CONFIG = dataclasses.replace(CONFIG, num_steps=STEPS_PER_CALL + 20)


def make_poses(seed=0, num_poses=200, spread=20.0):
    """Poses of a few key points, each of which all formats see at slightly different places."""
    rng = np.random.default_rng(seed)
    keys = rng.normal(size=(num_poses, 8, 3)) * 300
    left = np.tile(keys[:, :3], (1, 3, 1))
    right = np.tile(keys[:, 3:6], (1, 3, 1))
    poses = np.concatenate([left, keys[:, 6:], right], axis=1)
    offsets = rng.normal(size=(20, 3)) * spread
    return (poses + offsets + [0, 0, 4000]).astype(np.float32)


@pytest.fixture(scope="module")
def trained():
    return train_acae(make_poses(), NAMES, CONFIG)


def test_training_finds_sparse_weights_that_reconstruct_the_poses(trained):
    weights, history = trained
    assert weights.w1.shape == (20, 14) and weights.joint_names == tuple(NAMES)
    assert history[-1].step == CONFIG.num_steps
    assert history[-1].test_reconstruction < 0.012  # the formats differ by 20 mm
    assert np.mean(np.abs(weights.w1) < 1e-2) > 0.6
    # Which depth a format has is invisible in projections, so it is reconstructed less well.
    poses = make_poses()
    reconstructed = np.einsum("bjc,jk->bkc", poses, weights.w1 @ weights.w2)
    assert np.abs(reconstructed - poses).mean() < 30


def test_weights_are_in_the_original_joint_order_and_mirror_symmetric(trained):
    weights, _ = trained
    mirror = [NAMES.index({"l": "r", "r": "l"}.get(n[0], n[0]) + n[1:]) for n in NAMES]
    latents = [*range(5, 10), *range(5), *range(10, 14)]
    assert_close(weights.w1[mirror][:, latents], weights.w1, rtol=1e-6)
    assert_close(weights.w2[latents][:, mirror], weights.w2, rtol=1e-6)


def test_interrupted_training_resumes_to_the_same_result(tmp_path):
    def stop(progress):
        raise KeyboardInterrupt

    arguments = (make_poses(), NAMES, SHORT_CONFIG)
    with pytest.raises(KeyboardInterrupt):
        train_acae(*arguments, on_progress=stop, checkpoint_dir=tmp_path)
    resumed, history = train_acae(*arguments, checkpoint_dir=tmp_path)
    assert [progress.step for progress in history] == [SHORT_CONFIG.num_steps]
    uninterrupted, _ = train_acae(*arguments)
    assert np.array_equal(resumed.w1, uninterrupted.w1)
    assert np.array_equal(resumed.w2, uninterrupted.w2)


def test_regularisation_trades_accuracy_for_sparsity(trained):
    weights, history = trained
    config = dataclasses.replace(CONFIG, regul_lambda=0.0)
    dense, dense_history = train_acae(make_poses(), NAMES, config)
    assert np.mean(np.abs(weights.w1) < 1e-2) > 2 * np.mean(np.abs(dense.w1) < 1e-2)
    assert history[-1].test_reconstruction > dense_history[-1].test_reconstruction


def test_progress_is_reported_with_the_test_error_on_given_poses():
    reports = []
    config = dataclasses.replace(SHORT_CONFIG, projected=False, chiral=False, seed=1)
    _, history = train_acae(
        make_poses(), NAMES, config, poses_test=make_poses(seed=1), on_progress=reports.append
    )
    assert reports == history
    assert [report.step for report in reports] == [STEPS_PER_CALL, config.num_steps]
    assert all(report.test_reconstruction > 0 for report in reports)


def test_short_runs_may_divide_the_learning_rates_evenly():
    schedule = learning_rate_schedule(CONFIG, total_steps=300)
    rates = [float(schedule(step)) for step in (0, 99, 100, 199, 200)]
    assert_close(rates, [3e-2, 3e-2, 3e-3, 3e-3, 3e-4])


def test_a_pass_is_rounded_up_to_whole_steps():
    assert AcaeConfig(num_epochs=3).total_steps(num_train=33) == 6
    assert AcaeConfig(num_steps=10).total_steps(num_train=33) == 10


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_latents_sided": 5}, "even number"),
        ({"num_latents_sided": 0, "num_latents_central": 0}, "at least one latent"),
        ({"test_fraction": 1.0}, r"\[0, 1\)"),
        ({"batch_size": 0}, "at least 1"),
        ({"learning_rate_boundaries": (5,)}, "need 2 boundaries"),
    ],
)
def test_invalid_settings_are_rejected(settings, message):
    with pytest.raises(UserError, match=message):
        AcaeConfig(**settings)
