"""Which of several models is better, from their scores on the same samples: wins, dominance, two global rankings, and how stable they are.

Scores are float64 [samples, models], higher = better, NaN where a sample has none. The two rankings read the pairs of models differently.
Perron's reads how good each of a pair is: the ratio of their mean scores is how much one dominates the other, and the eigenvector of all
ratios is the one share of strength for each that fits them. Thurstone's reads only who was better how often.

Sources: Wang et al., ICLR 2020 (I am going MAD), for dominance and Perron vector; Thurstone 1927, case V, by maximum likelihood as in Ma et
al., TPAMI 2018 (gMAD); rank correlation of top-k rankings as in doi 10.1007/s10994-021-06110-7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.metrics.decompose import ratio
from figureground.metrics.overlap import nan_mean
from figureground.metrics.selective import spearman

EPSILON = 1e-3
"""Added to both scores of a dominance, so that a score of 0 divides nothing by 0."""
SMOOTHING = 0.5
"""Wins that each of two models is given against the other beforehand, so that one that wins always is not infinitely better."""
_SQUARINGS, _NEWTON_STEPS, _HALVINGS = 64, 100, 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stability:
    """How soon a ranking is what it is in the end."""

    spearman: np.ndarray
    """float64 [steps], in [-1, 1]: rank correlation of the ranking after each step with the last one; NaN where either is all ties."""
    level: float
    stable_from: int | None
    """Steps, counted from 1, from which on the correlation is `level` at least; None where the last ranking is all ties."""


def win_table(scores: np.ndarray) -> np.ndarray:
    """Who is better on which sample: 1 = the first of two models, 0 = the second, one half = a tie.

    Args:
        scores: float64 [samples, models]; NaN in either of two models = the sample counts for neither.

    Returns:
        float64 [samples, models, models], 0 on the diagonal; `[s, i, j] + [s, j, i]` is 1, or 0 where the sample does not count.
    """
    scores = _checked(scores)
    one, other = scores[:, :, None], scores[:, None, :]
    found = (one > other) + 0.5 * (one == other)
    return np.where(np.eye(scores.shape[1], dtype=bool), 0.0, found)


def pairwise_wins(scores: np.ndarray) -> np.ndarray:
    """Samples on which each model is better than each other one, a tie counting one half.

    Args:
        scores: float64 [samples, models]; NaN as for `win_table`.

    Returns:
        float64 [models, models], row over column, 0 on the diagonal. `[i, j] + [j, i]` is the number of samples both have a score of.

    Raises:
        InputError: another shape, or an infinite score.

    >>> pairwise_wins(np.array([[0.9, 0.5], [0.4, 0.4], [0.2, 0.1]])).tolist()
    [[0.0, 2.5], [0.5, 0.0]]
    """
    return win_table(scores).sum(0)


def pair_members(distances: np.ndarray, count: int) -> np.ndarray:
    """The samples by which each pair of models is compared: those on which the two disagree most.

    Args:
        distances: float64 [samples, models, models], symmetric, how far the predictions of two models are apart; NaN is never taken.
        count: samples a pair; 0, or more than there are, means all.

    Returns:
        bool [samples, models, models]; ties go to the earlier sample. The diagonal is False.
    """
    samples, models = distances.shape[:2]
    if not count or count >= samples:
        chosen = np.ones(distances.shape, bool)
    else:
        order = np.argsort(-np.nan_to_num(distances, nan=-1.0), axis=0, kind="stable")
        chosen = np.zeros(distances.shape, bool)
        np.put_along_axis(chosen, order[:count], values=True, axis=0)
    return chosen & ~np.isnan(distances) & ~np.eye(models, dtype=bool)


def pairwise_means(scores: np.ndarray, *, members: np.ndarray | None = None) -> np.ndarray:
    """Mean score of each model on the samples by which it is compared with each other one: a_ij.

    Args:
        scores: float64 [samples, models], at least 0; NaN in either of two models = the sample is left out.
        members: bool [samples, models, models], symmetric, from `pair_members`; default every sample for every pair.

    Returns:
        float64 [models, models]; NaN on the diagonal, and where two models have no sample.

    >>> pairwise_means(np.array([[0.8, 0.4], [0.6, 0.2]])).round(3).tolist()
    [[nan, 0.7], [0.3, nan]]
    """
    top, bottom = mean_terms(scores, members=members)
    return ratio(top.sum(0), bottom.sum(0))


def mean_terms(scores: np.ndarray, *, members: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """What each sample adds to numerator and denominator of `pairwise_means`: two float64 [samples, models, models]."""
    scores = _checked(scores)
    if (scores < 0).any():
        raise InputError("`scores` must be at least 0 to be divided by one another; got a negative one")
    models = scores.shape[1]
    known = ~np.isnan(scores)
    counted = known[:, :, None] & known[:, None, :] & ~np.eye(models, dtype=bool)
    if members is not None:
        if members.shape != counted.shape:
            raise InputError(f"`members` must be bool {list(counted.shape)}; got {list(members.shape)}")
        counted &= members
    return np.where(counted, np.nan_to_num(scores)[:, :, None], 0.0), counted.astype(np.float64)


def dominance(means: np.ndarray, *, epsilon: float = EPSILON) -> np.ndarray:
    """How much each model dominates each other one: b_ij = (a_ij + epsilon) / (a_ji + epsilon).

    Args:
        means: float64 [..., models, models], a_ij of `pairwise_means`, at least 0 or NaN.
        epsilon: above 0.

    Returns:
        float64 [..., models, models], positive, b_ji = 1 / b_ij; 1 on the diagonal, and for two models that nothing compares.

    Raises:
        InputError: `epsilon` is not above 0.

    Source: Wang et al., ICLR 2020, with `epsilon` as a stated smoothing.
    """
    if not epsilon > 0:
        raise InputError(f"`epsilon` must be above 0; got {epsilon}")
    found = (means + epsilon) / (np.swapaxes(means, -1, -2) + epsilon)
    return np.where(np.isnan(found) | np.eye(means.shape[-1], dtype=bool), 1.0, found)


def perron_vector(matrix: np.ndarray) -> np.ndarray:
    """The positive eigenvector of a positive matrix, to its largest eigenvalue, with sum 1.

    By squaring the matrix again and again, each time divided by its sum: its columns become the vector, however near the second eigenvalue
    is to the first. A positive matrix has exactly one such vector. Models that nothing compares have dominance 1, so no matrix falls into
    parts; where all models are equal each has 1 / models.

    Args:
        matrix: float64 [..., models, models], every entry above 0.

    Returns:
        float64 [..., models], each above 0.

    Raises:
        InputError: an entry that is not above 0 or not finite, or no square matrix.

    Source: Wang et al., ICLR 2020, r = lim B^t 1 / (1' B^t 1).

    >>> perron_vector(np.array([[1.0, 3.0], [1 / 3, 1.0]])).round(6).tolist()
    [0.75, 0.25]
    """
    matrix = np.asarray(matrix, np.float64)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or not (np.isfinite(matrix) & (matrix > 0)).all():
        raise InputError(f"`matrix` must be [..., models, models] with entries above 0 and finite; got {list(matrix.shape)}")
    power = matrix
    for _ in range(_SQUARINGS):
        columns = power / power.sum(-2, keepdims=True)
        if not columns.size or np.ptp(columns, axis=-1).max() < 1e-15:
            break
        power = power @ power
        power = power / power.sum((-2, -1), keepdims=True)
    vector = (matrix @ power.sum(-1, keepdims=True))[..., 0]
    return vector / vector.sum(-1, keepdims=True)


def thurstone_scores(wins: np.ndarray, *, smoothing: float = SMOOTHING) -> np.ndarray:
    """Thurstone's scores, case V, by maximum likelihood: argmax over mu of sum_ij C_ij ln Phi(mu_i - mu_j), with sum mu = 0.

    mu_i - mu_j is how many standard deviations of one comparison i is better than j: at 1, i wins 84 % of the samples. C_ij are the wins
    plus `smoothing`: without it a model that wins everything would be infinitely far ahead. The likelihood is concave, and Newton's method
    with shortened steps finds its one maximum.

    Args:
        wins: float64 [..., models, models] of `pairwise_wins`, at least 0; the diagonal is not looked at.
        smoothing: wins of each model against each other one that are added, above 0: as if each pair had met on 2 `smoothing` more samples
            and won half of them each.

    Returns:
        float64 [..., models], sum 0. All 0 without comparisons, or where all are equal.

    Raises:
        InputError: wins that are negative or not finite, another shape, or `smoothing` that is not above 0.

    Source: Thurstone 1927, case V; by maximum likelihood as in Ma et al., TPAMI 2018. The smoothing is defined here.

    >>> thurstone_scores(np.array([[0, 16.0], [4.0, 0]])).round(4).tolist()
    [0.3958, -0.3958]
    """
    wins = np.asarray(wins, np.float64)
    if wins.ndim < 2 or wins.shape[-1] != wins.shape[-2] or not (np.isfinite(wins) & (wins >= 0)).all():
        raise InputError(f"`wins` must be [..., models, models], finite and at least 0; got {list(wins.shape)}")
    if not smoothing > 0:
        raise InputError(f"`smoothing` must be above 0; got {smoothing}")
    models = wins.shape[-1]
    counts = np.where(np.eye(models, dtype=bool), 0.0, wins + smoothing)
    mu = np.zeros(wins.shape[:-1])
    for _ in range(_NEWTON_STEPS):
        step = _newton_step(counts, mu)
        step = step / np.maximum(1.0, np.abs(step).max(-1, keepdims=True, initial=0.0))
        mu = mu + _shortened(counts, mu, step)
        if np.abs(step).max(initial=0.0) < 1e-11:
            break
    return mu - mu.mean(-1, keepdims=True)


def places(scores: np.ndarray) -> np.ndarray:
    """int64 [models]: 1 = best; models with equal scores share the better place, and one without a score (NaN) is behind all others.

    >>> places(np.array([0.3, 0.5, 0.3, 0.1])).tolist()
    [2, 1, 2, 4]
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    return 1 + (known[:, None] < known[None, :]).sum(1)


def stability(scores: np.ndarray, *, level: float = 0.9) -> Stability:
    """How near the ranking by the first k samples is to that by all, for every k, and from which k on it stays near.

    Args:
        scores: float64 [steps, models]: the score of each model on the first 1, 2, ... samples; NaN where there is none.
        level: rank correlation that counts as near, in [-1, 1].

    Returns:
        Spearman's correlation with the last row, ties at their average rank. A ranking that is all ties, or lacks a model, has none and
        counts as not near. The last row agrees with itself, so `stable_from` is at most the number of steps.

    Raises:
        InputError: another shape, no step, or a level outside [-1, 1].

    Source: doi 10.1007/s10994-021-06110-7, section 4, there from 20 samples on; with ties as Pearson's correlation of average ranks.

    >>> stability(np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.5, 0.3, 0.2]])).stable_from
    2
    """
    if scores.ndim != 2 or not len(scores):
        raise InputError(f"`scores` must be [steps, models] with at least one step; got {list(scores.shape)}")
    if not -1 <= level <= 1:
        raise InputError(f"`level` must be in [-1, 1]; got {level}")
    last = scores[-1]
    found = np.array([np.nan if np.isnan(row).any() or np.isnan(last).any() else spearman(row, last) for row in scores])
    near = np.nan_to_num(found, nan=-2.0) >= level - 1e-12  # a correlation of exactly the level may come out a last digit below it
    behind = np.flatnonzero(~near)
    first = int(behind[-1]) + 2 if behind.size else 1
    return Stability(spearman=found, level=level, stable_from=first if first <= len(scores) else None)


def sample_scores(hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Mean IoU of each sample, over the classes that it has in truth or prediction; NaN for one without counted pixels.

    Args:
        hits: int64 [..., classes], pixels where truth and prediction are this class.
        truth: int64 [..., classes].
        predicted: int64 [..., classes].
    """
    return nan_mean(ratio(hits, truth + predicted - hits))


def _checked(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 2 or np.isinf(scores).any():
        raise InputError(f"`scores` must be float64 [samples, models], finite or NaN; got {list(scores.shape)}")
    return scores


def _likelihood(counts: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """[...]: sum of C_ij ln Phi(mu_i - mu_j)."""
    from scipy.special import log_ndtr  # slow to import and needed here only

    return (counts * log_ndtr(mu[..., :, None] - mu[..., None, :])).sum((-2, -1))


def _newton_step(counts: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """[..., models]: gradient over curvature; the curvature is a graph's Laplacian, so a constant is added to make it regular."""
    from scipy.special import log_ndtr

    apart = mu[..., :, None] - mu[..., None, :]
    hazard = np.exp(-0.5 * apart**2 - log_ndtr(apart)) / np.sqrt(2 * np.pi)
    pull, bend = counts * hazard, counts * hazard * (apart + hazard)
    gradient = pull.sum(-1) - pull.sum(-2)
    bend = bend + np.swapaxes(bend, -1, -2)
    curvature = np.eye(mu.shape[-1]) * bend.sum(-1)[..., None] - bend
    return np.linalg.solve(curvature + 1.0, gradient[..., None])[..., 0]


def _shortened(counts: np.ndarray, mu: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The step, halved as often as the likelihood falls by it."""
    before = _likelihood(counts, mu)
    allowed = 1e-12 * (1 + np.abs(before))
    for _ in range(_HALVINGS):
        worse = _likelihood(counts, mu + step) < before - allowed
        if not worse.any():
            break
        step = np.where(worse[..., None], step / 2, step)
    return step
