"""The actions of the mask screen that change a layer, pixel for pixel as the page does them. Each returns a new layer.

A pixel belongs to a shape when its centre (x + 0.5, y + 0.5) does.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from figureground.review.fitting import fitted, surroundings
from figureground.review.regions import Pieces, regions


def named(layer: np.ndarray, pieces: Pieces, piece: int, value: int) -> np.ndarray:
    """The layer with all pixels of a piece (a region or figure of the layer, or of any model) set to a value; others stay as they are."""
    return np.where(pieces.number == piece, np.uint8(value), layer)


def refined(layer: np.ndarray, picture: np.ndarray, figures: Pieces, figure: int, *, background: int = 0) -> np.ndarray:
    """The layer with the border of one of its figures fitted to the picture.

    Args:
        layer: uint8 [height, width].
        picture: uint8 [height, width, 3].
        figures: those of the layer.
        figure: its number.
        background: the class place that is ground.
    """
    left, top, right, bottom = surroundings(tuple(figures.box[figure].tolist()), layer.shape)
    x, y = figures.first(figure)
    part, out = (slice(top, bottom), slice(left, right)), layer.copy()
    out[part] = fitted(picture[part], layer[part], (x - left, y - top), background=background)
    return out


def stroke(
    layer: np.ndarray, path: tuple[tuple[int, int], ...], *, diameter: int, value: int, segments: np.ndarray | None = None
) -> np.ndarray:
    """The layer after one brush stroke.

    All pixels whose centre lies within diameter / 2 of the path of the brush's centre are set. With superpixels, those of which that is at
    least half, and those that the middle of the brush (a stroke of one pixel) passes over, are set whole.

    Args:
        layer: uint8 [height, width].
        path: pixels (x, y) in straight legs; an odd brush is centred on their middles.
        diameter: of the disc, odd, in pixels.
        value: what is painted.
        segments: int32 [height, width], superpixels numbered from 0 without gaps; None = the brush does not snap.
    """
    return np.where(taken(layer.shape, path, diameter, segments), np.uint8(value), layer)


def taken(shape: tuple[int, ...], path: tuple[tuple[int, int], ...], diameter: int, segments: np.ndarray | None) -> np.ndarray:
    """The pixels that a stroke sets: bool [height, width]."""
    inside, middle = (_swept(shape, path, width) for width in (diameter, 1))
    if segments is None:
        return inside
    area = np.bincount(segments.reshape(-1))
    whole = 2 * np.bincount(segments[inside], minlength=area.size) >= area
    whole[segments[middle]] = True
    return whole[segments]


def _swept(shape: tuple[int, ...], path: tuple[tuple[int, int], ...], diameter: int) -> np.ndarray:
    return np.logical_or.reduce([covered(shape, a, b, diameter) for a, b in zip(path[:-1] or path, path[1:] or path, strict=True)])


def covered(shape: tuple[int, ...], start: tuple[int, int], stop: tuple[int, int], diameter: int) -> np.ndarray:
    """The pixels of a straight stroke between two pixels (x, y): bool [height, width]."""
    inside = np.zeros((shape[0], shape[1]), np.bool_)
    _cover(inside, start[0], start[1], stop[0], stop[1], diameter)
    return inside


def polygon(layer: np.ndarray, corners: np.ndarray, *, value: int) -> np.ndarray:
    """The layer with the inside of a closed polygon (even-odd rule) set to a value.

    A pixel is inside when its centre is; a centre on a left edge is inside, on a right edge outside. Corners: float [corners, 2], x and y.
    """
    inside = np.zeros(layer.shape, np.bool_)
    _fill(inside, np.asarray(corners, np.float64))
    return np.where(inside, np.uint8(value), layer)


def speck(shape: tuple[int, ...]) -> int:
    """Regions of fewer pixels are specks: two ten-thousandths of the picture, at least 12 (halves are rounded up)."""
    return max(12, int(np.floor(shape[0] * shape[1] * 2e-4 + 0.5)))


def tidied(layer: np.ndarray, least: int) -> np.ndarray:
    """The layer without regions of fewer than `least` pixels: specks and holes go to a neighbour.

    Smallest first, each to the region with which it shares the most pixel sides (then the larger, then the first); a region whose
    neighbour moved in the same round waits for the next. Again until there is none.
    """
    out = layer.copy()
    while True:
        pieces = regions(out)
        small = np.flatnonzero(pieces.area < least)
        if not small.size or len(pieces) == 1:
            return out
        moved: set[int] = set()
        sides = _sides(pieces.number)
        for piece in sorted(small.tolist(), key=lambda r: (pieces.area[r], r)):
            to = min(sides[piece], key=lambda r: (-sides[piece][r], -pieces.area[r], r))
            if to not in moved:
                moved.add(piece)
                left, top, right, bottom = pieces.box[piece]
                box = out[top:bottom, left:right]
                box[pieces.number[top:bottom, left:right] == piece] = pieces.value[to]


def _sides(number: np.ndarray) -> dict[int, dict[int, int]]:
    """For each region its neighbours and the number of pixel sides shared."""
    found: dict[int, dict[int, int]] = {}
    for a, b in ((number[:, 1:], number[:, :-1]), (number[1:], number[:-1])):
        differ = a != b
        pairs, counts = np.unique(np.stack([a[differ], b[differ]]), axis=1, return_counts=True)
        for (p, q), n in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            for one, other in ((p, q), (q, p)):
                beside = found.setdefault(one, {})
                beside[other] = beside.get(other, 0) + n
    return found


@njit(cache=True, nogil=True)
def _cover(inside, x0, y0, x1, y1, diameter):  # pragma: no cover - compiled
    """Sets the pixels of a stroke."""
    height, width = inside.shape
    reach = diameter // 2 + 1
    for y in range(max(0, min(y0, y1) - reach), min(height, max(y0, y1) + reach + 1)):
        for x in range(max(0, min(x0, x1) - reach), min(width, max(x0, x1) + reach + 1)):
            if in_stroke(x, y, x0, y0, x1, y1, diameter):
                inside[y, x] = True


@njit(cache=True, nogil=True, inline="always")
def in_stroke(x, y, x0, y0, x1, y1, diameter):  # pragma: no cover - compiled
    """Whether the centre of a pixel lies within diameter / 2 of the line between the centres of two pixels."""
    dx, dy = x1 - x0, y1 - y0
    long = dx * dx + dy * dy
    t = min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) / long)) if long else 0.0
    ex, ey = x - (x0 + t * dx), y - (y0 + t * dy)
    return ex * ex + ey * ey <= diameter * diameter / 4


@njit(cache=True, nogil=True)
def _fill(inside, corners):  # pragma: no cover - compiled
    """Sets the pixels of a polygon, row by row between pairs of crossings."""
    height, width = inside.shape
    n = corners.shape[0]
    cuts = np.empty(n, np.float64)
    for row in range(max(0, int(np.floor(corners[:, 1].min()))), min(height - 1, int(np.ceil(corners[:, 1].max()))) + 1):
        y, found = row + 0.5, 0
        for i in range(n):
            px, py, qx, qy = corners[i, 0], corners[i, 1], corners[(i + 1) % n, 0], corners[(i + 1) % n, 1]
            if (py <= y) != (qy <= y):
                cuts[found] = px + ((y - py) / (qy - py)) * (qx - px)
                found += 1
        ends = np.sort(cuts[:found])
        for k in range(0, found - 1, 2):
            first, last = max(0, int(np.ceil(ends[k] - 0.5))), min(width, int(np.ceil(ends[k + 1] - 0.5)))
            inside[row, first : max(first, last)] = True
