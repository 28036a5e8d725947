"""One picture with its exact mask: a pure function of the seed, the split, the number, the class and the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.stages.shift.figures.canvas import Canvas, colour
from figureground.stages.shift.figures.chance import Chance
from figureground.stages.shift.figures.grounds import GROUNDS
from figureground.stages.shift.figures.paint import around, cast_shadow, paint_body, paint_front, photograph, window_of
from figureground.stages.shift.figures.placing import Manner, Placed, place_figure
from figureground.stages.shift.figures.raster import WHOLE
from figureground.stages.shift.figures.shapes import bounds, moved
from figureground.stages.shift.figures.textures import textures
from figureground.stages.shift.figures.things import DISTRACTORS

_FIGURE, _GROUND, _REST = 0, 1, 2
"""Streams of random numbers of a picture: pose and place, the scene, and all else; none depends on another."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """A picture and what is known of it."""

    image: np.ndarray
    """uint8 [size, size, 3], RGB."""
    figure: np.ndarray
    """bool [size, size], the pixels of which the visible figure covers half or more."""
    placed: Placed
    distractors: int
    """Things in it that are no class."""


def draw_picture(
    label: str,
    context: str,
    *,
    size: int,
    key: tuple[int, ...],
    ground_key: tuple[int, ...] | None = None,
    manner: Manner,
    distractors: int = 2,
    noise: float = 0.015,
) -> Drawn:
    """A figure on a ground.

    Args:
        label: one of `FIGURES`.
        context: one of `GROUNDS`. Figure, pose, place, light, paint and mask are the same on every one of them.
        size: height and width in pixels.
        key: whole numbers from 0 on that decide the figure and all that lies about, such as (seed, split, number).
        ground_key: likewise for the scene; default `key`.
        manner: sizes, places and occlusion.
        distractors: most things that are no class.
        noise: standard deviation of the grain, as a part of full brightness.

    Raises:
        InputError: an unknown class or ground.
    """
    if context not in GROUNDS:
        raise InputError(f"`context` must be one of {', '.join(GROUNDS)}; got '{context}'")
    placed = place_figure(label, Chance((*key, _FIGURE)), size=size, manner=manner)
    ground, rest = GROUNDS[context], Chance((*key, _REST))
    canvas = Canvas(np.zeros((3, size, size), np.float32), textures(size))
    ground.paint(canvas, Chance((*(key if ground_key is None else ground_key), _GROUND)))
    light, count = rest.between(-1, 1), rest.whole(distractors + 1)
    for _ in range(count):
        _distract(canvas, rest, light)
    figure = np.zeros((size, size), bool)
    region = around([*placed.parts, *placed.fronts], size)
    hiding = window_of(placed.fronts, region) if placed.fronts else None
    body = window_of(placed.parts, region, hiding)
    cast_shadow(canvas, body, foot_y=bounds(placed.parts)[3], light=light)
    paint_body(canvas, rest, body, light=light)
    if hiding is not None:
        paint_front(canvas, colour(rest, *(ground.blade if placed.occluder == "blades" else ground.lump), vary=0.08), hiding)
    figure[body.rows, body.columns] = body.cover.visible * 2 >= WHOLE
    return Drawn(image=photograph(canvas, rest, noise=noise), figure=figure, placed=placed, distractors=count)


def _distract(canvas: Canvas, chance: Chance, light: float) -> None:
    """Paints one thing that is no class somewhere on the ground, larger the nearer it is."""
    size, y = canvas.size, chance.between(0.62, 0.96)
    side = chance.between(0.12, 0.2) * (0.35 + 0.85 * y) * size
    parts = chance.one_of(DISTRACTORS)(chance)
    x = chance.between(0.05, 0.95) * size
    placed = moved(parts, scale=side, shift_xy=(x, y * size - bounds(parts)[3] * side))
    rows, columns = around(placed, size)
    if rows.stop > rows.start and columns.stop > columns.start:
        window = window_of(placed, (rows, columns))
        cast_shadow(canvas, window, foot_y=y * size, light=light)
        paint_body(canvas, chance, window, light=light)
