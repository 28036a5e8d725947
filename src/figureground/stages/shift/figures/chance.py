"""Random numbers for drawing: drawn from one stream in blocks, since a picture takes hundreds of single ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_BLOCK = 256


class Chance:
    """A stream of random numbers that depends on `key` alone.

    Args:
        key: whole numbers from 0 on, such as (seed, split, number).
    """

    def __init__(self, key: Sequence[int]) -> None:
        self._rng = np.random.default_rng(tuple(key))
        self._left: list[float] = []

    def share(self) -> float:
        """Uniform in [0, 1)."""
        if not self._left:
            self._left = self._rng.random(_BLOCK).tolist()
        return self._left.pop()

    def between(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self.share()

    def whole(self, end: int) -> int:
        """Uniform in 0, 1, ... end - 1."""
        return int(self.share() * end)

    def one_of(self, values: Sequence[T]) -> T:
        """One of some values, each as likely."""
        return values[self.whole(len(values))]

    def sign(self) -> float:
        """-1 or 1."""
        return -1.0 if self.share() < 0.5 else 1.0
