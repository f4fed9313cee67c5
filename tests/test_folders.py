from __future__ import annotations

import pathlib
import pickle

import pytest

from metrabs.folders import DataFolders, is_data_root_given


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_ROOT", raising=False)
    monkeypatch.delenv("CACHE_DIR", raising=False)


def test_what_is_given_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert DataFolders.at().root == tmp_path / "metrabs_data" and not is_data_root_given()
    monkeypatch.setenv("DATA_ROOT", "/environment")
    monkeypatch.setenv("CACHE_DIR", "/caches")
    assert DataFolders.at() == DataFolders(pathlib.Path("/environment"), pathlib.Path("/caches"))
    assert DataFolders.at("given", "own") == DataFolders(tmp_path / "given", tmp_path / "own")
    assert is_data_root_given()


def test_the_cache_folder_is_by_default_in_the_data_root() -> None:
    assert DataFolders.at("/data").cache == pathlib.Path("/data/cache")


def test_image_paths_are_relative_to_the_data_root_or_absolute() -> None:
    folders = DataFolders.at("/data")
    assert folders.image_path("a/b.jpg") == "/data/a/b.jpg"
    assert folders.image_path("/x/b.jpg") == "/x/b.jpg"


def test_datasets_are_found_by_name_and_by_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.pkl").touch()
    folders = DataFolders.at("/data")
    paths = {
        name: str(folders.cache_path(name))
        for name in ("huge8", "huge8.pkl", "here.pkl", "some/where.pkl")
    }
    assert paths == {
        "huge8": "/data/cache/huge8.pkl",
        "huge8.pkl": "/data/cache/huge8.pkl",
        "here.pkl": "here.pkl",
        "some/where.pkl": "some/where.pkl",
    }


def test_runs_are_in_the_experiments_folder_unless_their_path_is_absolute() -> None:
    folders = DataFolders.at("/data")
    assert folders.experiment_path("run/a") == pathlib.Path("/data/experiments/run/a")
    assert folders.experiment_path("/elsewhere/run") == pathlib.Path("/elsewhere/run")


def test_folders_can_be_sent_to_other_processes() -> None:
    folders = DataFolders.at("/data")
    assert pickle.loads(pickle.dumps(folders)) == folders
