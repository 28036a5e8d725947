"""A figure set on another ground: the random change of its size, turn and place, and the paste, as pure functions of arrays.

Source: the swap of arXiv 2606.32018. Other than in its published code, the box that must stay inside the picture is that of the figure
after it was scaled and turned, and the random numbers of a sample belong to (seed, epoch, index) alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from figureground.core.errors import InputError
from figureground.data.cutout import composite, cover, soft_edge
from figureground.data.swap_options import SwapOptions

_SWAP = 2
"""Keeps these random numbers apart from those of the order of samples (0) and of augmentation (1)."""
_BITS = 46
"""Of a coordinate in pixels, behind the point; before it are enough for sides of 65,536 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jitter:
    """How a figure is changed before it is pasted."""

    scale: float = 1.0
    """Its size is multiplied with this; less where it would not fit."""
    degrees: float = 0.0
    """Turn about the middle of its box, against the clock."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Way down and to the right, as parts of the picture's height and width."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recombined:
    """A picture made of a figure and a ground."""

    picture: np.ndarray
    """uint8 [height, width, 3]."""
    pasted: np.ndarray
    """bool [height, width], true where the figure is."""
    mask: np.ndarray | None
    """[height, width] in the dtype of the mask that was given: its values on the figure, `background` elsewhere; None without a mask."""


def swap_stream(*, seed: int, epoch: int, index: int, turn: int = 0) -> np.random.Generator:
    """The random numbers of the swap of one sample in one epoch, the same in whatever process and order they are asked for.

    Args:
        seed: of the run, at least 0.
        epoch: number of the epoch, or of the copy, from 0.
        index: number of the sample.
        turn: how often the sample was shown before in this epoch.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SWAP, epoch, index, turn)))


def drawn_jitter(rng: np.random.Generator, options: SwapOptions) -> Jitter:
    """A random change: scale, turn and shift uniform in their ranges. Always takes four numbers from the generator."""
    scale, degrees, down, right = rng.random(4)
    return Jitter(
        scale=float(options.scale_low + (options.scale_high - options.scale_low) * scale),
        degrees=float(options.turn * (2 * degrees - 1)),
        shift=(float(options.shift * (2 * down - 1)), float(options.shift * (2 * right - 1))),
    )


def recombined(
    picture: np.ndarray,
    figure: np.ndarray,
    ground: np.ndarray,
    *,
    jitter: Jitter | None = None,
    feather_px: float = 0.0,
    mask: np.ndarray | None = None,
    background: int = 0,
) -> Recombined:
    """The figure of a picture on a ground: picture * figure + ground * (1 - figure) where nothing is changed and no edge is feathered.

    The ground is scaled to cover the picture's size and cut to its middle. A figure that is scaled or turned takes the nearest pixel of its
    shape and mask, and colours bilinear among its own pixels alone, so that no colour of the old ground comes in.

    Args:
        picture: uint8 [height, width, 3].
        figure: bool [height, width], at least one pixel true.
        ground: uint8 [any height, any width, 3].
        jitter: change of the figure; None = none. It is moved back where it would leave the picture, and made smaller where it is too
            large; it keeps its size and turn where nothing of it would be left.
        feather_px: width of the ramp at the edge, inside the figure.
        mask: label map [height, width] that belongs to the picture; None = none.
        background: its value for ground.

    Raises:
        InputError: sizes that differ, or a figure without a pixel.
    """
    if figure.shape != picture.shape[:2] or (mask is not None and mask.shape != figure.shape):
        raise InputError(
            f"picture, figure and mask must be of one size; got {list(picture.shape[:2])}, {list(figure.shape)} and "
            f"{'none' if mask is None else list(mask.shape)}"
        )
    box = figure_box(figure)
    jitter = jitter or Jitter()
    matrix, inner = placed(figure, box, jitter)
    rgb, shape, labels = _changed(picture, figure, mask, box=box, matrix=matrix, inner=inner)
    if not shape.any():  # it was to become smaller than a pixel
        matrix, inner = placed(figure, box, Jitter(shift=jitter.shift))
        rgb, shape, labels = _changed(picture, figure, mask, box=box, matrix=matrix, inner=inner)
    top, left, bottom, right = inner
    alpha = soft_edge(shape, feather_px=feather_px)
    whole = composite(rgb, alpha, cover(ground, figure.shape), top=top, left=left)
    pasted = np.zeros(figure.shape, bool)
    pasted[top:bottom, left:right] = shape
    made = None
    if mask is not None and labels is not None:
        made = np.full_like(mask, background)
        made[pasted] = labels[shape]
    return Recombined(picture=whole, pasted=pasted, mask=made)


