"""Training of an affine-combining autoencoder on poses in many skeleton formats at once."""

from __future__ import annotations

import dataclasses
import logging
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Optional

import numpy as np
import tensorflow as tf

from metrabs.acae.config import AcaeConfig
from metrabs.acae.joint_order import JointOrder, order_by_side
from metrabs.acae.layers import AffineCombiningAutoencoder
from metrabs.acae.losses import reconstruction_loss, sparsity_loss
from metrabs.acae.poses import batch_indices, checked_poses, drop_invalid_poses, train_test_split
from metrabs.acae.weights_file import AffineWeights
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.geometry.projection import affine_combination
from metrabs.resumable import fingerprint

_logger = logging.getLogger(__name__)

# Steps per call of the compiled training loop: enough to hide the cost of a call, few enough to
# report and stop often, and the poses of a call fit in memory.
STEPS_PER_CALL = 250
_TEST_BATCH_SIZE = 1024


@dataclasses.dataclass(frozen=True)
class AcaeProgress:
    """Progress of the training.

    Attributes:
        step: completed steps.
        total_steps: steps of the whole run.
        loss: mean objective of the steps since the last report.
        reconstruction: its reconstruction part, metres.
        sparsity: its sparsity part, before weighting.
        test_reconstruction: reconstruction part on all test poses; None where it is not computed.
    """

    step: int
    total_steps: int
    loss: float
    reconstruction: float
    sparsity: float
    test_reconstruction: Optional[float]


def train_acae(
    poses_train: np.ndarray,
    joint_names: Sequence[str],
    config: Optional[AcaeConfig] = None,
    poses_test: Optional[np.ndarray] = None,
    on_progress: Optional[Callable[[AcaeProgress], None]] = None,
    checkpoint_dir: Optional[PathLike] = None,
) -> tuple[AffineWeights, list[AcaeProgress]]:
    """Learns latent keypoints from poses.

    The poses are predictions of a model with separate heads (pseudo-labels), so that every pose
    has all joints. Poses with a non-finite coordinate or a depth that is not positive are
    dropped. The result only depends on the arguments, not on interruptions.

    Args:
        poses_train: Camera-space poses `[n, joints, 3]`, mm; may be memory-mapped.
        joint_names: Names of the joints; l... and r... are left and right.
        config: Settings; default: those of the original.
        poses_test: Poses for testing only; default: a random fraction of `poses_train`.
        on_progress: Function to call every few hundred steps. It may raise to stop the training.
        checkpoint_dir: Folder for the state (in a subfolder named after settings and poses);
            the same call continues from there.

    Returns:
        The weights, joints in the given order, and the progress reports of this call.

    Raises:
        UserError: poses, names or settings do not fit, or the training diverged.
    """
    config = config or AcaeConfig()
    poses_train = drop_invalid_poses(checked_poses(poses_train, joint_names), "training")
    if poses_test is None:
        poses_train, poses_test = train_test_split(poses_train, config.test_fraction, config.seed)
    else:
        poses_test = drop_invalid_poses(checked_poses(poses_test, joint_names), "test")
    order = order_by_side(joint_names)
    trainer = _Trainer(poses_train, poses_test, order, config)
    state_dir = None
    if checkpoint_dir is not None:
        state_dir = pathlib.Path(checkpoint_dir) / _fingerprint(poses_train, joint_names, config)
    history = trainer.run(on_progress, state_dir)
    w1, w2 = (matrix.numpy() for matrix in trainer.autoencoder.weight_matrices())
    inverse = order.inverse
    return AffineWeights(w1[inverse], w2[:, inverse], tuple(joint_names)), history


