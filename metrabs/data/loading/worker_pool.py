"""Pool of worker processes with bounded prefetching; results are returned in order.

Processes and not threads, since much of loading is Python code; `concurrent.futures` and not a
framework such as Grain, since a batch is a function of its step: there is no state to shuffle,
checkpoint or shard, and the standard library does the rest.

The processes are shared by all iterators (training, validation, prediction) and end with the
program, however it ends.
"""

from __future__ import annotations

import collections
import concurrent.futures
import concurrent.futures.process
import contextlib
import functools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Optional

import cv2
import numpy as np

from metrabs.data.loading.shared_memory import (
    SharedMemoryFile,
    SharedMemoryHandle,
    write_to_shared_memory,
)
from metrabs.errors import UserError
from metrabs.parallel import default_num_workers, end_with_parent

Arrays = dict[str, np.ndarray]
Work = Callable[..., Arrays]  # must be a function of a module, which other processes can import

_TASKS_AHEAD_PER_WORKER = 2


def results_in_order(
    work: Work, tasks: Iterable[tuple[Any, ...]], workers: Optional[int]
) -> Iterator[Arrays]:
    """Yields the results of tasks in order, prefetching a few.

    Args:
        work: Function of a module that is called with the arguments of a task.
        tasks: Arguments of each task.
        workers: Number of processes as in `metrabs.config.RunConfig`.

    Raises:
        UserError: a process died. Exceptions of the work are raised as they are.
    """
    if workers is None:
        workers = default_num_workers()
    if workers == 0:
        yield from (work(*task) for task in tasks)
        return
    pool = process_pool(workers)
    free_files: list[SharedMemoryFile] = []
    pending: collections.deque[_Pending] = collections.deque()
    try:
        for task in tasks:
            file = free_files.pop() if free_files else SharedMemoryFile()
            pending.append(_Pending(pool, file, work, task))
            if len(pending) > _TASKS_AHEAD_PER_WORKER * workers:
                yield pending[0].result()
                free_files.append(pending.popleft().file)
        while pending:
            yield pending[0].result()
            free_files.append(pending.popleft().file)
    except concurrent.futures.process.BrokenProcessPool as error:
        process_pool.cache_clear()
        raise UserError(
            "A data loading process died, probably for lack of memory. Use fewer --workers."
        ) from error
    finally:
        for task_in_work in pending:
            task_in_work.abandon()
        for file in free_files:
            file.close()


class _Pending:
    """A submitted task, and the file through which its result is returned."""

    def __init__(
        self,
        pool: concurrent.futures.Executor,
        file: SharedMemoryFile,
        work: Work,
        task: tuple[Any, ...],
    ) -> None:
        self.file = file
        try:
            self._future = pool.submit(_work_in_file, file.handle, work, task)
        except BaseException:
            file.close()
            raise

    def result(self) -> Arrays:
        """Waits for the result and returns it."""
        return self.file.read(self._future.result())

    def abandon(self) -> None:
        """Closes the file as soon as no process writes to it."""
        self._future.cancel()
        self._future.add_done_callback(lambda _: self.file.close())


def _work_in_file(
    handle: Optional[SharedMemoryHandle], work: Work, task: tuple[Any, ...]
) -> dict[str, Any]:
    return write_to_shared_memory(work(*task), handle)


@functools.cache
def process_pool(workers: int) -> concurrent.futures.ProcessPoolExecutor:
    """Returns the pool with that number of processes; it is shared by all callers."""
    # Forking a program that runs TensorFlow can hang it; new interpreters are safe.
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _set_up_worker
    )
    # NumPy reads its number of threads when it is imported, which is before `_set_up_worker`.
    with _environment(OMP_NUM_THREADS="1"):
        for _ in range(workers):
            pool.submit(os.getpid)  # starts a process
    return pool


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Sets environment variables, which new processes inherit, for the duration of a block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _set_up_worker() -> None:
    cv2.setNumThreads(1)  # there are as many processes as CPU cores
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    end_with_parent()
