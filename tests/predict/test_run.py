from __future__ import annotations

import json
import os

import cv2
import pytest

from metrabs.errors import UserError
from metrabs.estimator.client import PredictionSettings, Predictor
from metrabs.predict.cameras import CameraChoice
from metrabs.predict.given_boxes import GivenBoxes
from metrabs.predict.run import Outputs, Run, check_same_settings, record_settings
from metrabs.predict.sources import find_sources
from tests.predict.fakes import FakeModel, write_image, write_video


@pytest.fixture
def model():
    return FakeModel()


def process(model, folder, output, batch_size=2, boxes=None, **settings):
    camera = CameraChoice()
    predictor = Predictor(model, PredictionSettings(skeleton="three"))
    outputs = Outputs(output, **settings)
    run = Run(predictor, camera, outputs, "fake", "three", batch_size, boxes, progress=False)
    return run.process(find_sources([folder], output))


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def read(path):
    return json.loads(path.read_text())


def test_each_image_has_its_files(model, tmp_path):
    for name in ("a.jpg", "sub/b.png"):
        write_image(tmp_path / "in" / name, 90)
    summary = process(model, tmp_path / "in", tmp_path / "out", formats=("json", "csv", "npz"))
    assert files(tmp_path / "out") == [
        "a.jpg.csv", "a.jpg.json", "a.jpg.npz", "a.jpg.poses.jpg",
        "sub/b.png.csv", "sub/b.png.json", "sub/b.png.npz", "sub/b.png.poses.jpg",
    ]  # fmt: skip
    assert (summary.num_finished, summary.num_people, summary.problems) == (2, 2, [])
    assert len(model.calls) == 1  # both in one batch
    assert read(tmp_path / "out/a.jpg.json")["image_size_wh_px"] == [64, 48]
    assert cv2.imread(str(tmp_path / "out/a.jpg.poses.jpg")) is not None


def test_images_of_different_sizes_are_in_different_batches(model, tmp_path):
    for i, size_wh in enumerate([(64, 48), (64, 48), (64, 48), (32, 48), (32, 48)]):
        write_image(tmp_path / "in" / f"{i}.png", 90, size_wh)
    process(model, tmp_path / "in", tmp_path / "out", overlay_suffix=None)
    assert [call["images"].shape for call in model.calls] == [
        (2, 48, 64, 3), (1, 48, 64, 3), (2, 48, 32, 3),
    ]  # fmt: skip
    for i in range(5):
        assert len(read(tmp_path / f"out/{i}.png.json")["frames"][0]["people"]) == 1


def test_finished_images_are_skipped_until_they_change(model, tmp_path):
    for name in ("a.png", "b.png"):
        write_image(tmp_path / "in" / name, 90)
    process(model, tmp_path / "in", tmp_path / "out")
    (tmp_path / "out/b.png.json").unlink()
    summary = process(model, tmp_path / "in", tmp_path / "out")
    assert (summary.num_finished, summary.num_earlier) == (1, 1)
    later = (tmp_path / "out/a.png.json").stat().st_mtime + 10
    os.utime(tmp_path / "in/a.png", (later, later))
    assert process(model, tmp_path / "in", tmp_path / "out").num_finished == 1
    assert process(model, tmp_path / "in", tmp_path / "out", overwrite=True).num_finished == 2


def test_unreadable_images_are_reported_and_skipped(model, tmp_path):
    write_image(tmp_path / "in/good.png", 90)
    (tmp_path / "in/bad.jpg").write_bytes(b"nonsense")
    (tmp_path / "in/bad.mp4").write_bytes(b"nonsense")
    summary = process(model, tmp_path / "in", tmp_path / "out")
    assert summary.num_finished == 1
    assert [p for p in summary.problems if "bad.jpg" in p and "as an image" in p]
    assert [p for p in summary.problems if "bad.mp4" in p and "as a video" in p]
    assert files(tmp_path / "out") == ["good.png.json", "good.png.poses.jpg"]


