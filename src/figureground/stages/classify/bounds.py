"""Intervals of parts of pictures and of their differences, with a width also where no resample differs from another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from figureground.metrics.interval import exact_interval, percentile_interval

Bounds = tuple[float, float]
ROUNDING = 1e-12
UNKNOWN = (float("nan"), float("nan"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A part of pictures with what its interval is made of."""

    value: float
    replicates: np.ndarray
    """float64 [resamples]; NaN in a resample that drew none of the pictures."""
    clusters: int
    """Units that are drawn as a whole and have a picture among them."""


def bounds(part: Part, *, level: float) -> Bounds:
    """Percentile interval; where all answers are right, or all wrong, no resample differs and the exact bound of so many clusters."""
    if part.value in (0.0, 1.0) and part.clusters:
        return exact_interval(part.value, part.clusters, level=level)
    return between(part.replicates, level=level)


def difference_bounds(first: Part, second: Part, *, level: float) -> Bounds:
    """Percentile interval of the first part minus the second, drawn together.

    Where no resample differs from another, as when all of one are right and all of the other wrong, it is the widest difference that the
    two parts allow, whose intervals then hold at once.
    """
    low, high = between(first.replicates - second.replicates, level=level)
    if high - low > ROUNDING or np.isnan(low):
        return low, high
    a, b = (bounds(part, level=1 - (1 - level) / 2) for part in (first, second))
    return a[0] - b[1], a[1] - b[0]


def between(replicates: np.ndarray, *, level: float) -> Bounds:
    """Percentile interval."""
    found = percentile_interval(replicates, level=level)
    return float(found.low), float(found.high)
