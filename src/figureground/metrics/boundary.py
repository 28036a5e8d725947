"""Boundary F of the binary foreground: whether the region is right, whatever its label.

Two maps of one picture are overlaid as runs; each foreground becomes intervals per row, each boundary sorted columns per row, and a
boundary pixel is matched when the other map has one within the tolerance. Nothing is ever dense, so the cost grows with the length of the
boundaries. The four counts pool by addition. Source: boundary precision and recall of Martin et al. 2004 with the matching of
Csurka et al. 2013 (nearest pixel, not one to one); the choice of boundary pixels is defined here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from figureground.core.errors import InputError
from figureground.core.types import LabelRuns

TOLERANCE = 0.0075
"""Default tolerance as a fraction of the diagonal of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryCounts:
    """Boundary pixels of truth and prediction and how many of each have a counterpart; `+` pools pictures."""

    matched_truth: int = 0
    truth: int = 0
    matched_predicted: int = 0
    predicted: int = 0

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        return BoundaryCounts(
            matched_truth=self.matched_truth + other.matched_truth,
            truth=self.truth + other.truth,
            matched_predicted=self.matched_predicted + other.matched_predicted,
            predicted=self.predicted + other.predicted,
        )

    @property
    def recall(self) -> float:
        """Matched part of the truth's boundary; NaN where it has none."""
        return self.matched_truth / self.truth if self.truth else float("nan")

    @property
    def precision(self) -> float:
        """Matched part of the prediction's boundary; NaN where it has none."""
        return self.matched_predicted / self.predicted if self.predicted else float("nan")

    @property
    def f(self) -> float:
        """Harmonic mean of precision and recall, in [0, 1]; 0 where one map has no boundary, NaN where neither has."""
        if not self.truth and not self.predicted:
            return float("nan")
        if not self.matched_truth or not self.matched_predicted:
            return 0.0
        return 2 * self.precision * self.recall / (self.precision + self.recall)


def tolerance_px(height: int, width: int, *, tolerance: float = TOLERANCE) -> float:
    """The tolerance in pixels: a fraction of the diagonal, not rounded. Below 1 px only equal pixels match."""
    return tolerance * float(np.hypot(height, width))


def boundary_counts(
    truth: LabelRuns, predicted: LabelRuns, *, background: int = 0, ignore: int | None = 255, tolerance: float = TOLERANCE
) -> BoundaryCounts:
    """Boundary pixels of the binary foreground in two maps, and how many lie within the tolerance of the other's.

    A boundary pixel is a foreground pixel one of whose four neighbours is not foreground; the frame of the picture is no boundary. Pixels
    ignored in the truth are background in both maps. A boundary pixel is matched when the Euclidean distance to the nearest boundary
    pixel of the other map is at most `tolerance` times the diagonal.

    Args:
        truth: label map of the truth.
        predicted: label map of the prediction, of the same size.
        background: id of the class that is ground.
        ignore: id of void pixels in the truth; None = there are none.
        tolerance: fraction of the diagonal, >= 0.

    Returns:
        Four counts; all zero where neither map has a boundary (no foreground, or nothing else).

    Raises:
        InputError: the sizes differ, or the tolerance is negative or not finite.

    Source: see the module.
    """
    if truth.size_hw != predicted.size_hw:
        raise InputError(f"`truth` and `predicted` must be of one size; got {truth.size_hw} and {predicted.size_hw} (height, width)")
    if not 0 <= tolerance < float("inf"):
        raise InputError(f"`tolerance` must be a fraction of the diagonal, at least 0; got {tolerance}")
    radius = tolerance_px(truth.height, truth.width, tolerance=tolerance)
    void = -1 if ignore is None else ignore
    # int64 copies: runs come as uint8 or uint16, owned or read-only, and one compiled form is enough
    t_runs = truth.values.astype(np.int64), truth.lengths.astype(np.int64)
    p_runs = predicted.values.astype(np.int64), predicted.lengths.astype(np.int64)
    counts = _boundary_counts(*t_runs, *p_runs, truth.height, truth.width, background, void, radius * radius)
    return BoundaryCounts(matched_truth=counts[0], truth=counts[1], matched_predicted=counts[2], predicted=counts[3])


@njit(cache=True, nogil=True)
def _boundary_counts(tv, tl, pv, pl, height, width, background, ignore, squared):  # pragma: no cover - compiled
    """Matched truth, truth, matched predicted, predicted."""
    most = tv.size + pv.size + height + 1
    t_edges, p_edges = np.empty((most, 2), np.int64), np.empty((most, 2), np.int64)
    t_rows, p_rows = np.empty(height + 1, np.int64), np.empty(height + 1, np.int64)
    _intervals(tv, tl, pv, pl, height, width, background, ignore, t_edges, t_rows, p_edges, p_rows)
    t_columns, t_first = _boundary(t_edges, t_rows, height, width)
    p_columns, p_first = _boundary(p_edges, p_rows, height, width)
    matched_t = _matched(t_columns, t_first, p_columns, p_first, height, squared)
    matched_p = _matched(p_columns, p_first, t_columns, t_first, height, squared)
    return matched_t, t_columns.size, matched_p, p_columns.size


