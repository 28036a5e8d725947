"""Six animals as shapes: what tells them apart is outline and parts, never colour or size.

Each is drawn in its own frame: x to the right (the way it faces), y down, feet near y = 0.5, about one unit long. It fills a third or so of
the box around it, or more, so that one is not much longer than another of the same area.
"""

from __future__ import annotations

from collections.abc import Callable

from figureground.stages.shift.figures.chance import Chance
from figureground.stages.shift.figures.raster import Part
from figureground.stages.shift.figures.shapes import ellipse, limb, polygon, smooth

LIGHT, DARK, EYE = 1.18, 0.72, 0.1

_DUCK = smooth([(-0.72, -0.22), (-0.3, -0.13), (0.1, -0.15), (0.4, -0.06), (0.46, 0.1), (0.24, 0.27), (-0.12, 0.28), (-0.46, 0.1)])
_WING = smooth([(-0.5, -0.05), (-0.1, -0.1), (0.2, 0.02), (0.05, 0.15), (-0.25, 0.12)])
_HARE = smooth([(-0.46, 0.34), (-0.5, 0.06), (-0.28, -0.2), (0.06, -0.3), (0.32, -0.16), (0.32, 0.2), (0.14, 0.46), (-0.2, 0.48)])
_CAT = smooth([(-0.5, -0.02), (-0.3, -0.2), (0.1, -0.16), (0.4, -0.18), (0.46, 0.02), (0.3, 0.17), (-0.1, 0.14), (-0.44, 0.18)])
_HERON = smooth([(-0.56, 0.06), (-0.36, -0.2), (-0.02, -0.26), (0.24, -0.12), (0.22, 0.06), (-0.04, 0.16), (-0.36, 0.13)])
_SHELL = smooth([(-0.56, 0.3), (-0.5, 0.02), (-0.26, -0.22), (0.06, -0.25), (0.34, -0.06), (0.42, 0.26), (0.3, 0.36), (-0.46, 0.36)])
_GOAT = smooth([(-0.5, -0.08), (-0.24, -0.14), (0.14, -0.14), (0.4, -0.2), (0.46, 0.02), (0.3, 0.2), (-0.14, 0.2), (-0.46, 0.16)])


def duck(chance: Chance) -> list[Part]:
    """Long low body, raised neck, broad bill, pointed tail, two short legs."""
    lift, stride = chance.between(-0.06, 0.08), chance.between(0.06, 0.16)
    hx, hy = 0.44 + 0.4 * lift, -0.5 - lift
    legs = [
        Part(outline=outline, shade=DARK)
        for x in (-0.04 - stride / 2, 0.06 + stride / 2)
        for outline in (
            limb([(x, 0.2), (x - 0.01, 0.34), (x, 0.5)], 0.036, 0.03),
            smooth([(x - 0.05, 0.54), (x + 0.02, 0.45), (x + 0.18, 0.54)]),
        )
    ]
    return [
        *legs,
        Part(outline=smooth([(hx + 0.08, hy - 0.06), (hx + 0.37, hy + 0.04), (hx + 0.34, hy + 0.12), (hx + 0.08, hy + 0.1)]), shade=DARK),
        Part(outline=limb([(0.26, 0.06), (0.36, -0.2), (hx, hy)], 0.17, 0.1)),
        Part(outline=_DUCK),
        Part(outline=ellipse(hx, hy, 0.16, 0.145)),
        Part(outline=_WING, shade=DARK),
        Part(outline=ellipse(hx + 0.05, hy - 0.035, 0.03, 0.03), shade=EYE),
    ]


