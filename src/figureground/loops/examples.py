"""Pictures of a test set before and after a repair, side by side: those that gained most, and those that lost most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq

from figureground.core.types import ClassTable, LabelRuns
from figureground.data.colours import class_colours
from figureground.data.pixels import read_picture
from figureground.data.write import jpeg_bytes
from figureground.stages.mine.sheet import overlay

SIDE_PX, GAP_PX, PAPER = 220, 6, 255
GAINED, LOST = 4, 2
"""Pictures of a round that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One picture of a test set."""

    id: str
    before: float
    after: float


def largest_changes(gain: Path, *, now: str, was: str) -> list[Change]:
    """The pictures whose mIoU rose most, then those whose fell most, by the scores of a ranking of both versions; ties by id."""
    rows = pq.read_table(gain / "scores.parquet").to_pylist()
    scores: dict[str, dict[str, float | None]] = {}
    for row in rows:
        scores.setdefault(row["id"], {})[row["model"]] = row["miou"]
    found = [
        Change(id=i, before=before, after=after)
        for i, by in scores.items()
        if (before := by.get(was)) is not None and (after := by.get(now)) is not None
    ]
    order = sorted(found, key=lambda one: (one.before - one.after, one.id))
    gained = [one for one in order[:GAINED] if one.after > one.before]
    lost = [one for one in reversed(order[-LOST:]) if one.after < one.before]
    return [*gained, *lost]


def strip(picture: str, maps: Sequence[LabelRuns], classes: ClassTable) -> bytes:
    """The picture, and label maps over it, in a row, as a JPEG."""
    pixels, colours = read_picture(picture), class_colours(classes)
    scale = SIDE_PX / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    gap = np.full((small.shape[0], GAP_PX, 3), PAPER, np.uint8)
    shown = [small, *(part for one in maps for part in (gap, overlay(small, one, classes, colours)))]
    return jpeg_bytes(np.concatenate(shown, axis=1), quality=85)
