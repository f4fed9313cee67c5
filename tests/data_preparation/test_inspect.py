from __future__ import annotations

import dataclasses
import subprocess
import sys

import cv2
import numpy as np
import pytest
from absl import flags

from data_preparation import inspect as command
from metrabs.data.datasets import open_dataset
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import write_cache
from metrabs.data.storage.masks import encode_mask
from metrabs.errors import UserError
from metrabs.settings import define_flags, from_flags
from tests.data.conftest import JOINTS, random_example_2d, random_example_3d


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.delenv("CACHE_DIR", raising=False)
    examples = [random_example_3d(i, "abb"[i % 3]) for i in range(9)]
    examples += [random_example_2d(i) for i in range(2)]
    for example in examples:
        path = tmp_path / example.image_path
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), example.image)
    stored = [dataclasses.replace(example, image=None) for example in examples]
    mask = np.zeros((120, 160), np.uint8)
    mask[20:100, 30:120] = 1
    stored[0] = dataclasses.replace(stored[0], mask=encode_mask(mask))
    write_cache(
        tmp_path / "cache" / "three.pkl",
        PoseDataset(
            "three",
            JOINTS,
            stored[:9],
            samples_per_batch={"a": 1, "b": 2},
            bone_lengths_mm={"train": np.ones(5)},
        ),
    )
    write_cache(tmp_path / "cache" / "two.pkl", PoseDataset("two", JOINTS, valid=stored[9:]))
    return tmp_path


def run(name, *arguments):
    values = flags.FlagValues()
    define_flags(values, command.InspectSettings)
    values(["inspect", *arguments])
    command.run(from_flags(values, command.InspectSettings, datasets=(name,)))


def test_the_summary_lists_members_batches_and_bones(root, capsys):
    run("three", "--verify")
    printed = capsys.readouterr().out
    assert "three: 6 joints, 5 bones" in printed and "all 2" in printed
    assert "a 1, b 2" in printed and "mean bone lengths of: train" in printed
    assert "checksums OK" in printed


def test_prints_all_fields_of_an_example(root, capsys):
    example = open_dataset("three").train[2]
    known = [JOINTS.names[i] for i in np.flatnonzero(~np.isnan(example.world_coords[:, 0]))]
    run("three", "--index=2")
    printed = capsys.readouterr().out
    assert "b/2.jpg" in printed and "4 of 6 joints (mm, world)" in printed
    assert all(f"    {name} " in printed for name in known)
    assert "box (left, top, width, height) 30.5 20.0 90.0 80.0" in printed
    run("two", "--split=valid", "--index=1")
    assert "5 of 6 joints (pixels)" in capsys.readouterr().out


def test_the_sheet_has_a_row_for_each_example(root):
    run("three", "--index=0,1", f"--output={root / 'a.png'}")
    run("three", "--index=0,1,4", "--augmented=1", f"--output={root / 'b.png'}")
    two, three = cv2.imread(str(root / "a.png")), cv2.imread(str(root / "b.png"))
    assert two.shape[1] > 4 * 320 and three.shape[1] > 3 * 320
    assert 2.7 < three.shape[0] / (two.shape[0] / 2) < 3.1
    run("two", "--split=valid", "--num=2", f"--output={root / 'c.png'}")
    assert cv2.imread(str(root / "c.png")).shape == two.shape


def test_the_counts_are_also_written_and_plotted(root):
    run("three", f"--csv={root / 'a.csv'}", f"--figure={root / 'a.png'}")
    assert (root / "a.csv").read_text().splitlines()[1].startswith("a,train,3,")
    assert cv2.imread(str(root / "a.png")) is not None


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--index=9"], "no example 9; the split has 9"),
        (["--index=x"], "--index takes ints"),
        (["--split=test", "--output=a.png"], "'test' of three has no examples"),
    ],
)
def test_mistakes_are_reported(root, arguments, message):
    with pytest.raises(UserError, match=message):
        run("three", *arguments)


def test_the_module_can_be_run(root):
    done = subprocess.run(
        [sys.executable, "-m", "data_preparation.inspect", "nowhere"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.startswith("error: Dataset 'nowhere'")
