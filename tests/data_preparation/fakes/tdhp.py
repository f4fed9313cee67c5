"""A miniature MPI-INF-3DHP: two subjects with two cameras, two test sequences."""

from __future__ import annotations

import pathlib
import pickle

import h5py
import numpy as np
import scipy.io

from metrabs.geometry import boxes
from metrabs.geometry.camera import Camera
from tests.data_preparation.fakes import toolkit

SOURCE_NAMES = (
    "spi3 spi4 spi2 spin pelv neck head htop lcla lsho lelb lwri lhan rcla rsho relb rwri rhan "
    "lhip lkne lank lfoo ltoe rhip rkne rank rfoo rtoe"
).split()
MARKERS = {name: i for i, name in enumerate(SOURCE_NAMES)}
MARKERS["thor"] = MARKERS["spi3"]
TEST_NAMES = (
    "htop neck rsho relb rwri lsho lelb lwri rhip rkne rank lhip lkne lank pelv spin head"
).split()
IMSIZE_WH = (512, 512)
NUM_FRAMES = 30
# Movement to the right in mm: at rest, a step, out of the image, back and on.
MOVEMENT_MM = np.repeat([0, 50, 120, 9000, 240, 360], 5)
NUM_TEST_FRAMES = 3
CHAIR = (430, 440, 500, 505)  # left, top, right, bottom
INVALID_TEST_FRAME = 1


def world_poses(subject: int = 1) -> np.ndarray:
    """Returns [30, 28, 3] joints in world mm, y up; subject 2 stands further back and aside."""
    pose = toolkit.marker_pose(28) * np.array([1, -1, -1]) + np.array([0, 900, 0])
    if subject == 2:
        pose += np.array([-450, 0, -800])
    return pose + MOVEMENT_MM[:, np.newaxis, np.newaxis] * np.array([1.0, 0, 0])


def cameras() -> list[Camera]:
    """Returns the 14 cameras; all but number 1 are alike."""
    views = [
        toolkit.look_at_camera(position, (150, 900, 0), IMSIZE_WH, 700, (0, 1, 0))
        for position in ((500, 1100, 4200), (-700, 1500, 4000))
    ]
    return [views[1] if i == 1 else views[0] for i in range(14)]


def make_tdhp(root: pathlib.Path, subjects: tuple[int, ...] = (1, 8)) -> None:
    """Writes the dataset into `root/3dhp`."""
    folder = root / "3dhp"
    for subject in subjects:
        _write_sequence(folder / f"S{subject}" / "Seq1", world_poses(subject))
    for number in (1, 5):
        write_test_sequence(folder / f"TS{number}", number)
    (folder / "yolov3_person_detections.pkl").write_bytes(pickle.dumps(_detections(subjects)))


def person_box(joints_px: np.ndarray, factor: float = 1.05) -> np.ndarray:
    """Returns the box [4] around joints, enlarged."""
    return boxes.expand(boxes.bounding_box(joints_px), factor)


def detected_box(joints_px: np.ndarray) -> np.ndarray:
    """Returns the box of a good detection: it reaches 20 px further up."""
    return person_box(joints_px) + np.array([0, -20, 0, 20], np.float32)


def _write_sequence(folder: pathlib.Path, poses: np.ndarray) -> None:
    folder.mkdir(parents=True)
    cells = {name: np.empty((14, 1), object) for name in ("annot2", "annot3", "univ_annot3")}
    for i, camera in enumerate(cameras()):
        in_camera = (poses - camera.t) @ camera.R.T.astype(np.float64)
        cells["annot3"][i, 0] = in_camera.reshape(NUM_FRAMES, -1)
        cells["univ_annot3"][i, 0] = 0.9 * in_camera.reshape(NUM_FRAMES, -1)
        cells["annot2"][i, 0] = toolkit.project(poses, camera).reshape(NUM_FRAMES, -1)
    scipy.io.savemat(
        folder / "annot.mat",
        {**cells, "cameras": np.arange(14), "frames": np.arange(NUM_FRAMES)[:, np.newaxis]},
    )
    (folder / "camera.calibration").write_text(_calibration_text())
    for i in (0, 1):
        joints_px = toolkit.project(poses, cameras()[i])
        images = (toolkit.draw_markers(toolkit.blank_image(IMSIZE_WH), p) for p in joints_px)
        toolkit.write_video(folder / "imageSequence" / f"video_{i}.avi", images, rate=25)
        masks = (_mask_image(pixels) for pixels in joints_px)
        toolkit.write_video(folder / "FGmasks" / f"video_{i}.avi", masks, rate=25)
        chairs = (_chair_image() for _ in joints_px)
        toolkit.write_video(folder / "ChairMasks" / f"video_{i}.avi", chairs, rate=25)