class _Trainer:
    """State of one run: autoencoder, optimizer (which counts the steps) and poses."""

    def __init__(
        self,
        poses_train: np.ndarray,
        poses_test: np.ndarray,
        order: JointOrder,
        config: AcaeConfig,
    ) -> None:
        self.poses_train, self.poses_test = poses_train, poses_test
        self.order = order
        self.config = config
        self.total_steps = config.total_steps(len(poses_train))
        self.autoencoder = AffineCombiningAutoencoder(
            num_joints_sided=order.num_sided,
            num_joints_central=order.num_central,
            num_latents_sided=config.num_latents_sided,
            num_latents_central=config.num_latents_central,
            chiral=config.chiral,
            seed=config.seed,
        )
        self.optimizer = tf.keras.optimizers.Adam(learning_rate_schedule(config, self.total_steps))
        self.optimizer.build(self.autoencoder.trainable_variables)

    def run(
        self,
        on_progress: Optional[Callable[[AcaeProgress], None]],
        state_dir: Optional[pathlib.Path],
    ) -> list[AcaeProgress]:
        """Trains to the last step, from the saved state if there is one; returns the history."""
        manager = self._restored_checkpoint(state_dir)
        steps_per_epoch = -(-len(self.poses_train) // self.config.batch_size)
        test_period = -(-steps_per_epoch // STEPS_PER_CALL) * STEPS_PER_CALL
        history = []
        step = int(self.optimizer.iterations)
        while step < self.total_steps:
            num_steps = min(STEPS_PER_CALL - step % STEPS_PER_CALL, self.total_steps - step)
            loss, reconstruction, sparsity = map(float, self._train(step, num_steps))
            step += num_steps
            if not math.isfinite(loss):
                raise UserError(
                    f"The training diverged before step {step} (loss {loss}). Try lower learning "
                    "rates, and check that the poses are in millimetres."
                )
            is_test_due = step % test_period == 0 or step == self.total_steps
            test = self.test_loss() if is_test_due and len(self.poses_test) else None
            progress = AcaeProgress(step, self.total_steps, loss, reconstruction, sparsity, test)
            history.append(progress)
            if manager:
                manager.save(checkpoint_number=step)
            if on_progress:
                on_progress(progress)
        return history

    def test_loss(self) -> float:
        """Returns the reconstruction loss on the test poses."""
        w1, w2 = self.autoencoder.weight_matrices()
        total = 0.0
        for start in range(0, len(self.poses_test), _TEST_BATCH_SIZE):
            some = self.poses_test[start : start + _TEST_BATCH_SIZE]
            poses = tf.constant(some[:, self.order.permutation], tf.float32)
            reconstructions = affine_combination(affine_combination(poses, w1), w2)
            loss = reconstruction_loss(poses, reconstructions, self.config.projected)
            total += float(loss) * len(poses)
        return total / len(self.poses_test)

    def _train(self, start_step: int, num_steps: int) -> tf.Tensor:
        indices = batch_indices(
            len(self.poses_train), self.config.batch_size, start_step, num_steps, self.config.seed
        )
        # The size is constant, so that the loop is compiled only once.
        shape = (STEPS_PER_CALL, self.config.batch_size, len(self.order.permutation), 3)
        batches = np.zeros(shape, np.float32)
        batches[:num_steps] = np.take(self.poses_train[indices], self.order.permutation, axis=2)
        return self._compiled_steps(tf.constant(batches), tf.constant(num_steps))

    @tf.function(jit_compile=True)
    def _compiled_steps(self, batches: tf.Tensor, num_steps: tf.Tensor) -> tf.Tensor:
        """Trains on the first `num_steps` batches; returns the mean losses `[3]`."""
        sums, i = tf.zeros([3]), 0
        while i < num_steps:
            sums += self._step(batches[i])
            i += 1
        return sums / tf.cast(num_steps, tf.float32)

    def _step(self, poses: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            w1, w2 = self.autoencoder.weight_matrices()
            reconstructions = affine_combination(affine_combination(poses, w1), w2)
            reconstruction = reconstruction_loss(poses, reconstructions, self.config.projected)
            sparsity = sparsity_loss(w1, w2)
            loss = reconstruction + self.config.regul_lambda * sparsity
        variables = self.autoencoder.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return tf.stack([loss, reconstruction, sparsity])

    def _restored_checkpoint(
        self, state_dir: Optional[pathlib.Path]
    ) -> Optional[tf.train.CheckpointManager]:
        if state_dir is None:
            return None
        checkpoint = tf.train.Checkpoint(autoencoder=self.autoencoder, optimizer=self.optimizer)
        manager = tf.train.CheckpointManager(checkpoint, str(state_dir), max_to_keep=1)
        if manager.restore_or_initialize():
            _logger.info("Resuming the autoencoder at step %d.", int(self.optimizer.iterations))
        return manager


def learning_rate_schedule(
    config: AcaeConfig, total_steps: int
) -> tf.keras.optimizers.schedules.LearningRateSchedule:
    """Returns the piecewise constant learning rate as a function of completed steps."""
    # Keras keeps a rate up to and including the boundary, ours are the first steps of the next.
    last_steps = [boundary - 1 for boundary in config.boundaries(total_steps)]
    return tf.keras.optimizers.schedules.PiecewiseConstantDecay(
        last_steps, list(config.learning_rates)
    )


def _fingerprint(poses: np.ndarray, joint_names: Sequence[str], config: AcaeConfig) -> str:
    """Returns a name for the settings and (a thousand of) the poses of a run."""
    sample = np.asarray(poses[:: max(1, len(poses) // 1000)], np.float32)
    return fingerprint(config, joint_names, poses.shape, sample)
