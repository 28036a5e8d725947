"""The fewest clicks with which polygons alone, drawn on an empty layer, reach a mean IoU.

A polygon costs a click a corner, one key or double click to close it, one key for its class; a hole is a polygon of what lies in it.
Corners may lie off the border: from the corners that simplification leaves they are moved until the polygon covers the region best. Which
polygons are drawn, and how finely, is chosen by the mean IoU that an action brings. So this is a better hand than people have.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from figureground.review.effort.operations import _fill, polygon
from figureground.review.effort.score import VALUES, mean_iou, score_of
from figureground.review.layers import VOID
from figureground.review.regions import regions

CLOSE, NAME = 1, 1
"""Actions beside the corners: closing the polygon, and the key of its class."""
_CORNERS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 22, 24, 26, 28, 32, 36, 40, 48, 56, 64, 80, 96, 128)
_FINE = 96
"""Corners are moved on a copy of the region at most this many pixels long."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """A polygon that may be drawn."""

    corners: np.ndarray
    """float64 [corners, 2], x and y."""
    value: int
    cost: int
    layer: np.ndarray
    """int64 [256], counted pixels each value gains where it is drawn on what is meant to lie under it."""
    both: np.ndarray
    """int64 [256], those of them that are right."""


def polygons(truth: np.ndarray, marks: tuple[float, ...], *, background: int = 0) -> dict[float, list[Drawn] | None]:
    """The polygons that reach each mean IoU, in the order in which they are drawn; None where it is out of their reach.

    Args:
        truth: uint8 [height, width], class places, 255 = void.
        marks: mean IoU to reach, each in (0, 1].
        background: the class place of the empty layer.
    """
    parts = _parts(truth, background)
    ladders = [_ladder(part, under, value, truth) for part, under, value in parts]
    return {mark: _cheapest(truth, ladders, mark, background) for mark in marks}


def drawn_layer(truth: np.ndarray, chosen: list[Drawn], *, background: int = 0) -> np.ndarray:
    """The layer, uint8 like the truth, after these polygons in this order."""
    layer = np.full_like(truth, background)
    for one in chosen:
        layer = polygon(layer, one.corners, value=one.value)
    return layer


def actions(chosen: list[Drawn]) -> int:
    """How many clicks and keys these polygons cost."""
    return sum(one.cost for one in chosen)


def _parts(truth: np.ndarray, background: int) -> list[tuple[np.ndarray, int, int]]:
    """What may be outlined: filled region or hole (uint8 mask), value under it, its value; the larger first, so that holes come later."""
    found: list[tuple[np.ndarray, int, int]] = []
    pieces = regions(truth)
    for piece in range(len(pieces)):
        value = int(pieces.value[piece])
        if value in (background, VOID):
            continue
        mask = (pieces.number == piece).astype(np.uint8)
        contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        for contour, (_, _, _, parent) in zip(contours, tree[0], strict=True):
            filled = cv2.drawContours(np.zeros_like(mask), [contour], -1, 1, cv2.FILLED)
            if parent < 0:
                found.append((filled, background, value))
                continue
            hole = np.where(mask > 0, 0, filled).astype(np.uint8)
            inside = np.bincount(truth[(hole > 0) & (truth != VOID)], minlength=VALUES)
            if inside.any():
                found.append((hole, value, int(inside.argmax())))
    return sorted(found, key=lambda part: -int(part[0].sum()))


def _ladder(part: np.ndarray, under: int, value: int, truth: np.ndarray) -> list[Drawn]:
    """Ever finer polygons of a part, until nothing is left to win."""
    twice = part.repeat(2, axis=0).repeat(2, axis=1)  # so that the contour lies near the border and not on the middles of pixels
    contours, _ = cv2.findContours(twice, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = (max(contours, key=len)[:, 0].astype(np.float64) + 0.5) / 2
    found: list[Drawn] = []
    for count in _CORNERS:
        if count > max(4, len(contour)):
            break
        plain = _simplified(contour, count) if len(contour) > 4 else _square(contour)
        corners = min(plain, _fitted(part, plain), key=lambda one: _apart(part.astype(np.bool_), one))
        inside = np.zeros(part.shape, np.bool_)
        _fill(inside, corners)
        layer, both = np.zeros(VALUES, np.int64), np.zeros(VALUES, np.int64)
        counts = np.bincount(truth[inside & (truth != VOID)], minlength=VALUES)
        layer[value] += counts.sum()
        layer[under] -= counts.sum()
        both[value] += counts[value]
        both[under] -= counts[under]
        found.append(Drawn(corners=corners, value=value, cost=len(corners) + CLOSE + NAME, layer=layer, both=both))
        if len(contour) <= 4 or (inside != part.astype(bool)).sum() <= 0.01 * part.sum():
            break
    return found


def _square(contour: np.ndarray) -> np.ndarray:
    """The box of a region of a few pixels, for which no polygon through their middles has an inside."""
    (left, top), (right, bottom) = contour.min(0) - 0.25, contour.max(0) + 0.25
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _simplified(contour: np.ndarray, count: int) -> np.ndarray:
    """At most `count` corners of a contour: the largest tolerance of Douglas and Peucker that keeps no more, found by halving."""
    low, high = 0.0, float(np.ptp(contour, axis=0).max())
    best = contour[:: -(-len(contour) // count)]
    for _ in range(18):
        middle = (low + high) / 2
        kept = cv2.approxPolyDP(contour.astype(np.float32)[:, None], middle, True)[:, 0]
        if len(kept) > count:
            low = middle
        else:
            high = middle
            if len(kept) >= 3:
                best = kept.astype(np.float64)
    return best


def _fitted(part: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Corners moved, one at a time, as long as the polygon and the part have fewer pixels apart."""
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    pad = 4
    top, left = max(0, rows[0] - pad), max(0, columns[0] - pad)
    box = part[top : rows[-1] + pad + 1, left : columns[-1] + pad + 1]
    scale = min(1.0, _FINE / max(box.shape))
    size = (max(1, round(box.shape[1] * scale)), max(1, round(box.shape[0] * scale)))
    small = cv2.resize(box, size, interpolation=cv2.INTER_AREA if scale == 1 else cv2.INTER_NEAREST).astype(np.bool_)
    factor = np.array([size[0] / box.shape[1], size[1] / box.shape[0]])
    return _moved(small, (corners - (left, top)) * factor) / factor + (left, top)


