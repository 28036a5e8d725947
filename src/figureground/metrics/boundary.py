"""Boundary F of the binary foreground: whether the region is right, whatever its label.

A foreground is a picture of one bit a pixel, sixty-four of them in a word, painted from the runs. Its boundary, the disc around every
boundary pixel of the other map and the pixels that fall in one are each a few operations on words, whatever lies in the picture. The four
counts pool by addition. Source: boundary precision and recall of Martin et al. 2004 with the matching of
Csurka et al. 2013 (nearest pixel, not one to one); the choice of boundary pixels is defined here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit

from figureground.core.errors import InputError
from figureground.core.types import LabelRuns

TOLERANCE = 0.0075
"""Default tolerance as a fraction of the diagonal of the picture."""


COUNTS = ("matched_truth", "truth", "matched_predicted", "predicted")
"""The fields of `BoundaryCounts`."""

_1, _63 = np.uint64(1), np.uint64(63)
_ALL = np.uint64(2**64 - 1)
_PAIRS, _FOURS, _EIGHTS, _SUM = (np.uint64(n) for n in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101))


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
    void = -1 if ignore is None else ignore
    # int64 copies: runs come as uint8 or uint16, owned or read-only, and one compiled form is enough
    t_runs = truth.values.astype(np.int64), truth.lengths.astype(np.int64)
    p_runs = predicted.values.astype(np.int64), predicted.lengths.astype(np.int64)
    counts = map(int, _boundary_counts(*t_runs, *p_runs, truth.height, truth.width, background, void, _disc(*truth.size_hw, tolerance)))
    return BoundaryCounts(**dict(zip(COUNTS, counts, strict=True)))


@lru_cache(maxsize=1024)
def _disc(height: int, width: int, tolerance: float) -> np.ndarray:
    """int64 [rows + 1], half width of the disc at each distance in rows; no wider than the picture."""
    radius = tolerance_px(height, width, tolerance=tolerance)
    reach = min(int(radius), max(height, width))
    return np.minimum(np.sqrt(radius * radius - np.arange(reach + 1) ** 2), width).astype(np.int64)


@njit(cache=True, nogil=True)
def _boundary_counts(tv, tl, pv, pl, height, width, background, ignore, half):  # pragma: no cover - compiled
    """Matched truth, truth, matched predicted, predicted; `half` [reach + 1] is the half width of the disc at each distance in rows.

    A row of bits ends in as many empty words as the disc needs, so that nothing reaches over into the next row. There is a row above the
    first and one below the last.
    """
    stride = (width + 63) // 64 + 1 + half.size // 64
    counted = np.zeros((height + 2) * stride, np.uint64)
    t_figure, p_figure = np.zeros_like(counted), np.zeros_like(counted)
    _paint(tv, tl, width, stride, ignore, ignore, counted)
    _paint(tv, tl, width, stride, background, ignore, t_figure)
    _paint(pv, pl, width, stride, background, background, p_figure)
    for w in range(counted.size):
        p_figure[w] &= counted[w]
    t_boundary = _boundary(t_figure, height, width, stride)
    p_boundary = _boundary(p_figure, height, width, stride)
    truth, predicted = _bits_in_both(t_boundary, t_boundary), _bits_in_both(p_boundary, p_boundary)
    if truth == 0 or predicted == 0:
        return 0, truth, 0, predicted
    matched_t = _matched(t_boundary, p_boundary, stride, half)
    matched_p = _matched(p_boundary, t_boundary, stride, half)
    return matched_t, truth, matched_p, predicted


@njit(cache=True, nogil=True)
def _paint(values, lengths, width, stride, without, nor, bits):  # pragma: no cover - compiled
    """Sets the bits of all pixels whose id is neither of two."""
    at = 0
    for run in range(values.size):
        end = at + lengths[run]
        if values[run] != without and values[run] != nor:
            row = at // width
            column = at - row * width
            left = lengths[run]
            while left > 0:
                step = min(left, width - column)
                start = (row + 1) * stride * 64 + column
                _set(bits, start, start + step)
                left -= step
                row, column = row + 1, 0
        at = end


@njit(cache=True, nogil=True)
def _set(bits, start, stop):  # pragma: no cover - compiled
    """Sets the bits [start, stop), at least one."""
    first, last = start >> 6, (stop - 1) >> 6
    head, tail = _ALL << np.uint64(start & 63), _ALL >> np.uint64(63 - ((stop - 1) & 63))
    if first == last:
        bits[first] |= head & tail
        return
    bits[first] |= head
    for w in range(first + 1, last):
        bits[w] = _ALL
    bits[last] |= tail


@njit(cache=True, nogil=True)
def _boundary(figure, height, width, stride):  # pragma: no cover - compiled
    """Foreground pixels without foreground on all four sides; what lies outside the picture counts as foreground here."""
    closed = figure.copy()
    closed[:stride] = _ALL
    closed[(height + 1) * stride :] = _ALL
    for y in range(1, height + 1):
        _set(closed, y * stride * 64 + width, (y + 1) * stride * 64)  # right of a row, and so left of the next
    boundary = np.zeros_like(figure)
    inner = height * stride
    here, above, below = figure[stride : stride + inner], closed[:inner], closed[2 * stride :]
    before, self, after = closed[stride - 1 : stride - 1 + inner], closed[stride : stride + inner], closed[stride + 1 : stride + 1 + inner]
    out = boundary[stride : stride + inner]
    for w in range(inner):
        sides = (self[w] << _1 | before[w] >> _63) & (self[w] >> _1 | after[w] << _63)
        out[w] = here[w] & ~(sides & above[w] & below[w])
    return boundary


@njit(cache=True, nogil=True)
def _matched(own, other, stride, half):  # pragma: no cover - compiled
    """How many boundary pixels lie within the disc around one of the other map, which must have one.

    The discs grow from the inside: rows are laid over one another, those of the widest distance first, and all widened by one at a time.
    """
    first, last = 0, other.size - 1
    while other[first] == 0:
        first += 1
    while other[last] == 0:
        last -= 1
    reach = half.size - 1
    margin, n = reach * stride + half[0] // 64 + 2, last + 1 - first
    centres = np.zeros(n + 4 * margin, np.uint64)
    centres[2 * margin : 2 * margin + n] = other[first : last + 1]
    discs, wider = np.zeros(n + 2 * margin, np.uint64), np.zeros(n + 2 * margin, np.uint64)
    dy = 0
    for width in range(half[0], -1, -1):
        while dy <= reach and half[dy] == width:
            above, below = centres[margin - dy * stride :], centres[margin + dy * stride :]
            for w in range(discs.size):
                discs[w] |= above[w] | below[w]
            dy += 1
        if width > 0:
            here, before, after, out = discs[1:-1], discs[:-2], discs[2:], wider[1:-1]
            for w in range(here.size):
                out[w] = here[w] | here[w] << _1 | before[w] >> _63 | here[w] >> _1 | after[w] << _63
            discs, wider = wider, discs
    start, stop = max(0, first - margin), min(own.size, first - margin + discs.size)
    return _bits_in_both(own[start:stop], discs[start - first + margin :])


@njit(cache=True, nogil=True)
def _bits_in_both(a, b):  # pragma: no cover - compiled
    """How many bits are set in both."""
    total = np.uint64(0)
    for w in range(a.size):
        x = a[w] & b[w]
        x -= (x >> _1) & _PAIRS
        x = (x & _FOURS) + ((x >> np.uint64(2)) & _FOURS)
        x = (x + (x >> np.uint64(4))) & _EIGHTS
        total += (x * _SUM) >> np.uint64(56)
    return np.int64(total)
