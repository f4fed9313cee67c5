"""The settings of a reproduction of the whole method."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, Optional

from metrabs.config import Config
from metrabs.folders import DataFolders
from metrabs.settings import setting

# Settings that do not influence the result of a training.
_WITHOUT_INFLUENCE = (
    "data_root", "cache_dir",
    "logdir", "comment", "workers", "loglevel", "checkpoint_dir", "load_path", "init_path",
    "pred_path", "checkpoint_period", "validate_period", "affine_weights", "load_backbone_from",
    "batch_size_test", "picture_period", "num_pictures", "wandb_project",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ModelKind:
    """One row of the poster's Table 1, or a control.

    Attributes:
        title: Its name in tables.
        doing: Message while it is trained.
        is_finetuned: Whether training starts from the model with separate heads.
        uses_autoencoder: Whether it needs the autoencoder's weights.
    """

    title: str
    doing: str
    is_finetuned: bool = False
    uses_autoencoder: bool = False


# In the order of the poster. The control shows the effect of the additional training steps alone.
SEPARATE = "separate"
MODELS = {
    "merged": ModelKind("Merged joints", "Baseline: training with joints merged by name"),
    SEPARATE: ModelKind("Separate heads", "Step 1: training with separate heads for all formats"),
    "control": ModelKind(
        "Separate heads, trained on", "Control: step 3 without consistency", is_finetuned=True
    ),
    "consistency": ModelKind(
        "Consistency regularisation", "Step 3: fine-tuning for consistency", True, True
    ),
    "latent": ModelKind(
        "Latent prediction", "Step 3: fine-tuning to predict latent points", True, True
    ),
    "hybrid": ModelKind(
        "Hybrid", "Step 3: fine-tuning to predict joints and latent points", True, True
    ),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a reproduction consists of.

    Attributes:
        output: Folder of all results.
        models: Settings of the models to train, by their names in `MODELS`; must include
            'separate'.
        photos: Photographs on which the exported model is run.
    """

    output: pathlib.Path
    models: Mapping[str, Config]
    photos: tuple[pathlib.Path, ...] = ()
    seed: int = setting(1, "random seed of data and trainings")
    examples_per_dataset: int = setting(
        120, "training images per 3D dataset, on average", at_least=1
    )
    examples_per_dataset_2d: int = setting(150, "training images per 2D dataset", at_least=1)
    num_test_examples: int = setting(400, "test images, annotated in all formats", at_least=1)
    acae_steps: int = setting(6000, "optimizer steps of the autoencoder", at_least=1)
    results: str = setting("results", "name of the folder of the table that compares the models")
    scale_datasets: tuple[str, ...] = setting(
        (), "smaller datasets to train on, for the curve over the number of datasets"
    )
    exported: Optional[str] = setting(
        None, "model to export and to run on example images; nothing is exported without"
    )
    workers: int = setting(2, "processes that render and load images", at_least=1)

    @property
    def folders(self) -> DataFolders:
        """Where the built-in datasets are."""
        root = self.output / "datasets"
        return DataFolders.at(root, root / "cache")

    def dataset_settings(self) -> dict[str, Any]:
        """Returns the settings that the built-in datasets depend on."""
        return {
            "seed": self.seed,
            "examples_per_dataset": self.examples_per_dataset,
            "examples_per_dataset_2d": self.examples_per_dataset_2d,
            "num_test_examples": self.num_test_examples,
        }

    def training_config(self, config: Config, logdir: pathlib.Path, **settings: Any) -> Config:
        """Returns settings of a training, completed by those that all trainings share."""
        return config.replace(
            data_root=str(self.folders.root),
            cache_dir=str(self.folders.cache),
            logdir=str(logdir),
            seed=self.seed,
            workers=max(self.workers - 1, 1),
            **settings,
        )


def influential_settings(config: Config) -> dict[str, Any]:
    """Returns the settings that the result of a training depends on."""
    return {k: v for k, v in config.to_flat_dict().items() if k not in _WITHOUT_INFLUENCE}