def _mask_image(joints_px: np.ndarray) -> np.ndarray:
    """Red: dark noise, the person's box, and a patch in a corner that is not the person."""
    image = toolkit.blank_image(IMSIZE_WH, 0)
    image[..., 0] = 20
    image[470:500, 20:50, 0] = 255
    left, top, width, height = np.clip(person_box(joints_px), 0, IMSIZE_WH[0]).astype(int)
    image[top : top + height, left : left + width, 0] = 255
    return image


def _chair_image() -> np.ndarray:
    """White but for a chair at the lower right, and a speck that is none."""
    image = toolkit.blank_image(IMSIZE_WH, 255)
    left, top, right, bottom = CHAIR
    image[top:bottom, left:right, 0] = 0
    image[5:8, 5:8, 0] = 0
    return image


def _calibration_text() -> str:
    lines = ["Skeletool Camera Calibration File V1.0"]
    for i, camera in enumerate(cameras()):
        intrinsics = np.eye(4)
        intrinsics[:3, :3] = camera.intrinsic_matrix
        rows = {
            "sensor": "10 10",
            "size": f"{IMSIZE_WH[0]} {IMSIZE_WH[1]}",
            "animated": "0",
            "intrinsic": _numbers(intrinsics),
            "extrinsic": _numbers(camera.get_extrinsic_matrix()),
            "radial": "0",
        }
        lines.append(f"name          {i}")
        lines += [f"  {keyword:<12}{value}" for keyword, value in rows.items()]
    return "\n".join(lines) + "\n"


def _numbers(matrix: np.ndarray) -> str:
    return " ".join(f"{number:.9g}" for number in matrix.ravel())


def _detections(subjects: tuple[int, ...]) -> dict:
    """Good in frame 0 (and in test images), far away in frame 10, none in 25; 20 is lacking."""
    found = {}
    for subject in subjects:
        for i in (0, 1):
            joints_px = toolkit.project(world_poses(), cameras()[i])
            key = f"S{subject}/Seq1/imageSequence/img_{i}_%06d.jpg"
            found[key % 0] = [[1, 1, 9, 9, 0.3], [*detected_box(joints_px[0]), 0.9]]
            found[key % 10] = np.array([[0, 450, 40, 60, 0.9]], np.float32)
            found[key % 25] = []
    for number in (1, 5):
        for i in range(1, NUM_TEST_FRAMES + 1):
            found[f"TS{number}/imageSequence/img_{i:06d}.jpg"] = np.zeros((0, 5))
    return found


def write_test_sequence(folder: pathlib.Path, number: int, with_images: bool = True) -> None:
    """Writes test frames; lens and intrinsics are the numbers of the dataset's documentation."""
    folder.mkdir(parents=True)
    if number <= 4:
        size, numbers, lens = (
            (2048, 2048),
            (1500.172288, 1500.832364, 1017.387336, 1043.031982),
            None,
        )
    else:
        size, numbers = (1920, 1080), (1683.983460, 1672.593708, 939.857540, 560.140743)
        lens = [-0.276859611, 0.131125256, -0.000360494, -0.001149441, -0.049318332]
    fx, fy, cx, cy = numbers
    camera = Camera(intrinsic_matrix=[[fx, 0, cx], [0, fy, cy], [0, 0, 1]], distortion_coeffs=lens)
    source = [SOURCE_NAMES.index(name) for name in TEST_NAMES]
    joints_mm = np.stack(
        [
            toolkit.marker_pose(28)[source] + np.array([100.0 * i, -50, 4500])
            for i in range(NUM_TEST_FRAMES)
        ]
    )
    for i, pixels in enumerate(toolkit.project(joints_mm, camera) if with_images else ()):
        image = toolkit.blank_image(size)
        drawn = np.full((28, 2), np.nan)
        drawn[source] = pixels
        toolkit.write_image(
            folder / "imageSequence" / f"img_{i + 1:06d}.jpg",
            toolkit.draw_markers(image, drawn, radius_px=7),
        )
    is_valid = np.ones((NUM_TEST_FRAMES, 1))
    is_valid[INVALID_TEST_FRAME] = 0
    with h5py.File(folder / "annot_data.mat", "w") as file:
        file["annot2"] = toolkit.project(joints_mm, camera)[:, np.newaxis]
        file["annot3"] = joints_mm[:, np.newaxis]
        file["univ_annot3"] = 0.9 * joints_mm[:, np.newaxis]
        file["valid_frame"] = is_valid
        file["activity_annotation"] = np.array([[1.0], [2], [7]])
