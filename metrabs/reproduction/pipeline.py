"""The paper's method from data to a usable model, as a list of stages.

pile -> separate heads -> pseudo-labels -> autoencoder -> fine-tuning -> evaluation -> export ->
use of the export on photographs and a rendered scene -> figures. The stages call the same library
functions as the programs a researcher uses with real data. Heavy modules are imported where a
stage runs, so that a walk whose stages are all complete ends at once.
"""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from metrabs.config import Config
from metrabs.data.storage.array_file import FORMAT_VERSION
from metrabs.files import atomic_path
from metrabs.reproduction.recipe import MODELS, SEPARATE, Recipe, influential_settings
from metrabs.reproduction.stages import Stage

# A script, not a module: it must run where this package cannot be imported.
_USE_EXPORT = pathlib.Path(__file__).with_name("use_export.py")


class Walk:
    """The stages of one recipe, wired together.

    Args:
        recipe: what to do. DATA_ROOT and CACHE_DIR of this process and its children are set to
            folders of the recipe's output.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.root = recipe.output.absolute()
        os.environ["DATA_ROOT"] = str(self.root / "pile")
        os.environ["CACHE_DIR"] = str(self.root / "pile" / "cache")

    def stages(self) -> list[Stage]:
        """Returns the stages in order, each after those it depends on."""
        recipe = self.recipe
        pile = Stage("pile", "Building 28 3D and 4 2D datasets of rendered people",
                     {**recipe.pile_settings(), "cache_format": FORMAT_VERSION}, self._build_pile)
        separate = self._training(SEPARATE, (pile,))
        labels = Stage("pseudo_labels", "Step 2: predicting all formats for all images", {},
                       self._predict_pseudo_labels, (separate,))
        acae = Stage("autoencoder", "Step 2: training the affine-combining autoencoder",
                     {"steps": recipe.acae_steps, "seed": recipe.seed}, self._train_autoencoder,
                     (labels,))
        stages = [pile, separate, labels, acae]
        models = {SEPARATE: separate}
        for name in recipe.models:
            if name != SEPARATE:
                before = (separate, *[acae] * MODELS[name].uses_autoencoder)
                models[name] = self._training(name, before if MODELS[name].is_finetuned
                                              else (pile,))
                stages.append(models[name])
        evaluations = {name: _evaluation(recipe, name, models[name]) for name in
                       sorted(models, key=list(MODELS).index)}
        stages += [*evaluations.values(), self._comparison(evaluations)]
        if recipe.exported is not None:
            stages += self._usage(models[recipe.exported], acae, evaluations)
        if recipe.scale_datasets:
            stages += self._scale(pile, evaluations[SEPARATE])
        return stages

    def _training(self, name: str, depends_on: tuple[Stage, ...]) -> Stage:
        """A stage that trains one of the models."""
        config = self.recipe.models[name]
        kind = MODELS[name]

        def train(folder: pathlib.Path) -> None:
            """The work of the stage."""
            start = {"load_backbone_from": str(self.root / SEPARATE)} if kind.is_finetuned else {}
            weights = str(self.root / "autoencoder" / "weights.npz")
            affine = {"affine_weights": weights} if kind.uses_autoencoder else {}
            self._train(folder, config, **start, **affine)

        return Stage(name, kind.doing, influential_settings(config), train, depends_on)

    def _train(self, folder: pathlib.Path, config: Config, **settings: str) -> None:
        from metrabs.training.train import train

        train(self.recipe.training_config(config, folder, **settings))

    def _comparison(self, evaluations: Mapping[str, Stage]) -> Stage:
        def compare(folder: pathlib.Path) -> None:
            """The work of the stage."""
            from metrabs.reproduction.evaluation import write_comparison

            write_comparison({MODELS[name].title: self.root / stage.name
                              for name, stage in evaluations.items()}, folder)

        return Stage(self.recipe.results, "Comparing the models", {}, compare,
                     tuple(evaluations.values()))

    def _usage(
        self, exported: Stage, acae: Stage, evaluations: Mapping[str, Stage]
    ) -> Sequence[Stage]:
        """Stages that export a model, use it without this package and draw figures."""
        photos = {"photos": [str(photo) for photo in self.recipe.photos]}
        export = Stage("export", "Exporting the estimator with detector and all formats", {},
                       functools.partial(self._export, exported.name), (exported, acae))
        use = Stage("use", "Using the export with TensorFlow alone", photos, self._use, (export,))
        report = Stage("report", "Drawing the figures", {},
                       functools.partial(self._report, list(evaluations)),
                       (*evaluations.values(), acae, use))
        return [export, use, report]

    def _scale(self, pile: Stage, evaluation_of_all: Stage) -> Sequence[Stage]:
        """Stages that repeat step 1 with fewer datasets."""
        stages: list[Stage] = []
        evaluations = {}
        for dataset in self.recipe.scale_datasets:
            config = self.recipe.models[SEPARATE].replace(dataset3d=dataset)
            training = Stage(f"scale_{dataset}", f"Training on {dataset}",
                             influential_settings(config),
                             functools.partial(self._train, config=config), (pile,))
            evaluations[dataset] = _evaluation(self.recipe, training.name, training)
            stages += [training, evaluations[dataset]]
        evaluations[self.recipe.models[SEPARATE].data.dataset3d] = evaluation_of_all

        def compare(folder: pathlib.Path) -> None:
            """The work of the stage."""
            from metrabs.reproduction.evaluation import write_scale

            write_scale({dataset: self.root / stage.name
                         for dataset, stage in evaluations.items()}, folder)

        curve = Stage("scale", "Comparing the piles", {}, compare, tuple(evaluations.values()))
        return [*stages, curve]

    def _build_pile(self, folder: pathlib.Path) -> None:
        from metrabs.synthetic.pile import build_pile

        build_pile(folder, workers=self.recipe.workers, **self.recipe.pile_settings())

    def _predict_pseudo_labels(self, folder: pathlib.Path) -> None:
        from metrabs.reproduction.evaluation import predict_split

        predictions = predict_split(self.root / SEPARATE, "trainval", self.recipe.workers,
                                    mirror=True)
        with atomic_path(folder / "predictions.npz") as path:
            np.savez(path, **{name: predictions[name] for name in
                              ("coords3d_pred_cam", "joint_names", "image_path")})

    def _train_autoencoder(self, folder: pathlib.Path) -> None:
        from metrabs.reproduction.autoencoder import train_on_predictions

        train_on_predictions(self.root / "pseudo_labels" / "predictions.npz",
                             folder / "weights.npz", self.recipe.acae_steps, self.recipe.seed)

    def _export(self, name: str, folder: pathlib.Path) -> None:
        from metrabs.reproduction.export import export_run

        export_run(self.root / name, self.root / "autoencoder" / "weights.npz",
                   folder / "estimator")

    def _use(self, folder: pathlib.Path) -> None:
        from metrabs.reproduction.pictures import collect_pictures

        pictures = collect_pictures(self.recipe.photos, folder, self.recipe.seed)
        with atomic_path(folder / "poses.npz") as path:
            subprocess.run(
                [sys.executable, str(_USE_EXPORT), str(self.root / "export" / "estimator"),
                 str(path), *map(str, pictures)],
                check=True, cwd=folder,
            )

    def _report(self, names: Sequence[str], folder: pathlib.Path) -> None:
        from metrabs.reproduction.report import draw_report

        draw_report(self.root, names, folder)


def _evaluation(recipe: Recipe, name: str, training: Stage) -> Stage:
    def evaluate(folder: pathlib.Path) -> None:
        """The work of the stage."""
        from metrabs.reproduction.evaluation import evaluate_run

        evaluate_run(recipe.output / training.name, folder, recipe.workers)

    return Stage(f"evaluation_{name}", f"Evaluating {name}", {}, evaluate, (training,))
