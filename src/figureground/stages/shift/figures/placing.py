"""Where a figure stands, how large and in what pose, and what hides a part of it: all but paint, and the same for every ground.

Size and place are those of what can be seen of the figure: its visible area is the one that was drawn for it and its centre of gravity the
point that was drawn, whatever its shape. So neither says anything about the class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.stages.shift.figures.animals import FIGURES
from figureground.stages.shift.figures.chance import Chance
from figureground.stages.shift.figures.raster import WHOLE, Part, cover
from figureground.stages.shift.figures.shapes import bounds, moved
from figureground.stages.shift.figures.things import OCCLUDERS, Occluder

_TRIAL_PX = 40
"""Side of the picture in which area and centre are measured first."""
_MARGIN_PX = 1.0
"""Between a figure and the edge of the picture, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What may be chosen about figures, whatever their class and ground."""

    area_low: float = 0.06
    """Visible area as a part of the picture, uniform between the two."""
    area_high: float = 0.13
    spread: float = 1.0
    """How far from the middle figures stand, 0 to 1."""
    occlusion: float = 0.5
    """Part of the figures that something stands before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A figure and what stands before it, in pixels."""

    parts: list[Part]
    fronts: list[Part]
    """Empty where nothing stands before it."""
    occluder: Occluder
    faces_right: bool


def place_figure(label: str, chance: Chance, *, size: int, manner: Manner) -> Placed:
    """The parts of one figure in a picture of `size` x `size` pixels, turned, stretched and mirrored by chance.

    Raises:
        InputError: `label` is not one of `FIGURES`.
    """
    if label not in FIGURES:
        raise InputError(f"`label` must be one of {', '.join(FIGURES)}; got '{label}'")
    area = chance.between(manner.area_low, manner.area_high)
    side = float(np.sqrt(area))
    centre_xy = _centre(chance, side, manner.spread)
    turn, stretch, mirror = np.deg2rad(chance.between(-8, 8)), chance.between(0.92, 1.08), chance.sign()
    hidden, kind = chance.share() < manner.occlusion, chance.one_of(tuple(OCCLUDERS))
    occluder: Occluder = kind if hidden else "none"
    frame = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * (stretch * mirror, 1 / stretch)
    parts = moved(FIGURES[label](chance), frame=frame, shift_xy=(0, 0))
    fronts = OCCLUDERS[kind](chance, bounds(parts)) if hidden else []
    seen, middle_xy = _seen(parts, fronts)
    scale = side * size / float(np.sqrt(seen))
    box = np.array(bounds(parts)).reshape(2, 2) * scale
    shift = np.array(centre_xy) * size - np.array(middle_xy) * scale
    # A figure that would reach over the edge is set back inside; one that is larger than the picture is cut off on both sides.
    low, high = _MARGIN_PX - box[0], size - _MARGIN_PX - box[1]
    shift = np.where(low <= high, np.clip(shift, low, np.maximum(low, high)), (low + high) / 2)
    x, y = shift.tolist()
    return Placed(
        parts=moved(parts, scale=scale, shift_xy=(x, y)),
        fronts=moved(fronts, scale=scale, shift_xy=(x, y)),
        occluder=occluder,
        faces_right=mirror > 0,
    )


def _centre(chance: Chance, side: float, spread: float) -> tuple[float, float]:
    """Where the centre of gravity goes, as parts of the picture: as far from the middle as figures of this area fit, of any shape."""
    reach = max(0.0, 0.5 - 1.12 * side)
    low, high = 0.54, max(0.55, 0.985 - side)
    x = 0.5 + spread * reach * chance.between(-1, 1)
    return x, (low + high) / 2 + spread * (high - low) / 2 * chance.between(-1, 1)


def _seen(parts: list[Part], fronts: list[Part]) -> tuple[float, tuple[float, float]]:
    """Area and centre of gravity of what can be seen of a figure, in its own frame."""
    left, top, right, bottom = bounds(parts)
    scale = (_TRIAL_PX - 2) / max(right - left, bottom - top)
    shift_xy = (1 - left * scale, 1 - top * scale)
    size_hw = (int((bottom - top) * scale) + 3, int((right - left) * scale) + 3)
    front = cover(moved(fronts, scale=scale, shift_xy=shift_xy), size_hw=size_hw) if fronts else None
    visible = cover(moved(parts, scale=scale, shift_xy=shift_xy), size_hw=size_hw, front=front).visible / WHOLE
    area = float(visible.sum())
    x = float(visible.sum(axis=0) @ (np.arange(size_hw[1]) + 0.5)) / area
    y = float(visible.sum(axis=1) @ (np.arange(size_hw[0]) + 0.5)) / area
    return area / scale**2, ((x - shift_xy[0]) / scale, (y - shift_xy[1]) / scale)
