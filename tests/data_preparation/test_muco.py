from __future__ import annotations

import dataclasses
import pickle

import cv2
import numpy as np
import pytest

from data_preparation import muco_composites
from data_preparation.common.run import context_for, prepare
from data_preparation.common.setup import Setup
from data_preparation.muco import MuCo, _final_boxes
from data_preparation.muco_sources import Source, read_extracted
from metrabs.data.storage.cache import open_cache
from metrabs.data.storage.masks import decode_mask
from metrabs.datasets.mpi_inf_3dhp_train import View
from metrabs.geometry import boxes
from tests.data_preparation.fakes import tdhp as fake
from tests.data_preparation.fakes.toolkit import PALETTE, check_markers, project

CONVERTER = MuCo(
    num_composites=4, subjects=(1, 2), sequence_numbers=(1,), cameras=(0, 1), first_frame=0
)
VIEWS = [View(subject, 1, camera) for subject in (1, 2) for camera in (0, 1)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_tdhp(root, subjects=(1, 2))
    return root


@pytest.fixture
def examples(report):
    return list(open_cache(report.caches["muco"]).train)


@pytest.fixture
def extracted(root, report):
    return {view: read_extracted(root / "muco_downscaled" / "frames", view) for view in VIEWS}


def composition_of(example, extracted):
    """Returns the composition that an example is part of, and which of its people it is."""
    folder, second, name = example.image_path.split("/")[2:]
    number, person = name[:-4].split("_")
    assert (folder, second) == (number[:2], number[:4])
    num_frames = {view: len(found.indices) for view, found in extracted.items()}
    return muco_composites.compose(int(number), num_frames, CONVERTER.seed), int(person)


def test_frames_that_move_by_the_threshold_are_extracted(extracted):
    for view, found in extracted.items():
        assert 1 <= len(found.indices) <= 3  # at rest, outside, back: see the movement
        camera = fake.cameras()[view.camera]
        poses = fake.world_poses(view.subject)[found.indices]
        visible = project(poses, camera)
        assert ((visible >= 0) & (visible < fake.IMSIZE_WH[0])).all(axis=2).any(axis=1).all()
        in_camera = (poses - camera.t) @ camera.R.T
        np.testing.assert_allclose(found.joints_mm[:, -1], in_camera[:, 4], atol=1e-2)  # pelvis


def test_visible_joints_are_where_the_crops_show_them(root, report, examples, extracted):
    markers = [fake.MARKERS[name] for name in open_cache(report.caches["muco"]).joint_info.names]
    num_found = []
    for example in examples:
        composition, person = composition_of(example, extracted)
        mask = decode_mask(example.mask)
        solid = cv2.erode(mask, np.ones((13, 13), np.uint8), borderValue=0)
        x, y = example.camera.world_to_image(example.world_coords).round().astype(int).T
        is_seen = np.array(
            [
                0 <= u < mask.shape[1] and 0 <= v < mask.shape[0] and bool(solid[v, u])
                for u, v in zip(x, y)
            ]
        )
        coords = np.where(is_seen[:, np.newaxis], example.world_coords, np.nan)
        shown = dataclasses.replace(example, world_coords=coords)
        palette = 255 * (PALETTE / 255) ** composition.gammas[person]
        num_found.append(check_markers(root, shown, markers, palette))
    # The outermost joints of a person are too close to the mask's border.
    assert max(num_found) >= 20 and len(num_found) > 4


def test_coordinates_are_those_of_each_person_s_own_frame(examples, extracted):
    for example in examples:
        composition, person = composition_of(example, extracted)
        view, row = composition.frames[person]
        camera = fake.cameras()[view.camera]
        joints_mm = extracted[view].joints_mm[row]
        np.testing.assert_allclose(
            example.camera.world_to_camera(example.world_coords), joints_mm, atol=0.05
        )
        np.testing.assert_allclose(
            example.camera.world_to_camera(example.univ_coords), 0.9 * joints_mm, atol=0.05
        )
        np.testing.assert_allclose(example.camera.R, camera.R, atol=1e-6)  # crops are not turned


def test_the_same_number_gives_the_same_composite_and_all_people_one_camera():
    num_frames = {view: 5 for view in VIEWS}
    first, again, other = (muco_composites.compose(n, num_frames, 0) for n in (7, 7, 8))
    assert first == again != other
    for composition in (first, other):
        assert len({view.camera for view, _ in composition.frames}) == 1
        assert all(0.7 <= gamma <= 0.8 for gamma in composition.gammas)
    views = [
        view for n in range(99) for view, _ in muco_composites.compose(n, num_frames, 0).frames
    ]
    assert set(views) == set(VIEWS)


def flat_source(level, depth_mm, person, chair=None):
    """A person who fills a box of the image; no detail but brightness."""
    levels, furniture = np.zeros((100, 100), np.uint8), np.full((100, 100), 255, np.uint8)
    left, top, right, bottom = person
    levels[top:bottom, left:right] = 255
    if chair is not None:
        left, top, right, bottom = chair
        furniture[top:bottom, left:right] = 0
    camera = fake.cameras()[0].copy()
    camera.intrinsic_matrix[:] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    corners = np.array([person[:2], person[2:]], np.float32)
    joints = np.concatenate([np.resize(corners, (28, 2)), np.ones((28, 1))], axis=1) * depth_mm
    image = np.full((100, 100, 3), level, np.uint8)
    return Source(image, levels, furniture, joints, joints, camera)


def test_nearer_people_and_their_chairs_hide_farther_ones():
    near = flat_source(40, 1000, (10, 10, 50, 90), chair=(10, 60, 90, 95))
    far = flat_source(200, 3000, (30, 20, 90, 80))
    for sources, position in (([near, far], 1), ([far, near], 0)):
        image = muco_composites.render(sources, [1.0, 1.0])
        for (x, y), level in {
            (20, 50): 40,
            (40, 50): 40,
            (70, 40): 200,
            (70, 75): 40,
            (95, 5): 200,
        }.items():
            assert abs(int(image[y, x, 0]) - level) <= 1
        is_far_visible = muco_composites.visible_masks(sources)[position]
        assert is_far_visible[40, 70] and not is_far_visible[40, 40]
        assert not is_far_visible[75, 70]
        np.testing.assert_array_equal(
            muco_composites.visible_box(far, is_far_visible), [50, 20, 40, 40]
        )


def test_a_visible_box_reaches_as_far_up_and_down_as_all_joints():
    source = flat_source(50, 1000, (30, 20, 70, 60))
    source.joints_mm[0, 1] = 70_000  # a toe, which is not among the 17 joints of the body
    everything = np.ones((100, 100), bool)
    box = muco_composites.visible_box(source, everything)
    np.testing.assert_allclose(box, [0, 45 - 25 * 1.05, 100, 50 * 1.05], atol=1e-3)
    source.joints_mm[0, 1] = 300_000  # below the image
    box = muco_composites.visible_box(source, everything)
    np.testing.assert_allclose(box, [0, 60 - 40 * 1.05, 100, 40 * 1.05 + 40], atol=1e-3)


def test_images_are_brightened_by_their_gamma():
    sources = [flat_source(64, depth, (10, 10, 20, 20)) for depth in (1, 2)]
    image = muco_composites.render(sources, [0.7, 0.8])
    assert image[15, 15, 0] == pytest.approx(255 * (64 / 255) ** 0.7, abs=1)
    assert image[90, 90, 0] == pytest.approx(255 * (64 / 255) ** 0.8, abs=1)


def test_a_person_who_is_hidden_has_no_box(root):
    source = flat_source(50, 1000, (10, 10, 50, 90))
    assert muco_composites.visible_box(source, np.zeros((100, 100), bool)) is None
    context = context_for(CONVERTER, Setup(str(root)))
    assert _final_boxes([None, None], np.zeros((9, 9, 3)), "a.jpg", context) == [None, None]
    assert context.issues.entries["skipped", "person hidden by others"].count == 2


def test_detections_of_the_right_size_replace_the_visible_boxes(root, tmp_path):
    visible = [
        np.array(box, np.float32)
        for box in ([0, 0, 40, 100], [100, 0, 40, 100], [200, 0, 40, 100], [300, 0, 40, 100])
    ]
    good = boxes.expand(visible[0], 1.2)
    path = tmp_path / "found.pkl"
    path.write_bytes(
        pickle.dumps(
            {
                "a.jpg": [
                    [*good, 0.9],
                    [*boxes.expand(visible[1], 1.45), 0.9],  # 2.1 times the area
                    [*visible[2], 0.05],  # unsure
                ]
            }
        )
    )
    context = context_for(CONVERTER, Setup(str(root), detections=str(path)))
    final = _final_boxes(visible, np.zeros((9, 9, 3)), "a.jpg", context)
    np.testing.assert_allclose(final[0], good)
    assert final[1:] == [None, None, None]
    assert context.issues.entries["skipped", "no detection of a visible person"].count == 3


def test_whole_composites_can_be_kept(root, tmp_path):
    converter = dataclasses.replace(
        CONVERTER, num_composites=1, keep_composites=True, subjects=(1,), cameras=(0,)
    )
    prepare(converter, Setup(str(root)), tmp_path, num_workers=0)
    assert (root / "muco" / "unaugmented_set_001" / "00" / "0000" / "000001.jpg").exists()
