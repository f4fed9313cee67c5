from __future__ import annotations

import os
import time

import numpy as np
import pytest

from metrabs.data.loading.worker_pool import process_pool, results_in_order


def square(number):
    """Returns the square of a number, the later the smaller the number is."""
    time.sleep(0.05 if number % 2 else 0)
    return {"square": np.full((1,), number**2)}


def np_full(number):
    """Returns a large array full of a number."""
    return {"a": np.full((50_000 + number,), number)}


def fail(number):
    """Fails."""
    raise ValueError(f"task {number}")


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_the_order_of_the_tasks(workers):
    results = results_in_order(square, ((i,) for i in range(12)), workers)
    assert [int(result["square"][0]) for result in results] == [i**2 for i in range(12)]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_the_work_is_raised_as_it_is_and_the_workers_stay(workers):
    with pytest.raises(ValueError, match="task 3"):
        list(results_in_order(fail, [(3,)], workers))
    assert len(list(results_in_order(square, [(1,), (2,)], workers))) == 2


def test_large_results_are_not_mixed_up():
    results = results_in_order(np_full, ((i,) for i in range(30)), 2)
    for i, result in enumerate(results):
        assert result["a"].shape == (50_000 + i,) and (result["a"] == i).all()


def test_few_tasks_are_begun_before_results_are_taken():
    begun = []

    def tasks():
        for i in range(100):
            begun.append(i)
            yield (i,)

    results = results_in_order(square, tasks(), 2)
    next(results)
    assert len(begun) <= 5
    results.close()


def test_files_are_closed_when_results_are_not_taken():
    pool = process_pool(2)
    pool.submit(os.getpid).result()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        results = results_in_order(square, ((i,) for i in range(20)), 2)
        next(results)
        results.close()
    deadline = time.monotonic() + 10
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) <= before
