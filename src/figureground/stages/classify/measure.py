"""What is measured of answers: accuracy of each group with intervals, gaps between groups, flips under another ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.ties import Common
from figureground.metrics.answers import GroupAccuracy, group_accuracy
from figureground.metrics.flips import FigureFlips, figure_flips, flip_rate, flip_rate_interval
from figureground.metrics.interval import exact_interval, simultaneous_intervals, worst_group_interval
from figureground.metrics.resample import bootstrap_sums
from figureground.stages.classify.answered import Answered
from figureground.stages.classify.bounds import ROUNDING, UNKNOWN, Bounds, Part, between, bounds, difference_bounds
from figureground.stages.classify.contrast import Contrast, contrasts, group_kinds
from figureground.stages.classify.options import ClassifyOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How far apart two contexts of one class are."""

    label: str
    best: str
    worst: str
    """Contexts with the highest and the lowest accuracy of this class."""
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """The figures of answers with the ends of their intervals; NaN where there are none."""

    accuracy: GroupAccuracy
    of_all: Bounds
    of_adjusted: Bounds
    of_mean: Bounds
    of_worst: Bounds
    of_groups: tuple[Bounds, ...]
    gaps: tuple[Gap, ...]
    kinds: tuple[str, ...]
    """Of each group: `common`, `counterfactual`, or empty where that is not known."""
    contrasts: tuple[Contrast, ...]
    """Common against counterfactual groups; empty where no class has both."""
    flips: tuple[FigureFlips, ...] | None
    """None where no column of figures is named."""
    flip_rates: Mapping[str, tuple[float, float, float, int]]
    """Rate, low, high and number of figures: of all under "", and of each class under its name."""


def measure(answered: Answered, options: ClassifyOptions, *, shares: Mapping[str, float], common: Common | None = None) -> Measured:
    """All that is measured.

    Args:
        answered: the answers.
        options: `figure`, `resamples`, `level` and `seed` are looked at.
        shares: part of the training samples in each group, by its name; empty = not known, and the adjusted accuracy is NaN.
        common: class -> context that training ties it to; None or without a class = not known.
    """
    parts = [shares.get(name, 0.0) for name in answered.group_names]
    found = group_accuracy(answered.right, answered.groups, shares=parts)
    sums = _resampled(answered, options)
    rates = sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], np.nan) if sums is not None else None
    kinds = group_kinds(answered.group_values, common or {})
    flips = figure_flips(answered.answers, answered.figures, answered.contexts, answered.labels) if options.figure else None
    return Measured(
        accuracy=found,
        of_all=UNKNOWN if rates is None else _of_mean(answered, found, rates, found.counts, options, replicates=rates[0]),
        of_adjusted=UNKNOWN if rates is None else _of_mean(answered, found, rates, parts, options),
        of_mean=UNKNOWN if rates is None else _of_mean(answered, found, rates, [1.0] * len(parts), options),
        of_worst=UNKNOWN if rates is None or not len(found.groups) else _worst(answered, found, rates[1:], options),
        of_groups=tuple(
            UNKNOWN if rates is None else bounds(_part(answered, found, rates, g), level=options.level) for g in range(len(found.groups))
        ),
        gaps=_gaps(answered, found, rates, options),
        kinds=kinds,
        contrasts=contrasts(answered, found, kinds, None if sums is None else sums[1:], level=options.level),
        flips=flips,
        flip_rates={} if flips is None else _flip_rates(flips, options),
    )


def _resampled(answered: Answered, options: ClassifyOptions) -> np.ndarray | None:
    """Right answers and pictures of all and of each group in each resample, float64 [1 + groups, resamples, 2]; None without resamples."""
    if not options.resamples:
        return None
    features = np.stack([answered.right, np.ones(len(answered.ids))], axis=1).astype(np.float64)
    members = [np.arange(len(answered.ids)), *(np.flatnonzero(answered.groups == g) for g in range(len(answered.group_names)))]
    _, clusters = np.unique(answered.clusters, return_inverse=True)
    return bootstrap_sums(features, groups=members, clusters=clusters, resamples=options.resamples, seed=options.seed)


def _part(answered: Answered, found: GroupAccuracy, rates: np.ndarray, group: int) -> Part:
    return Part(value=float(found.groups[group]), replicates=rates[1 + group], clusters=answered.clusters_of([group]))


