"""A training run as defined by its settings: data, model, optimizer, checkpoints, logs."""

from __future__ import annotations

import dataclasses
import logging
import os
import pathlib
import platform
import sys
from collections.abc import Sequence
from typing import Any, Optional

import tensorflow as tf

from metrabs.config import Config
from metrabs.data.datasets import open_dataset
from metrabs.data.examples import PoseDataset
from metrabs.data.loading.pipeline import batch_size_of, training_batches
from metrabs.errors import UserError
from metrabs.models.build import build_crop_model, parse_ghost_batch_sizes
from metrabs.models.crop_model import CropModel
from metrabs.training.checkpoints import (
    CheckpointManager,
    check_same_run,
    checkpoint_folder,
    checkpoint_number,
    find_checkpoint,
    latest_checkpoint,
    resolve_run_path,
    restore_model,
    run_folder,
)
from metrabs.training.distribution import (
    choose_strategy,
    is_chief,
    num_workers,
    variables_of,
    worker_index,
)
from metrabs.training.fit import run_steps
from metrabs.training.losses import build_loss
from metrabs.training.model_loading import (
    check_initial_weights,
    describe_model,
    initialize_from_trained_model,
    needs_pretrained_backbone,
    with_supported_dtype,
)
from metrabs.training.optimizers import build_optimizer
from metrabs.training.previews import ValidationPreviews
from metrabs.training.trainer import Trainer
from metrabs.training.validation import validation_metrics
from metrabs.training.wandb_log import import_wandb

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Datasets:
    labeled3d: PoseDataset
    labeled2d: Optional[PoseDataset]

    @property
    def names2d(self) -> Sequence[str]:
        """Names of the 2D dataset's joints; empty without 2D data."""
        return self.labeled2d.joint_info.names if self.labeled2d is not None else ()


def train(config: Config) -> pathlib.Path:
    """Starts or continues the training run that the settings describe.

    Returns at once if the run is already complete. Settings are checked before anything is
    written.

    Args:
        config: Settings of the run.

    Returns:
        The last checkpoint (path without file endings), named after the completed steps.

    Raises:
        UserError: a setting, dataset or checkpoint cannot be used, or the loss is not finite.
        Interrupted: Ctrl-C or SIGTERM was received; the state is saved.
        WorkerLostError: another machine of several was lost.
    """
    num_steps = _num_steps(config)
    if config.run.wandb_project:
        import_wandb()
    strategy = choose_strategy(config.run.multi_gpu)  # before anything is computed
    folder = checkpoint_folder(config)
    resumed = _checkpoint_to_resume(config, folder)
    check_initial_weights(config, resumed, folder)
    datasets = _open_datasets(config)
    joint_info = datasets.labeled3d.joint_info
    check_same_run(folder, config, joint_info)
    if resumed is not None and checkpoint_number(resumed) >= num_steps:
        _logger.info("Training is already complete: %s", resumed)
        return resumed

    config = with_supported_dtype(config)
    _check_division(config, datasets, strategy.num_replicas_in_sync)
    _set_up_tensorflow(config.run.seed)
    description = describe_model(config, joint_info, resumed)
    with variables_of(strategy):
        model = build_crop_model(description, needs_pretrained_backbone(config, resumed))
        trainer = build_trainer(config, model, datasets.names2d)
    manager = CheckpointManager(folder, is_chief(strategy), **_state(trainer))
    _initialize(trainer, manager, resumed)
    start = trainer.num_completed_steps
    batches = training_batches(
        datasets.labeled3d,
        datasets.labeled2d,
        config,
        start,
        num_steps - start,
        shard_index=worker_index(strategy),
        num_shards=num_workers(strategy),
    )
    if is_chief(strategy):
        description.write(folder)
        _log_to_files(run_folder(config), config)
    return run_steps(
        trainer,
        batches,
        num_steps,
        manager,
        validate=lambda: validation_metrics(model, datasets.labeled3d, config),
        draw=ValidationPreviews(model, datasets.labeled3d, config).draw,
    )


def build_trainer(config: Config, model: CropModel, names2d: Sequence[str] = ()) -> Trainer:
    """Builds the trainer of a model: its loss and its optimizer with all variables.

    Args:
        config: Settings of the run; `training_steps` must be given.
        model: Crop model.
        names2d: Names of the 2D dataset's joints; empty without 2D data.
    """
    pose_loss = build_loss(config, model.variant, model.joint_info.names, names2d)
    in_backbone = {variable.ref() for variable in model.backbone.trainable_variables}
    head_variables = [v for v in model.trainable_variables if v.ref() not in in_backbone]
    optimizer = build_optimizer(
        config.optimization, model.backbone.trainable_variables, head_variables
    )
    return Trainer(model, pose_loss, optimizer, config)


def _state(trainer: Trainer) -> dict[str, Any]:
    """Returns the objects that a checkpoint holds, by name."""
    state = {"model": trainer.crop_model, "optimizer": trainer.optimizer, "step": trainer.step}
    # A static loss scale has no state and is left out of checkpoints.
    return {**state, "loss_scale": trainer.loss_scale} if trainer.loss_scale.variables else state


