"""Logging to Weights & Biases, with a stand-in for the package."""

from __future__ import annotations

import pathlib
import sys
import types
from typing import Any

import numpy as np
import pytest

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.training.callbacks import open_history
from metrabs.training.train import train
from metrabs.training.wandb_log import import_wandb
from tests.training.tiny import tiny_config


class FakeWandb(types.ModuleType):
    """Records what is asked of it."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.inits: list[dict[str, Any]] = []
        self.logged: list[tuple[int, dict[str, Any]]] = []
        self.num_finished = 0
        self.errors = types.SimpleNamespace(Error=type("Error", (Exception,), {}))
        self.is_offline = False

    def init(self, **settings: Any) -> FakeWandb:
        """Stands in for `wandb.init`; the run is the module itself."""
        if self.is_offline:
            raise self.errors.Error("api_key not configured")
        self.inits.append(settings)
        return self

    def log(self, values: dict[str, Any], step: int) -> None:
        """Stands in for `Run.log`."""
        self.logged.append((step, values))

    def finish(self) -> None:
        """Stands in for `Run.finish`."""
        self.num_finished += 1

    @staticmethod
    def Image(picture: np.ndarray) -> tuple[int, ...]:
        """Stands in for `wandb.Image`."""
        return picture.shape


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    module = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


def test_nothing_is_logged_unless_asked_for(tmp_path: pathlib.Path, fake: FakeWandb) -> None:
    history = open_history(Config().replace(logdir=str(tmp_path)), 0)
    history.add(1, {"loss": 2.0})
    history.close()
    assert not fake.inits and not fake.logged and not (tmp_path / "run_id").exists()


def test_metrics_and_images_are_logged_and_resumed_runs_keep_their_log(
    tmp_path: pathlib.Path, fake: FakeWandb
) -> None:
    config = Config().replace(logdir=str(tmp_path / "my_run"), wandb_project="poses", depth=5)
    (tmp_path / "my_run").mkdir()
    for start in (0, 2):
        history = open_history(config, start)
        history.add(start + 1, {"loss": 2.0})
        history.add_image(start + 1, "poses", np.zeros([4, 6, 3], np.uint8))
        history.close()
    first, second = fake.inits
    assert first["id"] == second["id"] == (tmp_path / "my_run" / "run_id").read_text()
    assert first["project"] == "poses" and first["name"] == "my_run"
    assert first["config"]["depth"] == 5 and first["resume"] == "allow"
    assert fake.logged == [
        (1, {"metrics/loss": 2.0}),
        (1, {"poses": (4, 6, 3)}),
        (3, {"metrics/loss": 2.0}),
        (3, {"poses": (4, 6, 3)}),
    ]
    assert fake.num_finished == 2


def test_each_run_has_its_own_log(tmp_path: pathlib.Path, fake: FakeWandb) -> None:
    for name in ("a", "b"):
        open_history(Config().replace(logdir=str(tmp_path / name), wandb_project="poses"), 0)
    assert fake.inits[0]["id"] != fake.inits[1]["id"]


def test_missing_package_is_reported_before_anything_is_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    with pytest.raises(UserError, match=r"metrabs\[wandb\]"):
        import_wandb()
    config = tiny_config(tmp_path, wandb_project="poses")
    with pytest.raises(UserError, match=r"metrabs\[wandb\]"):
        train(config)
    assert not pathlib.Path(config.run.logdir).exists()


def test_unreachable_service_is_a_one_line_error(tmp_path: pathlib.Path, fake: FakeWandb) -> None:
    fake.is_offline = True
    with pytest.raises(UserError, match="api_key not configured.*WANDB_MODE=offline"):
        open_history(Config().replace(logdir=str(tmp_path), wandb_project="poses"), 0)
