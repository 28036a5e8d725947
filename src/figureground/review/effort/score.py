"""The mean IoU of a layer against the truth, and what many changes at once would make of it.

A change sets some pixels to one value. Its effect is two small vectors: how many pixels each class gains in the layer, and how many of them
rightly. So thousands of changes are compared without touching a pixel again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

VALUES = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """Pixels per value, where the truth is not void: int64 [256] each."""

    truth: np.ndarray
    layer: np.ndarray
    both: np.ndarray

    def miou(self, layer: np.ndarray | int = 0, both: np.ndarray | int = 0) -> np.ndarray:
        """float64 [changes]: the mean IoU if `layer` and `both`, int [changes, 256] each, were added; 1 where nothing is counted.

        The mean goes over the values, background included, that truth or layer have; void in the layer is a value that is never right.
        """
        hits = self.both + both
        union = self.truth + self.layer + layer - hits
        present = union > 0
        ratios = np.divide(hits, union, out=np.zeros(union.shape), where=present)
        count = present.sum(-1)
        return np.where(count == 0, 1.0, ratios.sum(-1) / np.maximum(count, 1))


def score_of(truth: np.ndarray, layer: np.ndarray, *, void: int = 255) -> Score:
    """The counts of a layer, uint8 [height, width] like the truth."""
    counts = _counts(truth, layer, void)
    return Score(truth=counts[0], layer=counts[1], both=counts[2])


def mean_iou(truth: np.ndarray, layer: np.ndarray, *, void: int = 255) -> float:
    """The mean IoU of a layer over the values, background included, that it or the truth has; void truth is not counted.

    >>> mean_iou(np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 0, 0, 1]], np.uint8))  # (2/3 + 1/2) / 2
    0.5833333333333333
    """
    return float(score_of(truth, layer, void=void).miou())


def gains(score: Score, number: np.ndarray, count: int, *, truth: np.ndarray, layer: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mean IoU after each piece in turn were set to each of some values.

    Args:
        score: of the layer as it is.
        number: int32 [height, width], the piece of each pixel; -1 = none.
        count: number of pieces.
        truth: uint8 [height, width], 255 = void.
        layer: uint8 [height, width].
        values: int [values], what pieces may be set to.

    Returns:
        float64 [pieces, values].
    """
    used = np.union1d(np.flatnonzero((score.truth > 0) | (score.layer > 0)), values)
    place = np.full(VALUES, -1, np.int64)
    place[used] = np.arange(used.size)
    old, true, kept = _piece_counts(number, count, truth, layer, place, used.size)
    small = Score(truth=score.truth[used], layer=score.layer[used], both=score.both[used])
    found = np.empty((count, len(values)))
    for k, value in enumerate(values):
        at = place[value]
        more, hits = -old, -kept
        more[:, at] += old.sum(1)
        hits[:, at] += true[:, at]
        found[:, k] = small.miou(more, hits)
    return found


@njit(cache=True, nogil=True)
def _counts(truth, layer, void):  # pragma: no cover - compiled
    """int64 [3, 256]: pixels per value of the truth, of the layer, and of both alike."""
    counts = np.zeros((3, VALUES), np.int64)
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            t, p = truth[y, x], layer[y, x]
            if t != void:
                counts[0, t] += 1
                counts[1, p] += 1
                counts[2, t] += t == p
    return counts


@njit(cache=True, nogil=True)
def _piece_counts(number, count, truth, layer, place, size):  # pragma: no cover - compiled
    """int64 [pieces, values] each: pixels by their value in the layer, in the truth, and in both where those are alike."""
    old, true, kept = np.zeros((count, size), np.int64), np.zeros((count, size), np.int64), np.zeros((count, size), np.int64)
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            n, t, p = number[y, x], truth[y, x], layer[y, x]
            if n >= 0 and place[t] >= 0 and t != 255:
                old[n, place[p]] += 1
                true[n, place[t]] += 1
                kept[n, place[t]] += t == p
    return old, true, kept
