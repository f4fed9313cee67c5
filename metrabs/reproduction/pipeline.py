"""The paper's method from data to a usable model, as a list of stages.

datasets -> separate heads -> pseudo-labels -> autoencoder -> fine-tuning -> evaluation -> export
-> poses of example images with the export -> figures. The stages call the same library functions
as the commands for real data. Heavy modules are imported where a stage runs, so that a pipeline
whose stages are all complete ends at once.
"""

from __future__ import annotations

import functools
import json
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from metrabs.config import Config
from metrabs.data.storage.array_file import FORMAT_VERSION
from metrabs.files import atomic_path, write_text_atomically
from metrabs.progress import progress_bar
from metrabs.reproduction.quiet_xla import silence_xla_notices
from metrabs.reproduction.recipe import MODELS, SEPARATE, Recipe, influential_settings
from metrabs.reproduction.stages import Stage

# A script, not a module: it must run where this package cannot be imported.
_RUN_EXPORTED_MODEL = pathlib.Path(__file__).with_name("run_exported_model.py")
_DATASETS = "datasets"
_PSEUDO_LABELS = "pseudo_labels"
_AUTOENCODER = "autoencoder"
_EXPORT = "export"


class ReproductionPipeline:
    """The stages of one recipe, wired together.

    Args:
        recipe: What to do.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.root = recipe.output.absolute()

    def stages(self) -> list[Stage]:
        """Returns the stages in order, each after those it depends on."""
        recipe = self.recipe
        datasets = Stage(
            _DATASETS,
            "Rendering 28 3D and 4 2D datasets of people",
            {**recipe.dataset_settings(), "cache_format": FORMAT_VERSION},
            self._build_datasets,
        )
        separate = self._training(SEPARATE, (datasets,))
        labels = Stage(
            _PSEUDO_LABELS,
            "Step 2: predicting all formats for all images",
            {},
            self._predict_pseudo_labels,
            (separate,),
        )
        acae = Stage(
            _AUTOENCODER,
            "Step 2: training the affine-combining autoencoder",
            {"steps": recipe.acae_steps, "seed": recipe.seed},
            self._train_autoencoder,
            (labels,),
        )
        stages = [datasets, separate, labels, acae]
        models = {SEPARATE: separate}
        for name in recipe.models:
            if name != SEPARATE:
                before = (separate, *[acae] * MODELS[name].uses_autoencoder)
                models[name] = self._training(
                    name, before if MODELS[name].is_finetuned else (datasets,)
                )
                stages.append(models[name])
        evaluations = {
            name: _evaluation(recipe, name, models[name])
            for name in sorted(models, key=list(MODELS).index)
        }
        stages += [*evaluations.values(), self._comparison(evaluations)]
        if recipe.exported is not None:
            stages += self._export_and_report(models[recipe.exported], acae, evaluations)
        if recipe.scale_datasets:
            stages += self._scale(datasets, evaluations[SEPARATE])
        return stages

    def _training(self, name: str, depends_on: tuple[Stage, ...]) -> Stage:
        """Returns a stage that trains one of the models."""
        config = self.recipe.models[name]
        kind = MODELS[name]

        def train(folder: pathlib.Path) -> None:
            """Trains the model."""
            start = {"load_backbone_from": str(self.root / SEPARATE)} if kind.is_finetuned else {}
            weights = str(self.root / _AUTOENCODER / "weights.npz")
            affine = {"affine_weights": weights} if kind.uses_autoencoder else {}
            self._train(folder, config, **start, **affine)

        return Stage(name, kind.doing, influential_settings(config), train, depends_on)

    def _train(self, folder: pathlib.Path, config: Config, **settings: str) -> None:
        from metrabs.training.train import train

        silence_xla_notices()
        train(self.recipe.training_config(config, folder, **settings))

    def _comparison(self, evaluations: Mapping[str, Stage]) -> Stage:
        def compare(folder: pathlib.Path) -> None:
            """Writes the table."""
            from metrabs.reproduction.evaluation import write_comparison

            write_comparison(
                {
                    MODELS[name].title: self.root / stage.name
                    for name, stage in evaluations.items()
                },
                folder,
            )

        return Stage(
            self.recipe.results, "Comparing the models", {}, compare, tuple(evaluations.values())
        )

    def _export_and_report(
        self, exported: Stage, acae: Stage, evaluations: Mapping[str, Stage]
    ) -> Sequence[Stage]:
        """Returns stages that export a model, run it without this package and draw figures."""
        photos = {"photos": [str(photo) for photo in self.recipe.photos]}
        export = Stage(
            _EXPORT,
            "Exporting the estimator with detector and all formats",
            {},
            functools.partial(self._export, exported.name),
            (exported, acae),
        )
        examples = Stage(
            "examples",
            "Running the export in a clean environment",
            photos,
            self._predict_example_images,
            (export,),
        )
        report = Stage(
            "report",
            "Drawing the figures",
            {},
            functools.partial(self._report, list(evaluations)),
            (*evaluations.values(), acae, examples),
        )
        return [export, examples, report]

    def _scale(self, datasets: Stage, evaluation_of_all: Stage) -> Sequence[Stage]:
        """Returns stages that repeat step 1 with fewer datasets."""
        stages: list[Stage] = []
        evaluations = {}
        for dataset in self.recipe.scale_datasets:
            config = self.recipe.models[SEPARATE].replace(dataset3d=dataset)
            training = Stage(
                f"scale_{dataset}",
                f"Training on {dataset}",
                influential_settings(config),
                functools.partial(self._train, config=config),
                (datasets,),
            )
            evaluations[dataset] = _evaluation(self.recipe, training.name, training)
            stages += [training, evaluations[dataset]]
        evaluations[self.recipe.models[SEPARATE].data.dataset3d] = evaluation_of_all

        def compare(folder: pathlib.Path) -> None:
            """Writes the table."""
            from metrabs.reproduction.evaluation import write_scale

            write_scale(
                {dataset: self.root / stage.name for dataset, stage in evaluations.items()},
                folder,
                self.recipe.folders,
            )

        curve = Stage(
            "scale", "Comparing the numbers of datasets", {}, compare, tuple(evaluations.values())
        )
        return [*stages, curve]

    def _build_datasets(self, folder: pathlib.Path) -> None:
        from metrabs.synthetic.dataset_suite import build_dataset_suite

        build_dataset_suite(
            folder, data_root=folder, workers=self.recipe.workers, **self.recipe.dataset_settings()
        )

    def _predict_pseudo_labels(self, folder: pathlib.Path) -> None:
        from metrabs.reproduction.evaluation import predict_split

        predictions = predict_split(
            self.root / SEPARATE, "trainval", self.recipe.workers, self.recipe.folders, mirror=True
        )
        with atomic_path(folder / "predictions.npz") as path:
            np.savez(
                path,
                **{
                    name: predictions[name]
                    for name in ("coords3d_pred_cam", "joint_names", "image_path")
                },
            )

    def _train_autoencoder(self, folder: pathlib.Path) -> None:
        train_autoencoder(
            self.root / _PSEUDO_LABELS / "predictions.npz",
            folder / "weights.npz",
            self.recipe.acae_steps,
            self.recipe.seed,
        )

    def _export(self, name: str, folder: pathlib.Path) -> None:
        export_run(
            self.root / name, self.root / _AUTOENCODER / "weights.npz", folder / "estimator"
        )

    def _predict_example_images(self, folder: pathlib.Path) -> None:
        from metrabs.reproduction.example_images import collect_example_images

        images = collect_example_images(self.recipe.photos, folder, self.recipe.seed)
        with atomic_path(folder / "poses.npz") as path:
            subprocess.run(
                [
                    sys.executable,
                    str(_RUN_EXPORTED_MODEL),
                    str(self.root / _EXPORT / "estimator"),
                    str(path),
                    *map(str, images),
                ],
                check=True,
                cwd=folder,
            )

    def _report(self, names: Sequence[str], folder: pathlib.Path) -> None:
        from metrabs.reproduction.report import draw_report

        draw_report(self.root, names, folder)


def train_autoencoder(
    predictions_path: pathlib.Path, weights_path: pathlib.Path, num_steps: int, seed: int
) -> None:
    """Trains an autoencoder on predicted poses and writes its weights.

    Args:
        predictions_path: .npz with `coords3d_pred_cam` [n, J, 3] mm and `joint_names`.
        weights_path: .npz to write; the losses go to `history.json` next to it.
        num_steps: Optimizer steps; each of the three learning rates gets a third of them.
        seed: Random seed of initial weights, held-out poses and order.
    """
    from metrabs.acae.config import AcaeConfig
    from metrabs.acae.training import AcaeProgress, train_acae
    from metrabs.acae.weights_file import save_affine_weights

    silence_xla_notices()
    with np.load(predictions_path) as predictions:
        poses3d_cam_mm = predictions["coords3d_pred_cam"]
        joint_names = predictions["joint_names"].tolist()
    config = AcaeConfig(num_steps=num_steps, learning_rate_boundaries=None, seed=seed)
    with progress_bar(total=num_steps, desc="autoencoder", unit="step") as bar:

        def show(progress: AcaeProgress) -> None:
            """Moves the progress bar."""
            bar.update(progress.step - bar.n)
            bar.set_postfix(reconstruction_mm=f"{progress.reconstruction * 1000:.2f}")

        weights, history = train_acae(
            poses3d_cam_mm,
            joint_names,
            config,
            on_progress=show,
            checkpoint_dir=weights_path.parent / "state",
        )
    write_text_atomically(
        weights_path.parent / "history.json",
        json.dumps(
            [
                {"step": h.step, "loss": h.loss, "reconstruction_m": h.reconstruction}
                for h in history
            ]
        ),
    )
    save_affine_weights(weights_path, weights)


def export_run(
    run_folder: pathlib.Path, affine_weights_path: pathlib.Path, output: pathlib.Path
) -> None:
    """Exports the last checkpoint of a run as a full-image model with the person detector.

    Args:
        run_folder: Folder of a training run.
        affine_weights_path: Autoencoder weights to bundle, .npz.
        output: SavedModel folder to write.
    """
    from metrabs.acae.weights_file import load_affine_weights
    from metrabs.estimator.detectors.efficientdet import build_person_detector
    from metrabs.estimator.export import export_estimator
    from metrabs.models.description import read_config
    from metrabs.training.checkpoints import latest_checkpoint
    from metrabs.training.model_loading import load_crop_model

    silence_xla_notices()
    checkpoint = latest_checkpoint(run_folder)
    assert checkpoint is not None, f"no checkpoint in {run_folder}"
    export_estimator(
        load_crop_model(checkpoint),
        output,
        detector=build_person_detector(),
        affine_weights=load_affine_weights(affine_weights_path),
        config=read_config(run_folder),
    )


def _evaluation(recipe: Recipe, name: str, training: Stage) -> Stage:
    """Returns a stage that evaluates a trained model on the test images."""

    def evaluate(folder: pathlib.Path) -> None:
        """Evaluates the model."""
        from metrabs.reproduction.evaluation import evaluate_run

        evaluate_run(recipe.output / training.name, folder, recipe.workers, recipe.folders)

    return Stage(f"evaluation_{name}", f"Evaluating {name}", {}, evaluate, (training,))
