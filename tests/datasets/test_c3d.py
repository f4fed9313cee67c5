from __future__ import annotations

import sys

import numpy as np
import pytest

from metrabs.datasets.c3d import read_c3d
from metrabs.errors import UserError


def write_c3d(path, points, unit=None):
    """Writes points [n, P, 3] at 50 Hz; NaN becomes a missing point."""
    ezc3d = pytest.importorskip("ezc3d")
    content = ezc3d.c3d()
    parameters = content["parameters"]["POINT"]
    parameters["RATE"]["value"] = [50.0]
    parameters["LABELS"]["value"] = [f"marker{i}" for i in range(points.shape[1])]
    if unit is not None:
        parameters["UNITS"]["value"] = [unit]
    content["data"]["points"] = np.insert(points.transpose(2, 1, 0), 3, 1.0, axis=0)
    content.write(str(path))


@pytest.mark.parametrize(("unit", "factor"), [(None, 1), ("mm", 1), ("cm", 10), ("m", 1000)])
def test_points_are_read_in_mm_and_missing_ones_are_nan(tmp_path, unit, factor):
    points = np.random.default_rng(0).uniform(-9, 9, (5, 3, 3))
    points[2, 1] = np.nan
    write_c3d(tmp_path / "a.c3d", points, unit)
    recording = read_c3d(tmp_path / "a.c3d")
    np.testing.assert_allclose(recording.points_mm, points * factor, rtol=1e-6)
    assert recording.points_mm.dtype == np.float32
    assert recording.labels == ("marker0", "marker1", "marker2")
    assert recording.rate_hz == 50


def test_error_names_an_unknown_unit(tmp_path):
    write_c3d(tmp_path / "a.c3d", np.zeros((1, 1, 3)), "inch")
    with pytest.raises(UserError, match="a.c3d' is not a C3D file with points in mm.*inch"):
        read_c3d(tmp_path / "a.c3d")


def test_error_names_a_damaged_file(tmp_path):
    pytest.importorskip("ezc3d")
    (tmp_path / "a.c3d").write_bytes(b"nothing")
    with pytest.raises(UserError, match="a.c3d' is not a C3D file"):
        read_c3d(tmp_path / "a.c3d")


def test_error_names_the_extra_that_installs_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(UserError, match=r'ezc3d.*pip install -e "\.\[data\]"'):
        read_c3d(tmp_path / "a.c3d")
