"""The usual bone lengths that Model25D needs: from a dataset, or from its own checkpoint."""

from __future__ import annotations

import logging
import pathlib
from typing import Optional

import numpy as np

from metrabs.config import Config
from metrabs.data.datasets import open_dataset
from metrabs.data.examples import Pose3DExample
from metrabs.errors import UserError
from metrabs.skeletons import JointInfo
from metrabs.skeletons.bones import mean_bone_lengths
from metrabs.training.checkpoints import read_bone_lengths

_logger = logging.getLogger(__name__)


def bone_lengths_of(
    config: Config, joint_info: JointInfo, checkpoint: Optional[pathlib.Path] = None
) -> Optional[np.ndarray]:
    """Returns the bone lengths that the model of the settings needs.

    They are those that a checkpoint was trained with, unless the settings name a dataset; else
    the means over the training examples of a dataset.

    Args:
        config: the settings.
        joint_info: the joints of the model, with its E bones.
        checkpoint: of the model, where there is one.

    Returns:
        float32 `[E]` in mm, 0 where no example has the bone; None where none are needed.

    Raises:
        UserError: the dataset has another skeleton.
    """
    if config.model.model_class != "Model25D":
        return None
    if checkpoint is not None and not config.data.bone_length_dataset:
        return read_bone_lengths(checkpoint.parent)
    name = config.data.bone_length_dataset or config.data.dataset3d
    dataset = open_dataset(name)
    if dataset.joint_info != joint_info:
        raise UserError(
            f"The joints of --bone_length_dataset={name} are not those of the model; choose a "
            "dataset with the same skeleton."
        )
    if config.data.train_on in dataset.bone_lengths_mm:  # merged datasets were measured
        return dataset.bone_lengths_mm[config.data.train_on]
    examples = dataset.phase(config.data.train_on)
    _logger.info("Measuring the bones of %d examples of %s", len(examples), name)
    poses = (e.world_coords for e in examples if isinstance(e, Pose3DExample))
    return mean_bone_lengths(poses, joint_info)
