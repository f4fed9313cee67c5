from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from data_preparation.merging.merged_datasets import merged_set
from data_preparation.merging.merging import MemberCount, merge
from data_preparation.merging.plausibility import PlausibilityFilter
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import open_cache
from metrabs.errors import UserError
from metrabs.skeletons.bones import mean_bone_lengths
from metrabs.skeletons.conversion import JointConverter
from metrabs.skeletons.tables import dataset_joint_info, merged_joint_info
from tests.data.member_caches import example_2d, example_3d, person, write_member


def merge_caches(folder, name, members=(), **options):
    merged = merged_set(name)
    merged = merged.with_members(list(members)) if members else merged
    datasets = {m.name: open_cache(folder / f"{m.name}.pkl") for m in merged.members}
    counts = merge(merged, datasets, folder / "merged.pkl", **options)
    return open_cache(folder / "merged.pkl"), counts


@pytest.fixture
def small5(tmp_path):
    write_member(tmp_path, "surreal", {"train": 5, "valid": 2, "test": 1})
    write_member(tmp_path, "h36m", {"train": 4, "valid": 3})
    write_member(tmp_path, "muco", {"train": 6, "valid": 1})
    write_member(tmp_path, "tdhp", {"train": 2, "test": 3})
    write_member(tmp_path, "mupots", {"valid": 2, "test": 4})
    return tmp_path


def test_phases_and_datasets_of_the_members_go_where_they_belong(small5):
    dataset, counts = merge_caches(small5, "small5")
    assert dataset.joint_info == merged_joint_info("small5")
    assert dataset.samples_per_batch == {"surreal": 32, "h36m": 32, "muco": 32}
    assert [e.dataset for e in dataset.train] == ["surreal"] * 7 + ["h36m"] * 7 + ["muco"] * 6
    assert [e.dataset for e in dataset.valid] == ["tdhp"] * 3 + ["mupots"] * 2
    assert len(dataset.test) == 0
    assert counts[1] == MemberCount("h36m", "train", 7, 7)
    assert counts[-1] == MemberCount("mupots", "valid", 2, 2)


@pytest.mark.parametrize(
    "member, split, index",
    [("h36m", "train", 8), ("surreal", "train", 0), ("muco", "train", 15), ("tdhp", "valid", 0)],
)
def test_joints_are_found_by_their_name_with_suffix(small5, member, split, index):
    dataset, _ = merge_caches(small5, "small5")
    example = dataset.split(split)[index]
    assert example.dataset == member
    seed = int(example.image_path[-12:-6])
    converter = JointConverter(dataset_joint_info(member), merged_joint_info("small5"))
    assert np.array_equal(
        example.world_coords, converter.dense(person(member, seed)), equal_nan=True
    )


def test_bone_lengths_are_means_over_the_merged_examples(small5):
    dataset, _ = merge_caches(small5, "small5")
    for split in ("train", "trainval"):
        poses = (example.world_coords for example in dataset.split(split))
        expected = mean_bone_lengths(poses, dataset.joint_info)
        assert np.allclose(dataset.bone_lengths_mm[split], expected, rtol=1e-5)
        assert np.count_nonzero(expected) > 60
    both = dataset.bone_lengths_mm
    assert not np.array_equal(both["train"], both["trainval"])


def test_members_in_an_order_and_with_joints_of_their_own_are_merged_by_name(tmp_path):
    own = dataset_joint_info("humbi", merged_names=False)
    smpl = dataset_joint_info("surreal")
    reversed_names = [*own.names, *smpl.names][::-1]  # also of SMPL joints, which merging drops
    joint_info = type(own)(reversed_names)
    coords = person("humbi", 0, joint_info)
    write_member(
        tmp_path, "humbi", {"train": [example_3d("humbi", 0, world_coords=coords)]}, joint_info
    )
    dataset, _ = merge_caches(tmp_path, "huge8", ["humbi"])
    world = dataset.train[0].world_coords
    valid = np.flatnonzero(~np.isnan(world).any(axis=1))
    assert {dataset.joint_info.names[i] for i in valid} == set(own.names)
    for name in own.names:
        expected = coords[joint_info.ids[name]]
        assert np.array_equal(world[dataset.joint_info.ids[name]], expected)


def test_a_cache_whose_names_have_the_suffix_already_is_accepted(tmp_path):
    write_member(tmp_path, "muco", {"train": 2}, dataset_joint_info("muco"))
    dataset, _ = merge_caches(tmp_path, "small5", ["muco"])
    assert np.count_nonzero(~np.isnan(dataset.train[0].world_coords[:, 0])) == 28


def test_a_cache_that_lacks_joints_is_refused_by_their_names(tmp_path):
    own = dataset_joint_info("h36m", merged_names=False)
    kept = [i for i, name in enumerate(own.names) if name not in ("lkne", "rkne")]
    joint_info = own.select_joints(kept)
    coords = person("h36m", 0, joint_info)
    write_member(
        tmp_path, "h36m", {"train": [example_3d("h36m", 0, world_coords=coords)]}, joint_info
    )
    with pytest.raises(UserError, match="'h36m' lacks 2 of the 25 joints.*lkne_h36m"):
        merge_caches(tmp_path, "small5", ["h36m"])
    assert not (tmp_path / "merged.pkl").exists()


