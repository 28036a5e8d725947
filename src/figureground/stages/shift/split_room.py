"""How many training samples the groups of a split allow, and what to say where they allow too few.

No group shrinks when the size of the training set grows, a class's own group does not when rho grows, and its others do not when rho falls.
So the largest size and the ends of the possible rhos are found by halving, with the very counts that a split is made of.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.stages.shift.plan import group_counts

_DIGITS = (4, 8, 12)
"""Decimals of a rho that is named: more only where no rho of fewer is possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The training samples there are."""

    classes: tuple[str, ...]
    contexts: tuple[str, ...]
    homes: Sequence[Sequence[int]]
    """For each class the numbers of its own contexts."""
    pool: np.ndarray
    """Samples of each group, int64 [classes, contexts]."""

    def counts(self, total: int, rhos: Sequence[float]) -> dict[float, np.ndarray]:
        """Samples of each group at each rho, int64 [classes, contexts]; a group too small for one raises `InputError`."""
        found = {rho: self._table(total, rho) for rho in rhos}
        for rho, table in found.items():
            if (table > self.pool).any():
                self._refuse(total, rho, table, rhos)
        return found

    def largest_even(self, rhos: Sequence[float]) -> int:
        """The largest size that every rho allows with equally many samples of each class; none at all raises `InputError`."""
        classes = len(self.classes)
        even = self.largest(rhos) // classes * classes
        if not even:
            self.counts(classes, rhos)
        return even

    def largest(self, rhos: Sequence[float]) -> int:
        """The largest size that every rho allows, some classes with one sample more; may be 0."""
        sizes = range(1, int(self.pool.sum()) + 1)
        return bisect_left(sizes, True, key=lambda total: any((self._table(total, rho) > self.pool).any() for rho in rhos))

    def exact(self, total: int, rhos: Sequence[float]) -> int:
        """The largest size up to `total` with equally many samples of each class that meets every rho exactly.

        0 where there is none within 200 samples of each class.
        """
        classes, own = len(self.classes), self._own

        def met(each: int) -> bool:
            tables = {rho: self._table(each * classes, rho) for rho in rhos}
            return all(np.allclose((table * own).sum(axis=1), rho * each, rtol=0, atol=1e-9) for rho, table in tables.items())

        most = total // classes
        return classes * next((each for each in range(most, max(0, most - 200), -1) if met(each)), 0)

    def span(self, total: int) -> str:
        """Which rhos this size allows, in words: `rho from 0.25 to 0.8`, its ends rounded to its inside, or `no rho`."""
        own = self._own
        for digits in _DIGITS:
            steps = 10**digits

            def lacks(step: int, groups: np.ndarray, steps: int = steps) -> bool:
                return bool((self._table(total, step / steps) > self.pool)[groups].any())

            low = bisect_left(range(steps), True, key=lambda step: not lacks(step, ~own))
            high = bisect_left(range(1, steps + 1), True, key=lambda step: lacks(step, own))
            if low <= high:
                return f"rho from {low / steps:.{digits}g} to {high / steps:.{digits}g}"
        return "no rho"

    @property
    def _own(self) -> np.ndarray:
        """Which groups are of a class in a context of its own: bool [classes, contexts]."""
        return np.array([[column in homes for column in range(self.pool.shape[1])] for homes in self.homes])

    def _table(self, total: int, rho: float) -> np.ndarray:
        per_class, more = divmod(total, len(self.classes))
        small, large = (group_counts(n, rho=rho, contexts=len(self.contexts), own=self.homes) for n in (per_class, per_class + 1))
        return np.concatenate([large[:more], small[more:]])

    def _refuse(self, total: int, rho: float, table: np.ndarray, rhos: Sequence[float]) -> None:
        short = table - self.pool
        row, column = np.unravel_index(int(short.argmax()), short.shape)
        more = int((short > 0).sum()) - 1
        asked = " and ".join(f"{r:g}" for r in rhos)
        beside = f" ({more} more group{'s are' if more > 1 else ' is'} too small)" if more else ""
        raise InputError(
            f"group {self.classes[row]}-{self.contexts[column]} is too small for rho = {rho:g} with {total} training samples: "
            f"{table[row, column]} are needed and it has {self.pool[row, column]} that are not in val or test{beside}. Possible with "
            f"{total} samples: {self.span(total)}; possible at rho = {asked}: at most {self.largest(rhos)} samples. Change --rho or "
            "--train, or make --val and --test smaller"
        )
