"""The figures that the last stage draws from the files of the others."""

from __future__ import annotations

import json
import pathlib

import cv2
import numpy as np
import pytest

from metrabs.acae.weights_file import AffineWeights, save_affine_weights
from metrabs.reproduction import report
from metrabs.skeletons import tables
from metrabs.synthetic.scene import Scene, render_scene

_MODELS = ("separate", "consistency")
_NAMES = list(tables.merged_joint_info("huge8").names)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """An image of two people."""
    return render_scene(np.random.default_rng(1), 2, 320, 240)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, scene: Scene) -> pathlib.Path:
    """Small outputs of all stages that the report reads."""
    root = tmp_path_factory.mktemp("output")
    poses_cam_mm = np.stack([scene.camera.world_to_camera(j) for j in scene.joints_mm])
    images = root / "examples" / "images"
    images.mkdir(parents=True)
    cv2.imwrite(str(images / "scene.png"), scene.image[..., ::-1])
    _write_example_poses(root / "examples" / "poses.npz", scene, poses_cam_mm)
    for model in _MODELS:
        (root / model).mkdir()
        (root / model / "metrics.jsonl").write_text(
            "".join(
                json.dumps({"step": step, "loss": 10 / step, "mean_error": 500 / step}) + "\n"
                for step in (10, 20)
            )
        )
        (root / f"evaluation_{model}").mkdir()
        np.savez(
            root / f"evaluation_{model}" / "predictions.npz",
            coords3d_true_cam=poses_cam_mm,
            coords3d_pred_cam=poses_cam_mm + 50,
            joint_names=np.array(_NAMES),
            image_path=np.array([str(images / "scene.png")] * 2),
        )
    (root / "autoencoder").mkdir()
    (root / "autoencoder" / "history.json").write_text(
        json.dumps([{"step": 250, "loss": 0.1, "reconstruction_m": 0.01}])
    )
    w1 = np.full([len(_NAMES), 3], 1 / len(_NAMES), np.float32)
    save_affine_weights(
        root / "autoencoder" / "weights.npz",
        AffineWeights(w1, np.full_like(w1.T, 1 / 3), tuple(_NAMES)),
    )
    return root


def _write_example_poses(path: pathlib.Path, scene: Scene, poses_cam_mm: np.ndarray) -> None:
    arrays = {"images": np.array(["scene.png"]), "0/boxes": scene.boxes_px}
    for name, skeleton in tables.export_skeletons(_NAMES).items():
        if name in report._FORMATS:
            poses = poses_cam_mm[:, skeleton.indices]
            arrays[f"{name}/names"] = np.array(skeleton.names)
            arrays[f"{name}/edges"] = np.array(skeleton.edges)
            arrays[f"0/{name}/poses3d"] = poses
            arrays[f"0/{name}/poses2d"] = np.stack(
                [scene.camera.camera_to_image(pose) for pose in poses]
            )
    np.savez(path, **arrays)


def test_all_figures_are_drawn(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    report.draw_report(root, _MODELS, tmp_path)
    figures = {path.name: cv2.imread(str(path)) for path in tmp_path.glob("*.png")}
    assert {"image_scene.png", "training.png", "autoencoder.png", "latents.png"} < set(figures)
    assert sum(name.startswith("test_") for name in figures) >= 1
    assert all(figure.std() > 5 for figure in figures.values())


def test_poses_of_test_images_are_compared_relative_to_the_pelvis() -> None:
    pose = np.array([[10.0, 0, 4000], [10, 500, 4100]])
    np.testing.assert_array_equal(report._relative(pose, 0), [[[0, 0, 0], [0, 500, 100]]])