def hare(chance: Chance) -> list[Part]:
    """Sitting up: round rump, two long upright ears, a ball of a tail."""
    lean, spread = chance.between(-0.05, 0.05), chance.between(0.06, 0.18)
    hx, hy = 0.3 + lean, -0.34
    ears = [
        Part(outline=limb([(hx + dx, hy - 0.05), (hx + dx - tip * 0.6, hy - 0.3), (hx + dx - tip, hy - 0.62)], 0.08, 0.05), shade=shade)
        for dx, tip, shade in ((0.04, spread * 0.1, DARK), (-0.08, spread + 0.08, 1.0))
    ]
    return [
        Part(outline=ellipse(-0.52, 0.28, 0.12, 0.11), shade=LIGHT),
        ears[0],
        Part(outline=limb([(0.2, 0.0), (0.27, 0.26), (0.27, 0.48)], 0.1, 0.06), shade=DARK),
        Part(outline=_HARE),
        Part(outline=ellipse(0.02, 0.47, 0.28, 0.07), shade=LIGHT),
        Part(outline=ellipse(-0.2, 0.22, 0.25, 0.23, -15), shade=0.92),
        ears[1],
        Part(outline=ellipse(hx, hy, 0.2, 0.155, 12)),
        Part(outline=ellipse(hx + 0.17, hy + 0.05, 0.05, 0.045), shade=LIGHT),
        Part(outline=ellipse(hx + 0.06, hy - 0.03, 0.032, 0.032), shade=EYE),
    ]


def cat(chance: Chance) -> list[Part]:
    """Standing on four legs: two pointed ears, a long tail held up."""
    step, curl = chance.between(-0.07, 0.07), chance.between(-0.12, 0.12)
    hx, hy = 0.52, -0.26
    four = ((-0.3, -step, DARK), (0.26, step, DARK), (-0.4, step, 1.0), (0.36, -step, 1.0))
    legs = [Part(outline=limb([(x, 0.02), (x + s * 0.4, 0.26), (x + s, 0.5)], 0.095, 0.056), shade=shade) for x, s, shade in four]
    return [
        Part(outline=limb([(-0.42, -0.04), (-0.66, -0.12), (-0.7, -0.42), (-0.78 - curl, -0.7)], 0.07, 0.055)),
        *legs[:2],
        Part(outline=_CAT),
        *legs[2:],
        Part(outline=polygon([(hx + 0.0, hy - 0.08), (hx + 0.12, hy - 0.34), (hx + 0.18, hy - 0.04)]), shade=DARK),
        Part(outline=polygon([(hx - 0.19, hy - 0.02), (hx - 0.14, hy - 0.34), (hx + 0.02, hy - 0.11)])),
        Part(outline=ellipse(hx, hy, 0.2, 0.175)),
        Part(outline=ellipse(hx + 0.13, hy + 0.06, 0.085, 0.06), shade=LIGHT),
        Part(outline=ellipse(hx + 0.08, hy - 0.03, 0.03, 0.034), shade=EYE),
    ]


def heron(chance: Chance) -> list[Part]:
    """Standing tall: neck in an S, a dagger of a bill, high legs, a hanging tail."""
    bend, step = chance.between(-0.05, 0.05), chance.between(-0.05, 0.08)
    hx, hy = 0.3 + bend, -0.68
    legs = [
        Part(outline=limb([(x, 0.06), (x + step * s, 0.3), (x + 0.02, 0.56)], 0.05, 0.036), shade=shade)
        for x, s, shade in ((-0.14, 1.0, DARK), (0.02, -1.0, 0.82))
    ]
    return [
        *legs,
        Part(outline=polygon([(hx + 0.06, hy - 0.07), (hx + 0.44, hy + 0.04), (hx + 0.06, hy + 0.08)]), shade=DARK),
        Part(outline=limb([(0.12, -0.06), (0.34, -0.22), (0.16 + bend, -0.44), (hx, hy)], 0.15, 0.08)),
        Part(outline=_HERON),
        Part(outline=smooth([(-0.74, 0.22), (-0.42, -0.1), (-0.02, -0.14), (0.08, 0.02), (-0.28, 0.13)]), shade=DARK),
        Part(outline=ellipse(hx + 0.01, hy, 0.135, 0.1, 8)),
        Part(outline=limb([(hx - 0.04, hy - 0.05), (hx - 0.16, hy - 0.07), (hx - 0.3, hy - 0.01)], 0.035, 0.01), shade=DARK),
        Part(outline=ellipse(hx + 0.05, hy - 0.02, 0.026, 0.026), shade=EYE),
    ]