def figure_box(figure: np.ndarray) -> tuple[int, int, int, int]:
    """First row, first column, and row and column behind the last, of the true pixels of bool [height, width]; none raises `InputError`."""
    rows = np.flatnonzero(figure.any(axis=1))
    if not rows.size:
        raise InputError("the figure has no pixel")
    columns = np.flatnonzero(figure[rows[0] : rows[-1] + 1].any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def placed(figure: np.ndarray, box: tuple[int, int, int, int], jitter: Jitter) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Where a figure comes to lie.

    Args:
        figure: bool [height, width].
        box: of its pixels, as `figure_box` gives it.
        jitter: the change.

    Returns:
        float64 [2, 3], which takes the corner coordinates (x, y) of the picture to those of the new one; and the box of the changed figure,
        always inside the picture.
    """
    turn = math.radians(jitter.degrees)
    return _lies(figure, box, math.cos(turn), math.sin(turn), jitter.scale, jitter.shift)


def _changed(
    picture: np.ndarray,
    figure: np.ndarray,
    mask: np.ndarray | None,
    *,
    box: tuple[int, int, int, int],
    matrix: np.ndarray,
    inner: tuple[int, int, int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Colours, shape and labels of the changed figure in its new box."""
    top, left, bottom, right = inner
    height, width = bottom - top, right - left
    if matrix[0, 0] == matrix[1, 1] == 1 and not matrix[0, 1] and (height, width) == (box[2] - box[0], box[3] - box[1]):
        old = np.s_[box[0] : box[2], box[1] : box[3]]
        return picture[old], figure[old], None if mask is None else mask[old]
    picture, figure = np.ascontiguousarray(picture), np.ascontiguousarray(figure)
    own = figure.view(np.uint8) if mask is None else np.ascontiguousarray(mask)
    rgb, shape, labels = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool), np.zeros((height, width), own.dtype)
    _warp(picture, figure, own, box, matrix, inner[:2], rgb, shape, labels)
    return rgb, shape, None if mask is None else labels


@njit(cache=True, nogil=True)
def _lies(figure, box, cosine, sine, scale, shift):  # pragma: no cover - compiled
    """Where a figure that is turned, scaled and moved comes to lie: as `placed`."""
    turned = np.array([[cosine, sine], [-sine, cosine]])
    size = np.array([figure.shape[1], figure.shape[0]])
    middle = np.array([(box[1] + box[3]) / 2, (box[0] + box[2]) / 2])
    low, high = _reach(figure, box, turned, middle)
    for axis in range(2):
        scale = min(scale, size[axis] / (high[axis] - low[axis]))
    plain = scale == 1.0 and cosine == 1.0 and sine == 0.0
    matrix, first, last = np.empty((2, 3)), np.empty(2, np.int64), np.empty(2, np.int64)
    for axis in range(2):
        least, most = low[axis] * scale, high[axis] * scale
        centre = middle[axis] + shift[1 - axis] * size[axis]
        centre = min(max(centre, -least), max(size[axis] - most, -least))
        if plain:
            centre = middle[axis] + np.rint(centre - middle[axis])  # whole pixels, so that nothing is resampled
        matrix[axis, :2] = turned[axis] * scale
        matrix[axis, 2] = centre - (turned[axis, 0] * middle[0] + turned[axis, 1] * middle[1]) * scale
        first[axis] = math.floor(min(max(centre + least, 0), size[axis] - 1) + 1e-6)
        last[axis] = math.ceil(min(max(centre + most, first[axis] + 1), size[axis]) - 1e-6)
    return matrix, (first[1], first[0], last[1], last[0])


@njit(cache=True, nogil=True)
def _reach(figure, box, turned, middle):  # pragma: no cover - compiled
    """Smallest and largest (x, y) of the corners of a figure's pixels, turned about the middle: two of float64 [2].

    The first and the last pixel of each row have all corners that its hull can be made of.
    """
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for y in range(box[0], box[2]):
        first, last = -1, -1
        for x in range(box[1], box[3]):
            if figure[y, x]:
                if first < 0:
                    first = x
                last = x + 1
        if first < 0:
            continue
        for column in (first, last):
            for row in (y, y + 1):
                dx, dy = column - middle[0], row - middle[1]
                for axis in range(2):
                    at = turned[axis, 0] * dx + turned[axis, 1] * dy
                    low[axis], high[axis] = min(low[axis], at), max(high[axis], at)
    return low, high


