from __future__ import annotations

from metrabs.data import datasets
from metrabs.synthetic import provision


def test_builtin_datasets_are_built_below_the_data_root_when_opened(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    monkeypatch.delenv("CACHE_DIR", raising=False)
    monkeypatch.setattr(datasets, "_makers", {})

    def build_small_pile(root, workers):
        return build(root, workers=workers, examples_per_dataset=1, valid_examples_per_dataset=1,
                     num_test_examples=1, examples_per_dataset_2d=1)

    build = provision.build_pile
    monkeypatch.setattr(provision, "build_pile", build_small_pile)
    provision.offer_builtin_datasets(workers=0)
    dataset = datasets.open_dataset("synth3")
    assert dataset.joint_info.num_joints == 77
    assert (tmp_path / dataset.train[0].image_path).is_file()
    assert len(datasets.open_dataset(provision.BUILTIN_2D).train) > 0


def test_all_names_that_are_offered_exist_in_the_pile(tmp_path):
    paths = provision.build_pile(
        tmp_path, workers=0, examples_per_dataset=1, valid_examples_per_dataset=1,
        num_test_examples=1, examples_per_dataset_2d=1,
    )  # fmt: skip
    assert set(paths) == {*provision.BUILTIN_3D, provision.BUILTIN_2D}
