"""The executor port: maps a worker over batches, here or in worker processes, so that a stage never knows where it runs."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.context import BaseContext
from typing import Any, Protocol, TypeVar

from figureground.core.environment import take_environment
from figureground.core.errors import InputError, StateError
from figureground.core.registry import Registry

Batch = TypeVar("Batch")
Result = TypeVar("Result")

FORKED = "forkserver"

ENGINES = Registry(
    "engine",
    group="figureground.engines",
    builtin={
        "local": "figureground.runs.executor:local_executor",
        "ray": "figureground.runs.ray_executor:ray_executor",
    },
)
"""Names behind `--engine`; an engine is a callable `(address: str, workers: int | None, *, accelerator: bool) -> Executor`."""


class Executor(Protocol):
    """Maps batches to results. A worker is built once per process by `make_worker`, which must be picklable."""

    @property
    def workers(self) -> int:
        """How many batches are worked on at a time."""
        ...

    @property
    def apart(self) -> bool:
        """True where workers are built in other processes, so that what is open here does not reach them."""
        ...

    def map_batches(self, make_worker: Callable[[], Callable[[Batch], Result]], batches: Iterable[Batch]) -> Iterator[Result]:
        """Results in the order of the batches; `batches` is consumed lazily, with bounded look-ahead."""
        ...


class LocalExecutor:
    """Runs in this process with one worker, in `workers` processes with more.

    Args:
        workers: number of worker processes; 0 or 1 = this process. Each worker computes with one thread, so that they do not
            stand in one another's way.
    """

    def __init__(self, workers: int = 1) -> None:
        self._workers = max(1, workers)

    @property
    def workers(self) -> int:
        """How many batches are worked on at a time."""
        return self._workers

    @property
    def apart(self) -> bool:
        """True with more than one worker."""
        return self._workers > 1

    def map_batches(self, make_worker: Callable[[], Callable[[Batch], Result]], batches: Iterable[Batch]) -> Iterator[Result]:
        """Results in the order of the batches; an error of a worker is raised here unchanged."""
        if self._workers == 1:
            yield from map(make_worker(), batches)
            return
        others = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(
            self._workers, mp_context=_context(), initializer=_build_worker, initargs=(pickle.dumps(make_worker), dict(os.environ))
        )
        try:
            yield from _in_order(pool, batches, ahead=2 * self._workers)
        except BrokenProcessPool as error:
            raise StateError(
                "a worker process died (killed from outside, or out of memory). What is finished is kept: run the same command again, "
                "with fewer --workers where memory is short"
            ) from error
        except BaseException:  # nobody waits for what is under way any more
            _end_workers(pool, lambda: set(multiprocessing.active_children()) - others)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def prepare_workers(modules: Sequence[str], *, engine: str = "local", workers: int | None = None) -> None:
    """Starts the process that local workers are forked from, where there will be some, and lets it import `modules` meanwhile.

    Worth a second or so a run when called before anything else is imported: workers then begin with everything they need. The first call
    of a program counts; without any, or where processes cannot be forked, each worker imports for itself.
    """
    if (
        engine == "local"
        and (available_cores() if workers is None else workers) > 1
        and (context := _context()).get_start_method() == FORKED
    ):
        from multiprocessing import forkserver  # not there on every system

        context.set_forkserver_preload(["figureground.runs.nursery", *modules])
        forkserver.ensure_running()


def _context() -> BaseContext:
    return multiprocessing.get_context(FORKED if FORKED in multiprocessing.get_all_start_methods() else "spawn")


def local_executor(address: str, workers: int | None, *, accelerator: bool = False) -> Executor:
    """The engine `local`; it has no address, and its workers share the accelerators of this machine."""
    del accelerator
    if address:
        raise InputError(f"engine 'local' takes no address; got '{address}'")
    return LocalExecutor(available_cores() if workers is None else workers)


def open_executor(engine: str = "local", *, workers: int | None = None, accelerator: bool = False) -> Executor:
    """The executor of an engine.

    Args:
        engine: `NAME[:ADDRESS]`.
        workers: how many; None = as many as there is room for: one per available core, on a cluster one per core or accelerator of it.
        accelerator: each worker is to have an accelerator to itself, where the engine hands them out and has any.
    """
    name, _, address = engine.partition(":")
    return ENGINES.resolve(name)(address, workers, accelerator=accelerator)


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_workers(pool: ProcessPoolExecutor, workers: Callable[[], Iterable[multiprocessing.process.BaseProcess]]) -> None:
    """Interrupts the workers and waits for them to end; a second Ctrl-C meanwhile kills them, for the pool would wait for ever."""
    try:
        for process in workers():
            if process.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGINT)
        pool.shutdown(wait=True, cancel_futures=True)
    except KeyboardInterrupt:
        for process in workers():
            process.kill()


_worker: Callable[[Any], Any] | None = None
_busy = _stopped = False
"""In a worker process: whether a batch is under way, and whether no further one may begin."""


def _build_worker(pickled: bytes, environment: dict[str, str]) -> None:
    global _worker  # the one place where a worker process keeps its worker
    take_environment(environment)
    signal.signal(signal.SIGINT, _stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for library in ("OPENBLAS", "OMP", "MKL"):  # read when numpy is first imported, which unpickling does
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    _worker = pickle.loads(pickled)()


def _end_with_parent() -> None:
    """Ends this worker when the process that wanted its work is gone, however that ended."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _stop(signum: int, frame: Any) -> None:
    """Ends the batch under way and lets no other begin; once, for Ctrl-C reaches every process and the main one passes it on as well."""
    del signum, frame
    global _stopped
    if not _stopped:
        _stopped = True
        if _busy:
            raise KeyboardInterrupt


def _work(batch: Any) -> Any:
    global _busy
    assert _worker is not None
    _busy = True
    try:
        if _stopped:
            raise KeyboardInterrupt
        return _worker(batch)
    finally:
        _busy = False


def _in_order(pool: ProcessPoolExecutor, batches: Iterable[Any], *, ahead: int) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque()
    for batch in batches:
        waiting.append(pool.submit(_work, batch))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
