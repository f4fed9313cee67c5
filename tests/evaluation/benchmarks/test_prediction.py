from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import shutil
from typing import ClassVar

import numpy as np
import pytest

from metrabs.data.storage.image_archive import SUFFIX, pack_folder
from metrabs.errors import UserError
from metrabs.estimator.client import PredictionSettings
from metrabs.evaluation.benchmarks.base import Benchmark, Frame, read_sorted_predictions
from metrabs.evaluation.benchmarks.prediction import predict_benchmark
from tests.evaluation.oracle import Oracle, write_grey_images

_SETTINGS = PredictionSettings("smpl_24")
_POSES = {level: np.full([level % 3, 4, 3], 1000.0 + level) for level in range(12)}


@dataclasses.dataclass(frozen=True)
class Tiny(Benchmark):
    """Two sequences of three images."""

    NAME: ClassVar[str] = "tiny"
    TITLE: ClassVar[str] = "Tiny"
    SETTINGS: ClassVar[PredictionSettings] = _SETTINGS
    NOT_IN_PREDICTIONS: ClassVar[tuple[str, ...]] = ("only_a", "smoothing")

    only_a: bool = False
    smoothing: bool = False
    known_camera: bool = False

    def sequences(self, data_root: pathlib.Path) -> list[str]:
        return ["a"] if self.only_a else ["a", "b"]

    def frames(self, data_root: pathlib.Path, sequence: str) -> list[Frame]:
        return [Frame(f"{sequence}/{i}.png") for i in range(3)]

    def evaluate(self, data_root, path):
        return []


class Interrupting(Oracle):
    """Fails in a given call."""

    def __init__(self, failing_call: int) -> None:
        super().__init__(_POSES, _camera())
        self.failing_call = failing_call

    def detect_poses_batched(self, images, **arguments):
        if len(self.calls) == self.failing_call:
            raise KeyboardInterrupt
        return super().detect_poses_batched(images, **arguments)


def _camera():
    from metrabs.geometry.camera import Camera

    return Camera(intrinsic_matrix=np.diag([100.0, 100, 1]))


@pytest.fixture
def root(tmp_path):
    write_grey_images(tmp_path, [f"{s}/{i}.png" for s in "ab" for i in range(3)])
    return tmp_path


def predict(root, model, name="m", benchmark=None, batch_size=64, **changes):
    """Predicts into root/out/tiny.npz."""
    settings = dataclasses.replace(_SETTINGS, **changes)
    path = root / "out" / "tiny.npz"
    predict_benchmark(benchmark or Tiny(), lambda: model, name, root, path, settings, batch_size)
    return path


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_people_stay_with_their_frames_for_any_batch_size(batch_size, root):
    path = predict(root, Oracle(_POSES, _camera()), batch_size=batch_size)
    with np.load(path) as file:
        assert file["image_path"].tolist() == [
            "a/1.png",
            "a/2.png",
            "a/2.png",
            "b/1.png",
            "b/2.png",
            "b/2.png",
        ]
        np.testing.assert_array_equal(
            file["coords3d_pred_world"][:, 0, 0], [1001, 1002, 1002, 1004, 1005, 1005]
        )


def test_images_of_another_size_start_a_batch(root):
    write_grey_images(root, ["a/1.png"], size_wh=(20, 20))
    oracle = Oracle(_POSES, _camera())
    predict(root, oracle, benchmark=Tiny(only_a=True))
    assert len(oracle.calls) == 3


def test_an_interrupted_prediction_is_continued(root):
    with pytest.raises(KeyboardInterrupt):
        predict(root, Interrupting(1))
    assert not (root / "out/tiny.npz").exists()
    rest = Interrupting(99)
    path = predict(root, rest)
    assert len(rest.calls) == 1  # sequence a was done
    image_paths, poses = read_sorted_predictions(path)
    assert image_paths == ["a/1.png", "a/2.png", "a/2.png", "b/1.png", "b/2.png", "b/2.png"]
    assert poses.shape == (6, 4, 3)
    assert {p.name for p in path.parent.iterdir()} == {"tiny.npz", "tiny_settings.json"}


def test_finished_predictions_do_not_need_the_model(root):
    path = predict(root, Oracle(_POSES, _camera()))
    assert predict(root, None) == path
    assert predict(root, None, internal_batch_size=3) == path
    assert predict(root, None, benchmark=Tiny(smoothing=True, only_a=True)) == path


def _fake_saved_model(folder, content):
    folder.mkdir(exist_ok=True)
    (folder / "saved_model.pb").write_text(content)
    return str(folder)


@pytest.mark.parametrize("failing_call", [1, 99])  # unfinished and finished predictions
@pytest.mark.parametrize(("other", "message"), [
    ({"name": "other"}, "model was .*is other"), ({"num_aug": 3}, "num_aug was 5, is 3"),
    ({"benchmark": Tiny(known_camera=True)}, "known_camera was False, is True"),
])  # fmt: skip
def test_predictions_of_another_model_or_settings_are_not_taken(
    failing_call, other, message, root
):
    with contextlib.suppress(KeyboardInterrupt):
        predict(root, Interrupting(failing_call))
    with pytest.raises(UserError, match=f"other settings.*{message}.*--predictions.*--output"):
        predict(root, Interrupting(99), **other)


def test_predictions_of_a_model_that_has_changed_are_not_taken(root):
    name = _fake_saved_model(root / "model", "first")
    predict(root, Oracle(_POSES, _camera()), name)
    predict(root, None, name)
    _fake_saved_model(root / "model", "second")
    with pytest.raises(UserError, match="model was"):
        predict(root, Oracle(_POSES, _camera()), name)


def test_predictions_of_an_unknown_model_are_not_taken(root):
    path = predict(root, Oracle(_POSES, _camera()))
    path.with_name("tiny_settings.json").unlink()
    with pytest.raises(UserError, match="no record.*--predictions"):
        predict(root, Oracle(_POSES, _camera()))


def test_unfinished_predictions_of_an_unknown_model_are_repeated(root):
    with pytest.raises(KeyboardInterrupt):
        predict(root, Interrupting(1))
    (root / "out/tiny_settings.json").unlink()
    model = Interrupting(99)
    predict(root, model)
    assert len(model.calls) == 2


def test_an_interruption_while_results_are_combined_is_continued(root, monkeypatch):
    def interrupt(self, data_root, parts, path):
        path.mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Tiny, "combine", interrupt)
        with pytest.raises(KeyboardInterrupt):
            predict(root, Oracle(_POSES, _camera()))
    (root / "out/tiny.npz").rmdir()
    (root / "out/tiny.npz").touch()  # stands for a part of the result
    path = predict(root, Oracle(_POSES, _camera()))
    assert len(read_sorted_predictions(path)[0]) == 6


def test_a_missing_image_is_named(root):
    (root / "b" / "1.png").unlink()
    with pytest.raises(UserError, match="b/1.png' does not exist"):
        predict(root, Interrupting(99))


def test_images_may_be_packed_into_an_archive(root):
    path = predict(root, Oracle(_POSES, _camera()))
    loose = read_sorted_predictions(path)
    shutil.rmtree(path.parent)
    pack_folder(root / "a", root / f"a{SUFFIX}")
    shutil.rmtree(root / "a")
    packed = read_sorted_predictions(predict(root, Oracle(_POSES, _camera())))
    assert packed[0] == loose[0]
    np.testing.assert_array_equal(packed[1], loose[1])
