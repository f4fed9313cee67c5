from __future__ import annotations

import pytest

from metrabs.data import datasets
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import write_cache
from metrabs.errors import UserError
from tests.data.conftest import JOINTS


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.delenv("CACHE_DIR", raising=False)
    return tmp_path


def test_a_name_is_looked_up_in_the_cache_folder(root):
    write_cache(root / "cache" / "tiny.pkl", PoseDataset("tiny", JOINTS))
    assert datasets.open_dataset("tiny").name == "tiny"
    assert datasets.open_dataset("tiny.pkl").name == "tiny"


def test_cache_dir_can_be_elsewhere(root, monkeypatch, tmp_path):
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "elsewhere"))
    write_cache(tmp_path / "elsewhere" / "tiny.pkl", PoseDataset("tiny", JOINTS))
    assert datasets.open_dataset("tiny").name == "tiny"


def test_a_path_needs_no_data_root(tmp_path, monkeypatch):
    monkeypatch.delenv("DATA_ROOT", raising=False)
    write_cache(tmp_path / "tiny.pkl", PoseDataset("tiny", JOINTS))
    assert datasets.open_dataset(str(tmp_path / "tiny.pkl")).name == "tiny"


def test_an_unprepared_dataset_is_reported_with_what_is_there(root):
    write_cache(root / "cache" / "tiny.pkl", PoseDataset("tiny", JOINTS))
    with pytest.raises(UserError, match="'huge8'.*tiny.*data_preparation"):
        datasets.open_dataset("huge8")


def test_image_paths_are_relative_to_the_data_root_unless_absolute(root):
    assert datasets.resolve_image_path("a/b.jpg") == str(root / "a/b.jpg")
    assert datasets.resolve_image_path("/x/b.jpg") == "/x/b.jpg"


def test_a_missing_data_root_is_reported(monkeypatch):
    monkeypatch.delenv("DATA_ROOT", raising=False)
    with pytest.raises(UserError, match="DATA_ROOT is not set"):
        datasets.resolve_image_path("a.jpg")


def test_a_dataset_with_a_maker_is_made_when_it_is_first_opened(root, monkeypatch):
    monkeypatch.setattr(datasets, "_makers", {})
    made = []

    def make():
        made.append(write_cache(root / "cache" / "fresh.pkl", PoseDataset("fresh", JOINTS)))

    datasets.register_maker("fresh", make)
    assert datasets.open_dataset("fresh").name == "fresh"
    assert datasets.open_dataset("fresh").name == "fresh"
    assert len(made) == 1
