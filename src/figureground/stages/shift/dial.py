"""A split whose classes are tied to contexts: how many samples each class has, and where each of them stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from figureground.stages.shift.plan import TOLERATED, context_order, dial_ranks, group_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """The samples of a tied split: number n is of class n modulo the number of classes, whatever rho; contexts follow `context_order`."""

    classes: int
    contexts: int
    homes: tuple[int, ...]
    """Number of the context that each class is tied to."""
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
        count, home = self.per_class(row), self.homes[row]
        return context_order(count, rho=self.rho, contexts=self.contexts, home=home, row=row, seed=self.seed, stream=self.stream)

    @property
    def reached(self) -> float:
        """The part of the samples that truly stands in the context of its class; NaN without any."""
        if not self.count:
            return float("nan")
        tables = (
            group_counts(self.per_class(row), rho=self.rho, contexts=self.contexts, own=[home])[0, home]
            for row, home in enumerate(self.homes)
        )
        return float(sum(tables) / self.count)

    @property
    def missed(self) -> bool:
        """Whether whole samples give another rho than the one asked for."""
        return abs(self.reached - self.rho) > TOLERATED


@lru_cache(maxsize=64)
def _order(dial: Dial, row: int) -> np.ndarray:
    return dial.order(row).astype(np.int32)
