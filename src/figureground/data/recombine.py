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
    size = np.array(figure.shape[::-1], np.float64)
    middle = np.array([(box[1] + box[3]) / 2, (box[0] + box[2]) / 2])
    turn = math.radians(jitter.degrees)
    turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    low, high = _reach(figure, box, turned, middle)
    scale = min(jitter.scale, *(size / (high - low)))
    low, high = low * scale, high * scale
    centre = middle + np.array([jitter.shift[1], jitter.shift[0]]) * size
    centre = np.clip(centre, -low, np.maximum(size - high, -low))
    if scale == 1.0 and not jitter.degrees:
        centre = middle + np.rint(centre - middle)  # whole pixels, so that nothing is resampled
    matrix = np.column_stack([turned * scale, centre - turned @ middle * scale])
    first = np.floor(np.clip(centre + low, 0, size - 1) + 1e-6).astype(int)
    last = np.ceil(np.clip(centre + high, first + 1, size) - 1e-6).astype(int)
    return matrix, (int(first[1]), int(first[0]), int(last[1]), int(last[0]))


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
    old = np.s_[box[0] : box[2], box[1] : box[3]]
    if np.array_equal(matrix[:, :2], np.eye(2)) and (bottom - top, right - left) == (box[2] - box[0], box[3] - box[1]):
        return picture[old], figure[old], None if mask is None else mask[old]
    back = np.linalg.inv(matrix[:, :2])
    start = back @ (np.array([left, top]) + 0.5 - matrix[:, 2]) - np.array([box[1], box[0]])  # in the frames of both boxes
    rgb = np.zeros((bottom - top, right - left, 3), np.uint8)
    shape = np.zeros(rgb.shape[:2], bool)
    labels = np.zeros(rgb.shape[:2], np.uint8 if mask is None else mask.dtype)
    _warp(picture[old], figure[old], figure[old].view(np.uint8) if mask is None else mask[old], back, start, rgb, shape, labels)
    return rgb, shape, None if mask is None else labels


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
def _warp(picture, figure, mask, back, start, rgb, shape, labels) -> None:  # pragma: no cover - compiled
    """Writes `rgb`, `shape` and `labels`: a pixel is figure where the nearest old one is; colours are bilinear among old figure pixels."""
    height, width = figure.shape
    for y in range(shape.shape[0]):
        for x in range(shape.shape[1]):
            at_x = start[0] + back[0, 0] * x + back[0, 1] * y
            at_y = start[1] + back[1, 0] * x + back[1, 1] * y
            if at_x < 0 or at_y < 0 or at_x >= width or at_y >= height:
                continue
            column, row = int(at_x), int(at_y)
            if not figure[row, column]:
                continue
            shape[y, x] = True
            labels[y, x] = mask[row, column]
            left, up = int(at_x + 0.5) - 1, int(at_y + 0.5) - 1
            right, down = np.int32((at_x - 0.5 - left) * 256 + 0.5), np.int32((at_y - 0.5 - up) * 256 + 0.5)
            if left < 0 or up < 0 or left + 1 >= width or up + 1 >= height:
                whole = False
            else:
                whole = figure[up, left] and figure[up, left + 1] and figure[up + 1, left] and figure[up + 1, left + 1]
            if whole:
                for c in range(3):
                    upper = picture[up, left, c] * (256 - right) + picture[up, left + 1, c] * right
                    lower = picture[up + 1, left, c] * (256 - right) + picture[up + 1, left + 1, c] * right
                    rgb[y, x, c] = (upper * (256 - down) + lower * down + 32768) >> 16
            else:
                _edge(picture, figure, rgb[y, x], up, left, down, right)


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
