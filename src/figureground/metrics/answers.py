"""How often a classifier is right: plainly, weighted as training is, as a mean over groups, and in the worst group.

Four numbers that are easily taken for one another. With n_g pictures in group g and accuracy a_g there:

- accuracy: right answers by pictures, `sum_g n_g a_g / sum_g n_g`. It depends on how many pictures each group has.
- adjusted accuracy: `sum_g t_g a_g`, t_g being the part of the training pictures in group g. What plain accuracy would be were the groups
  as large as in training (arXiv 1911.08731 reports it for Waterbirds, whose test groups are evened out).
- mean group accuracy: every group counts the same.
- worst group accuracy: the smallest a_g.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupAccuracy:
    """Accuracy overall and by group, in [0, 1]; NaN for 0 / 0."""

    accuracy: float
    """Of all pictures, also those of no known group."""
    adjusted: float
    """By the groups' parts of training; groups without pictures here are left out and the other parts brought to the sum 1."""
    mean: float
    """Mean over groups that have pictures."""
    worst: float
    """Smallest accuracy of a group that has pictures."""
    worst_group: int
    """Its number, the first of several; -1 where no group has pictures."""
    groups: np.ndarray
    """float64 [groups]; NaN for a group without pictures."""
    counts: np.ndarray
    """int64 [groups], pictures."""


def group_accuracy(right: Sequence[bool] | np.ndarray, groups: Sequence[int] | np.ndarray, *, shares: Sequence[float]) -> GroupAccuracy:
    """Accuracy overall and by group.

    Args:
        right: bool [samples].
        groups: int [samples], number of the group, -1 = in none.
        shares: part of the training samples in each group, float [groups]; they need not sum to 1.

    Raises:
        InputError: a group outside [-1, groups), or lengths that differ.

    >>> found = group_accuracy([True, True, False, True], [0, 0, 1, 1], shares=[0.9, 0.1])
    >>> found.accuracy, round(found.adjusted, 3), found.mean, found.worst
    (0.75, 0.95, 0.75, 0.5)
    """
    hits, members = np.asarray(right, dtype=bool), np.asarray(groups, dtype=np.int64)
    if hits.shape != members.shape or hits.ndim != 1:
        raise InputError(f"`right` and `groups` must have one entry a sample; got {hits.shape} and {members.shape}")
    if members.size and not (members.min() >= -1 and members.max() < len(shares)):
        raise InputError(f"`groups` must be in [-1, {len(shares)}); got {members.min()} to {members.max()}")
    known = members >= 0
    counts = np.bincount(members[known], minlength=len(shares))
    good = np.bincount(members[known & hits], minlength=len(shares))
    return accuracy_of_counts(good, counts, shares=shares, others=(int(hits[~known].sum()), int((~known).sum())))


def accuracy_of_counts(good: np.ndarray, counts: np.ndarray, *, shares: Sequence[float], others: tuple[int, int] = (0, 0)) -> GroupAccuracy:
    """The same from right answers and pictures of each group, int64 [groups], and of no group."""
    total, hits = int(counts.sum()) + others[1], int(good.sum()) + others[0]
    known = counts > 0
    each = np.divide(good, counts, out=np.full(len(counts), np.nan), where=known)
    weights = np.where(known, np.asarray(shares, np.float64), 0.0)
    worst = int(np.nanargmin(each)) if known.any() else -1
    return GroupAccuracy(
        accuracy=hits / total if total else float("nan"),
        adjusted=float((weights[known] * each[known]).sum() / weights.sum()) if weights.sum() > 0 else float("nan"),
        mean=float(each[known].mean()) if known.any() else float("nan"),
        worst=float(each[worst]) if worst >= 0 else float("nan"),
        worst_group=worst,
        groups=each,
        counts=counts.astype(np.int64),
    )
