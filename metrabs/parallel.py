"""Running independent tasks in parallel: in local processes or on a Dask cluster."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Optional, TypeVar

from metrabs.errors import UserError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_MAX_DEFAULT_WORKERS = 12
_DASK_WORKER_TIMEOUT_SECONDS = 60


def default_num_workers() -> int:
    """Returns the number of CPUs that this process may use, but at most 12."""
    num_usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return min(num_usable or os.cpu_count() or 1, _MAX_DEFAULT_WORKERS)


def results_as_completed(
    function: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    num_workers: Optional[int] = None,
    dask_scheduler: str = "",
) -> Iterator[_Result]:
    """Yields the results of calling a function on each task, in the order of completion.

    If a task fails or the caller stops, tasks that have not started are cancelled.

    Args:
        function: Picklable, like its arguments and results.
        tasks: Arguments of the calls.
        num_workers: Number of processes; default: one per CPU, at most 12. 0 or 1: this process.
            With more, the calling script must be importable (`if __name__ == "__main__":`).
        dask_scheduler: Address of a Dask scheduler to use instead of local processes, such as
            'tcp://host:8786'. Its workers need this package and the same folders.

    Raises:
        UserError: a process died, or Dask is not installed, not reachable, has no workers or
            was lost.
    """
    num_workers = default_num_workers() if num_workers is None else num_workers
    if not dask_scheduler and min(num_workers, len(tasks)) <= 1:
        yield from map(function, tasks)
        return
    with contextlib.ExitStack() as stack:
        if dask_scheduler:
            executor = stack.enter_context(_dask_executor(dask_scheduler))
        else:
            # Forking would copy locks that threads of the caller may hold.
            context = multiprocessing.get_context("spawn")
            executor = stack.enter_context(
                concurrent.futures.ProcessPoolExecutor(
                    min(num_workers, len(tasks)), context, end_with_parent
                )
            )
        futures = [executor.submit(function, task) for task in tasks]
        stack.callback(_cancel_all, futures)
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise UserError(
                "A worker process died, probably for lack of memory. Use fewer worker processes "
                "and run again; finished tasks are kept."
            ) from error
        except concurrent.futures.CancelledError as error:
            raise UserError(
                f"The Dask scheduler at '{dask_scheduler}' or all of its workers were lost. Start "
                "them and run again; finished tasks are kept."
            ) from error


def end_with_parent() -> None:
    """Makes this process end as soon as its parent has ended, however that ended.

    For processes started by `multiprocessing`; without it, the workers of a process that was
    killed wait for tasks for ever.
    """
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextlib.contextmanager
def _dask_executor(address: str) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as error:
        raise UserError(
            'Dask is not installed. Install the extra: pip install -e ".[dask]"'
        ) from error
    try:
        client = distributed.Client(address)
    except (OSError, ValueError) as error:
        raise UserError(
            f"No Dask scheduler answers at '{address}' ({error}); expected an address such as "
            "tcp://host:8786."
        ) from error
    with client:
        _check_has_workers(client, address)
        with client.get_executor() as executor:
            yield executor


def _check_has_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_DASK_WORKER_TIMEOUT_SECONDS)
    except (asyncio.TimeoutError, TimeoutError, OSError) as error:
        raise UserError(
            f"The Dask scheduler at '{address}' has no workers after "
            f"{_DASK_WORKER_TIMEOUT_SECONDS} seconds; start some with: dask worker {address}"
        ) from error


def _cancel_all(futures: Sequence[concurrent.futures.Future[Any]]) -> None:
    for future in futures:
        future.cancel()
