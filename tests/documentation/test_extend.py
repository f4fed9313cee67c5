"""What the page on extending says works literally, for a backbone and for a skeleton."""

from __future__ import annotations

import json

import pytest
import tensorflow as tf

from metrabs.backbones import registry
from metrabs.skeletons import tables
from tests.backbones.receptive_field import receptive_field_center_px
from tests.documentation.pages import code_blocks

_PAGE = "docs/how-to/extend.md"


def test_the_backbone_of_the_page_can_be_built_and_looks_where_the_page_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = next(block for block in code_blocks(_PAGE, "python") if "mobilenetv2" in block)
    table = registry._table()
    # The code is added to the module, so it sees what the module has imported, and no more.
    exec(code, {**vars(registry), "table": table})
    monkeypatch.setattr(registry, "_BACKBONES", table)
    backbone = registry.build_backbone(
        "mobilenetv2", proc_side=64, weights="none", centered_stride=True
    )
    assert backbone(tf.zeros([1, 64, 96, 3])).shape == (1, 2, 3, 1280)
    assert receptive_field_center_px(backbone.layers[-1], index=1) == pytest.approx(49, abs=0.1)


def test_the_skeleton_of_the_page_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    code = next(block for block in code_blocks(_PAGE, "json") if "legs_4" in block)
    original = tables.read_table
    monkeypatch.setattr(
        tables,
        "read_table",
        lambda name: {**original(name), **(json.loads(code) if name == "export" else {})},
    )
    skeletons = tables.export_skeletons(tables.merged_joint_info("small5").names)
    assert skeletons["legs_4"].names == ["lkne", "rkne", "lank", "rank"]
    assert skeletons["legs_4"].edges == [(0, 2), (1, 3)]