def test_video_gives_a_video_and_all_frames(model, tmp_path):
    write_video(tmp_path / "in/clip.avi", 5)
    summary = process(model, tmp_path / "in", tmp_path / "out", batch_size=2)
    assert (summary.num_finished, summary.num_people) == (1, 5)
    content = read(tmp_path / "out/clip.avi.json")
    assert [frame["index"] for frame in content["frames"]] == [0, 1, 2, 3, 4]
    assert content["fps"] == 10 and content["frames"][4]["time_s"] == 0.4
    heights = [frame["people"][0]["pose3d_mm"][0][1] for frame in content["frames"]]
    assert heights == sorted(heights, reverse=True)  # brighter is higher, up is -y
    capture = cv2.VideoCapture(str(tmp_path / "out/clip.avi.poses.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    is_read, frame = capture.read()
    assert is_read and frame.shape[1] > frame.shape[0]


def test_boxes_of_the_user_are_used(tmp_path):
    model = FakeModel(detector=None)
    write_image(tmp_path / "in/a.png", 90)
    (tmp_path / "boxes.json").write_text('{"a.png": [[1, 2, 30, 40], [5, 6, 30, 40]]}')
    boxes = GivenBoxes(tmp_path / "boxes.json")
    process(model, tmp_path / "in", tmp_path / "out", boxes=boxes)
    people = read(tmp_path / "out/a.png.json")["frames"][0]["people"]
    assert [person["box_ltwh_px"] for person in people] == [[1, 2, 30, 40], [5, 6, 30, 40]]


@pytest.mark.parametrize("name", ["b.png", "clip.avi"])
def test_interruption_leaves_finished_files_alone(name, model, tmp_path):
    write_image(tmp_path / "in/a.png", 90)
    if name.endswith("png"):
        write_image(tmp_path / "in" / name, 91)
    else:
        write_video(tmp_path / "in" / name, 5)
    detect = model.detect_poses_batched

    def interrupt(images, **arguments):
        if len(model.calls) == 1:
            raise KeyboardInterrupt
        return detect(images, **arguments)

    model.detect_poses_batched = interrupt
    with pytest.raises(KeyboardInterrupt):
        process(model, tmp_path / "in", tmp_path / "out", batch_size=1)
    assert files(tmp_path / "out") == ["a.png.json", "a.png.poses.jpg"]
    model.detect_poses_batched = detect
    assert process(model, tmp_path / "in", tmp_path / "out").num_finished == 1


def test_outputs_of_other_settings_are_not_mixed(tmp_path):
    outputs = Outputs(tmp_path)
    check_same_settings(outputs, {"fov": 55})
    record_settings(outputs, {"fov": 55})
    check_same_settings(outputs, {"fov": 55})
    with pytest.raises(UserError, match=r"other settings \(fov was 55, is 60\)"):
        check_same_settings(outputs, {"fov": 60})
    check_same_settings(Outputs(tmp_path, overwrite=True), {"fov": 60})
    record_settings(outputs, {"fov": 60})
    check_same_settings(outputs, {"fov": 60})


def test_folder_that_cannot_be_written_is_explained(model, tmp_path):
    (tmp_path / "file").touch()
    outputs = Outputs(tmp_path / "file" / "out")
    for action in (check_same_settings, record_settings):
        with pytest.raises(UserError, match="Cannot write to .*out.*another --output"):
            action(outputs, {})
    write_image(tmp_path / "in/a.png", 90)
    with pytest.raises(UserError, match="Cannot write to .*out.*another --output"):
        process(model, tmp_path / "in", outputs.folder)


def test_empty_batches_are_rejected(model, tmp_path):
    write_image(tmp_path / "in/a.png", 90)
    with pytest.raises(UserError, match="--batch_size"):
        process(model, tmp_path / "in", tmp_path / "out", batch_size=0)