def tortoise(chance: Chance) -> list[Part]:
    """A high domed shell with scutes, stubby legs, a blunt head stretched out low."""
    reach, step = chance.between(-0.05, 0.08), chance.between(-0.05, 0.05)
    hx, hy = 0.62 + reach, 0.06 - reach
    legs = [
        Part(outline=limb([(x, 0.26), (x + s * 0.5, 0.4), (x + s, 0.52)], 0.12, 0.085), shade=shade)
        for x, s, shade in ((-0.3, step, DARK), (0.2, -step, DARK), (-0.4, -step, 0.88), (0.3, step, 0.88))
    ]
    scutes = [
        Part(outline=ellipse(x, y, 0.12, 0.1, turn), shade=DARK) for x, y, turn in ((-0.3, 0.06, -40), (-0.06, -0.06, 0), (0.18, 0.06, 35))
    ]
    return [
        Part(outline=polygon([(-0.5, 0.24), (-0.72, 0.4), (-0.46, 0.36)]), shade=DARK),
        *legs,
        Part(outline=limb([(0.34, 0.24), (0.5, 0.18), (hx, hy)], 0.12, 0.09), shade=0.88),
        Part(outline=_SHELL),
        Part(outline=smooth([(-0.58, 0.36), (-0.5, 0.24), (0.36, 0.22), (0.44, 0.34), (0.3, 0.4), (-0.4, 0.41)]), shade=LIGHT),
        *scutes,
        Part(outline=ellipse(hx + 0.05, hy - 0.01, 0.15, 0.115, 10), shade=0.95),
        Part(outline=ellipse(hx + 0.1, hy - 0.05, 0.028, 0.028), shade=EYE),
    ]


def goat(chance: Chance) -> list[Part]:
    """Four straight legs, a raised neck, horns curved back, a beard, a short tail."""
    step, nod = chance.between(-0.06, 0.06), chance.between(-0.06, 0.05)
    hx, hy = 0.54, -0.46 + nod
    four = ((-0.28, -step, DARK), (0.22, step, DARK), (-0.4, step, 1.0), (0.34, -step, 1.0))
    legs = [Part(outline=limb([(x, 0.06), (x + s * 0.4, 0.3), (x + s, 0.56)], 0.09, 0.05), shade=shade) for x, s, shade in four]
    horns = [
        Part(outline=limb([(hx + dx, hy - 0.06), (hx + dx - 0.06, hy - 0.3), (hx + dx - 0.34, hy - 0.38)], 0.055, 0.02), shade=shade)
        for dx, shade in ((0.05, 0.6), (-0.04, 0.8))
    ]
    return [
        Part(outline=polygon([(-0.42, -0.1), (-0.64, -0.26), (-0.5, 0.04)]), shade=DARK),
        *legs[:2],
        Part(outline=limb([(0.28, 0.0), (0.4, -0.18), (hx - 0.02, hy)], 0.17, 0.12)),
        Part(outline=_GOAT),
        *legs[2:],
        horns[0],
        Part(outline=smooth([(hx + 0.14, hy + 0.1), (hx + 0.2, hy + 0.16), (hx + 0.15, hy + 0.34), (hx + 0.08, hy + 0.14)]), shade=DARK),
        Part(
            outline=smooth(
                [(hx - 0.14, hy - 0.1), (hx + 0.06, hy - 0.12), (hx + 0.28, hy + 0.06), (hx + 0.22, hy + 0.16), (hx - 0.06, hy + 0.12)]
            )
        ),
        Part(outline=smooth([(hx - 0.12, hy - 0.06), (hx - 0.3, hy - 0.02), (hx - 0.14, hy + 0.05)]), shade=DARK),
        horns[1],
        Part(outline=ellipse(hx + 0.06, hy - 0.01, 0.028, 0.028), shade=EYE),
    ]


FIGURES: dict[str, Callable[[Chance], list[Part]]] = {
    "duck": duck,
    "hare": hare,
    "cat": cat,
    "heron": heron,
    "tortoise": tortoise,
    "goat": goat,
}
"""The classes in the order in which `--classes` takes them."""
