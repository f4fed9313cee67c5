from __future__ import annotations

import os
import pathlib
import re
import shlex
import subprocess
import sys

import cv2
import numpy as np
import pytest
from absl import flags

import data_preparation
from data_preparation import from_manifest
from metrabs.config import LoadingConfig
from metrabs.data.datasets import open_dataset
from metrabs.data.loading.example_3d import load_example_3d
from metrabs.data.storage.masks import decode_mask
from metrabs.errors import UserError
from metrabs.settings import define_flags, from_flags
from tests.data.own_images import json_lines, write_csv, write_json, write_pictures

REPOSITORY = pathlib.Path(data_preparation.__file__).parents[1]


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.delenv("CACHE_DIR", raising=False)
    return tmp_path


def build(*arguments):
    values = flags.FlagValues()
    define_flags(values, from_manifest.ManifestSettings)
    values(["from_manifest", *map(str, arguments)])
    return from_manifest.build(from_flags(values, from_manifest.ManifestSettings))


def test_a_json_manifest_becomes_a_dataset_of_small_crops(root):
    names = write_pictures(root / "own", 8)
    manifest = write_json(root / "own" / "people.jsonl", json_lines(names))
    build(f"--manifest={manifest}", "--name=mine")
    dataset = open_dataset("mine")
    assert (dataset.name, len(dataset.train), len(dataset.valid)) == ("mine", 6, 2)
    example = dataset.train[3]
    assert example.image_path == "mine_downscaled/train/000003.jpg" and example.dataset == "mine"
    crop = cv2.imread(str(root / example.image_path))
    mask = decode_mask(example.mask)
    assert mask.shape == crop.shape[:2]
    # The person is drawn in one colour, which must also lie under the mask in the crop.
    is_person = np.abs(crop.astype(int) - [30, 60, 200]).max(axis=2) < 40
    assert is_person[cv2.erode(mask, np.ones((5, 5))) > 0].mean() > 0.95
    points = example.camera.world_to_image(example.world_coords)
    rounded = np.round(points).astype(int)
    assert mask[rounded[:, 1], rounded[:, 0]].mean() > 0.8


def test_a_csv_manifest_can_keep_the_full_images(root):
    names = write_pictures(root / "own", 3)
    manifest = write_csv(root / "own" / "people.csv", names)
    build(
        f"--manifest={manifest}",
        "--name=mine",
        f"--cameras={root / 'own' / 'cameras.json'}",
        "--edges=head-neck-pelv",
        "--unit=m",
        "--nocrops",
    )
    example = open_dataset("mine").train[1]
    assert example.image_path == "own/001.jpg" and example.bbox.tolist() == [60, 10, 200, 225]
    assert not (root / "mine_downscaled").exists()


def test_crops_show_the_network_the_same_as_the_full_images(root):
    names = write_pictures(root / "own", 1)
    manifest = write_json(root / "own" / "people.jsonl", json_lines(names))
    loaded = []
    for name, crops in (("small", "--crops"), ("full", "--nocrops")):
        build(f"--manifest={manifest}", f"--name={name}", crops)
        dataset = open_dataset(name)
        rng = np.random.default_rng(0)
        config = LoadingConfig(proc_side=128)
        loaded.append(load_example_3d(dataset.train[0], dataset.joint_info, config, False, rng))
    small, full = loaded
    assert np.allclose(small["coords2d_true"], full["coords2d_true"], atol=1.5)
    assert np.allclose(small["coords3d_true"], full["coords3d_true"], atol=25)
    difference = np.abs(small["image"].astype(int) - full["image"])
    assert difference.mean() < 12


def test_a_mistake_leaves_an_older_dataset_as_it_was(root):
    names = write_pictures(root / "own", 3)
    lines = json_lines(names)
    manifest = write_json(root / "own" / "people.jsonl", lines)
    path = build(f"--manifest={manifest}", "--name=mine")
    before = path.read_bytes()
    lines[3] = {**lines[3], "box": [0, 0, -1, 5]}
    write_json(manifest, lines)
    with pytest.raises(UserError, match="line 4, field 'box'"):
        build(f"--manifest={manifest}", "--name=mine")
    assert path.read_bytes() == before
    write_json(manifest, lines[:1])
    with pytest.raises(UserError, match="has no examples"):
        build(f"--manifest={manifest}", "--name=mine")


def test_flags_are_checked(root, capsys):
    assert from_manifest.main(["--name=mine"]) == 1
    assert "Give --manifest and --name" in capsys.readouterr().err
    with pytest.raises(UserError, match="must consist of letters"):
        build("--manifest=a.csv", "--name=../mine")


def how_to_blocks(kind):
    page = (REPOSITORY / "docs" / "how-to" / "own-dataset.md").read_text()
    return re.findall(rf"```{kind}\n(.*?)```", page, flags=re.DOTALL)


def test_the_manifest_of_the_how_to_is_a_good_one(root):
    write_pictures(root / "own", 2)
    (root / "own" / "people.jsonl").write_text(how_to_blocks("json")[0])
    build(f"--manifest={root / 'own' / 'people.jsonl'}", "--name=mine")
    dataset = open_dataset("mine")
    assert [len(dataset.train), len(dataset.valid)] == [1, 1]


@pytest.mark.slow
def test_the_how_to_leads_to_a_hundred_training_steps(tmp_path):
    """Runs the commands of docs/how-to/own-dataset.md as they stand there."""
    names = write_pictures(tmp_path / "own", 24)
    write_json(tmp_path / "own" / "people.jsonl", json_lines(names))
    commands = [
        line
        for block in how_to_blocks("sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("python") and "--unit" not in line and "pack_images" not in line
    ]
    assert len(commands) == 3
    environment = {**os.environ, "DATA_ROOT": str(tmp_path)}
    environment.pop("CACHE_DIR", None)
    for command in commands:
        words = shlex.split(command.replace("$DATA_ROOT", str(tmp_path)))
        subprocess.run([sys.executable, *words[1:]], check=True, cwd=REPOSITORY, env=environment)
    assert cv2.imread(str(tmp_path / "mine.png")) is not None
    checkpoints = list((tmp_path / "experiments" / "mine").glob("ckpt-100*"))
    assert checkpoints
