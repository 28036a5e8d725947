"""Which brush strokes would bring most: tried between the middles of what is wrong, with brushes that fit there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from figureground.review.effort.operations import covered, in_stroke

DIAMETERS = (1, 3, 5, 9, 15, 25, 41, 65, 101)
"""The brushes tried: the first of those that the screen has."""
_POINTS, _KEPT = 10, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A stroke from pixel to pixel, (x, y) each, in straight legs, with a disc of an odd diameter."""

    path: tuple[tuple[int, int], ...]
    diameter: int


def best_strokes(error: np.ndarray, worth: np.ndarray, segments: np.ndarray | None, *, legs: int = 1) -> list[Stroke]:
    """The strokes with the most summed worth, best first; at most one a brush size, and two in all.

    Args:
        error: uint8 [height, width], 1 where pixels want the class that is painted.
        worth: float32 [height, width], what painting a pixel brings.
        segments: superpixels that strokes snap to; None = plain strokes.
        legs: most straight legs of a stroke; each goes on where the last ended.
    """
    points = _middles(error)
    if not points:
        return []
    at, fit = np.array([point[:2] for point in points], np.int64), np.array([point[2] for point in points])
    area = np.empty(0, np.int64) if segments is None else np.bincount(segments.reshape(-1))
    left = worth if segments is None else np.bincount(segments.reshape(-1), weights=worth.reshape(-1))
    found: list[tuple[float, Stroke]] = []
    for diameter in DIAMETERS:
        fits = (diameter >= 0.9 * fit) & (diameter <= 4 * fit + 6) if segments is None else diameter <= 4 * fit + 25
        total, path = _path(at[fits], left.copy(), segments, area, diameter, legs)
        if total > 0:
            found.append((total, Stroke(path=path, diameter=diameter)))
    return [one for _, one in sorted(found, key=lambda one: -one[0])[:_KEPT]]


def _path(
    at: np.ndarray, left: np.ndarray, segments: np.ndarray | None, area: np.ndarray, diameter: int, legs: int
) -> tuple[float, tuple[tuple[int, int], ...]]:
    """The best first leg between two points, and further legs for as long as each brings more; `left` is used up."""
    total, path = 0.0, []
    done = np.zeros((left if segments is None else segments).shape, np.bool_)
    while len(at) and len(path) <= legs:
        starts = at if not path else np.array(path[-1:])
        ends = np.array([(*p, *q) for i, p in enumerate(starts) for q in at[i if not path else 0 :]], np.int64)
        if segments is None:
            sums = _sums(left, ends, diameter)
        else:
            sums = _snapped_sums(left, area, segments, ends, diameter, done, _inside(done, segments, area))
        best = int(sums.argmax())
        if sums[best] <= max(0.0, 0.05 * total):
            break
        x0, y0, x1, y1 = ends[best].tolist()
        path = [*(path or [(x0, y0)]), (x1, y1)]
        total += float(sums[best])
        _use_up(left, area, segments, ends[best], diameter, done)
    return total, tuple(path)


def _use_up(left: np.ndarray, area: np.ndarray, segments: np.ndarray | None, leg: np.ndarray, diameter: int, done: np.ndarray) -> None:
    """What a leg takes brings nothing a second time; `done` are the pixels covered so far."""
    x0, y0, x1, y1 = leg.tolist()
    done |= covered(done.shape, (x0, y0), (x1, y1), diameter)
    if segments is None:
        left[done] = 0
    else:
        left[2 * _inside(done, segments, area) >= area] = 0
        left[segments[covered(done.shape, (x0, y0), (x1, y1), 1)]] = 0


def _inside(done: np.ndarray, segments: np.ndarray, area: np.ndarray) -> np.ndarray:
    """How many pixels of each superpixel are covered."""
    return np.bincount(segments[done], minlength=area.size)


def _middles(error: np.ndarray) -> list[tuple[int, int, float]]:
    """Pixels (x, y) deep inside what is wrong, with the diameter of the largest disc that fits there."""
    inside = np.zeros((error.shape[0] + 2, error.shape[1] + 2), np.uint8)
    inside[1:-1, 1:-1] = error
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1].copy()
    found: list[tuple[int, int, float]] = []
    while len(found) < _POINTS:
        at = int(depth.argmax())
        y, x = divmod(at, error.shape[1])
        if depth[y, x] <= 0:
            return found
        fits = 2 * float(depth[y, x]) - 1
        found.append((x, y, fits))
        cv2.circle(depth, (x, y), max(3, round(0.9 * fits)), 0.0, -1)
    return found


@njit(cache=True, nogil=True)
def _sums(worth, ends, diameter):  # pragma: no cover - compiled
    """Sum of worth over each stroke."""
    height, width = worth.shape
    sums = np.zeros(ends.shape[0])
    reach = diameter // 2 + 1
    for k in range(ends.shape[0]):
        x0, y0, x1, y1 = ends[k, 0], ends[k, 1], ends[k, 2], ends[k, 3]
        for y in range(max(0, min(y0, y1) - reach), min(height, max(y0, y1) + reach + 1)):
            for x in range(max(0, min(x0, x1) - reach), min(width, max(x0, x1) + reach + 1)):
                if worth[y, x] != 0 and in_stroke(x, y, x0, y0, x1, y1, diameter):
                    sums[k] += worth[y, x]
    return sums


@njit(cache=True, nogil=True)
def _snapped_sums(left, area, segments, ends, diameter, done, before):  # pragma: no cover - compiled
    """Sum of what is left over the superpixels that each leg takes, after those that cover `done`, `before` pixels of each."""
    height, width = segments.shape
    sums, inside, seen = np.zeros(ends.shape[0]), np.full(area.size, -1, np.int64), np.empty(area.size, np.int64)
    reach = diameter // 2 + 1
    for k in range(ends.shape[0]):
        x0, y0, x1, y1 = ends[k, 0], ends[k, 1], ends[k, 2], ends[k, 3]
        count = 0
        for y in range(max(0, min(y0, y1) - reach), min(height, max(y0, y1) + reach + 1)):
            for x in range(max(0, min(x0, x1) - reach), min(width, max(x0, x1) + reach + 1)):
                if in_stroke(x, y, x0, y0, x1, y1, diameter):
                    s = segments[y, x]
                    if inside[s] < 0:
                        seen[count], inside[s] = s, before[s]
                        count += 1
                    inside[s] += not done[y, x]
                    if in_stroke(x, y, x0, y0, x1, y1, 1):
                        inside[s] += area[s]
        for i in range(count):
            s = seen[i]
            if 2 * inside[s] >= area[s]:
                sums[k] += left[s]
            inside[s] = -1
    return sums
