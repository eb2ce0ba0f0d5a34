"""Who runs the points: this process, several local ones, or the workers of a Dask cluster."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from typing import Any, Protocol, cast

from neupims.errors import ConfigError
from neupims.request import JobSpec
from neupims.sweeps.store import Outcome

Task = Callable[[JobSpec], Outcome]
KILLED = "the process that ran it was killed; was there too little memory?"
TOO_LITTLE = "there was too little memory"
PASSING = (KILLED, TOO_LITTLE)
"""Errors that need not come again; they are not kept, so that a sweep that is resumed tries anew."""


class Executor(Protocol):
    """Runs a task on many specifications."""

    def __call__(self, task: Task, specs: Sequence[JobSpec]) -> Iterator[tuple[int, Outcome]]:
        """Place and outcome of each, in the order in which they are done."""
        ...


def in_turn(task: Task, specs: Sequence[JobSpec]) -> Iterator[tuple[int, Outcome]]:
    """One after the other in this process."""
    for place, spec in enumerate(specs):
        yield place, task(spec)


def local(processes: int) -> Executor:
    """So many processes of this machine; each has at most two points at a time."""

    def run(task: Task, specs: Sequence[JobSpec]) -> Iterator[tuple[int, Outcome]]:
        left = dict(enumerate(specs))
        while left:
            for place, outcome in _until_broken(task, left, processes):
                del left[place]
                yield place, outcome
            if left:
                yield from _suspects(task, left, 2 * processes)

    return in_turn if processes == 1 else run


def _until_broken(task: Task, left: dict[int, JobSpec], processes: int) -> Iterator[tuple[int, Outcome]]:
    """Outcomes until all are done, or a process has died."""
    waiting = iter(dict(left).items())
    with _pool(processes) as pool:
        running: dict[Future[Outcome], int] = {}
        while True:
            try:
                for place, spec in islice(waiting, 2 * processes - len(running)):
                    running[pool.submit(task, spec)] = place
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running[future], future.result()
                    del running[future]
            except BrokenProcessPool:
                return


def _suspects(task: Task, left: dict[int, JobSpec], count: int) -> Iterator[tuple[int, Outcome]]:
    """Those that may have killed a process, each alone; one that does so again has that as its error."""
    for place in list(left)[:count]:
        with _pool(1) as pool:
            try:
                outcome = pool.submit(task, left[place]).result()
            except BrokenProcessPool:
                outcome = Outcome(None, KILLED)
        del left[place]
        yield place, outcome


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """A worker does not outlive the process that it works for, even if that one is killed."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def dask(address: str | None, processes: int) -> Executor:
    """The workers of the cluster at `address`, or of one that is started here with so many processes.

    Raises:
        ConfigError: Dask is not installed, or no cluster answers.
    """
    try:
        from distributed import Client, KilledWorker, LocalCluster, as_completed
    except ImportError:
        raise ConfigError("--executor dask: needs Dask: pip install 'neupims[dask]'") from None

    def run(task: Task, specs: Sequence[JobSpec]) -> Iterator[tuple[int, Outcome]]:
        with _client(Client, LocalCluster, address, processes) as client:
            futures = {client.submit(task, spec, pure=False): place for place, spec in enumerate(specs)}
            for future in cast("Iterator[Any]", as_completed(futures)):
                killed = isinstance(future.exception(), KilledWorker)
                yield futures[future], Outcome(None, KILLED) if killed else future.result()

    return run


def _client(client: Any, cluster: Any, address: str | None, processes: int) -> Any:
    if address is None:
        return client(cluster(n_workers=processes, threads_per_worker=1, dashboard_address=None))
    try:
        return client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise ConfigError(f"--address {address}: no Dask scheduler answers: {error}") from None
