"""The executor on a Ray cluster: one actor a worker, each built once, and a node that dies costs only what it was working on."""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from figureground.core.errors import FiguregroundError, InputError, MissingExtra, StateError
from figureground.runs.executor import Executor

try:
    import ray
    from ray.exceptions import ObjectLostError, RayActorError, RayTaskError
except ImportError as error:
    raise MissingExtra("ray", extra="ray", needed_for="the engine 'ray'") from error

Batch = TypeVar("Batch")
Result = TypeVar("Result")

KNOCK_S = 10
"""How long a cluster may take to answer at all."""


class RayExecutor:
    """Maps batches over actors of a Ray cluster.

    Args:
        address: of a running cluster, such as `auto` or `ray://host:10001`; empty = the cluster this process is connected to, else the
            one that RAY_ADDRESS names, else one started here for as long as the process lives.
        workers: number of actors, each with one core; None = as many as the cluster has room for when the work begins. Those that find no
            room wait, and start work when a node joins.
        accelerator: each actor has a GPU to itself, unless the cluster has none.

    What a worker reads must be reachable from every node, for example on a shared disk or by fsspec URLs.
    """

    def __init__(self, address: str = "", workers: int | None = 1, *, accelerator: bool = False) -> None:
        self._address, self._asked, self._accelerator = address, workers, accelerator

    @property
    def workers(self) -> int:
        """How many batches are worked on at a time; connects to the cluster where it depends on that."""
        if self._asked is not None:
            return max(1, self._asked)
        self.connect()
        return max(1, int(ray.cluster_resources().get("GPU" if self._gpus() else "CPU", 1)))

    @property
    def apart(self) -> bool:
        """Always: even a single actor is another process, on any node."""
        return True

    def map_batches(self, make_worker: Callable[[], Callable[[Batch], Result]], batches: Iterable[Batch]) -> Iterator[Result]:
        """Results in the order of the batches; an error of a worker is raised here unchanged."""
        self.connect()
        payload = ray.put(pickle.dumps(make_worker))
        actor = ray.remote(num_cpus=1, num_gpus=self._gpus())(_Worker)
        actors = [actor.remote(payload, str(Path.cwd())) for _ in range(self.workers)]
        try:
            yield from _Dispatch(actors).results(batches)
        finally:
            for actor in actors:
                ray.kill(actor)  # pyright: ignore[reportArgumentType] - a proxy is a handle

    def _gpus(self) -> int:
        return int(self._accelerator and ray.cluster_resources().get("GPU", 0) >= 1)

    def connect(self) -> None:
        """Connects to the cluster, where this process is not connected to one.

        Raises:
            InputError: nobody answers at the address that is given.
            StateError: no cluster can be started here.
        """
        if ray.is_initialized():
            return
        address = self._address or os.environ.get("RAY_ADDRESS", "")
        try:
            _knock(address)
            ray.init(
                address=address or "local",
                num_cpus=None if address else self._asked,
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (OSError, RuntimeError, ValueError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            if not address:
                raise StateError(f"no Ray cluster can be started here ({said}). Run with --engine local") from error
            given = f"--engine ray:{address}" if self._address else f"RAY_ADDRESS={address}"
            raise InputError(
                f"{given}: no Ray cluster answers at '{address}' ({said}). Correct the address, or start a cluster there with "
                "`ray start --head`"
            ) from error


def ray_executor(address: str, workers: int | None, *, accelerator: bool = False) -> Executor:
    """The engine `ray[:ADDRESS]`. Where there is an address it is asked now, so that a wrong one is told before anything is begun."""
    executor = RayExecutor(address, workers, accelerator=accelerator)
    if address or os.environ.get("RAY_ADDRESS"):
        executor.connect()
    return executor


class _Worker:
    """Holds the worker of one actor."""

    def __init__(self, payload: bytes, folder: str) -> None:
        with suppress(OSError):  # a node that has the folder takes relative paths as the process does that started the run
            os.chdir(folder)
        self._work = pickle.loads(payload)()

    def ready(self) -> None:
        """Returns when the worker is built."""

    def run(self, batch: Any) -> Any:
        return self._work(batch)


def _knock(address: str) -> None:
    """Raises `OSError` where nobody listens at `host:port` or `ray://host:port`: Ray itself asks for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S).close()


class _Dispatch:
    """Hands batches to the actors that are up, takes back those of an actor that died, and gives results in order.

    An actor gets work only once it has answered, so that more actors than the cluster has room for do no harm. Under way or waiting for
    their turn are at most four batches an actor.
    """

    def __init__(self, actors: Sequence[Any]) -> None:
        self._actors = actors
        self._starting = {actor.ready.remote(): place for place, actor in enumerate(actors)}
        self._load: dict[int, int] = {}
        """Batches under way of each actor that is up."""
        self._busy: dict[Any, tuple[int, int, Any]] = {}
        """Reference -> actor, number of the batch, batch."""
        self._again: deque[tuple[int, Any]] = deque()
        self._done: dict[int, Any] = {}

    def results(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The results, in order."""
        source, given, turn = enumerate(batches), 0, 0
        more = True
        while True:
            while more and not self._again and given - turn < 4 * len(self._actors) and (place := self._free()) is not None:
                if (following := next(source, None)) is None:
                    more = False
                else:
                    self._give(place, *following)
                    given += 1
            while self._again and (place := self._free()) is not None:
                self._give(place, *self._again.popleft())
            if not more and not self._busy and not self._again:
                return
            self._settle()
            while turn in self._done:
                yield self._done.pop(turn)
                turn += 1

    def _free(self) -> int | None:
        place = min(self._load, key=lambda one: self._load[one], default=None)
        return place if place is not None and self._load[place] < 2 else None

    def _give(self, place: int, number: int, batch: Any) -> None:
        self._busy[self._actors[place].run.remote(batch)] = (place, number, batch)
        self._load[place] += 1

    def _settle(self) -> None:
        """Waits until an actor is up, or a batch is done or lost."""
        if not self._busy and not self._starting:
            raise StateError("every worker of the Ray cluster is gone. What is finished is kept: run the same command again")
        done, _ = ray.wait([*self._starting, *self._busy], num_returns=1)
        for reference in done:
            place, number, batch = self._busy.pop(reference, (self._starting.pop(reference, -1), -1, None))
            try:
                value = ray.get(reference)
            except RayTaskError as error:
                raise _own(error) from None
            except ObjectLostError:  # the result was made, but its node died before it came here
                self._again.append((number, batch))
                if place in self._load:
                    self._load[place] -= 1
                continue
            except RayActorError as error:
                if number < 0 and "creation task" in str(error):
                    raise _own(error) from None
                self._load.pop(place, None)
                if number >= 0:
                    self._again.append((number, batch))
                continue
            if number < 0:
                self._load[place] = 0
            else:
                self._done[number] = value
                if place in self._load:
                    self._load[place] -= 1


def _own(error: BaseException) -> BaseException:
    """What a worker raised, where it is one of ours; else the error as Ray tells it."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, FiguregroundError) else error