def _weighted(rates: np.ndarray, weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """Mean over groups in each resample, of those that were drawn; NaN where none weighs anything."""
    known = np.isfinite(rates)
    weight = np.where(known, np.asarray(weights, np.float64)[:, None], 0.0)
    total = weight.sum(0)
    return np.divide((weight * np.where(known, rates, 0.0)).sum(0), total, out=np.full(total.shape, np.nan), where=total > 0)


def _of_mean(
    answered: Answered,
    found: GroupAccuracy,
    rates: np.ndarray,
    weights: Sequence[float] | np.ndarray,
    options: ClassifyOptions,
    *,
    replicates: np.ndarray | None = None,
) -> Bounds:
    """Interval of a weighted mean over groups.

    Where no resample differs from another, as when every figure is answered rightly on one ground and wrongly on the other, it is the mean
    of intervals of the groups that hold all at once. Where groups alone do not differ, being all right or all wrong, the resamples say
    nothing of how unsure they are: then it is widened to what the groups' own intervals add up to (Zou and Donner 2008, doi
    10.1002/sim.3095).
    """
    drawn = _weighted(rates[1:], weights) if replicates is None else replicates
    low, high = between(drawn, level=options.level)
    known = found.counts > 0
    weight = np.where(known, np.asarray(weights, np.float64), 0.0)
    if np.isnan(low) or not weight.sum():
        return low, high
    if high - low > ROUNDING:
        own = replicates is None and _sure(found, weight).any()
        return _widened((low, high), answered, found, rates, weight / weight.sum(), options) if own else (low, high)
    together = 1 - (1 - options.level) / int(known.sum())
    ends = [bounds(_part(answered, found, rates, int(g)), level=together) for g in np.flatnonzero(known)]
    lows, highs = np.transpose(ends)
    return float(lows @ weight[known] / weight.sum()), float(highs @ weight[known] / weight.sum())


def _sure(found: GroupAccuracy, weight: np.ndarray) -> np.ndarray:
    """Groups that weigh something and are all right or all wrong, bool [groups]."""
    return (weight > 0) & ((found.groups == 0) | (found.groups == 1))


def _widened(
    drawn: Bounds, answered: Answered, found: GroupAccuracy, rates: np.ndarray, weight: np.ndarray, options: ClassifyOptions
) -> Bounds:
    """The interval of a weighted mean, and what the intervals of independent groups add up to; whichever reaches further."""
    own = np.flatnonzero(weight > 0)
    ends = np.array([bounds(_part(answered, found, rates, int(g)), level=options.level) for g in own])
    value, weight = found.groups[own], weight[own]
    mean = float(weight @ value)
    below, above = (float(np.sqrt(((weight * (value - end)) ** 2).sum())) for end in ends.T)
    return min(drawn[0], max(0.0, mean - below)), max(drawn[1], min(1.0, mean + above))


def _worst(answered: Answered, found: GroupAccuracy, rates: np.ndarray, options: ClassifyOptions) -> Bounds:
    """Interval of the smallest true accuracy, whichever group has it: from error rates whose intervals hold all at once."""
    together = simultaneous_intervals(1 - found.groups, 1 - rates, level=options.level, bounds=(0.0, 1.0))
    low, high, each = together.low.copy(), together.high.copy(), 1 - (1 - options.level) / len(found.groups)
    for g in np.flatnonzero((found.groups == 0) | (found.groups == 1)):
        low[g], high[g] = exact_interval(1 - found.groups[g], answered.clusters_of([int(g)]), level=each)
    error = worst_group_interval(type(together)(low=low, high=high, used=together.used))
    return 1 - error[1], 1 - error[0]


def _gaps(answered: Answered, found: GroupAccuracy, rates: np.ndarray | None, options: ClassifyOptions) -> tuple[Gap, ...]:
    """The gap of each class that has pictures in at least two contexts; of contexts that are level the first and the last are named."""
    gaps = []
    for label in dict.fromkeys(label for label, _ in answered.group_values):
        own = [g for g, (of, _) in enumerate(answered.group_values) if of == label and found.counts[g]]
        if len(own) < 2:
            continue
        best, worst = max(own, key=lambda g: found.groups[g]), min(reversed(own), key=lambda g: found.groups[g])
        low, high = UNKNOWN
        if rates is not None:
            low, high = difference_bounds(*(_part(answered, found, rates, g) for g in (best, worst)), level=options.level)
        contexts = {"best": answered.group_values[best][1], "worst": answered.group_values[worst][1]}
        gaps.append(Gap(label=label, value=float(found.groups[best] - found.groups[worst]), low=low, high=high, **contexts))
    return tuple(gaps)


def _flip_rates(flips: tuple[FigureFlips, ...], options: ClassifyOptions) -> dict[str, tuple[float, float, float, int]]:
    def of(some: Sequence[FigureFlips]) -> tuple[float, float, float, int]:
        ends = flip_rate_interval(some, level=options.level, resamples=options.resamples, seed=options.seed)
        return flip_rate(some), float(ends.low), float(ends.high), len(some)

    return {"": of(flips), **{label: of([f for f in flips if f.label == label]) for label in dict.fromkeys(f.label for f in flips)}}
