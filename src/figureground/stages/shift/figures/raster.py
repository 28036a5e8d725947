"""Polygons on pixels, exactly: how many of 16 x 16 points in each pixel lie inside, for the union of parts and for what covers them.

A point is inside a polygon where its winding number is not 0. Points stand at (k + 0.5) / 16 of a pixel in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

FINE = 16
"""Points a side of each pixel."""
WHOLE = FINE * FINE
_MOST = 24
"""Crossings of a line of points with one polygon; more are left out, which no shape here comes near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One closed polygon and how bright it is painted."""

    outline: np.ndarray
    """float64 [points, 2], x to the right and y down, in the frame of what it belongs to."""
    shade: float = 1.0
    """Times the colour of the coat."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coverage:
    """Parts on pixels."""

    inside: np.ndarray
    """uint16 [height, width], points of the pixel in any part, 0 to 256."""
    visible: np.ndarray
    """uint16 [height, width], those of them that nothing in front covers."""
    shade: np.ndarray
    """float32 [height, width], the shade of the parts as one lies over another; 1 where there is none."""
    points: np.ndarray
    """uint16 [height * 16, width], the points themselves: a row is a line of points, a bit a point of the pixel, the lowest on the left."""


def cover(parts: Sequence[Part], *, size_hw: tuple[int, int], front: Coverage | None = None) -> Coverage:
    """What some parts cover, the later ones lying over the earlier ones.

    Args:
        parts: outlines in pixels; what lies outside the picture is cut off. None of them = nothing is covered.
        size_hw: height and width.
        front: what hides the parts where it has points itself, of the same size; None = nothing does.
    """
    height, width = size_hw
    inside, visible = np.zeros(size_hw, np.uint16), np.zeros(size_hw, np.uint16)
    colour, alpha = np.zeros(size_hw, np.float32), np.zeros(size_hw, np.float32)
    held = np.zeros((height * FINE, width), np.uint16)
    if parts:
        points = np.concatenate([part.outline for part in parts])
        ends = np.cumsum([len(part.outline) for part in parts])
        shades = np.array([part.shade for part in parts], np.float32)
        _cover(points, ends, shades, np.zeros_like(held) if front is None else front.points, held, inside, visible, colour, alpha)
    shade = np.ones(size_hw, np.float32)
    np.divide(colour, alpha, out=shade, where=alpha > 0)
    return Coverage(inside=inside, visible=visible, shade=shade, points=held)


@numba.njit(cache=True, nogil=True)
def _cover(points, ends, shades, front, held, inside, visible, colour, alpha):
    """Adds every part in turn; `held` collects the points of their union."""
    height, width = inside.shape
    lines = height * FINE
    crossing, turn, count = np.empty((lines, _MOST)), np.empty((lines, _MOST), np.int8), np.zeros(lines, np.int64)
    share = np.zeros((height, width), np.uint16)
    start = 0
    for part in range(ends.size):
        first, last = _cross(points[start : ends[part]], crossing, turn, count, lines)
        start = ends[part]
        left, right = width, 0
        for line in range(first, last):
            low, high = _fill_line(
                crossing[line],
                turn[line],
                count[line],
                held[line],
                front[line],
                share[line // FINE],
                inside[line // FINE],
                visible[line // FINE],
            )
            left, right = min(left, low), max(right, high)
            count[line] = 0
        for y in range(first // FINE, min(height, (last + FINE - 1) // FINE)):
            for x in range(left, right):
                if share[y, x]:
                    a = np.float32(share[y, x]) / np.float32(WHOLE)
                    colour[y, x] += (shades[part] - colour[y, x]) * a
                    alpha[y, x] += (np.float32(1.0) - alpha[y, x]) * a
                    share[y, x] = 0


@numba.njit(cache=True, nogil=True)
def _cross(outline, crossing, turn, count, lines):
    """Where each line of points crosses the outline, in points from the left; returns the first line and the one behind the last."""
    first, last = lines, 0
    for i in range(outline.shape[0]):
        j = i + 1 if i + 1 < outline.shape[0] else 0
        x0, y0, x1, y1 = outline[i, 0], outline[i, 1] * FINE - 0.5, outline[j, 0], outline[j, 1] * FINE - 0.5
        way = 1
        if y0 > y1:
            x0, y0, x1, y1, way = x1, y1, x0, y0, -1
        low, high = max(0, int(np.ceil(y0))), min(lines, int(np.ceil(y1)))  # lines at or below y0 and above y1
        if low >= high:
            continue
        slope = (x1 - x0) / (y1 - y0)
        for line in range(low, high):
            k = count[line]
            if k < _MOST:
                crossing[line, k] = (x0 + (line - y0) * slope) * FINE - 0.5
                turn[line, k] = way
                count[line] = k + 1
        first, last = min(first, low), max(last, high)
    return first, last


@numba.njit(cache=True, nogil=True)
def _fill_line(crossing, turn, count, held, front, share, inside, visible):
    """Fills one line of points between its crossings; returns the first pixel touched and the one behind the last."""
    for i in range(1, count):  # few, so that the plainest sort is the quickest
        x, way, k = crossing[i], turn[i], i - 1
        while k >= 0 and crossing[k] > x:
            crossing[k + 1], turn[k + 1] = crossing[k], turn[k]
            k -= 1
        crossing[k + 1], turn[k + 1] = x, way
    width = held.size
    left, right, winding = width, 0, 0
    for i in range(count - 1):
        winding += turn[i]
        if winding == 0:
            continue
        low, high = max(0, int(np.ceil(crossing[i]))), min(width * FINE, int(np.ceil(crossing[i + 1])))
        if low >= high:
            continue
        for x in range(low // FINE, (high - 1) // FINE + 1):
            a, b = max(low - x * FINE, 0), min(high - x * FINE, FINE)
            bits = np.uint16(((1 << (b - a)) - 1) << a)
            share[x] += np.uint16(b - a)
            new = bits & ~held[x]
            if new:
                inside[x] += _ones(new)
                visible[x] += _ones(new & ~front[x])
                held[x] |= bits
        left, right = min(left, low // FINE), max(right, (high - 1) // FINE + 1)
    return left, right


@numba.njit(cache=True, nogil=True)
def _ones(bits):
    """How many bits are set."""
    v = np.uint32(bits)
    v = v - ((v >> np.uint32(1)) & np.uint32(0x5555))
    v = (v & np.uint32(0x3333)) + ((v >> np.uint32(2)) & np.uint32(0x3333))
    v = (v + (v >> np.uint32(4))) & np.uint32(0x0F0F)
    return np.uint16((v + (v >> np.uint32(8))) & np.uint32(0x1F))
