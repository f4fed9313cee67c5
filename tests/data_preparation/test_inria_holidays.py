from __future__ import annotations

import numpy as np
import pytest

from data_preparation import inria_holidays
from data_preparation.common.detections import NullDetections
from metrabs.command import run_command
from metrabs.data.augmentation.sources import default_pools
from metrabs.data.storage.images import read_image
from metrabs.errors import UserError
from tests.data_preparation.fakes import inria_holidays as fake


def run_main(arguments):
    define_flags, run = inria_holidays.define_flags, inria_holidays.run
    return run_command(inria_holidays.__doc__, define_flags, run, arguments)


@pytest.fixture
def root(tmp_path):
    fake.make_inria_holidays(tmp_path)
    return tmp_path


def shrink(root, side=64):
    folder = root / "inria_holidays"
    return inria_holidays.shrink_all(folder / "jpg", folder / "jpg_small", side)


def small_image(root, name):
    return read_image(str(root / "inria_holidays" / "jpg_small" / name)).astype(int)


def assert_color(pixel, color):
    assert np.abs(pixel - np.array(color)).max() < 12


def test_pictures_are_upright_squares(root):
    assert shrink(root) == ["100000.jpg", "100001.jpg", "100002.jpg", "100003.jpg"]
    images = [small_image(root, name) for name in ("100001.jpg", "100002.jpg", "100003.jpg")]
    assert {p.shape for p in images} == {(64, 64, 3)}
    turned_right, as_stored, upside_down = images
    assert_color(turned_right[5, 32], fake.RED)  # the left half came to the top
    assert_color(turned_right[-5, 32], fake.BLUE)
    assert_color(as_stored[32, 5], fake.BLUE)
    assert_color(upside_down[32, 5], fake.BLUE)


def test_the_square_is_the_centre_of_the_photograph():
    image = np.zeros((10, 31, 3), np.uint8)
    image[:, 10:20] = 200
    assert (inria_holidays.squared(image, 5) == 200).all()
    assert (inria_holidays.squared(image.transpose(1, 0, 2), 5) == 200).all()


def test_finished_pictures_are_left_alone_and_originals_are_kept(root):
    shrink(root)
    path = root / "inria_holidays" / "jpg_small" / "100000.jpg"
    before = path.stat().st_mtime_ns
    (root / "inria_holidays" / "jpg" / "100000.jpg").unlink()  # by the user, for room
    assert len(shrink(root)) == 4
    assert path.stat().st_mtime_ns == before
    assert (root / "inria_holidays" / "jpg" / "100001.jpg").exists()


def test_the_list_holds_the_pictures_without_detections(root, monkeypatch, capsys):
    assert run_main([f"--data_root={root}", "--detector=", "--side=64"]) == 0
    assert "2 of 4 images" in capsys.readouterr().out
    text = (root / "inria_holidays" / "non_person_images.txt").read_text()
    assert text.split("\n") == [*fake.FREE_OF_PEOPLE, ""]
    monkeypatch.setenv("DATA_ROOT", str(root))
    assert [path[-10:] for path in default_pools().backgrounds] == fake.FREE_OF_PEOPLE


class KnowsSome:
    """A detection source without results for some images."""

    def find(self, key, image):
        """Has a result for the first image only."""
        assert image().shape == (64, 64, 3)
        return np.zeros((0, 5), np.float32) if key == "100000.jpg" else None


def test_pictures_without_a_result_are_left_out_or_an_error(root, tmp_path):
    names = shrink(root)
    args = root / "inria_holidays" / "jpg_small", names, KnowsSome(), tmp_path / "list.txt"
    counts = inria_holidays.list_without_people(*args)
    assert counts == (4, 1, 3)
    assert (tmp_path / "list.txt").read_text() == "100000.jpg\n"
    with pytest.raises(UserError, match="No detection result for '100001.jpg'"):
        inria_holidays.list_without_people(*args, strict=True)


def test_a_list_without_pictures_is_refused(root, tmp_path):
    names = shrink(root)
    with pytest.raises(UserError, match="None of 4 images"):
        inria_holidays.list_without_people(
            root / "inria_holidays" / "jpg_small", names, NullDetections(), tmp_path / "list.txt"
        )


def test_mistakes_are_explained(tmp_path, root, capsys):
    assert run_main([f"--data_root={tmp_path / 'empty'}", "--detector="]) == 1
    assert "docs/prepare/inria_holidays.md" in capsys.readouterr().err
    (root / "inria_holidays" / "jpg" / "100000.jpg").write_bytes(b"no image")
    assert run_main([f"--data_root={root}", "--detector="]) == 1
    assert "100000.jpg' cannot be read" in capsys.readouterr().err


@pytest.mark.slow
def test_the_built_in_detector_finds_people(tmp_path, capsys):
    fake.make_inria_holidays(tmp_path, has_detections=False)
    assert run_main([f"--data_root={tmp_path}"]) == 0
    assert "4 of 4 images" in capsys.readouterr().out
