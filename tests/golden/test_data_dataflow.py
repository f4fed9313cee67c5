"""Original order of training examples, and the seeds of their random numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from metrabs.data.augmentation.sampling import seeded_generator
from metrabs.data.loading.original_sampler import (
    OriginalSampler,
    original_items,
    stream_generators,
)

SECTIONS = [np.arange(0, 7), np.arange(100, 112), np.arange(200, 205)]


@pytest.fixture
def numbers(golden):
    return golden("data_dataflow")


def assert_same_items(items, expected_indices, expected_integers):
    items = list(itertools.islice(items, len(expected_indices)))
    assert [item.example for item in items] == expected_indices.tolist()
    integers = [seeded_generator(item.seed).integers(0, 2**32 - 1) for item in items]
    assert integers == expected_integers.tolist()


def test_sections_take_turns(numbers):
    items = original_items(
        SECTIONS, numbers["rr_sizes"].tolist(), seeded_generator(int(numbers["rr_seed"]))
    )
    assert_same_items(items, numbers["rr_items"], numbers["rr_item_rng_first_int"])


def test_a_single_list_is_reshuffled_every_epoch(numbers):
    rng = seeded_generator(int(numbers["single_seed"]))
    items = original_items([np.arange(9)], [1], rng)
    assert_same_items(items, numbers["single_train_items"], numbers["single_train_rng_first_int"])
    # The original shuffles validation examples once; ours are in stored order (see deviations).
    first_epoch = numbers["single_valid_items"][:9]
    assert first_epoch.tolist() == numbers["single_train_items"][:9].tolist()


def test_a_resumed_plan_continues_as_if_never_interrupted(numbers):
    sizes = numbers["rr_sizes"].tolist()
    step_size = sum(sizes)
    num_steps = len(numbers["rr_items"]) // step_size
    for start in range(num_steps):
        sampler = OriginalSampler(
            SECTIONS, sizes, step_size, seeded_generator(int(numbers["rr_seed"]))
        )
        for step in range(start, num_steps):
            indices, seeds = sampler.sample(step)
            place = slice(step * step_size, (step + 1) * step_size)
            assert indices.tolist() == numbers["rr_items"][place].tolist()
            integers = [np.random.default_rng(s).integers(0, 2**32 - 1) for s in seeds]
            assert integers == numbers["rr_item_rng_first_int"][place].tolist()


def test_generators_of_the_streams(numbers):
    first = [rng.integers(0, 2**32 - 1) for rng in stream_generators(1).values()]
    assert first == numbers["main_seed1_stream_first_ints"].tolist()
