"""Proposals: the regions and figures of a layer, by number, with class, area and box; and what several models' layers say together.

A region is a largest set of pixels of one value that touch at a side or a corner (8-connectivity); background has regions too, since a
piece of a model's ground may be what is right. A figure is the same with all foreground classes taken for one: the thing as found,
whatever it was called. Numbers go by the first pixel, row by row. The same rules as in static/mask/regions.js and votes.js.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from figureground.core.errors import InputError
from figureground.review.layers import VOID


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pieces:
    """A layer cut into regions or figures."""

    number: np.ndarray
    """int32 [height, width], the piece of each pixel; -1 = none (figures only)."""
    value: np.ndarray
    """uint8 [pieces], class place of each region, or of the first pixel of each figure."""
    area: np.ndarray
    """int64 [pieces], pixels."""
    box: np.ndarray
    """int64 [pieces, 4]: left, top, and one past right and bottom."""

    def __len__(self) -> int:
        return self.area.size

    def first(self, piece: int) -> tuple[int, int]:
        """The first pixel (x, y) of a piece, row by row."""
        y, x = divmod(int((self.number == piece).argmax()), self.number.shape[1])
        return x, y

    def at(self, x: int, y: int) -> int:
        """The number of the piece under a pixel; -1 where there is none or the point lies outside."""
        height, width = self.number.shape
        return int(self.number[y, x]) if 0 <= x < width and 0 <= y < height else -1


def regions(layer: np.ndarray) -> Pieces:
    """Every region of a layer: background and void have regions as well.

    Args:
        layer: uint8 [height, width], class places.

    Raises:
        InputError: another dtype, number of axes, or an empty axis.
    """
    _check(layer)
    number, count = np.zeros(layer.shape, np.int32), 0
    for value in np.flatnonzero(np.bincount(layer.reshape(-1), minlength=256)):
        n, found = cv2.connectedComponents((layer == value).view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
        number += np.where(found > 0, found + count, 0).astype(np.int32)
        count += n - 1
    return _pieces(number, layer)


def figures(layer: np.ndarray, *, background: int = 0) -> Pieces:
    """The figures of a layer: connected foreground of any classes. Background and void are in none.

    Args:
        layer: uint8 [height, width], class places.
        background: the class place that is ground.

    Raises:
        InputError: another dtype, number of axes, or an empty axis.
    """
    _check(layer)
    found = ((layer != background) & (layer != VOID)).view(np.uint8)
    return _pieces(cv2.connectedComponents(found, connectivity=8, ltype=cv2.CV_32S)[1], layer)


def vote(layers: Sequence[np.ndarray], *, background: int = 0, share: float = 0.5) -> np.ndarray:
    """One layer of many: foreground where more than `share` of the layers see any, under the class most of those name there.

    Of classes named equally often the lowest place wins. A void pixel is a vote for nothing.

    Args:
        layers: uint8 [height, width] each, all of one size.
        background: the class place that is ground.
        share: in [0, 1): 0 = where any layer sees foreground, 0.5 = where more than half do.

    Returns:
        uint8 [height, width].

    Raises:
        InputError: no layers, or of different sizes.
    """
    if not layers or len({layer.shape for layer in layers}) != 1:
        raise InputError(f"`layers` must be of one size; got {[list(layer.shape) for layer in layers]}")
    most, seen = np.zeros(layers[0].shape, np.int32), np.zeros(layers[0].shape, np.int32)
    name = np.full(layers[0].shape, background, np.uint8)
    for value in np.unique(np.concatenate([np.unique(layer) for layer in layers])):
        if value in (background, VOID):
            continue
        votes = np.sum([layer == value for layer in layers], axis=0, dtype=np.int32)
        seen += votes
        name[votes > most] = value
        most = np.maximum(most, votes)
    return np.where(seen > share * len(layers), name, background).astype(np.uint8)


def votes(layers: Sequence[np.ndarray], *, background: int = 0) -> list[np.ndarray]:
    """What the mask screen offers beside the maps of models: the vote of most, and that of any; of fewer than two maps none.

    Of two maps the vote of most is what both see.

    Args:
        layers: uint8 [height, width] each, all of one size.
        background: the class place that is ground.
    """
    return [vote(layers, background=background, share=share) for share in (0.5, 0.0)] if len(layers) > 1 else []


def _check(layer: np.ndarray) -> None:
    if layer.ndim != 2 or layer.dtype != np.uint8 or 0 in layer.shape:
        raise InputError(f"`layer` must be uint8 [height, width] without an empty axis; got {layer.dtype} {list(layer.shape)}")


def _pieces(labelled: np.ndarray, layer: np.ndarray) -> Pieces:
    """From labels in any order, 0 = no piece."""
    number, first, area, box = _numbered(labelled, int(labelled.max()) + 1)
    return Pieces(number=number, value=layer.reshape(-1)[first], area=area, box=box)


@njit(cache=True, nogil=True)
def _numbered(labelled, most):  # pragma: no cover - compiled
    """Labels numbered by first pixel; and of each piece the first pixel, the area and the box."""
    height, width = labelled.shape
    number, rank = np.full((height, width), -1, np.int32), np.full(most, -1, np.int32)
    first, area, box = np.empty(most, np.int64), np.zeros(most, np.int64), np.zeros((most, 4), np.int64)
    count = 0
    for y in range(height):
        for x in range(width):
            label = labelled[y, x]
            if label == 0:
                continue
            if rank[label] < 0:
                rank[label], first[count] = count, y * width + x
                box[count, 0], box[count, 1] = x, y
                count += 1
            n = rank[label]
            number[y, x] = n
            area[n] += 1
            box[n, 0], box[n, 2], box[n, 3] = min(box[n, 0], x), max(box[n, 2], x + 1), y + 1
    return number, first[:count].copy(), area[:count].copy(), box[:count].copy()
