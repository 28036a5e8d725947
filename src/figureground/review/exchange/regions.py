"""A label map taken apart into regions, each as the pixels of its box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from figureground.core.types import ClassTable, LabelRuns

Per = Literal["region", "class"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """One region, or all pixels of one class."""

    value: int
    """Class id, or `ignore`."""
    top: int
    left: int
    pixels: np.ndarray
    """bool [height, width] of the smallest box that holds it."""

    @property
    def box_xywh(self) -> tuple[int, int, int, int]:
        """Left, top, width and height in pixels."""
        return self.left, self.top, self.pixels.shape[1], self.pixels.shape[0]

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(self.pixels.sum())


def pieces(runs: LabelRuns, classes: ClassTable, *, per: Per = "region") -> Iterator[Piece]:
    """The foreground and void of a label map, class by class in the order of their ids; background is what is left.

    Args:
        runs: the label map.
        classes: says which value is background.
        per: `region` for connected components (8-connectivity, as regions are everywhere here), in the order of their first pixels;
            `class` for one piece a class.
    """
    label_map = runs.dense()
    for value in sorted(set(np.unique(runs.values).tolist()) - {classes.background}):
        pixels = label_map == value
        if per == "class":
            rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
            top, left = int(rows[0]), int(columns[0])
            yield Piece(value=value, top=top, left=left, pixels=pixels[top : rows[-1] + 1, left : columns[-1] + 1])
            continue
        count, numbers, boxes, _ = cv2.connectedComponentsWithStats(pixels.view(np.uint8), connectivity=8)
        for number in range(1, count):
            left, top, width, height = (int(n) for n in boxes[number, :4])
            yield Piece(value=value, top=top, left=left, pixels=numbers[top : top + height, left : left + width] == number)