@njit(cache=True, nogil=True)
def _intervals(tv, tl, pv, pl, height, width, background, ignore, t_edges, t_rows, p_edges, p_rows):  # pragma: no cover
    """Foreground of both maps as half-open column intervals, and for each row the index of its first interval."""
    i = j = -1
    n = m = 0
    left_t = left_p = np.int64(0)
    for y in range(height):
        t_rows[y], p_rows[y] = n, m
        x = np.int64(0)
        while x < width:
            if left_t == 0:
                i += 1
                left_t = tl[i]
            if left_p == 0:
                j += 1
                left_p = pl[j]
            step = min(left_t, left_p, width - x)
            if tv[i] != ignore and tv[i] != background:
                n = _extend(t_edges, t_rows[y], n, x, x + step)
            if tv[i] != ignore and pv[j] != background:
                m = _extend(p_edges, p_rows[y], m, x, x + step)
            x += step
            left_t -= step
            left_p -= step
    t_rows[height], p_rows[height] = n, m


@njit(cache=True, nogil=True)
def _extend(edges, row_first, n, start, stop):  # pragma: no cover - compiled
    """Adds [start, stop) to the row, joined to the last interval where they touch; returns how many there are."""
    if n > row_first and edges[n - 1, 1] == start:
        edges[n - 1, 1] = stop
        return n
    edges[n, 0], edges[n, 1] = start, stop
    return n + 1


@njit(cache=True, nogil=True)
def _boundary(edges, rows, height, width):  # pragma: no cover - compiled
    """Sorted columns of the boundary pixels, row after row, and for each row the index of its first."""
    first = np.empty(height + 1, np.int64)
    columns = np.empty(max(16, 4 * rows[height]), np.int64)
    n = 0
    for y in range(height):
        first[y] = n
        above, below = (rows[y - 1] if y > 0 else 0), rows[y + 1]
        for k in range(rows[y], rows[y + 1]):
            start, stop = edges[k, 0], edges[k, 1]
            if n + stop - start > columns.size:
                grown = np.empty(2 * (n + stop - start), np.int64)
                grown[:n] = columns[:n]
                columns = grown
            x = start
            while x < stop:
                covered = stop
                if y > 0:
                    above, upper = _covered(edges, above, rows[y], x, stop)
                    covered = min(covered, upper)
                if y < height - 1:
                    below, lower = _covered(edges, below, rows[y + 2], x, stop)
                    covered = min(covered, lower)
                left_end = x == start and start > 0
                if covered == x or left_end:
                    columns[n] = x
                    n += 1
                x = max(covered, x + 1)
                if x == stop and stop < width and (n == first[y] or columns[n - 1] != stop - 1):
                    columns[n] = stop - 1
                    n += 1
    first[height] = n
    return columns[:n], first


@njit(cache=True, nogil=True)
def _covered(edges, k, end, x, stop):  # pragma: no cover - compiled
    """Skips intervals that end at or before x; returns the index and how far [x, ...) is covered, x itself if it is not."""
    while k < end and edges[k, 1] <= x:
        k += 1
    if k < end and edges[k, 0] <= x:
        return k, min(stop, edges[k, 1])
    return k, x


@njit(cache=True, nogil=True)
def _matched(columns, first, other, other_first, height, squared):  # pragma: no cover - compiled
    """How many boundary pixels have one of the other map within the tolerance."""
    reach = np.int64(np.sqrt(squared))
    half = np.empty(reach + 1, np.int64)
    for dy in range(reach + 1):
        half[dy] = np.int64(np.sqrt(squared - dy * dy))
    open_columns = np.empty(columns.size, np.int64)
    matched = 0
    for y in range(height):
        n = first[y + 1] - first[y]
        if n == 0:
            continue
        open_columns[:n] = columns[first[y] : first[y + 1]]
        for ring in range(2 * reach + 1):
            dy = (ring + 1) // 2
            row = y - dy if ring % 2 else y + dy
            if row < 0 or row >= height or other_first[row] == other_first[row + 1]:
                continue
            kept = _unmatched(open_columns, n, other, other_first[row], other_first[row + 1], half[dy])
            matched += n - kept
            n = kept
            if n == 0:
                break
    return matched


@njit(cache=True, nogil=True)
def _unmatched(columns, n, other, k, end, half):  # pragma: no cover - compiled
    """Moves the columns with no other column within `half` to the front; returns how many."""
    kept = 0
    for i in range(n):
        x = columns[i]
        while k < end and other[k] < x - half:
            k += 1
        if k == end or other[k] > x + half:
            columns[kept] = x
            kept += 1
    return kept
