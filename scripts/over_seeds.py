"""A figure over the seeds of an experiment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit


@dataclass(frozen=True, slots=True)
class Over:
    """A figure over seeds: their mean, and its 95 % interval by Student's t."""

    value: float
    low: float
    high: float

    def points(self) -> str:
        """Such as `40.4 (35.1 to 45.7)`, in percent."""
        return f"{100 * self.value:.1f} ({100 * self.low:.1f} to {100 * self.high:.1f})"

    def change(self) -> str:
        """The same with a sign, in points."""
        return f"{100 * self.value:+.1f} ({100 * self.low:+.1f} to {100 * self.high:+.1f})"

    def verdict(self, *, more: str, less: str) -> str:
        """What a change says, where its interval does not hold 0."""
        return more if self.low > 0 else less if self.high < 0 else "no difference beyond chance"

    def plain(self) -> dict[str, float]:
        """As it stands in the JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


def over(values: Iterable[float | None]) -> Over | None:
    """Of one value a seed; None where a seed has none."""
    found = [np.nan if value is None else float(value) for value in values]
    if not found or np.isnan(found).any():
        return None
    mean, count = float(np.mean(found)), len(found)
    half = float(stdtrit(count - 1, 0.975)) * float(np.std(found, ddof=1)) / np.sqrt(count) if count > 1 else np.nan
    return Over(mean, mean - half, mean + half)
