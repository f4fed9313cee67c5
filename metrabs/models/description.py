"""What a crop model is built from, as one value and as files next to its checkpoints.

A folder of checkpoints has `config.json` (all settings), `joints.json` (names, edges and, where
they are used, bone lengths) and, for models with an autoencoder, `affine_weights.npz`. A
checkpoint can therefore be used without repeating any setting.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any, Optional

import numpy as np

from metrabs.acae.weights_file import AffineWeights, load_affine_weights, save_affine_weights
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.files import write_text_atomically
from metrabs.skeletons import JointInfo

CONFIG_FILE = "config.json"
JOINTS_FILE = "joints.json"
AFFINE_WEIGHTS_FILE = "affine_weights.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class ModelDescription:
    """Everything that defines a crop model except the values of its weights.

    Attributes:
        config: Settings of the run.
        joint_info: The J joints that the model predicts, with its E bones as edges.
        affine_weights: Content of the setting `affine_weights`, in the order of these joints.
        bone_lengths_mm: `[E]` float32, typical length of each bone, 0 where unknown; used by
            Model25D.
    """

    config: Config
    joint_info: JointInfo
    affine_weights: Optional[AffineWeights] = None
    bone_lengths_mm: Optional[np.ndarray] = None

    @classmethod
    def for_training(
        cls, config: Config, joint_info: JointInfo, bone_lengths_mm: Optional[np.ndarray] = None
    ) -> ModelDescription:
        """Describes a new model, loading the affine weights that the settings name.

        Args:
            config: Settings of the run.
            joint_info: Joints of the training data.
            bone_lengths_mm: `[E]`, see the class.

        Raises:
            UserError: the file of affine weights is missing, damaged or made for other joints.
        """
        affine_weights = None
        if config.model.affine_weights:
            loaded = load_affine_weights(config.model.affine_weights, config.run.folders)
            affine_weights = loaded.for_joints(joint_info.names)
        return cls(config, joint_info, affine_weights, bone_lengths_mm)

    @classmethod
    def of_saved_model(
        cls, exported: Any, config: Config, affine_weights: Optional[AffineWeights] = None
    ) -> ModelDescription:
        """Describes an exported crop model, which knows its joints but not its settings.

        Args:
            exported: What `tf.saved_model.load` returns for a crop model.
            config: Settings of the run that it was exported from.
            affine_weights: Autoencoder of these settings, where they name one.
        """
        return cls(config, joint_info_of(exported), affine_weights)

    @classmethod
    def read(cls, folder: pathlib.Path, config: Optional[Config] = None) -> ModelDescription:
        """Reads the files that `write` wrote.

        Args:
            folder: Folder of the checkpoints.
            config: Settings to use instead of the stored ones (see `read_config`).

        Raises:
            UserError: files are missing or damaged.
        """
        config = config or read_config(folder)
        file = folder / JOINTS_FILE
        try:
            joints = json.loads(file.read_text())
            joint_info = JointInfo(joints["names"], [tuple(edge) for edge in joints["edges"]])
            lengths = joints.get("bone_lengths_mm")
            bone_lengths_mm = None if lengths is None else np.array(lengths, np.float32)
        except FileNotFoundError as error:
            raise _missing_files_error(folder) from error
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"'{file}' is damaged: {error}.") from error
        return cls.for_training(config, joint_info, bone_lengths_mm)

    def write(self, folder: pathlib.Path) -> None:
        """Writes the description next to checkpoints, with a copy of the affine weights."""
        if self.affine_weights is not None:
            save_affine_weights(folder / AFFINE_WEIGHTS_FILE, self.affine_weights)
        joints: dict[str, Any] = {
            "names": list(self.joint_info.names),
            "edges": [list(map(int, edge)) for edge in self.joint_info.edges],
        }
        if self.bone_lengths_mm is not None:
            joints["bone_lengths_mm"] = self.bone_lengths_mm.tolist()
        write_text_atomically(folder / CONFIG_FILE, self.config.portable().to_json())
        write_text_atomically(folder / JOINTS_FILE, json.dumps(joints))

    def replace(self, **settings: Any) -> ModelDescription:
        """Returns the same description with other settings, given by their flat names."""
        return dataclasses.replace(self, config=self.config.replace(**settings))


def read_config(folder: pathlib.Path) -> Config:
    """Reads the settings of a description.

    The setting `affine_weights` then names the copy next to the checkpoints, and
    `bone_length_dataset` is None, since the lengths are stored.

    Raises:
        UserError: the file is missing or damaged.
    """
    file = folder / CONFIG_FILE
    try:
        config = Config.from_json(file.read_text(), file)
    except FileNotFoundError as error:
        raise _missing_files_error(folder) from error
    config = config.replace(bone_length_dataset=None)
    if config.model.affine_weights:
        config = config.replace(affine_weights=str(folder / AFFINE_WEIGHTS_FILE))
    return config


def joint_info_of(crop_model: Any) -> JointInfo:
    """Returns the joints of a crop model, of a live one as well as of a loaded SavedModel."""
    return JointInfo(
        [name.decode() for name in crop_model.joint_names.numpy()],
        [(int(first), int(second)) for first, second in crop_model.joint_edges.numpy()],
    )


def _missing_files_error(folder: pathlib.Path) -> UserError:
    return UserError(
        f"'{folder}' lacks {CONFIG_FILE} or {JOINTS_FILE}, which training writes next to its "
        "checkpoints. Copy them there as well."
    )
