from __future__ import annotations

import dataclasses

import pytest

from data_preparation.common.setup import Setup


@pytest.mark.parametrize(
    ("change", "is_other"),
    [
        ({"detector": "efficientdet"}, True),
        ({"detections": "a.pkl"}, True),
        ({"segmenter": "model"}, True),
        ({"masks": "masks"}, False),
        ({"strict": True}, False),
        ({"data_root": "elsewhere"}, False),
    ],
)
def test_only_settings_that_change_examples_are_in_the_fingerprint(change, is_other):
    setup = Setup("data")
    changed = dataclasses.replace(setup, **change)
    assert (changed.fingerprint() != setup.fingerprint()) == is_other
