"""How often chance alone sets two small groups as far apart as they are: by dealing their members out again.

The standard error of a difference takes the deviation of each group as known. Five pictures that all hold one piece have none, and nothing
then says how far the sixth could have strayed; dealing out again needs no deviation and no shape.
"""

from __future__ import annotations

from itertools import combinations, product
from math import comb

import numpy as np

DEALS = 1999
"""Most ways of dealing out: all of them where there are no more, else as many by chance."""


def dealt_p(first: np.ndarray, other: np.ndarray, first_units: np.ndarray, other_units: np.ndarray) -> float:
    """How often the means of two groups are at least as far apart when their units are dealt out again.

    Units, which are samples or clusters of them, go to either group, as many to each as are there now. Where clusters lie in both groups,
    what each adds to the difference has its sign turned instead, for such clusters are compared with themselves.

    Args:
        first: float64 [samples], at least one.
        other: float64 [samples] of the other group, at least one.
        first_units: int64 [samples], the unit of each sample.
        other_units: likewise.

    Returns:
        In (0, 1]: of all deals, else (1 + as far ones) / (1 + deals) of random ones, which are the same in every call.

    Source: Fisher 1935; Phipson and Smyth 2010 (Statistical Applications in Genetics and Molecular Biology 9:39) for the 1.

    Example:
        >>> one, two = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
        >>> dealt_p(one, two, np.arange(3), np.arange(3, 6))
        0.1
    """
    centre = (first.mean() + other.mean()) / 2
    both, place = np.unique(np.concatenate([first_units, other_units]), return_inverse=True)
    sides = [(first - centre, place[: first.size]), (other - centre, place[first.size :])]
    sums, counts = (
        np.array([np.bincount(at, weights=weight, minlength=both.size) for values, at in sides for weight in [of(values)]])
        for of in (lambda values: values, np.ones_like)
    )
    if (counts > 0).all(axis=0).any():
        apart, exact = _turned(sums[0] / first.size - sums[1] / other.size)
    else:
        apart, exact = _dealt(sums.sum(0), counts.sum(0), int(min((counts > 0).sum(1))))
    asked = abs(first.mean() - other.mean())
    far = int((np.abs(apart) >= asked * (1 - 1e-9)).sum())
    return far / apart.size if exact else (far + 1) / (apart.size + 1)


def _turned(added: np.ndarray) -> tuple[np.ndarray, bool]:
    """Differences of the means with the sign of each cluster's part turned or not, and whether these are all."""
    if exact := 2**added.size <= DEALS:
        signs = np.array(list(product((-1.0, 1.0), repeat=added.size)))
    else:
        signs = np.random.default_rng(0).choice((-1.0, 1.0), (DEALS, added.size))
    return signs @ added, exact


def _dealt(sums: np.ndarray, counts: np.ndarray, few: int) -> tuple[np.ndarray, bool]:
    """Differences of the means where `few` units go to one group and the others to the other, and whether these are all."""
    units = sums.size
    if exact := comb(units, few) <= DEALS:
        chosen = np.array(list(combinations(range(units), few)))
    else:
        chosen = _random_choices(units, few)
    taken, n = sums[chosen].sum(1), counts[chosen].sum(1)
    return taken / n - (sums.sum() - taken) / (counts.sum() - n), exact


def _random_choices(units: int, few: int) -> np.ndarray:
    """About `DEALS` random choices of `few` different units, int64 [choices, few]."""
    rng = np.random.default_rng(0)
    if few * few > units:
        return np.argpartition(rng.random((DEALS, units)), few, axis=1)[:, :few]
    drawn = np.sort(rng.integers(units, size=(2 * DEALS, few)), axis=1)  # cheap where units are many, and few draws hold one twice
    return drawn[(np.diff(drawn, axis=1) > 0).all(axis=1)][:DEALS]
