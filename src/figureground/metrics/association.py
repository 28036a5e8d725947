"""How strongly two attributes of the same samples hang together, from a table of counts."""

from __future__ import annotations

from math import nan, sqrt

import numpy as np


def mutual_information(counts: np.ndarray) -> float:
    """Mutual information of the rows and columns of a table of counts: sum of p_ij ln(p_ij / (p_i p_j)), in nats.

    Args:
        counts: numbers at least 0, [rows, columns].

    Returns:
        In [0, ln of the smaller number of rows or columns]; 0 where one says nothing of the other. NaN where the table is empty.

    Source: Shannon 1948; natural logarithm as everywhere here.

    Example:
        >>> round(mutual_information(np.array([[5, 0], [0, 5]])), 4)
        0.6931
    """
    total = counts.sum()
    if not total:
        return nan
    joint = counts / total
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return max(0.0, float((joint[seen] * np.log(joint[seen] / product[seen])).sum()))


def expected_mutual_information(counts: np.ndarray) -> float:
    """Mutual information that a table shows on average where rows and columns have nothing to do with each other.

    That is the mean over all ways to deal the columns' values to the samples anew, so that the sums of rows and columns stay.

    Args:
        counts: whole numbers at least 0, [rows, columns].

    Returns:
        Nats, at least 0 and at most what the sums allow; NaN where the table is empty.

    Source: Vinh, Epps, Bailey 2010 (JMLR 11), equation 24a. Left out are counts more than twelve standard deviations from their mean.

    Example:
        >>> round(expected_mutual_information(np.array([[1, 1], [1, 1]])), 4)
        0.231
    """
    total = int(counts.sum())
    if not total:
        return nan
    rows, columns = (np.unique(counts.sum(axis)[counts.sum(axis) > 0], return_counts=True) for axis in (1, 0))
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])
    b, times_b = columns[0].astype(np.int64), columns[1]
    found = 0.0
    for a, times_a in zip(rows[0].tolist(), rows[1].tolist(), strict=True):
        mean = a * b / total
        reach = 12 * np.sqrt(mean) + 12
        least = np.maximum(np.maximum(1, a + b - total), np.floor(mean - reach)).astype(np.int64)
        most = np.minimum(np.minimum(a, b), np.ceil(mean + reach)).astype(np.int64)
        cell = least[:, None] + np.arange(int((most - least).max()) + 1)
        there = cell <= most[:, None]
        cell = np.minimum(cell, most[:, None])
        chance = np.exp(
            (log_factorial[a] + log_factorial[b] + log_factorial[total - a] + log_factorial[total - b] - log_factorial[total])[:, None]
            - log_factorial[cell]
            - log_factorial[a - cell]
            - log_factorial[b[:, None] - cell]
            - log_factorial[total - a - b[:, None] + cell]
        )
        each = cell / total * np.log(cell / mean[:, None]) * chance
        found += times_a * float((each.sum(1, where=there) * times_b).sum())
    return max(0.0, found)


def cramers_v(counts: np.ndarray) -> float:
    """Cramer's V of the rows and columns of a table of counts: sqrt(chi^2 / (n (k - 1))), k the smaller number of rows or columns.

    Args:
        counts: numbers at least 0, [rows, columns]; rows and columns of nothing but 0 do not count.

    Returns:
        In [0, 1]: 0 for independence, 1 where one decides the other. NaN where fewer than two rows or columns are left.

    Source: Cramer 1946, without correction for continuity or bias.

    Example:
        >>> round(cramers_v(np.array([[19, 1], [1, 19]])), 6)
        0.9
    """
    table = counts[counts.sum(1) > 0][:, counts.sum(0) > 0].astype(np.float64)
    least = min(table.shape)
    if least < 2:
        return nan
    total = table.sum()
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / total
    return min(1.0, sqrt(float(((table - expected) ** 2 / expected).sum()) / total / (least - 1)))
