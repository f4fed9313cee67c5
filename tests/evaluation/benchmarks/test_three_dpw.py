from __future__ import annotations

import pickle

import numpy as np
import pytest

from metrabs.data.storage.masks import encode_mask
from metrabs.errors import UserError
from metrabs.evaluation.benchmarks import association
from metrabs.evaluation.benchmarks.prediction import predict_benchmark
from metrabs.evaluation.benchmarks.three_dpw import ThreeDpw, _fill_gaps
from metrabs.geometry.camera import Camera
from tests.data_preparation.fakes import tdpw as fake
from tests.data_preparation.fakes.toolkit import project
from tests.evaluation.oracle import Oracle, all_paths, write_grey_images

_KNOWN_CAMERA = Camera(intrinsic_matrix=fake.camera(0).intrinsic_matrix)


def _pose_mm(person: int, frame: int) -> np.ndarray:
    """True pose in camera space."""
    return fake.camera(frame).world_to_camera(fake.joints_mm(person, frame))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The fake with 2D poses where the people are, as images of one level of grey."""
    root = tmp_path_factory.mktemp("data")
    fake.make_tdpw(root)
    for path in (root / "3dpw/sequenceFiles").rglob("*.pkl"):
        content = pickle.loads(path.read_bytes())
        for person, given in enumerate(content["poses2d"]):
            for frame in range(fake.NUM_FRAMES):
                pixels = project(fake.joints_mm(person, frame), fake.camera(frame))
                if given[frame].any():
                    given[frame][:2, association._GIVEN_JOINTS] = pixels[
                        association._SMPL_JOINTS
                    ].T
        path.write_bytes(pickle.dumps(content, protocol=2))
    return root


@pytest.fixture
def benchmark():
    return ThreeDpw(gtassoc=True)


def _oracle(root, benchmark, error_mm=0.0, lost=()):
    """Sees all people, the last one first; one joint of everybody is off."""
    paths = all_paths(benchmark, root)
    write_grey_images(root, paths)
    poses = {}
    for level, path in enumerate(paths):
        split, frame = path.split("/")[2].split("_")[1], int(path[-9:-4])
        people = reversed(range(fake.NUM_PEOPLE[split]))
        pose = np.array(
            [_pose_mm(person, frame) for person in people if (split, person, frame) not in lost]
        ).reshape(-1, 24, 3)
        pose[:, 20, 2] += error_mm
        poses[level] = pose
    return Oracle(poses, _KNOWN_CAMERA)


def _predict(root, benchmark, oracle, path):
    predict_benchmark(benchmark, lambda: oracle, "oracle", root, path, benchmark.SETTINGS)
    return path


def test_tracks_are_metres_of_annotated_people(root, benchmark, tmp_path):
    oracle = _oracle(root, benchmark)
    path = _predict(root, benchmark, oracle, tmp_path / "tracks")
    content = pickle.loads((path / "train/walk_train_00.pkl").read_bytes())
    expected = [[_pose_mm(person, frame) for frame in range(3)] for person in range(2)]
    np.testing.assert_allclose(content["jointPositions"] * 1000, expected, atol=0.1)
    assert oracle.calls[0]["default_fov_degrees"] == 55 and oracle.calls[0]["num_aug"] == 5
    assert "intrinsic_matrix" not in oracle.calls[0]


def test_numbers_are_those_of_the_known_error(root, benchmark, tmp_path):
    path = _predict(root, benchmark, _oracle(root, benchmark, 48), tmp_path / "tracks")
    groups = {group.title: group.numbers for group in benchmark.evaluate(root, path)}
    assert groups["WACV 2023"]["MPJPE"] == pytest.approx(2, rel=1e-3)
    assert groups["Official"]["PCK"] == 100 and groups["Official"]["AMPJPE"] > 1.9
    assert groups["PCK"]["PCK@50"] == 100


def test_the_test_split_can_be_evaluated_alone(root, tmp_path):
    benchmark = ThreeDpw(gtassoc=True, testset_only=True)
    path = _predict(root, benchmark, _oracle(root, benchmark, 24), tmp_path / "tracks")
    assert [p.parent.name for p in path.rglob("*.pkl")] == ["test"]
    assert benchmark.evaluate(root, path)[0].numbers["MPJPE"] == pytest.approx(1, rel=1e-3)


def test_people_who_are_lost_keep_their_last_pose(root, benchmark, tmp_path):
    lost = {("train", 1, 2), ("test", 0, 0)}
    path = _predict(root, benchmark, _oracle(root, benchmark, lost=lost), tmp_path / "tracks")
    train, test = (
        pickle.loads(next((path / split).glob("*.pkl")).read_bytes())["jointPositions"] * 1000
        for split in ("train", "test")
    )
    np.testing.assert_allclose(train[1, 2], train[1, 1])
    np.testing.assert_allclose(test[0, 0], _pose_mm(0, 1), atol=0.1)


def test_a_person_who_is_never_found_is_reported(root, benchmark, tmp_path):
    lost = {("train", 1, frame) for frame in range(3)}
    path = _predict(root, benchmark, _oracle(root, benchmark, lost=lost), tmp_path / "tracks")
    with pytest.raises(UserError, match="any frame.*detector_threshold"):
        benchmark.evaluate(root, path)


def test_known_intrinsics_reach_the_model(root, tmp_path):
    benchmark = ThreeDpw(gtassoc=True, real_intrinsics=True, testset_only=True)
    oracle = _oracle(root, benchmark)
    _predict(root, benchmark, oracle, tmp_path / "tracks")
    np.testing.assert_allclose(
        oracle.calls[0]["intrinsic_matrix"][0], fake.camera(0).intrinsic_matrix
    )


def test_masks_distinguish_people_without_annotation(root, tmp_path):
    benchmark = ThreeDpw()
    width, height = fake.IMSIZE_WH
    for split, num_people in fake.NUM_PEOPLE.items():
        frames = []
        for frame in range(fake.NUM_FRAMES):
            masks = []
            for person in range(num_people):
                mask = np.zeros([height, width], np.uint8)
                pixels = project(fake.joints_mm(person, frame), fake.camera(frame))
                left, top = np.maximum(pixels.min(axis=0), 0).astype(int)
                right, bottom = pixels.max(axis=0).astype(int)
                mask[top:bottom, left:right] = 1
                masks.append(encode_mask(mask, use_zlib=False))
            frames.append(masks)
        path = root / f"3dpw-more/stcn-pred/walk_{split}_00.pkl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(frames))
    paths = all_paths(benchmark, root)
    oracle = _oracle(root, benchmark)
    write_grey_images(root, paths, size_wh=fake.IMSIZE_WH)
    path = _predict(root, benchmark, oracle, tmp_path / "tracks")
    tracks = pickle.loads((path / "train/walk_train_00.pkl").read_bytes())["jointPositions"]
    np.testing.assert_allclose(tracks[1, 0] * 1000, _pose_mm(1, 0), atol=0.1)


def test_missing_masks_are_reported_with_the_alternative(root, tmp_path):
    benchmark = ThreeDpw(testset_only=True)
    for path in (root / "3dpw-more").rglob("walk_test_00.pkl"):
        path.unlink()
    with pytest.raises(UserError, match="stcn-pred.*--gtassoc"):
        _predict(root, benchmark, _oracle(root, benchmark), tmp_path / "tracks")


def test_gaps_are_filled_from_before_and_only_the_start_from_after():
    tracks = np.full([1, 5, 24, 3], np.nan)
    tracks[0, 1], tracks[0, 3] = 1, 3
    np.testing.assert_array_equal(_fill_gaps(tracks)[0, :, 0, 0], [1, 1, 1, 3, 3])


def test_unknown_smoothing_is_rejected():
    with pytest.raises(UserError, match="'smoothing' must be one of none, causal, acausal"):
        ThreeDpw(smoothing="strong")
