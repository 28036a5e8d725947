"""Contexts that nobody wrote down: clusters of grounds, with a figure that says whether other samples would give the same clusters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.cluster.vq import kmeans, vq

from figureground.core.errors import InputError

LOW_STABILITY = 0.75
"""Below it the clusters are said to be shaky."""
RESAMPLES, RESTARTS, RESTARTS_OF_RESAMPLE = 20, 10, 3
_VARIANCE_KEPT, _MOST_COMPONENTS = 0.9, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundContexts:
    """The cluster of each sample, and how sure it is."""

    names: tuple[str, ...]
    """`found-1` (the largest cluster), `found-2`, ... of each sample; empty where it has no ground to look at."""
    stability: float
    """Mean adjusted Rand index of the clusterings of bootstrap resamples: at most 1 = always the same, about 0 = as by chance."""

    @property
    def sizes(self) -> dict[str, int]:
        """Samples of each cluster, the largest first."""
        return dict(sorted(Counter(name for name in self.names if name).items(), key=lambda item: int(item[0].partition("-")[2])))

    @property
    def shaky(self) -> bool:
        """True where the stability is below 0.75."""
        return self.stability < LOW_STABILITY


def found_contexts(features: np.ndarray, *, clusters: int, seed: int = 0, resamples: int = RESAMPLES) -> FoundContexts:
    """Clusters grounds by k-means on standardised features, reduced to the directions that hold 90 % of their variance (at most 12).

    The stability is the mean over all pairs of bootstrap resamples of the adjusted Rand index of their clusterings, each carried over to
    all samples by the nearest centre. It says that the clusters come out again, not that they are what a person would call a context: a
    cloud without gaps can be cut in two in a stable way. Look at pictures of each cluster.

    Args:
        features: float64 [samples, features] of `ground_features`; a missing value counts as the mean of its column, and a sample without
            a single value is in no cluster. The order of the samples counts: hand them over sorted by id.
        clusters: how many, at least 2.
        seed: decides the starts and the resamples.
        resamples: bootstrap resamples for the stability, at least 2.

    Raises:
        InputError: fewer than two clusters or resamples, or fewer different grounds than clusters.

    Source: k-means++ of Arthur and Vassilvitskii 2007, bootstrap stability after Hennig 2007, the index of Hubert and Arabie 1985.
    """
    if clusters < 2 or resamples < 2:
        raise InputError(f"contexts are found in at least 2 clusters with at least 2 resamples; got {clusters} and {resamples}")
    seen = ~np.isnan(features).all(1)
    points = _reduced(features[seen])
    if (different := len(np.unique(points, axis=0))) < clusters:
        raise InputError(
            f"{clusters} contexts cannot be found in {different} different grounds ({len(features)} samples, {int((~seen).sum())} of them "
            "without background pixels). Ask for fewer with --context found:K"
        )
    rng = np.random.default_rng((seed, clusters))
    labels = _ranked(vq(points, _centres(points, clusters, RESTARTS, rng))[0])
    drawn = [rng.integers(0, len(points), len(points)) for _ in range(resamples)]
    again = [vq(points, _centres(points[rows], clusters, RESTARTS_OF_RESAMPLE, rng))[0] for rows in drawn]
    stability = float(np.mean([adjusted_rand_index(a, b) for a, b in combinations(again, 2)]))
    names = np.full(len(features), "", dtype=object)
    names[seen] = [f"found-{label + 1}" for label in labels]
    return FoundContexts(names=tuple(names.tolist()), stability=stability)


def adjusted_rand_index(first: np.ndarray, other: np.ndarray) -> float:
    """How far two clusterings of the same samples agree beyond chance.

    (index - expected) / (most - expected), where index counts the pairs of samples that are together in both.

    Args:
        first: non-negative integers [samples], the cluster of each sample.
        other: likewise.

    Returns:
        At most 1 (the same clusters under any names), 0 on average for clusterings drawn by chance, below 0 for less than that; 1 where
        both are trivial in the same way (all together, or all alone). NaN without samples.

    Source: Hubert and Arabie 1985.

    Example:
        >>> adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))
        1.0
    """
    if not first.size:
        return float("nan")
    _, a = np.unique(first, return_inverse=True)
    _, b = np.unique(other, return_inverse=True)
    joint = np.bincount(a * (b.max() + 1) + b)
    together, of_a, of_b, of_all = (_pairs(counts) for counts in (joint, np.bincount(a), np.bincount(b), np.array([a.size])))
    expected = of_a * of_b / of_all if of_all else 0.0
    most = (of_a + of_b) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def _pairs(counts: np.ndarray) -> float:
    return float((counts * (counts - 1.0) / 2).sum())


def _reduced(features: np.ndarray) -> np.ndarray:
    """Standardised columns on their main directions, float64 [samples, components]."""
    if not features.size:
        return np.empty((0, 1))
    known = ~np.isnan(features)
    count = known.sum(0)
    filled = np.where(known, features, 0.0)
    mean = filled.sum(0) / np.maximum(count, 1)
    centred = np.where(known, features - mean, 0.0)
    spread = np.sqrt((centred**2).mean(0))
    useful = spread > 1e-9
    if not useful.any():
        return np.zeros((len(features), 1))
    _, singular, directions = np.linalg.svd(centred[:, useful] / spread[useful], full_matrices=False)
    held = np.cumsum(singular**2) / (singular**2).sum()
    components = min(_MOST_COMPONENTS, int(np.searchsorted(held, _VARIANCE_KEPT)) + 1)
    return (centred[:, useful] / spread[useful]) @ directions[:components].T


def _centres(points: np.ndarray, clusters: int, restarts: int, rng: np.random.Generator) -> np.ndarray:
    """The centres with the least sum of squares over several starts; one that lost a cluster only counts where all did."""
    best, least = None, (0, np.inf)
    for _ in range(restarts):
        centres = kmeans(points, _start(points, clusters, rng))[0]
        score = (-len(centres), float((vq(points, centres)[1] ** 2).sum()))
        if best is None or score < least:
            best, least = centres, score
    assert best is not None
    return best


def _start(points: np.ndarray, clusters: int, rng: np.random.Generator) -> np.ndarray:
    """First centres: points drawn in proportion to their squared distance from those already drawn."""
    chosen = [int(rng.integers(len(points)))]
    distance = ((points - points[chosen[0]]) ** 2).sum(1)
    while len(chosen) < clusters:
        total = distance.sum()
        chosen.append(int(rng.choice(len(points), p=distance / total) if total > 0 else rng.integers(len(points))))
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(1))
    return points[chosen]


def _ranked(labels: np.ndarray) -> np.ndarray:
    """Clusters renumbered by size, the largest first; of equal ones the one whose first sample comes first."""
    values, first, counts = np.unique(labels, return_index=True, return_counts=True)
    order = sorted(range(len(values)), key=lambda k: (-counts[k], first[k]))
    place = np.empty(int(values.max()) + 1, np.int64)
    place[values[order]] = np.arange(len(order))
    return place[labels]
