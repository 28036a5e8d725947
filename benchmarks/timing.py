"""Two or more ways to do one thing, timed side by side: warmed up, taking turns, so that a machine which slows down slows them all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """Time of one call in each round."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    """Of this process, all its threads; empty where the work is done in other processes."""

    @property
    def best(self) -> float:
        return min(self.wall)

    @property
    def median(self) -> float:
        return statistics.median(self.wall)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times longer one side takes than the other."""

    median: float
    """Median of the ratios of the rounds: what the machine was busy with in a round, both sides met."""
    best: float
    """Shortest time of one side over the shortest of the other."""
    cpu: float | None
    """Median of the ratios of processor time, which other programs on the machine disturb less; None where it is not known."""


def take_turns(sides: Mapping[str, Callable[[], object]], *, rounds: int, least_s: float) -> dict[str, Seconds]:
    """Seconds per call of each side over some rounds.

    Every side runs once to warm up (compiling, caches), is then called as often as it takes to fill `least_s`, and after that takes its
    turn in every round with that number of calls.
    """
    calls = {name: _calls(call, least_s) for name, call in sides.items()}
    wall: dict[str, list[float]] = {name: [] for name in sides}
    cpu: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, call in sides.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            for _ in range(calls[name]):
                call()
            wall[name].append((time.perf_counter() - start) / calls[name])
            cpu[name].append((time.process_time() - start_cpu) / calls[name])
    return {name: Seconds(wall=tuple(wall[name]), cpu=tuple(cpu[name])) for name in sides}


def ratio(long: Seconds, short: Seconds) -> Ratio:
    """How many times `long` takes as long as `short`."""
    rounds = [a / b for a, b in zip(long.wall, short.wall, strict=True)]
    cpu = [a / b for a, b in zip(long.cpu, short.cpu, strict=True) if b > 0]
    return Ratio(median=statistics.median(rounds), best=long.best / short.best, cpu=statistics.median(cpu) if cpu else None)


def _calls(call: Callable[[], object], least_s: float) -> int:
    call()
    start = time.perf_counter()
    call()
    return max(1, round(least_s / max(time.perf_counter() - start, 1e-9)))
