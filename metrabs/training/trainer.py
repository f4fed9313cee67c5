"""The training step, as a Keras model whose `fit` runs it.

One step: uint8 images to the device, losses and gradients on each replica (see
`loss_computation`), sums over replicas, and the update, which requires that everything is finite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models.crop_model import CropModel
from metrabs.training.accumulation import Batch, accumulate_over_microbatches
from metrabs.training.distribution import local_shard, summed_over_replicas
from metrabs.training.loss_computation import LossComputation, compiled
from metrabs.training.loss_scale import DynamicLossScale, StaticLossScale
from metrabs.training.loss_terms import PoseLoss

_INPUTS_3D = ("image", "intrinsics", "coords3d_true", "coords2d_true", "joint_validity_mask")
_INPUTS_2D = ("image_2d", "intrinsics_2d", "coords2d_true_2d", "joint_validity_mask_2d")
_PATHS = ("image_path", "image_path_2d")
_NOT_FINITE = "loss or gradient is not finite"

Gradients = list[Optional[tf.Tensor]]


class NonFiniteLossError(UserError):
    """The loss or its gradient is infinite or not a number; the weights were not changed."""


class Trainer(tf.keras.Model):
    """Trains a crop model with `fit`; batches are those of `metrabs.data.loading.pipeline`.

    To train on several replicas, make it, the model and the optimizer in the strategy's scope;
    a batch then holds one value per replica.

    Args:
        crop_model: Model to train.
        pose_loss: Losses of its variant.
        optimizer: Keras optimizer that has been built with all trainable variables.
        config: Settings of the run.

    Attributes:
        step: Int64 variable, the number of completed steps.
        num_completed_steps: The same as a Python number, without reading from the device.
        loss_scale: Loss scale of float16 training; has variables if it is dynamic.
        in_inference_mode: Whether layers are in inference mode (frozen batch statistics, no
            dropout).
    """

    train_function: Any  # set by Keras, untyped

    def __init__(
        self,
        crop_model: CropModel,
        pose_loss: PoseLoss,
        optimizer: tf.keras.optimizers.Optimizer,
        config: Config,
    ) -> None:
        # With the policy of the crop model, Keras would add a second loss scale.
        super().__init__(name="trainer", dtype="float32")
        self.crop_model = crop_model
        self.config = config
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.num_completed_steps = 0
        self.in_inference_mode = False
        self.loss_scale = _loss_scale(config)
        self._compute_losses = LossComputation(crop_model, pose_loss, config)
        self._generators = _random_generators(crop_model)
        self.compile(optimizer=optimizer)

    def set_step(self, num_completed_steps: int) -> None:
        """Sets the number of completed steps."""
        self.step.assign(num_completed_steps)
        self.num_completed_steps = num_completed_steps

    def enter_inference_mode(self) -> None:
        """Continues training with the layers in inference mode."""
        self.in_inference_mode = True
        self.train_function = None

    def make_train_function(self, force: bool = False) -> Callable[[Iterator[Batch]], Any]:
        """Returns the function that fetches a batch and trains on it; called by `fit`."""
        if self.train_function is None or force:
            compiled_step = tf.function(self.train_step)

            def _train_function(iterator: Iterator[Batch]) -> dict[str, tf.Tensor]:
                batch = next(iterator)
                inputs = {name: batch[name] for name in _INPUTS_3D + _INPUTS_2D if name in batch}
                try:
                    logs = compiled_step(inputs)
                except tf.errors.InvalidArgumentError as error:
                    if _NOT_FINITE in str(error):
                        raise self._non_finite_loss_error(batch) from None
                    raise
                self.num_completed_steps += 1
                return logs

            self.train_function = _train_function
        return self.train_function

    def train_step(self, batch: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Makes one step.

        Args:
            batch: Numerical entries of a batch; the 2D-labelled ones may be missing.

        Returns:
            Scalars by name: the losses, `mean_error` of the 3D-labelled examples (root-relative,
            mm), the gradient's norm and the learning rate.
        """
        self._reset_random_generators()
        gradients, logs = self.distribute_strategy.run(self._gradients_and_logs, (batch,))
        # The same on all replicas.
        logs = {name: self._local(values)[0] for name, values in logs.items()}
        self._update(gradients, logs["gradient_norm"])
        logs["learning_rate"] = tf.convert_to_tensor(self.optimizer.learning_rate)
        if isinstance(self.loss_scale, DynamicLossScale):
            logs["loss_scale"] = tf.convert_to_tensor(self.loss_scale.value)
        return logs

    def _gradients_and_logs(self, batch: Batch) -> tuple[Gradients, dict[str, tf.Tensor]]:
        """Returns gradients of the joint batch and values to report; called by each replica."""
        num_replicas = self.distribute_strategy.num_replicas_in_sync
        settings = self.config.optimization
        # XLA cannot compile exchanges between replicas, nor loops around them.
        gradients_of = compiled(self._gradients_of, settings.xla == "full" and num_replicas == 1)
        # Random numbers are drawn outside the compiled part, whose own generators differ.
        batch = {**batch, **self._mix_3d_inside_fov(batch)}
        gradients, logs = accumulate_over_microbatches(
            lambda some: gradients_of(some, tf.convert_to_tensor(self.step)),
            batch,
            settings.grad_accum_steps,
            is_unrolled=num_replicas > 1,
        )
        gradients = self.loss_scale.unscale(summed_over_replicas(gradients))
        # Deviation: the original implementation only checks the loss. A finite loss may have an
        # infinite gradient, which would corrupt all weights at once.
        norm = tf.linalg.global_norm([g for g in gradients if g is not None])
        with tf.control_dependencies([self._assert_usable(logs["loss"], norm)]):
            gradients = [None if g is None else tf.identity(g) for g in gradients]
            return gradients, {**logs, "gradient_norm": tf.identity(norm)}

    def _gradients_of(
        self, batch: Batch, step: tf.Tensor
    ) -> tuple[Gradients, dict[str, tf.Tensor]]:
        """Runs the network forward and backward; returns scaled gradients and values to report."""
        with tf.GradientTape() as tape:
            logs = self._compute_losses(batch, step, training=not self.in_inference_mode)
            # Each replica adds the layers' own losses, and gradients are summed over replicas.
            num_replicas = self.distribute_strategy.num_replicas_in_sync
            losses = [loss / num_replicas for loss in self.crop_model.losses]
            scaled_loss = self.loss_scale.scale(tf.add_n([logs["loss"], *losses]))
        return tape.gradient(scaled_loss, self.crop_model.trainable_variables), logs

    def _assert_usable(self, loss: tf.Tensor, gradient_norm: tf.Tensor) -> Optional[tf.Operation]:
        if isinstance(self.loss_scale, DynamicLossScale):
            # As long as the scale can shrink, an overflow only means that it is too large.
            gradient_norm = tf.where(self.loss_scale.value > 1, 0.0, gradient_norm)
        is_usable = tf.math.is_finite(loss) & tf.math.is_finite(gradient_norm)
        return tf.debugging.Assert(is_usable, [_NOT_FINITE])

    def _update(self, gradients: Any, gradient_norm: tf.Tensor) -> None:
        """Updates the weights once, unless a dynamic loss scale is too large."""

        def _apply_everywhere() -> None:
            self.distribute_strategy.run(self._apply, (gradients,))

        if isinstance(self.loss_scale, DynamicLossScale):
            is_finite = tf.math.is_finite(gradient_norm)
            tf.cond(is_finite, _apply_everywhere, lambda: None)
            self.loss_scale.update(is_finite)
        else:
            _apply_everywhere()
        with tf.control_dependencies([gradient_norm]):  # which has been checked
            self.step.assign_add(1)

    def _apply(self, gradients: Gradients) -> None:
        pairs = zip(gradients, self.crop_model.trainable_variables)
        self.optimizer.apply_gradients(pairs, skip_gradients_aggregation=True)

    def _mix_3d_inside_fov(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Samples the weight of the 3D head per example: 'mix', and 'mix_2d' for 2D labels."""
        num_replicas = self.distribute_strategy.num_replicas_in_sync
        names = [name for name in ("image", "image_2d") if name in batch]
        sizes = [num_replicas * batch[name].shape[0] for name in names]
        shape = [sum(sizes), 1, 1]
        if self.in_inference_mode:
            mix = tf.fill(shape, self.config.model.mix_3d_inside_fov)
        else:
            mix = tf.random.stateless_uniform(shape, seed=[self.config.run.seed, self.step])
        return dict(zip(("mix", "mix_2d"), map(local_shard, tf.split(mix, sizes))))

    def _reset_random_generators(self) -> None:
        """Makes the numbers of dropout layers a function of (seed, step), so that runs resume.

        The state is a 128-bit counter of blocks of random bits and a key. Layers count in
        disjoint ranges, and replicas get different keys from TensorFlow.
        """
        for index, generator in enumerate(self._generators):
            generator.reset(tf.stack([index << 32, self.step, self.config.run.seed]))

    def _local(self, values: Any) -> tuple[tf.Tensor, ...]:
        return self.distribute_strategy.experimental_local_results(values)

    def _non_finite_loss_error(self, batch: Batch) -> NonFiniteLossError:
        paths = [
            path.decode()
            for name in _PATHS
            if name in batch
            for part in self._local(batch[name])
            for path in np.ravel(part.numpy()).tolist()
        ]
        return NonFiniteLossError(
            f"Training stopped after {self.num_completed_steps} steps: the {_NOT_FINITE}. The "
            f"weights were not changed by this batch. Its images: {', '.join(paths)}"
        )


def _loss_scale(config: Config) -> Union[StaticLossScale, DynamicLossScale]:
    settings = config.optimization
    if config.model.dtype != "float16":
        return StaticLossScale(1)
    if settings.dynamic_loss_scale:
        return DynamicLossScale(settings.loss_scale)
    return StaticLossScale(settings.loss_scale)


def _random_generators(model: tf.keras.Model) -> Sequence[tf.random.Generator]:
    """Returns the generators of the layers that draw random numbers in training."""
    holders = [getattr(layer, "_random_generator", None) for layer in model.submodules]
    generators = [getattr(holder, "_generator", None) for holder in holders]
    return [generator for generator in generators if generator is not None]
