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
