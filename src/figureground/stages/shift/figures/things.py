"""Things that are no class: what lies about in a scene, painted as figures are, and what stands before a figure and hides a part of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from figureground.stages.shift.figures.chance import Chance
from figureground.stages.shift.figures.raster import Part
from figureground.stages.shift.figures.shapes import ellipse, limb, polygon, smooth

Occluder = Literal["none", "blades", "lump"]

_JAR = smooth([(-0.2, -0.42), (-0.14, -0.3), (-0.34, 0.02), (-0.22, 0.4), (0.22, 0.4), (0.34, 0.02), (0.14, -0.3), (0.2, -0.42)])


def ball(chance: Chance) -> list[Part]:
    """A ball with a stripe."""
    return [Part(outline=ellipse(0, 0, 0.42, 0.42)), Part(outline=ellipse(0, 0, 0.42, 0.13, chance.between(-60, 60)), shade=0.75)]


def crate(chance: Chance) -> list[Part]:
    """A box with its lid and two slats."""
    wide = chance.between(0.36, 0.5)
    slats = [Part(outline=polygon([(-wide, y), (wide, y), (wide, y + 0.07), (-wide, y + 0.07)]), shade=0.75) for y in (-0.12, 0.12)]
    body = polygon([(-wide, -0.34), (wide, -0.34), (wide, 0.4), (-wide, 0.4)])
    lid = polygon([(-wide - 0.05, -0.4), (wide + 0.05, -0.4), (wide + 0.05, -0.28), (-wide - 0.05, -0.28)])
    return [Part(outline=body), *slats, Part(outline=lid, shade=1.15)]


def jar(chance: Chance) -> list[Part]:
    """A bellied jar with a band."""
    y = chance.between(-0.06, 0.08)
    return [Part(outline=_JAR), Part(outline=ellipse(0, -0.42, 0.2, 0.06), shade=0.6), Part(outline=ellipse(0, y, 0.32, 0.06), shade=1.15)]


def mushroom(chance: Chance) -> list[Part]:
    """A cap on a stalk."""
    cap = smooth([(-0.48, -0.02), (-0.34, -0.32), (0, -0.44), (0.34, -0.32), (0.48, -0.02), (0.2, 0.04), (-0.2, 0.04)])
    return [
        Part(outline=limb([(0, -0.05), (chance.between(-0.05, 0.05), 0.2), (0, 0.4)], 0.12, 0.16), shade=1.15),
        Part(outline=cap, shade=0.9),
    ]


def log(chance: Chance) -> list[Part]:
    """A log lying on its side, one cut end to be seen."""
    turn = chance.between(-0.06, 0.06)
    return [
        Part(outline=limb([(-0.6, 0.2 + turn), (0, 0.2), (0.56, 0.2 - turn)], 0.17, 0.16), shade=0.85),
        Part(outline=ellipse(0.58, 0.2 - turn, 0.09, 0.16), shade=1.2),
        Part(outline=ellipse(0.58, 0.2 - turn, 0.05, 0.09), shade=0.9),
    ]


DISTRACTORS: tuple[Callable[[Chance], list[Part]], ...] = (ball, crate, jar, mushroom, log)


def blades(chance: Chance, box: tuple[float, float, float, float]) -> list[Part]:
    """Stalks that rise before the lower half of a box (left, top, right, bottom)."""
    left, top, right, bottom = box
    high, wide = bottom - top, right - left
    middle, spread = chance.between(left + 0.25 * wide, right - 0.25 * wide), chance.between(0.2, 0.4) * wide
    found = []
    for _ in range(4 + chance.whole(5)):
        x, lean, up = middle + chance.between(-1, 1) * spread, chance.between(-0.14, 0.14) * high, chance.between(0.25, 0.62) * high
        stalk = limb([(x, bottom + 0.1 * high), (x + 0.3 * lean, bottom - 0.5 * up), (x + lean, bottom - up)], 0.028 * high, 0.006 * high)
        found.append(Part(outline=stalk, shade=chance.between(0.75, 1.25)))
    return found


def lump(chance: Chance, box: tuple[float, float, float, float]) -> list[Part]:
    """A rounded heap before the foot of a box (left, top, right, bottom)."""
    left, top, right, bottom = box
    high, wide = (bottom - top) * chance.between(0.16, 0.32), (right - left) * chance.between(0.16, 0.28)
    x, y = chance.between(left + 0.2 * (right - left), right - 0.2 * (right - left)), bottom + 0.06 * (bottom - top)
    corners = [(-1.0, 0.0), (-0.8, -0.6), (-0.2, chance.between(-1.1, -0.9)), (0.5, chance.between(-1.0, -0.7)), (1.0, -0.05), (0, 0.12)]
    heap = smooth([(x + u * wide, y + v * high) for u, v in corners])
    top_face = smooth([(x + u * wide * 0.7 - 0.1 * wide, y + v * high * 0.5 - 0.38 * high) for u, v in corners])
    return [Part(outline=heap, shade=0.85), Part(outline=top_face, shade=1.1)]


OCCLUDERS: dict[Occluder, Callable[[Chance, tuple[float, float, float, float]], list[Part]]] = {"blades": blades, "lump": lump}
