"""Superpixels: a picture cut into small connected segments whose borders follow its edges.

Segments grow from a grid of seeds, always at the pixel that is nearest to its segment's mean in colour and place. Each pixel is taken once,
from a neighbour at its side, so every segment is connected. Source: simple non-iterative clustering (Achanta and Suesstrunk, CVPR 2017),
with distances sorted into buckets in place of a heap.
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

from figureground.core.errors import InputError

SMALLEST, LARGEST = 4, 256
"""Bounds of `size`, pixels."""
_COMPACT = 12.0
"""The colour distance, in steps of 8-bit Lab, that weighs as much as one grid step: higher = rounder segments."""
_LARGEST_USUAL = 64
_MANY = 2_000_000
"""A picture of more pixels is cut at half its size."""
_FINE, _BUCKETS = 64, 4096
"""Buckets per unit of distance, and how many there are; what is farther stands in the last."""


def segment_size(height: int, width: int) -> int:
    """The `size` that the mask screen takes, in pixels: a fortieth of the longer side, within 4 to 64.

    >>> [segment_size(64, 64), segment_size(375, 500), segment_size(3000, 4000)]
    [4, 12, 64]
    """
    return max(SMALLEST, min(_LARGEST_USUAL, round(max(height, width) / 40)))


def superpixels(picture: np.ndarray, size: int) -> np.ndarray:
    """The segment of each pixel.

    The same picture and size give the same segments each time.

    Args:
        picture: uint8 [height, width, 3], RGB.
        size: grid step in pixels, 4 to 256: segments have about size * size pixels.

    Returns:
        int32 [height, width], segments 0 to n - 1 in the order of the grid, row by row; none is empty, each is connected at the sides
        (4-connectivity). A picture smaller than the grid step is one segment. Of a picture above two million pixels the borders lie
        on even pixels (it is cut at half its size, again and again where need be), unless `size` is too small for that.

    Raises:
        InputError: another dtype or shape, an empty axis, or a size out of its bounds.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
        raise InputError(
            f"`picture` must be uint8 [height, width, 3] without an empty axis; got {picture.dtype} {list(picture.shape)}. Use RGB"
        )
    if not SMALLEST <= size <= LARGEST:
        raise InputError(f"`size` must be in [{SMALLEST}, {LARGEST}] pixels; got {size}")
    height, width = picture.shape[:2]
    if height * width > _MANY and size >= 2 * SMALLEST:
        half = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        half = cv2.resize(half, (half.shape[1] // 2, half.shape[0] // 2), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(superpixels(half, size // 2).repeat(2, axis=0).repeat(2, axis=1)[:height, :width])
    lab = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2LAB)
    return _grow(lab, _seeds(lab, size), (1.0 / _COMPACT) ** 2, 1.0 / size**2)


def _seeds(lab: np.ndarray, size: int) -> np.ndarray:
    """int64 [segments]: flat indices, one in the middle of each cell of the grid, moved to the flattest pixel of its 3 x 3."""
    height, width = lab.shape[:2]
    rows, columns = max(1, round(height / size)), max(1, round(width / size))
    y = (2 * np.arange(rows) + 1) * height // (2 * rows)
    x = (2 * np.arange(columns) + 1) * width // (2 * columns)
    steep = _steepness(lab)
    found = np.empty((rows, columns), np.int64)
    for i, top in enumerate(y):
        for j, left in enumerate(x):
            t, s = max(0, top - 1), max(0, left - 1)
            near = steep[t : top + 2, s : left + 2]
            at = int(near.argmin())
            found[i, j] = (t + at // near.shape[1]) * width + s + at % near.shape[1]
    return found.reshape(-1)


def _steepness(lab: np.ndarray) -> np.ndarray:
    """int32 [height, width], squared colour differences of the pixels to the left and right, and above and below."""
    wide = np.pad(lab.astype(np.int32), ((1, 1), (1, 1), (0, 0)), mode="edge")
    across, down = wide[1:-1, 2:] - wide[1:-1, :-2], wide[2:, 1:-1] - wide[:-2, 1:-1]
    return (across * across).sum(-1) + (down * down).sum(-1)


@njit(cache=True, nogil=True)
def _grow(lab, seeds, colour_weight, place_weight):  # pragma: no cover - compiled
    """Segments from seeds: the nearest pixel at a side of any segment is taken next."""
    height, width = lab.shape[:2]
    flat, segments = lab.reshape(-1, 3), np.full(height * width, -1, np.int32)
    sums = np.zeros((seeds.size, 6), np.float64)
    ends = np.full((2, _BUCKETS), -1, np.int32)
    entries = np.empty((2 * height * width + seeds.size, 3), np.int32)  # an edge between two pixels is pushed once at most
    state = np.array([0, -1, 0], np.int64)
    for k in range(seeds.size):
        _push(ends, entries, state, 0, seeds[k], k)
    while state[2] < _BUCKETS:
        entry = ends[0, state[2]]
        if entry < 0:
            state[2] += 1
            continue
        at, k = entries[entry, 0], entries[entry, 1]
        ends[0, state[2]] = entries[entry, 2]
        entries[entry, 2], state[1] = state[1], entry
        if segments[at] >= 0:
            continue
        segments[at] = k
        y, x, s = at // width, at % width, sums[k]
        s[0], s[1], s[2] = s[0] + flat[at, 0], s[1] + flat[at, 1], s[2] + flat[at, 2]
        s[3], s[4], s[5] = s[3] + y, s[4] + x, s[5] + 1.0
        for side in range(4):
            v, u = y + (side == 1) - (side == 0), x + (side == 3) - (side == 2)
            to = v * width + u
            if v < 0 or u < 0 or v >= height or u >= width or segments[to] >= 0:
                continue
            c0, c1, c2 = flat[to, 0] - s[0] / s[5], flat[to, 1] - s[1] / s[5], flat[to, 2] - s[2] / s[5]
            dy, dx = v - s[3] / s[5], u - s[4] / s[5]
            far = np.sqrt((c0 * c0 + c1 * c1 + c2 * c2) * colour_weight + (dy * dy + dx * dx) * place_weight)
            _push(ends, entries, state, min(_BUCKETS - 1, int(far * _FINE)), to, k)
    return segments.reshape(height, width)


@njit(cache=True, nogil=True)
def _push(ends, entries, state, bucket, pixel, segment):  # pragma: no cover - compiled
    """Puts an entry behind the last of its bucket. State: entries ever used, first spent entry or -1, lowest bucket that may hold one."""
    if state[1] >= 0:
        new = state[1]
        state[1] = entries[new, 2]
    else:
        new = state[0]
        state[0] += 1
    entries[new, 0], entries[new, 1], entries[new, 2] = pixel, segment, -1
    if ends[0, bucket] < 0:
        ends[0, bucket] = new
    else:
        entries[ends[1, bucket], 2] = new
    ends[1, bucket] = new
    state[2] = min(state[2], bucket)
