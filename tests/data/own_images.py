"""A folder of pictures with a manifest, as a user has it."""

from __future__ import annotations

import csv
import json
import pathlib

import cv2
import numpy as np

from metrabs.geometry.camera import Camera

JOINT_NAMES = ["pelv", "neck", "head", "lsho", "rsho", "lwri", "rwri", "lank", "rank"]
EDGES = "head-neck-pelv-lank,neck-lsho-lwri"
_BODY_M = np.array(
    [
        [0, 0, 1.0],
        [0, 0, 1.5],
        [0, 0, 1.7],
        [-0.2, 0, 1.45],
        [0.2, 0, 1.45],
        [-0.4, -0.2, 1.0],
        [0.4, -0.2, 1.0],
        [-0.15, 0, 0.1],
        [0.15, 0, 0.1],
    ]
)
CAMERA = {
    "intrinsics": [[500, 0, 160], [0, 500, 120], [0, 0, 1]],
    "rotation": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "position": [0, -4.5, 1.0],
    "distortion": [0.01, -0.02, 0, 0, 0],
}


def person_m(seed: int) -> np.ndarray:
    """Returns the joints [9, 3] of a person in a world with z up, metres."""
    rng = np.random.default_rng(seed)
    return _BODY_M + rng.normal(0, 0.04, _BODY_M.shape) + [rng.uniform(-0.5, 0.5), 0, 0]


def camera_mm() -> Camera:
    """Returns the camera of all pictures."""
    return Camera(
        optical_center=np.array(CAMERA["position"]) * 1000,
        rot_world_to_cam=CAMERA["rotation"],
        intrinsic_matrix=CAMERA["intrinsics"],
        distortion_coeffs=CAMERA["distortion"],
    )


def write_pictures(folder: pathlib.Path, num: int) -> list[str]:
    """Draws pictures and masks of people and returns the names of the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for seed in range(num):
        rng = np.random.default_rng(seed)
        background = rng.integers(0, 255, (8, 10, 3)).astype(np.uint8)
        image = cv2.resize(background, (320, 240), interpolation=cv2.INTER_CUBIC)
        mask = np.zeros((240, 320), np.uint8)
        points = camera_mm().world_to_image(1000 * person_m(seed))
        for a, b in [(2, 1), (1, 0), (0, 7), (0, 8), (1, 3), (1, 4), (3, 5), (4, 6)]:
            ends = [tuple(int(v) for v in np.round(points[i])) for i in (a, b)]
            cv2.line(image, *ends, (30, 60, 200), 9)
            cv2.line(mask, *ends, 255, 9)
        names.append(f"{seed:03d}.jpg")
        cv2.imwrite(str(folder / names[-1]), image)
        cv2.imwrite(str(folder / f"{seed:03d}_mask.png"), mask)
    return names


def json_lines(names: list[str]) -> list[dict]:
    """Returns the head and the examples of a JSON manifest; every fourth is for validation."""
    head = {"joints": JOINT_NAMES, "edges": EDGES, "unit": "m", "cameras": {"front": CAMERA}}
    examples = [
        {
            "image": name,
            "camera": "front",
            "split": "valid" if seed % 4 == 3 else "train",
            "joints3d": dict(zip(JOINT_NAMES, person_m(seed).tolist())),
            "mask": name.replace(".jpg", "_mask.png"),
        }
        for seed, name in enumerate(names)
    ]
    return [head, *examples]


def write_json(path: pathlib.Path, lines: list[dict]) -> pathlib.Path:
    """Writes a JSON manifest."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def write_csv(path: pathlib.Path, names: list[str]) -> pathlib.Path:
    """Writes a CSV manifest of the same people, with boxes, and a file of its cameras."""
    columns = ["image", "camera", "left", "top", "width", "height"]
    columns += [f"{joint}_{axis}" for joint in JOINT_NAMES for axis in "xyz"]
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for seed, name in enumerate(names):
            cells = [f"{value:.5f}" for value in person_m(seed).ravel()]
            writer.writerow([name, "front", 60, 10, 200, 225, *cells])
    path.with_name("cameras.json").write_text(json.dumps({"front": CAMERA}))
    return path
