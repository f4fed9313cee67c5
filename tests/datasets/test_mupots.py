from __future__ import annotations

import shutil

import numpy as np
import pytest
import scipy.io

from metrabs.datasets.mupots import camera_of, read_people
from metrabs.errors import UserError
from tests.data_preparation.fakes import mupots as fake


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_mupots(root)
    return root


@pytest.mark.parametrize("sequence", ["TS1", "TS2", "TS20"])
def test_people_are_read_frame_by_frame(root, sequence):
    people = read_people(root / "mupots" / sequence / "annot.mat")
    assert [person.frame for person in people] == [
        frame for frame in range(fake.NUM_FRAMES) for _ in range(fake.num_people(sequence))
    ]
    np.testing.assert_allclose(
        people[-2].joints_mm, fake.joints_mm(sequence, *((1, 0) if sequence == "TS1" else (0, 0)))
    )
    num_invalid = sum(not person.is_valid for person in people)
    assert num_invalid == (sequence == "TS1")


@pytest.mark.parametrize("sequence", ["TS1", "TS7"])
def test_the_camera_follows_from_the_annotations(root, sequence):
    people = read_people(root / "mupots" / sequence / "annot.mat")
    np.testing.assert_allclose(
        camera_of(people).intrinsic_matrix, fake.camera(sequence).intrinsic_matrix, rtol=1e-5
    )


def test_a_camera_needs_somebody_valid(root):
    people = read_people(root / "mupots" / "TS1" / "annot.mat")
    with pytest.raises(UserError, match="valid people"):
        camera_of([person for person in people if not person.is_valid])


def test_a_single_frame_keeps_its_people(root, tmp_path):
    annotations = scipy.io.loadmat(root / "mupots" / "TS1" / "annot.mat")["annotations"]
    scipy.io.savemat(tmp_path / "annot.mat", {"annotations": annotations[:1]})
    (tmp_path / "img_000000.jpg").touch()
    assert [person.frame for person in read_people(tmp_path / "annot.mat")] == [0, 0]


def test_missing_images_are_an_error(root, tmp_path):
    shutil.copytree(root / "mupots" / "TS1", tmp_path / "TS1")
    (tmp_path / "TS1" / "img_000001.jpg").unlink()
    with pytest.raises(UserError, match="annot.mat' is not .*has 2 frames.* 1 images"):
        read_people(tmp_path / "TS1" / "annot.mat")


def test_a_foreign_file_is_named(tmp_path):
    path = tmp_path / "annot.mat"
    path.write_text("nothing")
    with pytest.raises(UserError, match="annot.mat' is not a MATLAB file"):
        read_people(path)
