from __future__ import annotations

import collections
import itertools

import numpy as np
import pytest

from metrabs.data.loading.original_sampler import (
    OriginalSampler,
    original_items,
    stream_generators,
)

SECTIONS = [np.arange(0, 4), np.arange(10, 13)]


def generator():
    return np.random.default_rng(5)


def test_every_example_of_a_section_comes_once_per_epoch():
    items = list(itertools.islice(original_items(SECTIONS, [2, 1], generator()), 36))
    first = [item.example for item in items if item.example < 10]
    assert [collections.Counter(first[i : i + 4]) for i in range(0, 24, 4)] == (
        [collections.Counter(range(4))] * 6
    )
    assert len({item.seed for item in items}) == 36


def test_sections_have_their_counts_in_every_cycle():
    sampler = OriginalSampler(SECTIONS, [2, 1], 3, generator())
    for step in range(5):
        indices, seeds = sampler.sample(step)
        assert (indices < 10).tolist() == [True, True, False]
        assert seeds.shape == (3, 1)


def test_later_steps_can_be_reached_but_earlier_ones_cannot():
    indices = [OriginalSampler(SECTIONS, [2, 1], 4, generator()).sample(3)[0]]
    sampler = OriginalSampler(SECTIONS, [2, 1], 4, generator())
    for step in range(4):
        last = sampler.sample(step)[0]
    assert np.array_equal(indices[0], last)
    with pytest.raises(ValueError, match="step 2"):
        sampler.sample(2)


def test_the_input_is_not_shuffled():
    sampler = OriginalSampler(SECTIONS, [2, 1], 30, generator())
    sampler.sample(0)
    assert SECTIONS[0].tolist() == [0, 1, 2, 3]


def test_streams_have_generators_of_their_own():
    draws = {name: rng.random() for name, rng in stream_generators(3).items()}
    assert list(draws) == ["2d", "3d", "valid"] and len(set(draws.values())) == 3
