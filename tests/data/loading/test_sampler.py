from __future__ import annotations

import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrabs.data.loading.sampler import BatchSampler, interleaved_order
from metrabs.errors import UserError
from metrabs.skeletons.merged_sets import merged_set_names, samples_per_batch
from tests.data.conftest import random_example_3d

COUNTS = st.lists(st.integers(1, 9), min_size=1, max_size=8)


class NamedExamples:
    """A sequence of which only the datasets' names are asked."""

    def __init__(self, names):
        self.names, self.codes = np.unique(names, return_inverse=True)

    def __len__(self):
        return len(self.codes)

    def dataset_codes(self):
        return self.names.tolist(), self.codes

    def names_at(self, indices):
        return self.names[self.codes[indices]].tolist()


def examples_of(proportions, num_each=5):
    return NamedExamples([name for i in range(num_each) for name in proportions])


@given(COUNTS)
@settings(deadline=None)
def test_an_interleaved_cycle_keeps_every_prefix_near_the_shares(counts):
    order = interleaved_order(counts)
    assert collections.Counter(order) == dict(enumerate(counts))
    taken = np.cumsum(np.array(order)[:, np.newaxis] == np.arange(len(counts)), axis=0)
    share = np.outer(np.arange(1, len(order) + 1), counts) / len(order)
    assert np.abs(taken - share).max() < 1


@pytest.mark.parametrize("name", merged_set_names())
def test_every_full_batch_of_a_merged_set_has_exactly_its_shares_in_order(name):
    proportions = samples_per_batch(name)
    batch_size = sum(proportions.values())
    assert batch_size == (32 if name == "huge2d_common" else 96)
    examples = examples_of(proportions)
    sampler = BatchSampler(examples, batch_size, 1, proportions)
    expected = [name for name, count in proportions.items() for _ in range(count)]
    for step in (0, 1, 2, 1000, 123456):
        assert examples.names_at(sampler.example_indices(step)) == expected


def test_the_numbers_of_sections_are_those_of_the_paper():
    num_sections = {name: len(samples_per_batch(name)) for name in merged_set_names()}
    assert num_sections == {"huge8": 28, "medium3": 14, "small5": 3, "huge2d_common": 4}


@pytest.mark.parametrize("batch_size", [1, 7, 12, 32, 40, 192])
def test_other_batch_sizes_keep_the_shares_on_average_and_nearly_in_each_batch(batch_size):
    proportions = samples_per_batch("huge8")
    examples = examples_of(proportions)
    sampler = BatchSampler(examples, batch_size, 1, proportions)
    num_steps = 96
    total = collections.Counter()
    for step in range(num_steps):
        counts = collections.Counter(examples.names_at(sampler.example_indices(step)))
        assert all(abs(counts[n] - c * batch_size / 96) < 2 for n, c in proportions.items())
        total += counts
    assert total == {n: c * batch_size for n, c in proportions.items()}


def test_every_section_shows_all_its_examples_once_per_epoch_in_changing_order():
    proportions = {"a": 2, "b": 1}
    examples = NamedExamples(["a"] * 10 + ["b"] * 3)
    sampler = BatchSampler(examples, 3, 1, proportions)
    batches = np.stack([sampler.example_indices(step) for step in range(30)])
    epochs_a = batches[:, :2].reshape(6, 10)
    epochs_b = batches[:, 2].reshape(10, 3)
    assert (np.sort(epochs_a) == np.arange(10)).all()
    assert (np.sort(epochs_b) == np.arange(10, 13)).all()
    assert len({tuple(epoch) for epoch in epochs_a}) == 6


def test_a_step_can_be_asked_for_in_any_order_and_by_another_plan():
    examples = examples_of(samples_per_batch("small5"), 11)
    one, other = (BatchSampler(examples, 10, 5, samples_per_batch("small5")) for _ in range(2))
    later = one.example_indices(777)
    one.example_indices(3)
    assert np.array_equal(one.example_indices(777), later)
    assert np.array_equal(other.example_indices(777), later)


def test_another_seed_gives_another_order():
    examples = NamedExamples(["a"] * 100)
    a, b = (BatchSampler(examples, 100, seed).example_indices(0) for seed in (1, 2))
    assert sorted(a) == sorted(b) and not np.array_equal(a, b)


def test_without_shares_all_examples_are_one_section():
    sampler = BatchSampler([random_example_3d(i, "abc"[i % 3]) for i in range(6)], 4, 1)
    drawn = np.concatenate([sampler.example_indices(step) for step in range(3)])
    assert (np.bincount(drawn) == 2).all()


def test_a_missing_or_extra_section_is_named():
    with pytest.raises(UserError, match="Without any example: gpa; not in batches: x"):
        BatchSampler(NamedExamples(["h36m", "x"]), 2, 1, {"h36m": 1, "gpa": 1})


def test_no_examples_or_no_batch_is_refused():
    with pytest.raises(UserError, match="no examples"):
        BatchSampler([], 2, 1)
    with pytest.raises(UserError, match="at least 1"):
        BatchSampler(NamedExamples(["a"]), 0, 1)


def test_every_item_of_every_stream_has_a_seed_of_its_own():
    examples = examples_of({"a": 2, "b": 1})
    samplers = [BatchSampler(examples, 4, 7, {"a": 2, "b": 1}, stream) for stream in (0, 1)]
    draws = [sampler.sample(step) for sampler in samplers for step in (0, 1, 500)]
    seeds = [tuple(seed) for _, rows in draws for seed in rows.tolist()]
    assert len(set(seeds)) == 2 * 3 * 4 and {seed[0] for seed in seeds} == {7}
    assert np.array_equal(draws[1][0], samplers[0].example_indices(1))
