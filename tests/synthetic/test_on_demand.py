from __future__ import annotations

from metrabs.data import datasets
from metrabs.synthetic import on_demand


def test_builtin_datasets_are_built_below_the_data_root_when_opened(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.delenv("CACHE_DIR", raising=False)
    monkeypatch.setattr(datasets, "_builders", {})

    def build_small_suite(root, data_root, workers):
        return build(
            root,
            data_root=data_root,
            workers=workers,
            examples_per_dataset=1,
            valid_examples_per_dataset=1,
            num_test_examples=1,
            examples_per_dataset_2d=1,
        )

    build = on_demand.build_dataset_suite
    monkeypatch.setattr(on_demand, "build_dataset_suite", build_small_suite)
    on_demand.offer_builtin_datasets(workers=0)
    dataset = datasets.open_dataset("synth3")
    assert dataset.joint_info.num_joints == 77
    assert (tmp_path / dataset.train[0].image_path).is_file()
    assert len(datasets.open_dataset(on_demand.BUILTIN_2D).train) > 0


def test_all_offered_datasets_are_built(tmp_path):
    paths = on_demand.build_dataset_suite(
        tmp_path, workers=0, examples_per_dataset=1, valid_examples_per_dataset=1,
        num_test_examples=1, examples_per_dataset_2d=1,
    )  # fmt: skip
    assert set(paths) == {*on_demand.BUILTIN_3D, on_demand.BUILTIN_2D}