def test_implausible_training_examples_are_left_out_of_filtered_sets(tmp_path):
    coords = person("gpa", 0)
    first, second = dataset_joint_info("gpa").edges[0]
    torn, kept, unseen = coords.copy(), coords.copy(), coords.copy()
    length = np.linalg.norm(coords[first] - coords[second])
    away = (coords[second] - coords[first]) / length
    torn[second] = coords[first] + away * (8 * length + 200)
    kept[second] = coords[first] + away * (length + 100)
    unseen += [9000, 0, 0]
    bad = [example_3d("gpa", i, world_coords=c) for i, c in enumerate((torn, kept, unseen))]
    write_member(tmp_path, "gpa", {"train": [*bad, *(example_3d("gpa", i) for i in range(90))]})
    dataset, counts = merge_caches(tmp_path, "huge8", ["gpa"])
    assert counts == [MemberCount("gpa", "train", 93, 91)]
    assert np.array_equal(
        dataset.train[0].world_coords[122:156][second], kept[second]
    )  # its joints are 122...155
    poses = (example.world_coords for example in dataset.train)
    expected = mean_bone_lengths(poses, dataset.joint_info)
    assert np.allclose(dataset.bone_lengths_mm["train"], expected, rtol=1e-5)


def test_surreal_is_filtered_unless_asked_otherwise(tmp_path):
    far = person("surreal", 0) + np.float32([9000, 0, 0])
    unseen = example_3d("surreal", 0, world_coords=far)
    write_member(tmp_path, "surreal", {"train": [unseen, example_3d("surreal", 1)]})
    dataset, _ = merge_caches(tmp_path, "medium3", ["surreal"])
    assert len(dataset.train) == 1
    as_released = PlausibilityFilter(keeps_surreal=True)
    dataset, _ = merge_caches(tmp_path, "medium3", ["surreal"], plausibility=as_released)
    assert len(dataset.train) == 2


def test_small5_is_not_filtered(tmp_path):
    far = person("surreal", 0) + np.float32([9000, 0, 0])
    write_member(tmp_path, "surreal", {"train": [example_3d("surreal", 0, world_coords=far)]})
    dataset, _ = merge_caches(tmp_path, "small5", ["surreal"])
    assert len(dataset.train) == 1


def test_a_member_without_any_plausible_example_is_an_error(tmp_path):
    in_metres = [example_3d("gpa", i, world_coords=person("gpa", i) / 1e6) for i in range(3)]
    far = [dataclasses.replace(e, bbox=e.bbox + np.float32([999, 0, 0, 0])) for e in in_metres]
    write_member(tmp_path, "gpa", {"train": far})
    with pytest.raises(UserError, match="None of the 3 train examples of 'gpa'"):
        merge_caches(tmp_path, "huge8", ["gpa"])
    assert not (tmp_path / "merged.pkl").exists()


def test_of_muco_only_the_first_composites_are_used(tmp_path):
    examples = [
        example_3d("muco", i, image_path=f"muco_downscaled/set_1/{number:06d}_{i}.jpg")
        for i, number in enumerate((0, 199_999, 200_000, 400_000))
    ]
    examples.append(example_3d("muco", 9, image_path="muco_downscaled/another_name.jpg"))
    write_member(tmp_path, "muco", {"train": examples})
    dataset, counts = merge_caches(tmp_path, "small5", ["muco"])
    assert [e.image_path for e in dataset.train] == [examples[i].image_path for i in (0, 1, 4)]
    assert counts[0].num_merged == 3


def test_2d_examples_need_more_than_six_joints_of_the_limbs(tmp_path):
    joint_info = dataset_joint_info("mpii", merged_names=False)
    limbs = [joint_info.ids[name] for name in merged_joint_info("huge2d_common").names[:12]]
    examples = []
    for num_known in (5, 6, 7, 12):
        example = example_2d("mpii", num_known)
        example.coords[limbs[num_known:]] = np.nan
        examples.append(example)
    write_member(tmp_path, "mpii", {"train": examples})
    write_member(
        tmp_path, "coco", {"train": [example_2d("coco", 1)], "valid": [example_2d("coco", 2)]}
    )
    dataset, counts = merge_caches(tmp_path, "huge2d_common", ["mpii", "coco"])
    assert [len(dataset.train), len(dataset.valid)] == [4, 0]
    assert counts[0] == MemberCount("mpii", "train", 4, 2)
    assert dataset.samples_per_batch == {"mpii": 8, "coco": 8} and dataset.bone_lengths_mm == {}
    merged, own = dataset.joint_info, joint_info
    assert np.array_equal(
        dataset.train[1].coords[merged.ids["rwri"]], examples[3].coords[own.ids["rwri"]]
    )
    assert np.isnan(dataset.train[1].coords[merged.ids["nose"]]).all()
    assert not np.isnan(dataset.train[2].coords).any()


def test_examples_in_memory_are_refused(tmp_path):
    merged = merged_set("small5").with_members(["muco"])
    joints = dataset_joint_info("muco")
    example = dataclasses.replace(example_3d("muco", 0), dataset="muco")
    with pytest.raises(UserError, match="'muco' must be opened"):
        merge(merged, {"muco": PoseDataset("muco", joints, [example])}, tmp_path / "m.pkl")
    assert not (tmp_path / "m.pkl").exists()