def _set_up_tensorflow(seed: int) -> None:
    tf.keras.utils.set_random_seed(seed)
    # Layers with random numbers get generators whose state the trainer sets in each step.
    tf.keras.backend.experimental.enable_tf_random_generator()
    # Deviation: by default TensorFlow, and so the original implementation, computes float32
    # products on GPUs with 10 bits of mantissa (TensorFloat-32). Millimetres need more.
    tf.config.experimental.enable_tensor_float_32_execution(False)


def _num_steps(config: Config) -> int:
    num_steps = config.optimization.training_steps
    if num_steps is None:
        raise UserError("Training needs --training_steps, the number of steps of the whole run.")
    if config.optimization.finetune_in_inference_mode > num_steps:
        raise UserError(
            "--finetune_in_inference_mode must be between 0 and --training_steps="
            f"{num_steps}, not {config.optimization.finetune_in_inference_mode}."
        )
    return num_steps


def _open_datasets(config: Config) -> _Datasets:
    folders = config.run.folders
    labeled3d = open_dataset(config.data.dataset3d, folders)
    labeled2d = open_dataset(config.data.dataset2d, folders) if config.data.dataset2d else None
    if config.data.model_joints and (
        open_dataset(config.data.model_joints, folders).joint_info != labeled3d.joint_info
    ):
        raise UserError(
            f"The model's joints (--model_joints={config.data.model_joints}) must be those of the "
            f"3D training data (--dataset3d={config.data.dataset3d}). Convert the dataset first."
        )
    periods = (config.optimization.validate_period, config.run.picture_period)
    if any(periods) and not len(labeled3d.split(config.data.validate_on)):
        raise UserError(
            f"Dataset '{config.data.dataset3d}' has no examples in its "
            f"'{config.data.validate_on}' split. Choose another --validate_on, or leave out "
            "--validate_period and --picture_period."
        )
    return _Datasets(labeled3d, labeled2d)


def _check_division(config: Config, datasets: _Datasets, num_replicas: int) -> None:
    """Checks that batches can be divided among devices, microbatches and ghost batches."""
    num_microbatches = config.optimization.grad_accum_steps
    sizes = {"batch_size": batch_size_of(datasets.labeled3d, config.data.batch_size)}
    if datasets.labeled2d is not None:
        sizes["batch_size_2d"] = batch_size_of(datasets.labeled2d, config.data.batch_size_2d)
    for name, size in sizes.items():
        multiple = num_microbatches * num_replicas
        if size % multiple:
            on_devices = f" on {num_replicas} devices" if num_replicas > 1 else ""
            raise UserError(
                f"--grad_accum_steps={num_microbatches}{on_devices} does not divide "
                f"--{name}={size}; a batch is processed in equal microbatches. Choose a multiple "
                f"of {multiple}, such as --{name}={-(-size // multiple) * multiple}."
            )
    microbatch_size = sum(sizes.values()) // (num_microbatches * num_replicas)
    ghost_sizes = parse_ghost_batch_sizes(config.model.ghost_bn)
    if ghost_sizes and sum(ghost_sizes) != microbatch_size:
        raise UserError(
            f"--ghost_bn={config.model.ghost_bn} sums up to {sum(ghost_sizes)}, but a device "
            f"works on {microbatch_size} examples (3D and 2D ones together) at a time."
        )


def _checkpoint_to_resume(config: Config, folder: pathlib.Path) -> Optional[pathlib.Path]:
    if config.run.load_path:
        return find_checkpoint(config.run.load_path, folder)
    return latest_checkpoint(folder)


def _initialize(
    trainer: Trainer, manager: CheckpointManager, resumed: Optional[pathlib.Path]
) -> None:
    """Sets all weights and the step: resumed, or initial."""
    config = trainer.config
    if resumed is not None:
        manager.restore(resumed)
        trainer.set_step(checkpoint_number(resumed))
        _logger.info("Resuming from %s", resumed)
    elif config.run.init_path:
        restore_model(trainer.crop_model, find_checkpoint(config.run.init_path, manager.folder))
    elif config.model.load_backbone_from:
        initialize_from_trained_model(
            trainer.crop_model, resolve_run_path(config, config.model.load_backbone_from)
        )
    if resumed is None:
        trainer.optimizer.initialize_ema(trainer.crop_model.trainable_variables)


def _log_to_files(folder: pathlib.Path, config: Config) -> None:
    """Adds a log file to the run's folder and records host, command and settings."""
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / "log.txt")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    package_logger = logging.getLogger("metrabs")
    for old in [h for h in package_logger.handlers if isinstance(h, logging.FileHandler)]:
        package_logger.removeHandler(old)
        old.close()
    package_logger.addHandler(handler)
    job = os.environ.get("SLURM_JOB_ID")
    _logger.debug(
        "host %s, process %d%s, command: %s",
        platform.node(),
        os.getpid(),
        f", Slurm job {job}" if job else "",
        " ".join(sys.argv),
    )
    _logger.debug("settings: %s", config.to_json())
