"""What the tests of converters share: a module names its `CONVERTER` and has a fixture `root`."""

from __future__ import annotations

import pathlib

import pytest

from data_preparation.common.run import Report, prepare
from data_preparation.common.setup import Setup
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import open_cache


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest, root: pathlib.Path) -> Report:
    """The report of converting the miniature dataset in `root`."""
    return prepare(request.module.CONVERTER, Setup(str(root)), root / "cache", num_workers=0)


@pytest.fixture
def dataset(request: pytest.FixtureRequest, report: Report) -> PoseDataset:
    """What was converted, as training opens it."""
    return open_cache(report.caches[request.module.CONVERTER.NAME])
