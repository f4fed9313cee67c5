from __future__ import annotations

import json

import numpy as np
import pytest

from ckpt_tools import export_onnx
from ckpt_tools.common.comparison import noise_crops
from metrabs.errors import UserError
from metrabs.estimator.crop_prediction import crop_predictor
from metrabs.training.export import save_crop_model
from tests.ckpt_tools.common.official_layout import JOINT_NAMES
from tests.ckpt_tools.common.tiny import build_model, write_checkpoint

pytestmark = pytest.mark.usefixtures("tiny_backbone")


def test_file_predicts_the_same_for_any_number_of_crops(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    model = build_model()
    path = tmp_path / "model.onnx"
    assert export_onnx.export_onnx(model, path) < 0.1
    crops, intrinsics = noise_crops(np.random.default_rng(5), 4, 64)
    intrinsics[:, 0, 1], intrinsics[1:, :2, :2] = 3, intrinsics[1:, :2, :2] * 2
    poses = export_onnx.onnx_predictor(path)(crops, intrinsics)
    assert poses.shape == (4, 3, 3) and poses.dtype == np.float32
    np.testing.assert_allclose(poses, crop_predictor(model)(crops, intrinsics), atol=0.1)
    metadata = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    assert json.loads(metadata["joint_names"]) == JOINT_NAMES
    with pytest.raises(UserError, match="nothing was written"):
        export_onnx.export_onnx(model, tmp_path / "other.onnx", tolerance_mm=-1)
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_missing_packages_name_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tf2onnx", None)
    with pytest.raises(UserError, match=r"metrabs\[onnx\]"):
        export_onnx.export_onnx(build_model(), tmp_path / "model.onnx")


def test_damaged_file_is_named(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    (tmp_path / "model.onnx").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="model.onnx"):
        export_onnx.onnx_predictor(tmp_path / "model.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["checkpoint", "export"])
def test_command_takes_checkpoints_and_exports(kind, tmp_path, capsys):
    pytest.importorskip("tf2onnx")
    if kind == "checkpoint":
        write_checkpoint(tmp_path / "model")
    else:
        save_crop_model(build_model(), tmp_path / "model")
    output = tmp_path / "model.onnx"
    assert export_onnx.main([f"--model={tmp_path / 'model'}", f"--output={output}"]) == 0
    assert output.stat().st_size > 1000
    assert "Largest difference" in capsys.readouterr().out
