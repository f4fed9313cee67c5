"""Learning rates of the three schedules and the normalised weight decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from metrabs.training import schedules
from tests.golden.tolerances import assert_close

_SCHEDULES = {
    "main": schedules.main_schedule,
    "finetune_high": schedules.finetune_high_schedule,
    "finetune_low": schedules.finetune_low_schedule,
}


def test_schedules_and_weight_decay_match_the_original(
    golden: Callable[[str], Mapping[str, Any]],
) -> None:
    case = golden("train_lr_schedules")
    base, flag = float(case["base_learning_rate"]), float(case["weight_decay_flag"])
    lengths = [int(key[1 : -len("_steps")]) for key in case if key.endswith("_steps")]
    assert lengths
    for num_steps in lengths:
        steps = case[f"T{num_steps}_steps"]
        for name, build in _SCHEDULES.items():
            schedule = build(base, num_steps)
            rates = [schedule(tf.constant(step, tf.int64)).numpy() for step in steps]
            # Every rate on its own: the rates span two orders of magnitude.
            for rate, expected in zip(rates, case[f"T{num_steps}_{name}"]):
                assert_close(rate, expected, rtol=1e-5)
        decay = schedules.normalized_weight_decay(flag, base, num_steps)
        assert_close(decay, case[f"T{num_steps}_weight_decay"], rtol=1e-12)
    for key in (key for key in case if key.startswith("adam_weight_decay_T")):
        decay = schedules.normalized_weight_decay(flag, base, int(key.split("_T")[1]))
        assert_close(decay, case[key], rtol=1e-12)
