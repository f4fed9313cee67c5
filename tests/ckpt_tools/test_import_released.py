from __future__ import annotations

import numpy as np
import pytest

from ckpt_tools import export_released, import_released
from metrabs.training.model_loading import load_crop_model
from tests.ckpt_tools.common.tiny import network_weights, write_checkpoint

pytestmark = pytest.mark.usefixtures("tiny_backbone")


def test_model_in_the_original_layout_is_imported_if_its_predictions_stay_the_same(
    tmp_path, capsys
):
    model = write_checkpoint(tmp_path / "run")
    original, imported = tmp_path / "original", tmp_path / "imported"
    given = [f"--checkpoint={tmp_path / 'run'}", f"--output={original}"]
    assert export_released.main(given) == 0
    given = [f"--model={original}", f"--output={imported}", "--num_steps=7"]
    assert import_released.main(given) == 0
    assert "0.00" in capsys.readouterr().out.partition("difference between joints: ")[2][:4]
    loaded = load_crop_model(imported / "ckpt-7")
    for ours, expected in zip(network_weights(loaded), network_weights(model)):
        np.testing.assert_array_equal(ours.numpy(), expected.numpy())
    # Other settings change predictions, which the check detects.
    other = [f"--model={original}", "--nocentered_stride", f"--output={tmp_path / 'other'}"]
    assert import_released.main(other) == 1
    assert "--nocentered_stride" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    assert import_released.main([*other, "--nocheck"]) == 0
