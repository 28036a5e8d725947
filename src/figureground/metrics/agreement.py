"""Agreement of people who rate the same things: Krippendorff's alpha, rank correlation, bias, and whether one says the same twice.

Ratings are float64 [raters, items], NaN where somebody did not rate something.

Sources: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability; Spearman 1904 with average ranks for ties.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
from scipy.special import stdtrit

from figureground.core.errors import InputError

Level = Literal["nominal", "ordinal", "interval"]
LEAST_SHARED = 3
"""Items that two raters need in common for a rank correlation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """How much higher than the others one rater rates."""

    mean: float
    """Mean over shared items of his rating minus the mean of the others; NaN without a shared item."""
    low: float
    """Low end of the 95 % interval of that mean, by Student's t over the items; NaN below two shared items."""
    high: float
    items: int
    """Items that he and somebody else rated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatAgreement:
    """How well a rater says the same thing twice, or says what is known."""

    items: int
    """Items with both ratings."""
    equal: float
    """Part of them rated equally, in [0, 1]; NaN without one."""
    difference: float
    """Mean absolute difference of those on the scale, in its steps; NaN without one."""


def krippendorff_alpha(ratings: np.ndarray, *, level: Level = "ordinal") -> float:
    """Krippendorff's alpha: 1 - observed over expected disagreement of pairs of ratings of one item.

    1 = they always agree, 0 = no better than by chance, below 0 = worse than that. Raters may be many and may leave items out.

    Args:
        ratings: float64 [raters, items], NaN = not rated. Items with fewer than two ratings are left out.
        level: the distance of two ratings. `nominal`: 0 or 1; `ordinal`: how many ratings lie between them; `interval`: their difference,
            squared.

    Returns:
        Alpha, at most 1. NaN where no item has two ratings, or all of them are the same value: then no disagreement can be expected.

    Raises:
        InputError: another shape or level.

    Source: Krippendorff 2011, section E.

    >>> round(krippendorff_alpha(np.array([[1.0, 2, 3, 4], [1, 2, 3, 3]]), level="nominal"), 4)
    0.6957
    """
    ratings = _checked(ratings)
    if level not in get_args(Level):
        raise InputError(f"`level` must be one of {', '.join(get_args(Level))}; got '{level}'")
    counts, values = _counts(ratings)
    per_item = counts.sum(1, keepdims=True)
    # Each item's ordered pairs, weighted so that every rating counts once.
    coincidence = counts.T @ (counts / (per_item - 1)) - np.diag((counts / (per_item - 1)).sum(0))
    margin = counts.sum(0)
    distance = _distance(margin, values, level)
    expected = float(margin @ distance @ margin)
    if expected == 0:
        return math.nan
    return 1 - (float(margin.sum()) - 1) * float((coincidence * distance).sum()) / expected


def pairwise_spearman(ratings: np.ndarray) -> float:
    """Mean of Spearman's rank correlation over all pairs of raters who share at least three items.

    Ties get their average rank. A pair of whom one rates all the shared items alike has no correlation and is left out.

    Args:
        ratings: float64 [raters, items], NaN = not rated.

    Returns:
        The mean, in [-1, 1]; NaN where no pair is left.

    >>> pairwise_spearman(np.array([[1.0, 2, 3, 5], [2, 3, 4, 5], [5, 4, 3, 1]])).__round__(4)
    -0.3333
    """
    found = []
    for one, other in combinations(_checked(ratings), 2):
        shared = ~np.isnan(one) & ~np.isnan(other)
        if shared.sum() >= LEAST_SHARED and np.ptp(one[shared]) > 0 and np.ptp(other[shared]) > 0:
            found.append(float(np.corrcoef(_ranks(one[shared]), _ranks(other[shared]))[0, 1]))
    return float(np.mean(found)) if found else math.nan


def rater_bias(ratings: np.ndarray) -> list[Bias]:
    """How much higher or lower each rater rates than the others do, on what both rated.

    Args:
        ratings: float64 [raters, items], NaN = not rated.

    Returns:
        One for each rater, in their order.

    >>> rater_bias(np.array([[3.0, 5], [2, 4], [2, 2]]))[0].mean
    1.5
    """
    ratings = _checked(ratings)
    known = ~np.isnan(ratings)
    total, count = np.where(known, ratings, 0).sum(0), known.sum(0)
    found = []
    for mine, rated in zip(ratings, known, strict=True):
        shared = rated & (count > 1)
        found.append(_bias(mine[shared] - (total[shared] - mine[shared]) / (count[shared] - 1)))
    return found


def repeat_agreement(first: np.ndarray, second: np.ndarray) -> RepeatAgreement:
    """How a rater's second ratings, or the known ones, compare with the first; items without both are left out.

    Args:
        first: float64 [items], NaN = none, inf = off the scale, such as out of domain: equal to another inf, and without a difference.
        second: float64 [items], likewise.

    Raises:
        InputError: other shapes.

    >>> repeat_agreement(np.array([1.0, 2, 3, np.nan]), np.array([1.0, 3, 3, 4]))
    RepeatAgreement(items=3, equal=0.6666666666666666, difference=0.3333333333333333)
    """
    if first.ndim != 1 or first.shape != second.shape:
        raise InputError(f"`first` and `second` must be float64 [items]; got {list(first.shape)} and {list(second.shape)}")
    both = ~np.isnan(first) & ~np.isnan(second)
    on_scale = both & np.isfinite(first) & np.isfinite(second)
    items = int(both.sum())
    equal = float((first == second)[both].mean()) if items else math.nan
    difference = float(np.abs(first[on_scale] - second[on_scale]).mean()) if on_scale.any() else math.nan
    return RepeatAgreement(items=items, equal=equal, difference=difference)


def mean_opinion(scores: Sequence[int], *, lowest: int = 1, highest: int = 5) -> tuple[float, float, float, float]:
    """Mean, standard deviation, and ends of the 95 % interval of the mean of one item's scores, by Student's t, within the scale.

    Args:
        scores: of one item; none = all NaN, one = a mean alone.
        lowest: end of the scale.
        highest: the other end.

    >>> [round(number, 2) for number in mean_opinion([2, 3, 4])]
    [3.0, 1.0, 1.0, 5.0]
    """
    given = np.array(scores, np.float64)
    mean = float(given.mean()) if given.size else math.nan
    if given.size < 2:
        return mean, math.nan, math.nan, math.nan
    sd = float(given.std(ddof=1))
    half = float(stdtrit(given.size - 1, 0.975)) * sd / math.sqrt(given.size)
    return mean, sd, max(mean - half, float(lowest)), min(mean + half, float(highest))


def _checked(ratings: np.ndarray) -> np.ndarray:
    if ratings.ndim != 2 or ratings.dtype.kind != "f" or np.isinf(ratings).any():
        raise InputError(f"`ratings` must be float64 [raters, items], finite or NaN; got {ratings.dtype} {list(ratings.shape)}")
    return ratings


def _counts(ratings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How often each value was given to each item that has two ratings: float64 [items, values]; and the values, ascending."""
    raters, items = np.nonzero(~np.isnan(ratings))
    values, which = np.unique(ratings[raters, items], return_inverse=True)
    counts = np.zeros((ratings.shape[1], values.size))
    np.add.at(counts, (items, which), 1)
    counts = counts[counts.sum(1) > 1]
    used = counts.any(0)
    return counts[:, used], values[used]


def _distance(margin: np.ndarray, values: np.ndarray, level: Level) -> np.ndarray:
    """Squared distance of each pair of values."""
    if level == "nominal":
        return 1 - np.eye(values.size)
    at = np.cumsum(margin) - margin / 2 if level == "ordinal" else values  # ordinal: the middle of a value's own ratings
    return (at[:, None] - at[None, :]) ** 2


def _bias(differences: np.ndarray) -> Bias:
    items = differences.size
    mean = float(differences.mean()) if items else math.nan
    if items < 2:
        return Bias(mean=mean, low=math.nan, high=math.nan, items=items)
    half = float(stdtrit(items - 1, 0.975)) * float(differences.std(ddof=1)) / math.sqrt(items)
    return Bias(mean=mean, low=mean - half, high=mean + half, items=items)


def _ranks(values: np.ndarray) -> np.ndarray:
    """float64 [values]: ranks from 1, ties with the mean of the ranks they take; infinity is a value like others."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
