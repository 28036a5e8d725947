"""Shapes of other tools drawn into pixels: polygons as pycocotools fills them, boxes and ellipses, turned or not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from figureground.data.faults import refusal
from figureground.data.formats.coco_instances import draw_region, read_instance

_CORNERS = 180


def polygon_pixels(points: Sequence[float], size_hw: tuple[int, int], *, file: str, sample: str) -> np.ndarray:
    """The pixels of a polygon, bool [height, width].

    Args:
        points: x, y, x, y, ... in pixels, from the upper left corner of the picture.
        size_hw: of the picture.
        file: for messages.
        sample: for messages.

    Raises:
        FormatError: fewer than three points, or one that is no number or far outside the picture.
    """
    annotation = {"category_id": 0, "segmentation": [list(points)]}
    return draw_region(read_instance(annotation, frozenset({0}), size_hw, file=file, sample=sample), size_hw, file=file, sample=sample)


def box_points(
    x: float, y: float, width: float, height: float, *, degrees: float = 0.0, about: tuple[float, float] | None = None
) -> list[float]:
    """The corners of a box in pixels, turned clockwise about a point (default its upper left corner)."""
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return _turned(corners, degrees, about or (x, y))


def ellipse_points(x: float, y: float, radius_x: float, radius_y: float, *, degrees: float = 0.0) -> list[float]:
    """An ellipse as a polygon of 180 corners, turned clockwise about its centre."""
    angles = [2 * math.pi * n / _CORNERS for n in range(_CORNERS)]
    return _turned([(x + radius_x * math.cos(a), y + radius_y * math.sin(a)) for a in angles], degrees, (x, y))


def numbers_of(values: Sequence[object], *, what: str, file: str, sample: str) -> list[float]:
    """Finite numbers of what a file gives as numbers or as texts; anything else raises `FormatError`."""
    try:
        found = [float(value) if type(value) in (int, float, str) else math.nan for value in values]  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise refusal(
            "bad-annotation", f"{what}: a coordinate is no finite number", "Correct it, or export the file again", file=file, sample=sample
        )
    return found


def _turned(corners: Sequence[tuple[float, float]], degrees: float, about: tuple[float, float]) -> list[float]:
    if not degrees:
        return [number for corner in corners for number in corner]
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return [
        number
        for x, y in corners
        for number in (
            about[0] + (x - about[0]) * cosine - (y - about[1]) * sine,
            about[1] + (x - about[0]) * sine + (y - about[1]) * cosine,
        )
    ]