@njit(cache=True, nogil=True)
def _moved(part, corners):  # pragma: no cover - compiled
    """Coordinate descent with steps of 4, 2, 1 and half a pixel."""
    corners = corners.copy()
    best = _apart(part, corners)
    for step in (4.0, 2.0, 1.0, 0.5):
        for _ in range(3):
            before = best
            for i in range(corners.shape[0]):
                for k in range(8):
                    x, y = corners[i, 0], corners[i, 1]
                    corners[i, 0] = x + step * ((k < 3) - (k > 4))
                    corners[i, 1] = y + step * ((k == 0 or k == 3 or k == 5) * 1.0 - (k == 2 or k == 4 or k == 7) * 1.0)
                    now = _apart(part, corners)
                    if now < best:
                        best = now
                    else:
                        corners[i, 0], corners[i, 1] = x, y
            if best == before:
                break
    return corners


@njit(cache=True, nogil=True)
def _apart(part, corners):  # pragma: no cover - compiled
    inside = np.zeros(part.shape, np.bool_)
    _fill(inside, corners)
    count = 0
    for y in range(part.shape[0]):
        for x in range(part.shape[1]):
            count += inside[y, x] != part[y, x]
    return count


def _cheapest(truth: np.ndarray, ladders: list[list[Drawn]], mark: float, background: int) -> list[Drawn] | None:
    """A choice of one rung or none of each ladder whose drawn layer reaches the mark."""
    aim = mark
    while aim < 1.02:
        rungs = _climbed(truth, ladders, min(aim, 1.0), background)
        chosen = [ladder[rung] for ladder, rung in zip(ladders, rungs, strict=True) if rung >= 0]
        if mean_iou(truth, drawn_layer(truth, chosen, background=background)) >= mark:
            return chosen
        aim += 0.004  # polygons that overlap count a little less than each alone
    return None


def _climbed(truth: np.ndarray, ladders: list[list[Drawn]], aim: float, background: int) -> list[int]:
    """The rung of each ladder, -1 = not drawn: up by most mean IoU an action, then down wherever the aim is still met."""
    start = score_of(truth, np.full_like(truth, background))
    zero = np.zeros(VALUES, np.int64)
    rungs = [-1] * len(ladders)

    def effect(place: int, rung: int) -> tuple[np.ndarray, np.ndarray, int]:
        one = ladders[place][rung] if rung >= 0 else None
        return (one.layer, one.both, one.cost) if one else (zero, zero, 0)

    def moves(up: bool) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
        now = [effect(place, rung) for place, rung in enumerate(rungs)]
        layer, both = sum((e[0] for e in now), zero), sum((e[1] for e in now), zero)
        steps = [(p, r) for p, ladder in enumerate(ladders) for r in range(-1, len(ladder)) if (r > rungs[p] if up else r < rungs[p])]
        new = [effect(p, r) for p, r in steps]
        if not steps:
            return np.empty(0), np.empty(0), steps
        layers = np.array([layer + e[0] - now[p][0] for (p, _), e in zip(steps, new, strict=True)])
        hits = np.array([both + e[1] - now[p][1] for (p, _), e in zip(steps, new, strict=True)])
        cost = np.array([e[2] - now[p][2] for (p, _), e in zip(steps, new, strict=True)])
        return start.miou(layers, hits), cost, steps

    reached = float(start.miou())
    while reached < aim:
        miou, cost, steps = moves(up=True)
        if not steps or (rate := (np.minimum(miou, aim) - reached) / np.maximum(cost, 0.5)).max() <= 0:
            return rungs
        best = int(rate.argmax())
        rungs[steps[best][0]], reached = steps[best][1], float(miou[best])
    while True:
        miou, cost, steps = moves(up=False)
        fit = np.flatnonzero(miou >= aim) if steps else np.empty(0, np.int64)
        if not fit.size:
            return rungs
        best = fit[cost[fit].argmin()]
        rungs[steps[best][0]] = steps[best][1]
