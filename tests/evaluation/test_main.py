"""The command `python -m metrabs.evaluation`, with a model that knows the answers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from metrabs.evaluation.__main__ import main
from tests.data_preparation.fakes import mupots as fake
from tests.evaluation.oracle import Oracle, write_grey_images


@pytest.fixture
def root(tmp_path, monkeypatch):
    fake.make_mupots(tmp_path)
    paths = [
        f"mupots/TS{number}/img_{frame:06d}.jpg"
        for number in range(1, 21)
        for frame in range(fake.NUM_FRAMES)
    ]
    write_grey_images(tmp_path, paths)
    poses = {}
    for level, path in enumerate(paths):
        sequence, frame = path.split("/")[1], int(path[-10:-4])
        poses[level] = np.array(
            [
                fake.joints_mm(sequence, frame, person)
                for person in range(fake.num_people(sequence))
            ]
        )
    oracle = Oracle(poses)
    monkeypatch.setattr("metrabs.hub.load_model", lambda name: oracle)
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    return tmp_path


def test_numbers_are_printed_and_written_and_predictions_can_be_evaluated_again(root, capsys):
    output = root / "results" / "oracle"
    assert main(["mupots", "--model=some_model", f"--output={output}", "--num_aug=2"]) == 0
    first = capsys.readouterr().out
    assert "MuPoTS-3D" in first and re.search(r"recall +100\.0 %", first)
    assert {path.name for path in output.iterdir()} == {
        "mupots_pred_aug2.npz",
        "mupots_pred_aug2_settings.json",
        *(f"mupots_pred_aug2_numbers.{s}" for s in ("txt", "csv", "tex")),
    }
    assert main(["mupots", f"--predictions={output / 'mupots_pred_aug2.npz'}"]) == 0
    assert capsys.readouterr().out == first
    assert main(["poster-table", f"--results={root / 'results'}"]) == 0
    assert "here: oracle" in capsys.readouterr().out


def test_predictions_of_one_model_are_not_reported_as_those_of_another(root, capsys):
    output = root / "results" / "oracle"
    assert main(["mupots", "--model=some_model", f"--output={output}"]) == 0
    assert main(["mupots", "--model=some_model", f"--output={output}"]) == 0
    capsys.readouterr()
    assert main(["mupots", "--model=another_model", f"--output={output}"]) == 1
    captured = capsys.readouterr()
    assert "model was some_model, is another_model" in captured.err and not captured.out


@pytest.mark.parametrize(("arguments", "message", "code"), [
    ([], "Give a benchmark", 1), (["nonsense"], "nonsense", 1),
    (["mupots"], "--model and --output", 1), (["mupots", "--unknown_flag=1"], "unknown_flag", 2),
    (["poster-table", "--results=/nowhere"], "no results", 1),
])  # fmt: skip
def test_mistakes_are_one_line(arguments, message, code, root, capsys):
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_help_names_the_settings_of_the_benchmark(capsys):
    assert main(["tdpw", "--help"]) == 0
    assert "gtassoc" in capsys.readouterr().out
