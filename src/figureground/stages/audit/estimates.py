"""Values with their intervals: the same statistics on all samples, on every bootstrap resample and on every group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from figureground.metrics.decompose import ratio
from figureground.metrics.interval import Interval, bca_interval, percentile_interval
from figureground.metrics.resample import bootstrap_sums, leave_one_out_sums
from figureground.stages.audit.grouping import units_of
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.statistics import BASE, class_iou, statistics

SUMS_BYTES = 1 << 27
"""Groups are worked on in bunches whose resampled sums stay below this."""

RATES = ("correct", "flipped", "missed", "added")
GROUP_NAMES = (*RATES, "conditional_flip", "flip_image_mean", "foreground_iou", "boundary_f", "own_iou")
"""Statistics of a group; `own_iou` is the IoU of the class the group is of, NaN where it is of none."""

Evaluate = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(sums [groups, ..., features], own class index [groups]) -> statistics [groups, ..., names]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Named statistics of several groups, each with its replicates, so that differences and worst groups can be taken later."""

    names: tuple[str, ...]
    value: np.ndarray
    """float64 [groups, names]; NaN where undefined."""
    low: np.ndarray
    """float64 [groups, names]; NaN where there is no interval."""
    high: np.ndarray
    """float64 [groups, names]."""
    replicates: np.ndarray
    """float64 [groups, resamples, names]."""

    def of(self, group: int, name: str) -> dict[str, float]:
        """One value with its interval, as it stands in the result."""
        place = self.names.index(name)
        return {key: float(getattr(self, key)[group, place]) for key in ("value", "low", "high")}

    def column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A statistic of all groups: value [groups] and replicates [groups, resamples]."""
        place = self.names.index(name)
        return self.value[:, place], self.replicates[:, :, place]


def overall_estimates(features: np.ndarray, *, classes: Sequence[str], options: AuditOptions, clusters: np.ndarray | None) -> Estimates:
    """All statistics of all samples together, and the IoU of each class as `iou:<name>`; one group.

    Args:
        features: float64 [samples, features] from `sample_features`.
        classes: class names in the order of the features.
        options: interval kind, level, resamples and seed.
        clusters: int64 [samples] or None; samples of one cluster are drawn together.
    """
    names = (*statistics(np.zeros(len(BASE) + 3 * len(classes))), *(f"iou:{name}" for name in classes))
    everything = [np.arange(len(features))]
    return _estimates(features, everything, np.array([-1]), _overall, names, options, clusters)


def group_estimates(
    features: np.ndarray, groups: Sequence[np.ndarray], own: np.ndarray, *, options: AuditOptions, clusters: np.ndarray | None
) -> Estimates:
    """The statistics `GROUP_NAMES` of groups of samples.

    Args:
        features: float64 [samples, features].
        groups: int64 sample indices of each group; they may overlap.
        own: int64 [groups], index of the class each group is of, -1 for none.
        options: interval kind, level, resamples and seed.
        clusters: as for `overall_estimates`. A group within one cluster, or of one sample, gets no interval.
    """
    bunch = max(1, SUMS_BYTES // (8 * max(options.resamples, 1) * features.shape[1]))
    parts = [
        _estimates(features, groups[i : i + bunch], own[i : i + bunch], _per_group, GROUP_NAMES, options, clusters)
        for i in range(0, max(len(groups), 1), bunch)
    ]
    joined = {key: np.concatenate([getattr(p, key) for p in parts]) for key in ("value", "low", "high", "replicates")}
    return Estimates(names=GROUP_NAMES, **joined)


def paired_difference(a: Estimates, b: Estimates, name: str, *, level: float) -> dict[str, float]:
    """A minus b of the first group, with the percentile interval of the paired replicates."""
    (value_a, replicates_a), (value_b, replicates_b) = a.column(name), b.column(name)
    return with_interval(float(value_a[0] - value_b[0]), replicates_a[0] - replicates_b[0], level=level)


def with_interval(value: float, replicates: np.ndarray, *, level: float) -> dict[str, float]:
    """A value with the percentile interval of its replicates [resamples]; NaN ends where there are none."""
    if replicates.size == 0 or np.isnan(value):
        return {"value": value, "low": np.nan, "high": np.nan}
    interval = percentile_interval(replicates, level=level)
    return {"value": value, "low": float(interval.low), "high": float(interval.high)}


def _overall(sums: np.ndarray, own: np.ndarray) -> np.ndarray:
    del own
    return np.concatenate([np.stack(list(statistics(sums).values()), axis=-1), class_iou(sums)], axis=-1)


def _per_group(sums: np.ndarray, own: np.ndarray) -> np.ndarray:
    found = statistics(sums)
    columns = len(BASE) + 3 * np.maximum(own, 0)[:, None] + np.arange(3)
    columns = columns.reshape(len(own), *[1] * (sums.ndim - 2), 3)
    hits, truth, predicted = np.moveaxis(np.take_along_axis(sums, columns, axis=-1), -1, 0)
    known = (own >= 0).reshape(-1, *[1] * (sums.ndim - 2))
    found["own_iou"] = np.where(known, ratio(hits, truth + predicted - hits), np.nan)
    return np.stack([found[name] for name in GROUP_NAMES], axis=-1)


def _estimates(
    features: np.ndarray,
    groups: Sequence[np.ndarray],
    own: np.ndarray,
    evaluate: Evaluate,
    names: tuple[str, ...],
    options: AuditOptions,
    clusters: np.ndarray | None,
) -> Estimates:
    if not groups:
        nothing = np.empty((0, len(names)))
        return Estimates(names=names, value=nothing, low=nothing, high=nothing, replicates=nothing[:, None, :])
    value = evaluate(np.stack([features[index].sum(0) for index in groups]), own)
    none = np.full(value.shape, np.nan)
    if not options.resamples:
        return Estimates(names=names, value=value, low=none, high=none, replicates=none[:, :0].reshape(len(groups), 0, len(names)))
    replicates = bootstrap_sums(
        features,
        groups=groups,
        clusters=clusters,
        resamples=options.resamples,
        seed=options.seed,
        reduce=lambda sums: evaluate(sums, own),
    )
    alone = [place for place, index in enumerate(groups) if units_of(index, clusters) < 2]
    replicates[alone] = np.nan  # one unit cannot say how much another would differ, and its resamples are all alike
    if options.interval == "percentile":
        found = percentile_interval(np.moveaxis(replicates, 1, -1), level=options.level)
    else:
        found = _bca(value, replicates, features, groups, own, evaluate, clusters, options.level)
    defined = ~np.isnan(value)
    low, high = np.where(defined, found.low, np.nan), np.where(defined, found.high, np.nan)
    return Estimates(names=names, value=value, low=low, high=high, replicates=replicates)


def _bca(
    value: np.ndarray,
    replicates: np.ndarray,
    features: np.ndarray,
    groups: Sequence[np.ndarray],
    own: np.ndarray,
    evaluate: Evaluate,
    clusters: np.ndarray | None,
    level: float,
) -> Interval:
    """BCa of each group; leaving out a unit outside the group changes nothing, so only its own units are left out."""
    parts = []
    for place, index in enumerate(groups):
        left_out = leave_one_out_sums(features[index], clusters=None if clusters is None else clusters[index])
        jackknife = evaluate(left_out[None], own[place : place + 1])[0]
        parts.append(bca_interval(value[place], replicates[place].T, jackknife.T, level=level))
    return Interval(**{key: np.stack([getattr(p, key) for p in parts]) for key in ("low", "high", "used")})
