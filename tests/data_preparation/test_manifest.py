from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from data_preparation.manifest import open_manifest
from metrabs.data.storage.masks import decode_mask
from metrabs.errors import UserError
from metrabs.geometry import boxes
from tests.data.own_images import (
    CAMERA,
    JOINT_NAMES,
    camera_mm,
    json_lines,
    person_m,
    write_csv,
    write_json,
    write_pictures,
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "own"


@pytest.fixture
def names(folder):
    return write_pictures(folder, 4)


def read(path, **options):
    manifest = open_manifest(path, path.parent.parent, **options)
    return manifest.joint_info, list(manifest.examples)


def test_json_examples_are_read_with_everything(folder, names):
    joint_info, examples = read(
        write_json(folder / "people.jsonl", json_lines(names)), dataset="own"
    )
    assert joint_info.names == JOINT_NAMES and len(joint_info.edges) == 8
    assert [split for split, _ in examples] == ["train", "train", "train", "valid"]
    for seed, (_, example) in enumerate(examples):
        assert example.image_path == f"own/{names[seed]}" and example.dataset == "own"
        assert np.allclose(example.world_coords, 1000 * person_m(seed), atol=1e-2)
        assert example.camera.allclose(camera_mm())
        points = camera_mm().world_to_image(example.world_coords)
        assert boxes.contains(example.bbox, points).all()
        assert 0.1 < decode_mask(example.mask)[40:200, 100:220].mean() < 0.9


def test_csv_examples_are_the_same(folder, names):
    path = write_csv(folder / "people.csv", names)
    joint_info, examples = read(
        path, cameras_path=folder / "cameras.json", edges="head-neck-pelv", unit="m"
    )
    assert joint_info.names == JOINT_NAMES and len(joint_info.edges) == 2
    for seed, (split, example) in enumerate(examples):
        assert split == "train" and example.bbox.tolist() == [60, 10, 200, 225]
        assert np.allclose(example.world_coords, 1000 * person_m(seed), atol=0.02)
        assert example.camera.allclose(camera_mm())


def test_joints_can_be_a_list_and_some_unknown(folder, names):
    lines = json_lines(names[:1])
    points = person_m(0).tolist()
    lines[1]["joints3d"] = [None, *points[1:]]
    _, [(_, example)] = read(write_json(folder / "people.jsonl", lines))
    assert np.isnan(example.world_coords[0]).all()
    assert np.allclose(example.world_coords[1:], 1000 * person_m(0)[1:], atol=1e-2)


def test_without_rotation_the_world_is_the_cameras_frame(folder, names):
    lines = json_lines(names[:1])
    in_camera = camera_mm().world_to_camera(1000 * person_m(0)) / 1000
    lines[1]["camera"] = {"intrinsics": CAMERA["intrinsics"]}
    lines[1]["joints3d"] = in_camera.tolist()
    _, [(_, example)] = read(write_json(folder / "people.jsonl", lines))
    assert np.allclose(example.camera.world_to_camera(example.world_coords), 1000 * in_camera)
    assert example.camera.world_up.tolist() == [0, -1, 0]


def test_empty_csv_cells_are_unknown_joints(folder, names):
    path = write_csv(folder / "people.csv", names[:1])
    header, row = path.read_text().splitlines()
    cells = row.split(",")
    cells[6:9] = ["", "", ""]
    path.write_text(f"{header}\n{','.join(cells)}\n")
    _, [(_, example)] = read(path, cameras_path=folder / "cameras.json", unit="m")
    assert np.isnan(example.world_coords[0]).all() and not np.isnan(example.world_coords[1:]).any()


MISTAKES = {
    "image": [
        (None, "is missing"),
        ("nowhere.jpg", "does not exist"),
        (5, "must be a path"),
        ("people.jsonl", "cannot be decoded"),
    ],
    "camera": [
        ("back", "'back' is not described; described are: front"),
        (7, "must be the name"),
        ({"intrinsics": [[1, 2], [3, 4]]}, "'intrinsics' must be 3 x 3 numbers"),
        ({**CAMERA, "focal": 5}, "unknown entry 'focal'"),
        ({**CAMERA, "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}, "not a rotation"),
        ({**CAMERA, "distortion": [1, 2]}, "2 lens distortion coefficients"),
    ],
    "joints3d": [
        ({"nose": [1, 2, 3]}, "unknown joint 'nose'"),
        ({}, "no joint at all"),
        ({"pelv": [1, 2]}, "'pelv' must be 3 numbers"),
        ([[1, 2, 3]], "list of 9 points"),
        ({"pelv": ["a", 2, 3]}, "'pelv' must be 3 numbers"),
        ({"pelv": [0, -9, 1]}, "'pelv' is behind the camera"),
        ({"pelv": [9, 0, 1]}, "no joint is inside the image"),
        ((1000 * person_m(0)).tolist(), "which no person does; state the unit"),
    ],
    "box": [
        ([1, 2, 3], "must be 4 numbers"),
        ([0, 0, 0, 5], "size above 0"),
        ([400, 0, 9, 9], "outside the image of 320 x 240"),
        ([0, 0, 4, 4], "holds no joint"),
    ],
    "split": [("training", "must be one of train, valid, test")],
    "mask": [("nowhere.png", "is not there"), ("../small.png", "is 5 x 4 pixels")],
    "bbox": [([1, 2, 3, 4], "is unknown; known are image")],
}


@pytest.mark.parametrize(
    "field, value, message",
    [(field, value, message) for field, cases in MISTAKES.items() for value, message in cases],
)
def test_mistakes_are_reported_by_line_and_field(folder, names, field, value, message):
    import cv2

    cv2.imwrite(str(folder.parent / "small.png"), np.zeros((4, 5), np.uint8))
    lines = copy.deepcopy(json_lines(names[:2]))
    if value is None:
        del lines[2][field]
    else:
        lines[2][field] = value
    path = write_json(folder / "people.jsonl", lines)
    with pytest.raises(UserError, match=f"people.jsonl', line 3, field '{field}': .*{message}"):
        read(path)


@pytest.mark.parametrize(
    "head, message",
    [
        ({"joints": []}, "field 'joints': must list"),
        ({"joints": ["lank"]}, "no partner 'rank'"),
        ({"edges": "neck-nose"}, "field 'edges': has the unknown joint 'nose'"),
        ({"unit": "inch"}, "field 'unit': must be mm, cm or m"),
        ({"image": "a.jpg"}, "field 'image': is unknown; the first line has joints"),
    ],
)
def test_mistakes_in_the_first_line_are_reported(folder, names, head, message):
    first, *rest = json_lines(names[:1])
    first = {**first, **head, **({"edges": ""} if head.get("joints") else {})}
    with pytest.raises(UserError, match=f"line 1.*{message}"):
        read(write_json(folder / "people.jsonl", [first, *rest]))


def test_lines_that_are_not_json_are_reported(folder, names):
    path = write_json(folder / "people.jsonl", json_lines(names[:1]))
    path.write_text(path.read_text() + "\n{broken\n")
    with pytest.raises(UserError, match="line 4: is not JSON"):
        read(path)
    path.write_text(json.dumps(json_lines([])[0]) + "\n[1]\n")
    with pytest.raises(UserError, match="line 2: must be a JSON object"):
        read(path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda h, r: (h.replace("pelv_z", "pelv_w"), r), "line 1, field 'pelv_w': is unknown"),
        (lambda h, r: (h.replace("image", "img_x"), r), "line 1, field 'image': is missing"),
        (lambda h, r: (h, r.replace("front", "front,9")), "line 2: has another number of cells"),
        (lambda h, r: (h, r.replace("60,10", "60,ten")), "line 2, field 'top': must be a number"),
        (lambda h, r: (h, r.replace("000.jpg", "999.jpg")), "line 2, field 'image': .*not exist"),
    ],
)
def test_mistakes_in_csv_are_reported(folder, names, change, message):
    path = write_csv(folder / "people.csv", names[:1])
    path.write_text("\n".join(change(*path.read_text().splitlines())) + "\n")
    with pytest.raises(UserError, match=message):
        read(path, cameras_path=folder / "cameras.json", unit="m")


def test_missing_files_and_other_kinds_are_reported(folder, names):
    with pytest.raises(UserError, match="must be a .jsonl or a .csv"):
        read(folder / "people.xml")
    with pytest.raises(UserError, match="Cannot read the manifest"):
        read(folder / "nowhere.csv")


@pytest.mark.parametrize("unknown", [None, [None] * 3, [float("nan")] * 3])
def test_null_and_nan_mark_unknown_joints(folder, names, unknown):
    for as_list in (False, True):
        lines = json_lines(names[:1])
        lines[1]["joints3d"]["head"] = unknown
        if as_list:
            lines[1]["joints3d"] = list(lines[1]["joints3d"].values())
        _, [(_, example)] = read(write_json(folder / "people.jsonl", lines))
        assert np.flatnonzero(np.isnan(example.world_coords).all(axis=1)).tolist() == [2]


@pytest.mark.parametrize("unknown", ["nan", "NaN", "NA", "n/a", "null", "None", " "])
def test_csv_may_be_separated_by_semicolons_and_spell_unknown_joints(folder, names, unknown):
    path = write_csv(folder / "people.csv", names[:1])
    header, row = path.read_text().splitlines()
    cells = row.split(",")
    cells[6:9] = [unknown] * 3
    path.write_text(f"{header.replace(',', ';')}\n{';'.join(cells)}\n")
    _, [(_, example)] = read(path, cameras_path=folder / "cameras.json", unit="m")
    assert np.flatnonzero(np.isnan(example.world_coords).all(axis=1)).tolist() == [0]


def test_sides_may_be_spelled_out(folder, names):
    lines = json_lines(names[:1])
    text = json.dumps(lines[1]).replace('"l', '"left_').replace('"r', '"right_')
    lines[0]["joints"] = [
        {"l": "left_", "r": "right_"}.get(name[0], name[0]) + name[1:] for name in JOINT_NAMES
    ]
    lines[0]["edges"] = "head-neck-left_sho-left_wri"
    joint_info, [(_, example)] = read(
        write_json(folder / "people.jsonl", [lines[0], json.loads(text)])
    )
    assert joint_info.names == JOINT_NAMES and len(joint_info.edges) == 5
    assert np.allclose(example.world_coords, 1000 * person_m(0), atol=1e-2)


@pytest.mark.parametrize(
    "line, field",
    [
        ('{"image": "a\\u0000b", "camera": "front", "joints3d": {}}', "image"),
        (
            '{"image": "000.jpg", "camera": "front", "joints3d": {"pelv": [1'
            + "0" * 400
            + ", 0, 0]}}",
            "joints3d",
        ),
        ('{"image": "000.jpg", "camera": "front", "joints3d": {}, "split": ["train"]}', "split"),
        ("[" * 100_000, None),
        ('{"image": 1' + "0" * 5000 + "}", None),
    ],
)
def test_odd_values_are_one_line(folder, names, line, field):
    path = write_json(folder / "people.jsonl", json_lines([]))
    path.write_text(path.read_text() + line + "\n")
    place = f"line 2, field '{field}'" if field else "line 2"
    with pytest.raises(UserError, match=place) as error:
        read(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


@pytest.mark.parametrize("head", [{"cameras": [1]}, {"unit": ["mm"]}, {"joints": [1]}])
def test_odd_types_in_the_first_line_are_reported(folder, names, head):
    first, *rest = json_lines(names[:1])
    with pytest.raises(UserError, match=f"line 1, field '{next(iter(head))}'"):
        read(write_json(folder / "people.jsonl", [{**first, **head}, *rest]))


def test_cameras_may_be_null_if_examples_describe_theirs(folder, names):
    first, example = json_lines(names[:1])
    lines = [{**first, "cameras": None}, {**example, "camera": CAMERA}]
    assert len(read(write_json(folder / "people.jsonl", lines))[1]) == 1
