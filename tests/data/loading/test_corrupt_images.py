from __future__ import annotations

import logging

import pytest

from metrabs.data.loading.corrupt_images import CorruptImageLog, load_with_fallback
from metrabs.data.storage.images import ImageError
from metrabs.errors import UserError
from tests.data.conftest import random_example_3d

EXAMPLES = [random_example_3d(i, "ab"[i % 2]) for i in range(40)]


def loader(broken):
    def load(index):
        if index in broken:
            raise ImageError(EXAMPLES[index].image_path, "does not exist")
        return index

    return load


def test_what_can_be_read_is_not_replaced():
    assert load_with_fallback(loader({3}), EXAMPLES, 4, [0]) == (4, [])


def test_a_broken_image_is_replaced_by_another_example_of_its_dataset():
    chosen = set()
    for seed in range(30):
        index, broken = load_with_fallback(loader({4}), EXAMPLES, 4, [seed])
        assert EXAMPLES[index].dataset == "a" and index != 4
        assert broken[0] == "a/4.jpg" and set(broken) == {"a/4.jpg"}
        chosen.add(index)
    assert len(chosen) > 8


def test_the_replacement_depends_on_the_seed_alone():
    draws = [load_with_fallback(loader({4, 8}), EXAMPLES, 4, [7, 2])[0] for _ in range(3)]
    assert len(set(draws)) == 1


def test_replacements_that_are_broken_are_replaced_and_named_too():
    most = set(range(0, 40, 2)) - {10, 12, 14, 16}
    index, broken = load_with_fallback(loader(most), EXAMPLES, 0, [5])
    assert index in (10, 12, 14, 16) and broken[0] == "a/0.jpg" and len(broken) > 1


def test_a_dataset_without_any_readable_image_is_an_error():
    with pytest.raises(UserError, match="20 images in a row.*does not exist"):
        load_with_fallback(loader(set(range(0, 40, 2))), EXAMPLES, 0, [0])


def test_other_errors_are_not_hidden():
    def load(index):
        raise UserError("damaged mask")

    with pytest.raises(UserError, match="damaged mask"):
        load_with_fallback(load, EXAMPLES, 0, [0])


def test_every_image_is_named_once_and_counted(caplog):
    images = CorruptImageLog(limit=2)
    with caplog.at_level(logging.WARNING):
        images.add(["a", "b"])
        images.add(["a"])
    assert [record.args for record in caplog.records] == [("a", 1), ("b", 2)]
    with pytest.raises(UserError, match="3 images .*--max_broken_images=2.*'c'"):
        images.add(["b", "c"])
