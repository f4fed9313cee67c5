from __future__ import annotations

import dataclasses
import pathlib
import shutil
from typing import ClassVar

import numpy as np
import pytest

from metrabs.data.storage.image_archive import SUFFIX, pack_folder
from metrabs.errors import UserError
from metrabs.evaluation.benchmarks.base import (
    Benchmark,
    Frame,
    PredictionOptions,
    read_sorted_predictions,
)
from metrabs.evaluation.benchmarks.prediction import predict_benchmark, predict_frames
from tests.evaluation.oracle import Oracle, write_grey_images

_OPTIONS = PredictionOptions("smpl_24")
_POSES = {level: np.full([level % 3, 4, 3], 1000.0 + level) for level in range(12)}


@dataclasses.dataclass(frozen=True)
class Tiny(Benchmark):
    """Two sequences of three images."""

    NAME: ClassVar[str] = "tiny"
    TITLE: ClassVar[str] = "Tiny"
    OPTIONS: ClassVar[PredictionOptions] = _OPTIONS

    def sequences(self, data_root: pathlib.Path) -> list[str]:
        return ["a", "b"]

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


def test_people_stay_with_their_frames_whatever_the_batch_size(root):
    frames = [Frame(f"{s}/{i}.png") for s in "ab" for i in range(3)]
    results = [predict_frames(Oracle(_POSES, _camera()), frames, root, _OPTIONS, size)
               for size in (1, 4, 64)]
    for result in results:
        assert result.image_path.tolist() == ["a/1.png", "a/2.png", "a/2.png", "b/1.png",
                                              "b/2.png", "b/2.png"]
        np.testing.assert_array_equal(result.poses3d_world_mm[:, 0, 0],
                                      [1001, 1002, 1002, 1004, 1005, 1005])


def test_images_of_another_size_start_a_batch(root):
    write_grey_images(root, ["c/0.png", "c/1.png"], size_wh=(20, 20))
    oracle = Oracle(_POSES, _camera())
    frames = [Frame("a/1.png"), Frame("c/0.png"), Frame("c/1.png")]
    predict_frames(oracle, frames, root, _OPTIONS, 8)
    assert len(oracle.calls) == 2


def test_an_interrupted_prediction_is_continued(root):
    path = root / "out" / "tiny.npz"
    with pytest.raises(KeyboardInterrupt):
        predict_benchmark(Tiny(), Interrupting(1), "m", root, path, _OPTIONS)
    assert not path.exists()
    rest = Interrupting(99)
    predict_benchmark(Tiny(), rest, "m", root, path, _OPTIONS)
    assert len(rest.calls) == 1  # sequence a was done
    image_paths, poses = read_sorted_predictions(path)
    assert image_paths == ["a/1.png", "a/2.png", "a/2.png", "b/1.png", "b/2.png", "b/2.png"]
    assert poses.shape == (6, 4, 3)
    assert list(path.parent.iterdir()) == [path]


def test_an_unfinished_prediction_of_another_model_is_not_continued(root):
    path = root / "out" / "tiny.npz"
    with pytest.raises(KeyboardInterrupt):
        predict_benchmark(Tiny(), Interrupting(1), "m", root, path, _OPTIONS)
    with pytest.raises(UserError, match="other settings.*model was .*--output"):
        predict_benchmark(Tiny(), Interrupting(99), "other", root, path, _OPTIONS)


def test_a_missing_image_is_named(root):
    (root / "b" / "1.png").unlink()
    with pytest.raises(UserError, match="b/1.png' does not exist"):
        predict_benchmark(Tiny(), Interrupting(99), "m", root, root / "out.npz", _OPTIONS)


def test_images_may_be_packed_into_an_archive(root):
    frames = [Frame(f"a/{i}.png") for i in range(3)]
    loose = predict_frames(Oracle(_POSES, _camera()), frames, root, _OPTIONS, 2)
    pack_folder(root / "a", root / f"a{SUFFIX}")
    shutil.rmtree(root / "a")
    packed = predict_frames(Oracle(_POSES, _camera()), frames, root, _OPTIONS, 2)
    np.testing.assert_array_equal(packed.poses3d_world_mm, loose.poses3d_world_mm)


def test_a_file_of_something_else_is_named(root):
    np.savez(root / "x.npz", something=np.zeros(3))
    with pytest.raises(UserError, match="x.npz' is not a prediction file"):
        read_sorted_predictions(root / "x.npz")
