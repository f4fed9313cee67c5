"""Adam with decoupled weight decay and, for fine-tuning, a second learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import tensorflow as tf

from metrabs.config import OptimizationConfig
from metrabs.training import schedules

_ADAM_EPSILON = 1e-8


class DecoupledAdam(tf.keras.optimizers.Adam):
    """Keras' Adam, updated by one fused kernel per variable, with up to two learning rates.

    One step of a variable w with rate r: `w -= w * weight_decay * r`, then the Adam update, then
    the moving average (if used) and the variable's constraint. This is the order and the
    arithmetic of Keras; the fused kernel only avoids its passes over memory for every
    intermediate result, which would dominate the step time of a large head on a CPU.

    Deviation: the original implementation runs two optimizers that select their variables by name;
    one optimizer with a rate per variable, selected by identity, cannot miss or repeat one, and
    both groups are always at the same step.

    Args:
        learning_rate: Schedule of all variables that are not in `fast_variables`.
        fast_learning_rate: Schedule of `fast_variables`.
        fast_variables: Variables of the second group.
        **kwargs: Further arguments of `tf.keras.optimizers.Adam`.
    """

    def __init__(
        self,
        learning_rate: tf.keras.optimizers.schedules.LearningRateSchedule,
        fast_learning_rate: Optional[tf.keras.optimizers.schedules.LearningRateSchedule] = None,
        fast_variables: Sequence[tf.Variable] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, jit_compile=False, **kwargs)
        self._fast_schedule = fast_learning_rate
        self._fast_keys = frozenset(self._var_key(variable) for variable in fast_variables)
        if fast_learning_rate is not None:
            self._fast_rate = tf.Variable(
                fast_learning_rate(self.iterations),
                trainable=False,
                name="fast_learning_rate",
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )

    def rate_of(self, variable: tf.Variable) -> tf.Tensor:
        """Returns the current learning rate (float32 scalar) of a variable."""
        is_fast = self._var_key(variable) in self._fast_keys
        return tf.convert_to_tensor(self._fast_rate if is_fast else self.learning_rate)

    def finalize_variable_values(self, var_list: Sequence[tf.Variable]) -> None:
        """Does nothing: Keras calls it whenever `fit` ends, which is not the end of a run."""

    def initialize_ema(self, variables: Sequence[tf.Variable]) -> None:
        """Initializes moving averages, if used, with the current values of variables.

        Needed where initial values are loaded after the optimizer was built.
        """
        if self.use_ema:
            for variable in variables:
                index = self._index_dict[self._var_key(variable)]
                average = self._model_variables_moving_average[index]
                average.assign(tf.convert_to_tensor(variable))

    def swap_in_ema(self, variables: Sequence[tf.Variable]) -> None:
        """Overwrites variables by their moving averages, if these are used."""
        super().finalize_variable_values(variables)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Updates one variable and its two moments in place."""
        index = self._index_dict[self._var_key(variable)]
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=self.rate_of(variable),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )

    def _compute_current_learning_rate(self) -> None:
        super()._compute_current_learning_rate()
        if self._fast_schedule is not None:
            self._fast_rate.assign(self._fast_schedule(self.iterations))

    def _apply_weight_decay(self, variables: Sequence[tf.Variable]) -> None:
        if not self.weight_decay:
            return

        def _decay(variable: tf.Variable) -> None:
            variable.assign_sub(variable * (self.weight_decay * self.rate_of(variable)))

        def _decay_all(strategy: tf.distribute.Strategy) -> None:
            for variable in variables:
                strategy.extended.update(variable, _decay, group=False)

        tf.distribute.get_replica_context().merge_call(_decay_all)

    def get_config(self) -> dict[str, Any]:
        """Not serializable: the groups hold variables. A run rebuilds it from its settings."""
        raise NotImplementedError("The optimizer is rebuilt from the settings of the run.")


def build_optimizer(
    settings: OptimizationConfig,
    backbone_variables: Sequence[tf.Variable],
    head_variables: Sequence[tf.Variable],
) -> DecoupledAdam:
    """Builds the optimizer of a run, with all its variables.

    Args:
        settings: Settings of the optimization; `training_steps` must be given.
        backbone_variables: Trainable variables that get the low rate in fine-tuning.
        head_variables: All other trainable variables.
    """
    assert settings.training_steps is not None
    base, num_steps = settings.base_learning_rate, settings.training_steps
    dual = settings.dual_finetune_lr
    common: dict[str, Any] = {
        "epsilon": _ADAM_EPSILON,
        "weight_decay": schedules.normalized_weight_decay(
            settings.weight_decay, base, num_steps, finetuning=dual
        ),
        "use_ema": settings.ema_momentum < 1,
        "ema_momentum": settings.ema_momentum,
    }
    if dual:
        optimizer = DecoupledAdam(
            schedules.finetune_low_schedule(base, num_steps),
            schedules.finetune_high_schedule(base, num_steps),
            head_variables,
            **common,
        )
    else:
        optimizer = DecoupledAdam(schedules.main_schedule(base, num_steps), **common)
    optimizer.build([*backbone_variables, *head_variables])
    return optimizer