@njit(cache=True, nogil=True)
def _warp(picture, figure, mask, box, matrix, corner, rgb, shape, labels) -> None:  # pragma: no cover - compiled
    """Writes `rgb`, `shape` and `labels`: a pixel is figure where the nearest old one is; colours are bilinear among old figure pixels.

    Old coordinates are counted from the box, in units of 2 ** -_BITS px: whole numbers are quicker to take pixels and weights from.
    """
    across, down = _back(matrix, box, corner)
    pixels, inside, values = picture.reshape(-1), figure.reshape(-1), mask.reshape(-1)
    stride, start = np.int64(figure.shape[1]), np.int64(box[0] * figure.shape[1] + box[1])
    height, width = np.uint64(box[2] - box[0]), np.uint64(box[3] - box[1])
    one, three = np.uint64(1), np.uint64(3)
    half, part, rounding = np.int64(1) << (_BITS - 1), (np.int64(1) << _BITS) - 1, np.int64(1) << (_BITS - 9)
    step_x, step_y = _fixed(across[0]), _fixed(down[0])
    for y in range(shape.shape[0]):
        at_x, at_y = _fixed(across[1] * y + across[2]) - step_x, _fixed(down[1] * y + down[2]) - step_y
        for x in range(shape.shape[1]):
            at_x += step_x
            at_y += step_y
            column, row = at_x >> _BITS, at_y >> _BITS
            if np.uint64(column) >= width or np.uint64(row) >= height:  # below 0 is very large
                continue
            place = np.uint64(start + row * stride + column)
            if not inside[place]:
                continue
            shape[y, x] = True
            labels[y, x] = values[place]
            left, up = ((at_x + half) >> _BITS) - 1, ((at_y + half) >> _BITS) - 1
            to_right = np.int32((((at_x + half) & part) + rounding) >> (_BITS - 8))  # of 256
            to_down = np.int32((((at_y + half) & part) + rounding) >> (_BITS - 8))
            if np.uint64(left) < width - one and np.uint64(up) < height - one:
                above = np.uint64(start + up * stride + left)
                below = above + np.uint64(stride)
                if inside[above] & inside[above + one] & inside[below] & inside[below + one]:
                    for c in range(3):
                        high, low = three * above + np.uint64(c), three * below + np.uint64(c)
                        upper = np.int32(pixels[high]) * (256 - to_right) + np.int32(pixels[high + three]) * to_right
                        lower = np.int32(pixels[low]) * (256 - to_right) + np.int32(pixels[low + three]) * to_right
                        rgb[y, x, c] = (upper * (256 - to_down) + lower * to_down + 32768) >> 16
                    continue
            old = picture[box[0] : box[2], box[1] : box[3]], figure[box[0] : box[2], box[1] : box[3]]
            _edge(old[0], old[1], rgb[y, x], up, left, to_down, to_right)


@njit(cache=True, nogil=True)
def _back(matrix, box, corner):  # pragma: no cover - compiled
    """Coefficients (x, y, 1) of the old x and of the old y, counted from the old box, of the middle of a pixel in the new box."""
    a, b, c, d = matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]
    span = a * d - b * c
    x, y = corner[1] + 0.5 - matrix[0, 2], corner[0] + 0.5 - matrix[1, 2]
    across = (d / span, -b / span, (d * x - b * y) / span - box[1])
    return across, (-c / span, a / span, (a * y - c * x) / span - box[0])


@njit(cache=True, nogil=True)
def _fixed(number):  # pragma: no cover - compiled
    return np.int64(np.rint(number * (np.int64(1) << _BITS)))


@njit(cache=True, nogil=True)
def _edge(picture, figure, rgb, up, left, down, right) -> None:  # pragma: no cover - compiled
    """Writes the colour of a pixel of which not all four old neighbours are figure; one of those that are weighs a quarter at least."""
    total = 0
    red = green = blue = 0
    for dy in range(2):
        for dx in range(2):
            i, j = up + dy, left + dx
            if i < 0 or j < 0 or i >= figure.shape[0] or j >= figure.shape[1] or not figure[i, j]:
                continue
            weight = (down if dy else 256 - down) * (right if dx else 256 - right)
            total += weight
            red += weight * picture[i, j, 0]
            green += weight * picture[i, j, 1]
            blue += weight * picture[i, j, 2]
    rgb[0] = (red + total // 2) // total
    rgb[1] = (green + total // 2) // total
    rgb[2] = (blue + total // 2) // total
