from __future__ import annotations

import json
import subprocess
import sys

import pytest

from metrabs.predict import __main__ as command
from tests.predict.fakes import FakeModel, write_image, write_video


@pytest.fixture
def model(monkeypatch):
    fake = FakeModel()
    monkeypatch.setattr("metrabs.hub.load_model", lambda name: fake)
    return fake


def run(tmp_path, *arguments):
    return command.main(
        [
            str(tmp_path / "in"),
            "--model=fake",
            f"--output={tmp_path / 'out'}",
            "--skeleton=three",
            "--noprogress",
            *arguments,
        ]
    )


def test_command_predicts(model, tmp_path, capsys):
    write_image(tmp_path / "in/a.png", 90)
    assert run(tmp_path, "--num-aug=2", "--max-detections=1", "--world_up=0,0,1") == 0
    assert (model.calls[0]["num_aug"], model.calls[0]["max_detections"]) == (2, 1)
    assert model.calls[0]["world_up_vector"].tolist() == [0, 0, 1]
    assert "1 file done, 1 person" in capsys.readouterr().out
    assert run(tmp_path, "--num-aug=2", "--max-detections=1", "--world_up=0,0,1") == 0
    assert "1 finished earlier" in capsys.readouterr().out


def test_people_in_videos_are_counted_per_frame(model, tmp_path, capsys):
    write_video(tmp_path / "in/clip.avi", 5)
    write_image(tmp_path / "in/a.png", 90)
    assert run(tmp_path) == 0
    assert "2 files done, 6 people in 6 frames: " in capsys.readouterr().out


def test_finished_folder_needs_neither_model_nor_tensorflow(model, tmp_path):
    write_image(tmp_path / "in/a.png", 90)
    assert run(tmp_path) == 0
    arguments = [
        str(tmp_path / "in"),
        "--model=fake",
        f"--output={tmp_path / 'out'}",
        "--skeleton=three",
        "--noprogress",
    ]
    program = (
        "import sys; from metrabs.predict.__main__ import main; "
        f"code = main({arguments}); sys.exit(code or 'tensorflow' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("0 files done, 0 people, 1 finished earlier")


def test_formats_and_pictures_can_be_chosen(model, tmp_path):
    write_image(tmp_path / "in/a.png", 90)
    assert run(tmp_path, "--formats=csv,npz", "--pictures=none") == 0
    assert sorted(p.name for p in (tmp_path / "out").glob("a.png*")) == ["a.png.csv", "a.png.npz"]
    # More formats of the same results go into the same folder.
    assert run(tmp_path, "--formats=json", "--pictures=png") == 0
    assert (tmp_path / "out/a.png.poses.png").exists()


def test_unreadable_input_changes_the_exit_code(model, tmp_path, capsys):
    write_image(tmp_path / "in/good.png", 90)
    (tmp_path / "in/bad.jpg").write_bytes(b"nonsense")
    assert run(tmp_path) == command.EXIT_INCOMPLETE
    captured = capsys.readouterr()
    assert "1 problem:" in captured.err and "bad.jpg" in captured.err
    assert "1 file done" in captured.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--fov=0"], 1, "--fov"),
        (["--fov=wide"], 2, "fov"),
        (["--unknown=1"], 2, "unknown"),
        (["--formats=xml"], 1, "Unknown format 'xml'. Known: csv, json, npz"),
        (["--world_up=up"], 1, "--world_up"),
        (["--world_up=nan,0,0"], 1, "--world_up must be three finite numbers"),
        (["--formats=", "--pictures=none"], 1, "Nothing would be written"),
        (["--batch_size=0"], 1, "'batch_size' must be at least 1, not 0"),
        (["--detector_threshold=30"], 1, "'detector_threshold' must be at least 0 and at most 1,"),
        (["--detector_threshold=nan"], 1, "'detector_threshold' must be at least 0 and at most 1"),
        (["--detector_nms_iou_threshold=-1"], 1, "'detector_nms_iou_threshold' must be"),
        (["--skeleton=other"], 1, "Unknown skeleton 'other'"),
        (["--intrinsics=missing.json"], 1, "missing.json"),
        (["--model="], 1, "--model"),
    ],
)
def test_mistakes_end_in_one_line(arguments, code, message, model, tmp_path, capsys):
    write_image(tmp_path / "in/a.png", 90)
    assert run(tmp_path, *arguments) == code
    error = capsys.readouterr().err.strip()
    assert message in error and error.startswith("error: ") and len(error.splitlines()) == 1
    assert not list(tmp_path.glob("out/*"))


def test_a_mistake_does_not_affect_the_next_call(model, tmp_path):
    write_image(tmp_path / "in/a.png", 90)
    assert run(tmp_path, "--skeleton=other") == 1
    assert run(tmp_path) == 0


def test_interruption_is_reported_in_one_line(model, tmp_path, capsys):
    write_image(tmp_path / "in/a.png", 90)

    def interrupt(images, **arguments):
        raise KeyboardInterrupt

    model.detect_poses_batched = interrupt
    assert run(tmp_path) == 130
    assert "Interrupted" in capsys.readouterr().err


def test_files_of_other_content_count_as_other_settings(model, tmp_path, capsys):
    write_image(tmp_path / "in/a.png", 90)
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"a.png": [[1, 2, 3, 4]]}))
    assert run(tmp_path, f"--boxes={boxes}") == 0
    assert run(tmp_path, f"--boxes={boxes}") == 0
    boxes.write_text(json.dumps({"a.png": [[5, 6, 7, 8]]}))
    assert run(tmp_path, f"--boxes={boxes}") == 1
    assert "other settings (boxes was" in capsys.readouterr().err


def test_model_without_detector_is_reported(model, tmp_path, capsys):
    model.detector = None
    write_image(tmp_path / "in/a.png", 0)
    assert run(tmp_path) == 0
    assert "--boxes" in capsys.readouterr().err
    (tmp_path / "boxes.json").write_text(json.dumps({"a.png": [[1, 2, 3, 4]]}))
    assert run(tmp_path, f"--boxes={tmp_path / 'boxes.json'}", "--overwrite") == 0
    assert "--boxes" not in capsys.readouterr().err


def test_command_starts_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "metrabs.predict"], capture_output=True, text=True
    )
    assert result.returncode == 1 and result.stderr.startswith("error: Give images")


def test_help_lists_all_flags(capsys):
    assert command.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in ("model", "skeleton", "intrinsics", "max_detections", "batch_size"):
        assert f"--{name}" in text or f"--[no]{name}" in text
