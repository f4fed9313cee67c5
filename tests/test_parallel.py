from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from metrabs import parallel
from metrabs.errors import UserError
from metrabs.parallel import results_as_completed


def square(number: int) -> int:
    return number * number


def fail(number: int) -> int:
    raise ValueError(f"task {number}")


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_every_task_has_a_result(num_workers):
    assert sorted(results_as_completed(square, range(5), num_workers)) == [0, 1, 4, 9, 16]


def test_no_tasks_need_no_process():
    assert list(results_as_completed(square, [], 8)) == []


def test_errors_of_tasks_reach_the_caller():
    with pytest.raises(ValueError, match="task"):
        list(results_as_completed(fail, [1, 2, 3], 2))


def test_a_process_that_dies_is_explained():
    with pytest.raises(UserError, match="worker process died.*fewer"):
        list(results_as_completed(die, [1, 2, 3], 2))


def report_and_wait(folder: str) -> None:
    pathlib.Path(folder, str(os.getpid())).touch()
    time.sleep(60)


_PARENT = """
import sys
from metrabs.parallel import results_as_completed
from tests.test_parallel import report_and_wait
if __name__ == "__main__":
    list(results_as_completed(report_and_wait, [sys.argv[1]] * 2, 2))
"""


def _wait_until(is_true: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_true()


def test_processes_end_with_their_parent(tmp_path):
    script, folder = tmp_path / "parent.py", tmp_path / "processes"
    script.write_text(_PARENT)
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, script, folder], env=environment) as parent:
        try:
            assert _wait_until(lambda: len(list(folder.iterdir())) == 2)
        finally:
            parent.kill()
    workers = [int(path.name) for path in folder.iterdir()]
    assert _wait_until(lambda: not any(_is_running(worker) for worker in workers))


def _is_running(process: int) -> bool:
    try:
        status = pathlib.Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_dask_cluster_can_do_the_tasks():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        assert sorted(results_as_completed(square, range(4), 0, address)) == [0, 1, 4, 9]
        with pytest.raises(ValueError, match="task"):
            list(results_as_completed(fail, [1, 2], 0, address))


def test_a_dask_cluster_that_does_not_answer_is_explained():
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        with pytest.raises(UserError, match="No Dask scheduler answers at 'tcp://127.0.0.1:1'"):
            list(results_as_completed(square, [1], 0, "tcp://127.0.0.1:1"))


def test_a_dask_cluster_without_workers_is_explained(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(parallel, "_DASK_WORKER_TIMEOUT_SECONDS", 0.2)
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        with pytest.raises(UserError, match="has no workers after 0.2 seconds"):
            list(results_as_completed(square, [1], 0, cluster.scheduler_address))


_SCHEDULER = """
import asyncio, sys
from distributed import Scheduler, Worker

async def serve():
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address=None) as scheduler:
        async with Worker(scheduler.address, nthreads=1):
            print(scheduler.address, flush=True)
            await asyncio.sleep(60)

asyncio.run(serve())
"""


@pytest.mark.slow
def test_a_dask_scheduler_that_is_lost_is_explained():
    pytest.importorskip("distributed")
    with subprocess.Popen([sys.executable, "-c", _SCHEDULER], stdout=subprocess.PIPE) as server:
        try:
            address = server.stdout.readline().decode().strip()
            tasks = [0.0, 60.0]
            with pytest.raises(UserError, match="Dask scheduler at 'tcp.*lost"):
                for _ in results_as_completed(time.sleep, tasks, 0, address):
                    server.kill()
        finally:
            server.kill()
