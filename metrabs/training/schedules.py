"""Learning rate schedules and their weight decay.

All are functions of the number of completed optimizer steps and evaluate in float32.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

# The rate decays to b/3, drops to b/30, and decays to 0.3 of that.
_FIRST_PHASE_FACTOR = 1 / 3
_DROP_FACTOR = 1 / 30
_SECOND_PHASE_FACTOR = 0.3
_FIRST_FRACTION_MAIN = 0.92
_FIRST_FRACTION_FINETUNE_HEAD = 0.5
# Fine-tuning with two rates keeps the decay of the pretraining run, regardless of its length.
_FINETUNE_DECAY_STEPS = 400_000


class TwoPhaseDecay(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Exponential decay in two phases with a drop between them, as in the original.

    With s completed steps, base rate b, n1 = first_fraction * T and n2 = T - n1:
    `b * (1/3)^(s/n1)` while s < n1, then `b/30 * 0.3^((s-n1)/n2)`.

    Args:
        base_rate: Rate b of the first step.
        num_steps: Number T of steps of the whole run.
        first_fraction: Fraction of the steps in the first phase; 0 leaves only the second one.
    """

    def __init__(self, base_rate: float, num_steps: int, first_fraction: float) -> None:
        super().__init__()
        self.base_rate = base_rate
        self.num_steps = num_steps
        self.first_fraction = first_fraction

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the rate (float32 scalar) of the step with this number, counted from 0."""
        num_first = self.first_fraction * self.num_steps
        num_second = max(self.num_steps - num_first, 1e-9)
        step = tf.cast(step, tf.float32)
        late = (
            self.base_rate
            * _DROP_FACTOR
            * tf.pow(_SECOND_PHASE_FACTOR, (step - num_first) / num_second)
        )
        if num_first == 0:
            return late
        early = self.base_rate * tf.pow(_FIRST_PHASE_FACTOR, step / num_first)
        return tf.where(step < num_first, early, late)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            "base_rate": self.base_rate,
            "num_steps": self.num_steps,
            "first_fraction": self.first_fraction,
        }


def main_schedule(base_rate: float, num_steps: int) -> TwoPhaseDecay:
    """Returns the schedule of training with one rate for all variables."""
    return TwoPhaseDecay(base_rate, num_steps, _FIRST_FRACTION_MAIN)


def finetune_high_schedule(base_rate: float, num_steps: int) -> TwoPhaseDecay:
    """Returns the schedule of the heads in fine-tuning with two rates."""
    return TwoPhaseDecay(base_rate, num_steps, _FIRST_FRACTION_FINETUNE_HEAD)


def finetune_low_schedule(base_rate: float, num_steps: int) -> TwoPhaseDecay:
    """Returns the schedule of the backbone in fine-tuning with two rates."""
    return TwoPhaseDecay(base_rate, num_steps, 0.0)


def normalized_weight_decay(
    weight_decay: float, base_rate: float, num_steps: int, finetuning: bool = False
) -> float:
    """Returns the factor that multiplies rate * variable in one step: decay / sqrt(T) / b.

    Args:
        weight_decay: Setting of the run.
        base_rate: Base learning rate b.
        num_steps: Number T of steps of the run.
        finetuning: Whether fine-tuning uses two rates; T is then 400,000 for runs of any length.
    """
    steps = _FINETUNE_DECAY_STEPS if finetuning else num_steps
    return weight_decay / math.sqrt(steps) / base_rate
