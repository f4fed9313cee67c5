"""What may import what, and that each source file has a test file of its own."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

from . import source_tree as tree

# A room imports only from rooms above it.
_ROOMS = (
    "errors", "files", "folders", "videos", "inert_pickle", "parallel", "progress", "importing",
    "resumable",
    "settings", "config_groups", "config", "skeletons", "geometry", "visualization", "backbones",
    "acae", "models",
    "data", "datasets", "training", "estimator", "evaluation", "synthetic", "predict", "hub",
    "reproduction", "commands",
)  # fmt: skip
_FORBIDDEN = {
    "data": {"backbones", "acae", "models"},
    "estimator": {"data", "datasets", "training", "evaluation"},
    "visualization": {"parallel", "settings", "config_groups", "config"},
    "hub": set(_ROOMS) - {"errors", "files", "hub"},
}
_COMMAND_MODULES = {
    "metrabs", "metrabs.__main__", "metrabs.cli", "metrabs.command", "metrabs.original_flags",
}  # fmt: skip

# Tables that name modules of lower rooms in strings, for lazy imports: (importer, imported).
_LAZY_TABLES: set[tuple[str, str]] = set()

_NUMPY_MODULES = (
    "metrabs.data.loading.pipeline", "metrabs.estimator.client", "metrabs.geometry.boxes",
    "metrabs.geometry.camera", "metrabs.geometry.distortion", "metrabs.geometry.pose_distances",
    "metrabs.geometry.procrustes", "metrabs.geometry.reprojection", "metrabs.skeletons.conversion",
)  # fmt: skip

# Source files without a test file of their own: module -> where it is tested instead, or why not.
_WITHOUT_TEST: dict[str, str] = {
    "metrabs.acae.config": "declares settings: tests/test_settings.py",
    "metrabs.acae.losses": "used by each step: tests/acae/test_training.py",
    "metrabs.config_groups": "declares settings: tests/test_config.py",
    "metrabs.data.storage.encoding": "tests/data/storage/test_example_table.py",
    "metrabs.estimator.box_poses": "tests/estimator/test_estimator.py",
    "metrabs.reproduction.__main__": "tests/test_reproduce.py",
    "metrabs.synthetic.lofts": "tests/synthetic/test_body.py",
    "metrabs.synthetic.pose_recipes": "a table: tests/synthetic/test_poses.py",
    "metrabs.training.export": "tests/training/test_train.py",
    "metrabs.training.fit": "tests/training/test_train.py",
    "metrabs.training.loss_computation": "tests/training/test_trainer.py",
    "metrabs.training.loss_terms": "tests/training/test_losses.py",
    "metrabs.visualization.space": "tests/visualization/test_space_view.py",
    "data_preparation.__main__": "tests/data_preparation/common/test_command.py",
    "data_preparation.common.assembly": "tests/data_preparation/common/test_run.py",
    "data_preparation.common.converter": "tests/data_preparation/common/test_run.py",
    "data_preparation.common.parts": "tests/data_preparation/common/test_run.py",
    "data_preparation.manifest_fields": "tests/data_preparation/test_manifest.py",
    "data_preparation.muco_composites": "tests/data_preparation/test_muco.py",
    "data_preparation.muco_sources": "tests/data_preparation/test_muco.py",
    "data_preparation.registry": "a table: tests/data_preparation/common/test_command.py",
    "data_preparation.tdhp_files": "tests/data_preparation/test_tdhp.py",
    "benchmarks.estimator_client": "tests/benchmarks/test_inference.py",
    "benchmarks.generated_cache": "tests/benchmarks/test_cache.py",
    "benchmarks.rendering": "tests/benchmarks/test_preparation.py",
}


def _room(module: str) -> str:
    if module in _COMMAND_MODULES or tree.is_command(module):
        return "commands"
    return module.split(".")[1] if module.startswith("metrabs.") else module.split(".")[0]


def _violates(importer: str, imported: str) -> bool:
    if not importer.startswith("metrabs"):
        return False
    above, below = _room(imported), _room(importer)
    if above not in _ROOMS or below not in _ROOMS:
        return True
    return _ROOMS.index(above) > _ROOMS.index(below) or above in _FORBIDDEN.get(below, ())


def _test_file(module: str) -> pathlib.Path:
    folder, stem = tree.modules()[module].parent, tree.modules()[module].stem
    stem = folder.name if stem == "__init__" else stem.strip("_")
    parts = folder.relative_to(tree.ROOT).parts
    parts = parts[1:] if parts[0] == "metrabs" else parts
    return tree.ROOT.joinpath("tests", *parts, f"test_{stem}.py")


def test_no_module_imports_itself_by_way_of_others() -> None:
    cycle = tree.find_cycle({module: tree.imports_of(module) for module in tree.modules()})
    assert not cycle


def test_a_cycle_would_be_found() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}
    assert tree.find_cycle(graph) == ["b", "d"]


def test_rooms_import_only_from_rooms_above_them() -> None:
    violations = {
        (importer, imported)
        for importer in tree.modules()
        for imported in tree.imports_of(importer)
        if _violates(importer, imported)
    }
    assert violations == set()


def test_strings_that_name_modules_point_upwards_unless_listed() -> None:
    violations = {
        (importer, named)
        for importer in tree.modules()
        for named in tree.strings_naming_modules(importer)
        if _violates(importer, named)
    }
    assert violations == _LAZY_TABLES


@pytest.mark.parametrize("module", _NUMPY_MODULES)
def test_workers_do_not_import_tensorflow(module: str) -> None:
    program = f"import sys, {module}; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=tree.ROOT, check=True)


def test_each_source_file_has_a_test_file_or_a_reason_not_to() -> None:
    without_test = {
        module
        for module in tree.modules()
        if tree.defines_something(module) and not _test_file(module).exists()
    }
    assert without_test == set(_WITHOUT_TEST)


def test_tests_named_as_reasons_exist() -> None:
    named = re.findall(r"tests/[\w/.]+", " ".join(_WITHOUT_TEST.values()))
    assert [path for path in named if not (tree.ROOT / path).exists()] == []
