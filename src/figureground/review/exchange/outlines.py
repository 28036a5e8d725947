"""Outlines along the edges of pixels: polygons that every even-odd or non-zero filler turns back into the same pixels.

A polygon has no holes in COCO, so a region with holes is cut through each of them into parts without any. Parts are connected by sides
(4-connectivity): what touches only at a corner gets an outline of its own, so an outline meets itself at most in single corners.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

_RIGHT, _DOWN, _LEFT, _UP = range(4)
_STEP = ((0, 1), (1, 0), (0, -1), (-1, 0))


def outlines(pixels: np.ndarray, *, top: int = 0, left: int = 0) -> Iterator[list[int]]:
    """Polygons x, y, x, y, ... of whole numbers, clockwise from the first pixel's upper left corner, that cover the pixels exactly once.

    Args:
        pixels: bool [height, width].
        top: row of the first pixel in the picture.
        left: column of it.
    """
    todo = [(pixels.view(np.uint8), top, left)]
    while todo:
        part, y, x = todo.pop()
        count, numbers, boxes, _ = cv2.connectedComponentsWithStats(part, connectivity=4)
        for number in range(1, count):
            x0, y0, width, height = (int(n) for n in boxes[number, :4])
            one = (numbers[y0 : y0 + height, x0 : x0 + width] == number).astype(np.uint8)
            if (column := _cut(one)) is None:
                yield _outline(one, y + y0, x + x0)
            else:
                todo.append((np.ascontiguousarray(one[:, :column]), y + y0, x + x0))
                todo.append((np.ascontiguousarray(one[:, column:]), y + y0, x + x0 + column))


def _cut(part: np.ndarray) -> int | None:
    """A column whose left edge opens a hole: that of the middle one, so that few cuts open many; None where there is no hole."""
    ground = np.pad(part == 0, 1, constant_values=True).astype(np.uint8)
    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(ground, connectivity=8)
    if count <= 2:  # the pixels themselves, and the ground around them
        return None
    holes = [number for number in range(1, count) if number != numbers[0, 0]]
    lefts = np.sort(boxes[holes, cv2.CC_STAT_LEFT]) - 1
    return int(lefts[len(lefts) // 2])


def _outline(part: np.ndarray, top: int, left: int) -> list[int]:
    """The outline of pixels that are connected by sides and have no hole, uint8 [height, width], corners only."""
    grid = np.pad(part, 1)
    row, column = 0, int(np.argmax(part[0]))
    start = row, column
    heading, corners = _RIGHT, []
    while True:
        corners += [left + column, top + row]
        while True:  # along the edge until it turns; the pixels lie to the right of the way
            row, column = row + _STEP[heading][0], column + _STEP[heading][1]
            ahead_right, ahead_left = _ahead(grid, row, column, heading)
            if not ahead_right or ahead_left:
                break
        if (row, column) == start:
            return corners
        heading = (heading + (1 if not ahead_right else 3)) % 4


def _ahead(grid: np.ndarray, row: int, column: int, heading: int) -> tuple[bool, bool]:
    """Whether the pixels ahead to the right and to the left of a corner are part of the region; `grid` has a margin of one."""
    around = ((row + 1, column + 1), (row + 1, column), (row, column), (row, column + 1))  # right of the way, going right, down, left, up
    return bool(grid[around[heading]]), bool(grid[around[(heading + 3) % 4]])
