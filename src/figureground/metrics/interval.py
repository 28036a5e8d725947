"""Intervals from replicates of a statistic: percentile, BCa, and for all groups at once.

The replicates are those of `resample.py`: one statistic per resample, the same resamples for all groups and predictions.

Sources: Efron & Tibshirani 1993 (percentile, BCa); max-t simultaneous intervals as in Romano & Wolf 2005; Clopper & Pearson 1934 (exact).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interval:
    """Ends of intervals, in the unit of the statistic; NaN where no replicate is known."""

    low: np.ndarray
    """float64 [...]."""
    high: np.ndarray
    """float64 [...]."""
    used: np.ndarray
    """int64 [...], replicates that had a value; the others, in which a group was not drawn, are left out."""


def percentile_interval(replicates: np.ndarray, *, level: float = 0.95) -> Interval:
    """The middle part of the replicates: quantiles (1 - level) / 2 and (1 + level) / 2, linear between order statistics.

    Args:
        replicates: float64 [..., resamples]; NaN ones are left out and counted.
        level: coverage aimed at, in (0, 1).

    Returns:
        Interval of shape [...]. With one sample, or without any variance, its width is 0: it cannot speak of what was not sampled. Of a
        part of samples `exact_interval` does.

    Raises:
        InputError: a level outside (0, 1).
    """
    tail = _tail(level)
    ordered, used = _ordered(replicates)
    return Interval(low=_quantile(ordered, used, tail), high=_quantile(ordered, used, 1 - tail), used=used)


def interval_over_runs(values: np.ndarray, replicates: np.ndarray, *, level: float = 0.95) -> Interval:
    """Interval of the mean over a few runs, such as trainings from different seeds, all measured on the same samples.

    The samples vary as their resamples say. The runs are too few to be drawn with replacement: three would cover 74 % where 95 % is meant.
    So each resample's mean is moved by a draw from Student's t with runs - 1 degrees of freedom, times the standard error of the mean over
    the runs; the draws are equally likely quantiles of t in a random order.

    Args:
        values: float64 [runs, ...], the statistic of each run on all samples.
        replicates: float64 [runs, resamples, ...]; one resample draws the same samples for every run.
        level: coverage aimed at, in (0, 1).

    Returns:
        Interval of shape [...]. One run: that of its samples alone. NaN without resamples, and where a run's value is NaN.

    Raises:
        InputError: a level outside (0, 1).
    """
    from scipy.special import stdtrit  # slow to import and needed here only

    runs, resamples = replicates.shape[:2]
    if not resamples:
        unknown = np.full(values.shape[1:], np.nan)
        return Interval(low=unknown, high=unknown, used=np.zeros(values.shape[1:], np.int64))
    moved = replicates.mean(axis=0)
    if runs > 1:
        likely = stdtrit(runs - 1, (np.random.default_rng(0).permutation(resamples) + 0.5) / resamples)
        error = values.std(axis=0, ddof=1) / np.sqrt(runs)
        moved = moved + np.multiply.outer(likely, error)
    known = np.where(np.isnan(values).any(axis=0), np.nan, moved)
    return percentile_interval(np.moveaxis(known, 0, -1), level=level)


def bca_interval(estimate: np.ndarray, replicates: np.ndarray, jackknife: np.ndarray, *, level: float = 0.95) -> Interval:
    """Bias-corrected and accelerated interval: quantiles moved by the replicates' bias and the statistic's skewness.

    Args:
        estimate: float64 [...], the statistic on the samples as they are.
        replicates: float64 [..., resamples]; NaN ones are left out and counted.
        jackknife: float64 [..., units], the statistic with one unit left out (from `leave_one_out_sums`); NaN ones are left out.
        level: coverage aimed at, in (0, 1).

    Returns:
        Interval of shape [...]. Replicates equal to the estimate count half below. Where all lie on one side the part below is taken as
        half a replicate, so the ends stay finite. Without variance the width is 0; a NaN estimate gives NaN.

    Raises:
        InputError: a level outside (0, 1).

    Source: Efron 1987, equations 2.3 and 6.6 (acceleration from the jackknife).
    """
    from scipy.special import ndtr, ndtri  # slow to import and needed here only

    tail = _tail(level)
    estimate = np.asarray(estimate, dtype=np.float64)
    ordered, used = _ordered(replicates)
    at = estimate[..., None]
    below = (ordered < at).sum(-1) + 0.5 * (ordered == at).sum(-1)
    count = np.maximum(used, 1)
    bias = ndtri(np.clip(below / count, 0.5 / count, 1 - 0.5 / count))
    acceleration = _acceleration(np.asarray(jackknife, dtype=np.float64))

    def end(probability: float) -> np.ndarray:
        shifted = bias + ndtri(probability)
        scale = 1 - acceleration * shifted
        moved = np.where(scale > 0, bias + shifted / np.where(scale > 0, scale, 1), np.sign(shifted) * np.inf)
        return np.where(np.isnan(estimate), np.nan, _quantile(ordered, used, ndtr(moved)))

    return Interval(low=end(tail), high=end(1 - tail), used=used)


def simultaneous_intervals(
    estimates: np.ndarray, replicates: np.ndarray, *, level: float = 0.95, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> Interval:
    """Intervals that hold for all groups at once: estimate -+ c * standard error with one c, the level-quantile of the largest |t|.

    Args:
        estimates: float64 [groups]; a NaN group gets NaN ends and does not widen the others.
        replicates: float64 [groups, resamples] of one `bootstrap_sums` call; NaN ones are left out of their resample.
        level: probability aimed at that every interval holds, in (0, 1).
        bounds: ends are cut to these, for example (0, 1) for a rate.

    Returns:
        Interval of shape [groups]. A group without variance gets width 0 and does not widen the others.

    Raises:
        InputError: a level outside (0, 1).

    Source: max-t, as in Romano & Wolf 2005.
    """
    _tail(level)
    estimates, replicates = np.asarray(estimates, dtype=np.float64), np.asarray(replicates, dtype=np.float64)
    known = np.isfinite(replicates) & np.isfinite(estimates)[:, None]
    used = known.sum(1)
    away = np.where(known, replicates - estimates[:, None], 0.0)
    mean = away.sum(1) / np.maximum(used, 1)
    spread = np.where(known, away - mean[:, None], 0.0)
    error = np.sqrt((spread**2).sum(1) / np.maximum(used - 1, 1))
    steady = error > 1e-12 * np.maximum(1.0, np.abs(np.where(np.isnan(estimates), 0.0, estimates)))
    t = np.abs(away[steady]) / error[steady, None]
    largest = np.where(known[steady].any(0), t.max(0, initial=0.0), np.nan)
    ordered, n = _ordered(largest)
    reach = np.where(steady, _quantile(ordered, n, level) * np.where(steady, error, 0.0), 0.0) if steady.any() else np.zeros_like(error)
    low, high = np.clip(estimates - reach, *bounds), np.clip(estimates + reach, *bounds)
    return Interval(low=low, high=high, used=used)


def worst_group_interval(intervals: Interval) -> tuple[float, float]:
    """Interval for the largest of the groups' true values: (largest low, largest high) of simultaneous intervals.

    Where all groups' intervals hold, so does this one, whichever group is the worst. NaN groups are left out; (NaN, NaN) without any.
    """
    low, high = intervals.low[~np.isnan(intervals.low)], intervals.high[~np.isnan(intervals.high)]
    return (float(low.max()), float(high.max())) if low.size else (float("nan"), float("nan"))


def exact_interval(part: float, count: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a part of `count` units (Clopper and Pearson 1934), for where no resample differs from another: 0 of 10 is not never.

    Of units that have rates in [0, 1], and not only 0 or 1, their mean varies less than such a part does, so it holds for them too.

    Args:
        part: in [0, 1].
        count: units; 0 = nothing is known, and the interval is (0, 1).
        level: coverage aimed at, in (0, 1).

    >>> [round(end, 4) for end in exact_interval(0.0, 10)]
    [0.0, 0.3085]
    """
    from scipy.special import betaincinv  # slow to import and needed here only

    tail, hits = _tail(level), part * count
    low = 0.0 if hits <= 0 else float(betaincinv(hits, count - hits + 1, tail))
    return low, 1.0 if hits >= count else float(betaincinv(hits + 1, count - hits, 1 - tail))


