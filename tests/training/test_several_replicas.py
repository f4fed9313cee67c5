"""Training on two devices and by two workers, each a program, compared with one on one."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from metrabs.training.checkpoints import latest_checkpoint
from tests.training.tiny import tiny_config

pytestmark = pytest.mark.slow  # each program starts TensorFlow

_ROOT = pathlib.Path(__file__).parents[2]
_TIMEOUT_S = 540
# By weak perspective, since the full one is ill-conditioned for the poses of untrained networks.
_SETTINGS = dict(batch_size=4, batch_size_2d=4, training_steps=3, weak_perspective_steps=1000)
# The 2D head's bias shifts whole heatmaps, so its gradient is nothing but rounding errors, which
# Adam blows up.
_HEAD_BIAS = -1


def _prepare(folder: pathlib.Path, **settings: Any) -> pathlib.Path:
    config = tiny_config(folder, **{**_SETTINGS, **settings})
    (folder / "config.json").write_text(config.to_json())
    return folder


def _start(folder: pathlib.Path, **environment: str) -> Callable[..., subprocess.Popen[str]]:
    def start(**options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.training.training_program",
                str(folder),
                json.dumps(options),
            ],
            cwd=_ROOT,
            env={**os.environ, **environment},
            text=True,
            stderr=subprocess.PIPE,
        )

    return start


def _start_workers(folder: pathlib.Path, **options: Any) -> list[subprocess.Popen[str]]:
    """Starts two workers that know of each other."""
    sockets = [socket.socket() for _ in range(2)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]
    for free in sockets:
        free.close()
    tasks = [
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        for index in range(2)
    ]
    return [_start(folder, TF_CONFIG=json.dumps(task))(**options) for task in tasks]


def _end(*programs: subprocess.Popen[str]) -> tuple[list[int], str]:
    """Waits for programs; returns their exit codes and what they wrote to stderr."""
    try:
        errors = "".join(program.communicate(timeout=_TIMEOUT_S)[1] for program in programs)
    finally:
        for program in programs:
            program.kill()
    return [program.returncode for program in programs], errors


def _weights(folder: pathlib.Path, worker: int = 0) -> list[np.ndarray]:
    with np.load(folder / f"weights_{worker}.npz") as file:
        return [file[name] for name in file.files]


def _assert_same_weights(actual: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """After a few updates of about 0.01 each."""
    for a, b in zip(actual[:_HEAD_BIAS], expected[:_HEAD_BIAS]):
        np.testing.assert_allclose(a, b, atol=1e-4)


@functools.cache
def _weights_of_one_device(base: pathlib.Path, backbone: str, settings: str) -> list[np.ndarray]:
    folder = _prepare(base / f"one_{backbone}_{abs(hash(settings))}", **json.loads(settings))
    codes, errors = _end(_start(folder)(backbone=backbone))
    assert codes == [0], errors
    return _weights(folder)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("one")


@pytest.mark.parametrize(
    "backbone, settings",
    [
        # Without batch statistics, training is the same, random shares of the 3D head included.
        ("plain", {"validate_period": 2}),
        ("plain", {"xla": "full"}),
        # Batch statistics are those of a device, unless they are frozen.
        ("tiny", {"finetune_in_inference_mode": 3, "ema_momentum": 0.5}),
    ],
)
def test_two_devices_make_the_updates_of_one(
    base: pathlib.Path, tmp_path: pathlib.Path, backbone: str, settings: dict[str, Any]
) -> None:
    expected = _weights_of_one_device(base, backbone, json.dumps(settings))
    folder = _prepare(tmp_path / "two", **settings)
    codes, errors = _end(_start(folder)(backbone=backbone, devices=2))
    assert codes == [0], errors
    _assert_same_weights(_weights(folder), expected)
    assert latest_checkpoint(folder / "run").name == "ckpt-3"


def test_two_devices_accumulate_as_one(tmp_path: pathlib.Path) -> None:
    # The parts hold other examples, but as many valid joints, so in the first step this is exact.
    rows = []
    for devices in (1, 2):
        folder = _prepare(tmp_path / str(devices), grad_accum_steps=2, training_steps=1)
        codes, errors = _end(_start(folder)(backbone="plain", devices=devices))
        assert codes == [0], errors
        rows.append(json.loads((folder / "run/metrics.jsonl").read_text().splitlines()[0]))
    for name in ("loss", "loss_3dbatch", "loss_2dbatch", "gradient_norm", "mean_error"):
        assert rows[0][name] == pytest.approx(rows[1][name], rel=1e-4), name


def test_two_workers_make_the_updates_of_one(base: pathlib.Path, tmp_path: pathlib.Path) -> None:
    settings = {"validate_period": 2}
    expected = _weights_of_one_device(base, "plain", json.dumps(settings))
    folder = _prepare(tmp_path / "workers", **settings)
    codes, errors = _end(*_start_workers(folder, backbone="plain"))
    assert codes == [0, 0], errors
    _assert_same_weights(_weights(folder, 0), expected)
    for chief, other in zip(_weights(folder, 0), _weights(folder, 1)):
        np.testing.assert_array_equal(chief, other)
    rows = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3]  # written once


def _wait_for(path: pathlib.Path) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.1)


def test_a_killed_worker_ends_the_others_and_all_resume(
    base: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    settings = {"training_steps": 8, "checkpoint_period": 1}
    folder = _prepare(tmp_path / "workers", **settings)
    chief, other = _start_workers(folder, sleep_s=1)
    _wait_for(folder / "run/ckpt-2.index")
    other.kill()
    codes, errors = _end(chief, other)
    assert codes == [75, -signal.SIGKILL], errors
    assert "Another worker was lost" in errors
    saved = latest_checkpoint(folder / "run")
    assert 2 <= int(saved.name.split("-")[1]) < 8
    codes, errors = _end(*_start_workers(folder))
    assert codes == [0, 0], errors
    assert f"Resuming from {saved}" in errors
    assert latest_checkpoint(folder / "run").name == "ckpt-8"


def test_a_signal_to_one_worker_stops_all_after_the_same_step(tmp_path: pathlib.Path) -> None:
    folder = _prepare(tmp_path / "workers", training_steps=50, checkpoint_period=2)
    chief, other = _start_workers(folder, sleep_s=0.5)
    _wait_for(folder / "run/ckpt-2.index")
    other.terminate()
    codes, errors = _end(chief, other)
    assert codes == [143, 143], errors
    rows = (folder / "run/metrics.jsonl").read_text().splitlines()
    last = json.loads(rows[-1])["step"]
    assert last < 50
    assert latest_checkpoint(folder / "run").name == f"ckpt-{last}"
