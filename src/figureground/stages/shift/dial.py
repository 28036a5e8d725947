"""A split whose classes are tied to contexts: how many samples each class has, and where each of them stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from figureground.stages.shift.plan import TOLERATED, at_home, context_order, dial_ranks, home_turns, other_turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """The samples of a tied split: number n is of class n modulo the number of classes, whatever rho; contexts follow `context_order`."""

    classes: int
    contexts: int
    homes: tuple[tuple[int, ...], ...]
    """For each class the numbers of the contexts it is tied to."""
    rho: float
    count: int
    """Samples in all."""
    seed: int
    stream: int = 0
    """Which ranks: splits of different streams move their samples independently."""

    def per_class(self, row: int) -> int:
        """Samples of a class: as many of each as can be, the first ones one more."""
        return self.count // self.classes + (row < self.count % self.classes)

    def group(self, number: int) -> tuple[int, int]:
        """Number of the class and of the context of a sample in [0, count)."""
        within, row = divmod(number, self.classes)
        return row, int(_order(self, row)[within])

    def ranks(self, row: int) -> np.ndarray:
        """int64 [per class]: when each sample of a class moves into its own context as rho grows."""
        return dial_ranks(self.per_class(row), row=row, seed=self.seed, stream=self.stream)

    def order(self, row: int) -> np.ndarray:
        """int64 [per class]: number of the context of each sample of a class."""
        count, homes = self.per_class(row), self.homes[row]
        return context_order(count, rho=self.rho, contexts=self.contexts, homes=homes, row=row, seed=self.seed, stream=self.stream)

    def own(self, row: int) -> list[int]:
        """Numbers of a class's own contexts, in the order of their turns."""
        return home_turns(self.homes[row], row)

    def others(self, row: int) -> list[int]:
        """Numbers of the other contexts, in the order of their turns."""
        return other_turns(self.homes[row], row, self.contexts)

    @property
    def reached(self) -> float:
        """The part of the samples that truly stands in a context of its class; NaN without any."""
        return sum(at_home(self.per_class(row), self.rho) for row in range(self.classes)) / self.count if self.count else float("nan")

    @property
    def missed(self) -> bool:
        """Whether whole samples give another rho than the one asked for."""
        return abs(self.reached - self.rho) > TOLERATED


@lru_cache(maxsize=64)
def _order(dial: Dial, row: int) -> np.ndarray:
    return dial.order(row).astype(np.int32)