def _tail(level: float) -> float:
    if not 0 < level < 1:
        raise InputError(f"`level` must be in (0, 1), for example 0.95; got {level}")
    return (1 - level) / 2


def _ordered(replicates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted along the last axis, NaN last, and how many are not NaN."""
    ordered = np.sort(np.asarray(replicates, dtype=np.float64), axis=-1)
    return ordered, ordered.shape[-1] - np.isnan(ordered).sum(-1)


def _quantile(ordered: np.ndarray, used: np.ndarray, probability: float | np.ndarray) -> np.ndarray:
    """Linear quantiles of the first `used` entries of each row; NaN where there are none."""
    last = np.maximum(used - 1, 0)
    at = np.clip(np.nan_to_num(np.asarray(probability, dtype=np.float64)), 0, 1) * last
    below = np.floor(at).astype(np.int64)
    above = np.minimum(below + 1, last)
    low = np.take_along_axis(ordered, below[..., None], -1)[..., 0]
    high = np.take_along_axis(ordered, above[..., None], -1)[..., 0]
    return np.where(used > 0, low + (at - below) * (high - low), np.nan)


def _acceleration(jackknife: np.ndarray) -> np.ndarray:
    known = ~np.isnan(jackknife)
    mean = np.where(known, jackknife, 0.0).sum(-1) / np.maximum(known.sum(-1), 1)
    away = np.where(known, mean[..., None] - jackknife, 0.0)
    cube, square = (away**3).sum(-1), (away**2).sum(-1)
    scale = 6 * square**1.5
    return np.divide(cube, scale, out=np.zeros_like(cube), where=scale > 0)
