"""Several models on the same samples: mIoU, mean score, Perron's share and Thurstone's score of each, with paired bootstrap intervals.

Every figure is a function of sums over samples: pixel counts by class, scores by pair, wins. So one matrix product gives the sums of all
resamples, each with the same drawn samples for all models, and the interval of a difference of two models is that of paired ones.
Source: the figures are those of `ranking`; the bootstrap is that of `resample`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.metrics.decompose import ratio
from figureground.metrics.interval import Interval, percentile_interval
from figureground.metrics.overlap import ClassCounts, nan_mean
from figureground.metrics.ranking import (
    EPSILON,
    SMOOTHING,
    Stability,
    dominance,
    mean_terms,
    perron_vector,
    sample_scores,
    stability,
    thurstone_scores,
    win_table,
)
from figureground.metrics.resample import bootstrap_sums

FIGURES = ("miou", "mean", "perron", "thurstone")
"""mIoU from counts summed over samples; mean of the samples' own mIoU; share of the Perron vector; Thurstone's score."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standings:
    """How models stand to one another on one set of samples."""

    value: np.ndarray
    """float64 [figures, models], in the order of `FIGURES`; mIoU and mean in [0, 1], shares sum to 1, Thurstone's scores to 0."""
    low: np.ndarray
    """float64 [figures, models], low end of the interval; NaN without resamples, or with fewer than two samples."""
    high: np.ndarray
    """float64 [figures, models]."""
    replicates: np.ndarray
    """float64 [figures, models, resamples]; the resamples are the same for all models."""
    scores: np.ndarray
    """float64 [samples, models]: mIoU of each sample; NaN where nothing is counted."""
    wins: np.ndarray
    """float64 [models, models], row over column."""
    means: np.ndarray
    """float64 [models, models], a_ij."""
    dominance: np.ndarray
    """float64 [models, models], b_ij."""
    stability: Stability
    """Of the ranking by mIoU on the first samples."""


def standings(
    counts: Sequence[ClassCounts],
    *,
    members: np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    stable: float = 0.9,
    epsilon: float = EPSILON,
    smoothing: float = SMOOTHING,
) -> Standings:
    """Models ranked by their joint counts with the truth of the same samples.

    Args:
        counts: of each model, the samples in one order, by which the stability is said.
        members: bool [samples, models, models], by which samples each pair is compared, see `pair_members`; default by all.
        resamples: of the samples, with replacement; 0 = no intervals.
        seed: of the resamples.
        level: coverage aimed at, in (0, 1).
        stable: rank correlation from which on a ranking counts as stable.
        epsilon: of `dominance`.
        smoothing: of `thurstone_scores`.

    Raises:
        InputError: fewer than two models, no sample, or models with other samples or classes than the first.
    """
    if len(counts) < 2:
        raise InputError(f"a ranking needs at least two models; got {len(counts)}")
    if not len(counts[0].hits) or any(one.hits.shape != counts[0].hits.shape or one.ids != counts[0].ids for one in counts):
        raise InputError("`counts` must be of the same samples, at least one, and the same classes for every model")
    table = np.stack([np.stack([one.hits, one.truth, one.predicted], axis=-1) for one in counts], axis=1)
    scores = sample_scores(*np.moveaxis(table, -1, 0))
    columns = _columns(table, scores, members)
    sizes = [part.shape[1:] for part in columns]
    features = np.concatenate([part.reshape(len(part), -1) for part in columns], axis=1)

    def figures(sums: np.ndarray) -> np.ndarray:
        return _figures(*_parted(sums, sizes), epsilon=epsilon, smoothing=smoothing)

    value = figures(features.sum(0))
    replicates = np.empty((*value.shape, 0))
    if resamples and len(features) > 1:
        drawn = bootstrap_sums(features, resamples=resamples, seed=seed, reduce=lambda sums: _flat(figures(sums)))
        replicates = np.moveaxis(drawn.reshape(resamples, *value.shape), 0, -1)
    ends = _ends(value, replicates, level=level)
    pair_top, pair_bottom = columns[3].sum(0), columns[4].sum(0)
    means = ratio(pair_top, pair_bottom)
    return Standings(
        value=value,
        low=ends.low,
        high=ends.high,
        replicates=replicates,
        scores=scores,
        wins=columns[5].sum(0),
        means=means,
        dominance=dominance(means, epsilon=epsilon),
        stability=stability(_miou(np.cumsum(table, axis=0)), level=stable),
    )


def difference(found: Standings, one: int, other: int, *, level: float = 0.95) -> tuple[float, float, float]:
    """The mIoU of one model minus that of another, and the ends of its paired interval; NaN ends without replicates."""
    value = float(found.value[0, one] - found.value[0, other])
    apart = found.replicates[0, one] - found.replicates[0, other]
    if not apart.size:
        return value, float("nan"), float("nan")
    ends = percentile_interval(apart, level=level)
    return value, float(ends.low), float(ends.high)


def first_share(found: Standings) -> np.ndarray:
    """float64 [models]: part of the resamples in which a model has the highest mIoU, ties shared; NaN without resamples."""
    drawn = found.replicates[0]
    if not drawn.shape[-1]:
        return np.full(drawn.shape[0], np.nan)
    known = np.where(np.isnan(drawn), -np.inf, drawn)
    best = known == known.max(0)
    return (best / best.sum(0)).mean(-1)


def _columns(table: np.ndarray, scores: np.ndarray, members: np.ndarray | None) -> list[np.ndarray]:
    """What each sample adds to every sum: counts, scores and their number, scores and numbers by pair, wins."""
    known = ~np.isnan(scores)
    return [
        table.astype(np.float64),
        np.nan_to_num(scores),
        known.astype(np.float64),
        *mean_terms(scores, members=members),
        win_table(scores),
    ]


def _parted(sums: np.ndarray, sizes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Sums [..., features] as the columns they were made of."""
    edges = np.cumsum([0, *(int(np.prod(size)) for size in sizes)])
    return [sums[..., low:high].reshape(*sums.shape[:-1], *size) for low, high, size in zip(edges, edges[1:], sizes, strict=False)]


def _figures(
    table: np.ndarray,
    total: np.ndarray,
    known: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    wins: np.ndarray,
    *,
    epsilon: float,
    smoothing: float,
) -> np.ndarray:
    """float64 [..., figures, models]."""
    shares = perron_vector(dominance(ratio(top, bottom), epsilon=epsilon))
    return np.stack([_miou(table), ratio(total, known), shares, thurstone_scores(wins, smoothing=smoothing)], axis=-2)


def _miou(table: np.ndarray) -> np.ndarray:
    """[...]: mean IoU over the classes that occur, from summed counts [..., classes, 3]."""
    hits, truth, predicted = np.moveaxis(table, -1, 0)
    return nan_mean(ratio(hits, truth + predicted - hits))


def _flat(figures: np.ndarray) -> np.ndarray:
    """[groups, resamples, figures, models] with the last two axes as one."""
    return figures.reshape(*figures.shape[:-2], -1)


def _ends(value: np.ndarray, replicates: np.ndarray, *, level: float) -> Interval:
    if not replicates.shape[-1]:
        unknown = np.full(value.shape, np.nan)
        return Interval(low=unknown, high=unknown, used=np.zeros(value.shape, np.int64))
    return percentile_interval(replicates, level=level)
