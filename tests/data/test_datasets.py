from __future__ import annotations

import pytest

from metrabs.data import datasets
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import write_cache
from metrabs.errors import UserError
from metrabs.folders import DataFolders
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


def test_datasets_of_another_data_root_can_be_opened(root, tmp_path):
    write_cache(tmp_path / "other" / "cache" / "tiny.pkl", PoseDataset("tiny", JOINTS))
    with pytest.raises(UserError, match="'tiny'"):
        datasets.open_dataset("tiny")
    assert datasets.open_dataset("tiny", DataFolders.at(tmp_path / "other")).name == "tiny"


def test_a_dataset_with_a_builder_is_built_when_it_is_first_opened(root, monkeypatch):
    monkeypatch.setattr(datasets, "_builders", {})
    built_in = []

    def build(folders):
        write_cache(folders.cache / "fresh.pkl", PoseDataset("fresh", JOINTS))
        built_in.append(folders.root)

    datasets.register_builder("fresh", build)
    assert datasets.open_dataset("fresh").name == "fresh"
    assert datasets.open_dataset("fresh").name == "fresh"
    assert built_in == [root]
