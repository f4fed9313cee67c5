"""Fixtures and options that all tests share."""

from __future__ import annotations

import logging
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import hypothesis
import numpy as np
import pytest

# No timed tests, and the same examples in every run.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")

_DEFAULT_GOLDEN_DIR = pathlib.Path(__file__).parent / "golden" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden_dir",
        default=str(_DEFAULT_GOLDEN_DIR),
        help="folder with the golden .npz files (default: the copies in tests/golden/data)",
    )
    parser.addoption(
        "--samples_dir",
        default=os.environ.get("METRABS_SAMPLES", ""),
        help="folder with photographs and annotations of real datasets, laid out as in the test "
        "data of the mmpose repository (default: $METRABS_SAMPLES; without it, the tests that "
        "need them are skipped)",
    )


@pytest.fixture(autouse=True)
def _without_leftover_log_handlers() -> Iterator[None]:
    """Removes the handlers that a command added: they write to the captured stream of its test."""
    before = list(logging.getLogger().handlers)
    yield
    for handler in list(logging.getLogger().handlers):
        if handler not in before and type(handler) is logging.StreamHandler:
            logging.getLogger().removeHandler(handler)


@pytest.fixture
def samples_of(request: pytest.FixtureRequest) -> Callable[[str], pathlib.Path]:
    """Returns a function from a dataset to the folder of its real samples; skips without them."""

    def find(name: str) -> pathlib.Path:
        given = request.config.getoption("--samples_dir")
        folder = pathlib.Path(given) / name
        if not given or not folder.is_dir():
            pytest.skip(f"no real samples of {name}; see --samples_dir")
        return folder

    return find


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str], Mapping[str, Any]]:
    """Returns a function that loads a golden file by name, as a mapping of arrays."""
    folder = pathlib.Path(request.config.getoption("--golden_dir"))

    def load(name: str) -> Mapping[str, Any]:
        path = folder / f"{name}.npz"
        if not path.exists():
            pytest.fail(f"golden file missing: {path}")
        with np.load(path) as file:
            return dict(file)

    return load
