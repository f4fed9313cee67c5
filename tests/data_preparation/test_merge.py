from __future__ import annotations

import subprocess
import sys

import cv2
import pytest

from data_preparation import merge
from data_preparation.merge import MergeSettings
from metrabs.data.storage.cache import open_cache
from metrabs.errors import UserError
from tests.data.member_caches import example_2d, write_member


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CACHE_DIR", str(tmp_path))
    return tmp_path


def merged_by(name, **settings):
    return merge.merge_members(MergeSettings(name=name, **settings))


def test_all_members_are_merged_and_reported(folder, capsys):
    write_member(folder, "surreal", {"train": 5, "valid": 2})
    write_member(folder, "h36m", {"train": 4})
    write_member(folder, "muco", {"train": 6})
    write_member(folder, "tdhp", {"test": 3})
    write_member(folder, "mupots", {"valid": 2})
    path = merged_by("small5")
    assert path == folder / "small5.pkl"
    assert len(open_cache(path).train) == 17 and len(open_cache(path).valid) == 5
    printed = capsys.readouterr().out
    assert "surreal" in printed and "all 3" in printed and "17" in printed
    assert (folder / "small5.csv").read_text().count("\n") == 6
    assert cv2.imread(str(folder / "small5.png")).shape[1] > 600


def test_of_human36m_the_variant_with_all_joints_is_taken(folder):
    from metrabs.skeletons.tables import dataset_joint_info
    from tests.data.member_caches import example_3d, person

    own = dataset_joint_info("h36m", merged_names=False)
    fewer = own.select_joints([i for i, n in enumerate(own.names) if n not in ("lkne", "rkne")])
    few = example_3d("h36m", 0, world_coords=person("h36m", 0, fewer))
    write_member(folder, "h36m", {"train": 3})
    (folder / "h36m.pkl").rename(folder / "h36m_alljoints.pkl")
    write_member(folder, "h36m", {"train": [few]}, fewer)
    path = merged_by("small5", members=["h36m"])
    assert len(open_cache(path).train) == 3


def test_missing_members_are_listed_with_what_makes_them(folder, capsys):
    write_member(folder, "h36m", {"train": 4})
    with pytest.raises(UserError, match="surreal, muco, tdhp, mupots.*--members=h36m"):
        merged_by("small5")
    printed = capsys.readouterr().out
    assert "4 of 5 datasets are missing" in printed
    assert "python -m data_preparation muco --data_root=$DATA_ROOT" in printed
    assert "surreal: a cache file that you make yourself" in printed
    assert not (folder / "small5.pkl").exists()


def test_of_mpii_the_variant_with_all_detected_people_is_taken(folder, capsys):
    write_member(folder, "mpii", {"train": [example_2d("mpii", i) for i in range(3)]})
    with pytest.raises(UserError, match="Without cache file .*: mpii"):
        merged_by("huge2d_common", members=["mpii"])
    command = "python -m data_preparation mpii --variant=yolo_nofilt --data_root=$DATA_ROOT"
    assert command in capsys.readouterr().out
    (folder / "mpii.pkl").rename(folder / "mpii_yolo_nofilt.pkl")
    write_member(folder, "mpii", {"train": [example_2d("mpii", 7)]})
    merged = open_cache(merged_by("huge2d_common", members=["mpii"]))
    assert [example.dataset for example in merged.train] == ["mpii"] * 3


def test_left_out_examples_are_counted(folder, capsys):
    from tests.data.member_caches import BOX, example_3d

    unseen = [example_3d("gpa", i, bbox=BOX - [500, 0, 0, 0]) for i in range(2)]
    write_member(folder, "gpa", {"train": [*unseen, example_3d("gpa", 2)]})
    output = folder / "elsewhere" / "merged.pkl"
    merged_by("huge8", members=["gpa"], output=str(output))
    assert "gpa: left out 2 of 3 train examples (66.67 %)" in capsys.readouterr().out
    assert len(open_cache(output).train) == 1


def test_a_small_part_of_huge8_can_be_made_to_try_things_out(folder):
    write_member(folder, "gpa", {"train": 5})
    merged_by("huge8", members=["gpa"])
    dummy = open_cache(merged_by("huge8_dummy"))
    assert (dummy.name, len(dummy.train)) == ("huge8_dummy", 5)
    assert (folder / "huge8_dummy.csv").exists()


def test_flags_are_settings(folder, capsys):
    write_member(folder, "gpa", {"train": 5})
    cache_dir, data_root = f"--cache-dir={folder}", f"--data_root={folder}/elsewhere"
    assert merge.main(["--name=huge8", "--members=gpa", cache_dir, data_root]) == 0
    assert f"Wrote {folder}/huge8.pkl" in capsys.readouterr().out
    assert merge.main(["--members=gpa"]) == 1
    assert "Give --name" in capsys.readouterr().err


def test_the_command_ends_in_one_line_on_a_mistake(folder):
    command = [sys.executable, "-m", "data_preparation.merge", "--name=huge9"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: Unknown merged dataset 'huge9'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("merged_name", ["huge8", "huge2d_common"])
def test_the_caches_of_the_converters_have_the_joints_that_merging_needs(merged_name):
    from data_preparation.merging.merged_datasets import merged_set
    from data_preparation.mpii import Mpii
    from data_preparation.registry import converters, load_converter
    from metrabs.skeletons.conversion import merge_joint_infos

    merged = merged_set(merged_name)
    members = [member for member in merged.members if member.name in converters()]
    assert members
    for member in members:
        of_variant = {"mpii": Mpii("yolo_nofilt")}.get(member.name)
        caches = (of_variant or load_converter(member.name)()).caches()
        cache_name = next(name for name in member.cache_names if name in caches)
        names = merge_joint_infos([(caches[cache_name], member.suffix)]).names
        needed = {name for name in member.joint_info.names if name in merged.joint_info.ids}
        assert needed <= set(names), member.name
