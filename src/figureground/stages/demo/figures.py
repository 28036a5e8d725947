"""Three animals as shapes: what tells them apart is outline and parts, never colour or size.

Each animal is a list of parts in its own frame: x to the right (the way it faces), y down, one unit is about the length of the body. A part
is a closed polygon and the tone it is painted in. Coats are drawn from one list for all animals, and the area of the outline is the
caller's choice, so that neither says anything about the class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from figureground.core.errors import InputError

Tone = Literal["coat", "light", "dark", "eye"]

COATS = ((196, 122, 62), (138, 136, 140), (112, 78, 52), (226, 206, 172), (78, 82, 98), (236, 234, 228), (160, 104, 84))
"""RGB of the coats, shared by all animals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One closed polygon of a figure, float64 [points, 2] in the figure's own frame, and its tone."""

    outline: np.ndarray
    tone: Tone = "coat"


def ellipse(x: float, y: float, rx: float, ry: float, turn_deg: float = 0.0) -> np.ndarray:
    """An ellipse as a polygon of 40 points, turned clockwise (y is down) by `turn_deg`."""
    t, a = np.linspace(0, 2 * np.pi, 40, endpoint=False), np.deg2rad(turn_deg)
    u, v = rx * np.cos(t), ry * np.sin(t)
    return np.stack([x + u * np.cos(a) - v * np.sin(a), y + u * np.sin(a) + v * np.cos(a)], axis=1)


def smooth(points: list[tuple[float, float]], *, closed: bool = True, steps: int = 8) -> np.ndarray:
    """A Catmull-Rom curve through the points, `steps` samples a span."""
    p = np.asarray(points, float)
    ends = (p[-1:], p[:2]) if closed else (p[:1], p[-1:])
    p = np.concatenate([ends[0], p, ends[1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    spans = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate(spans if closed else [*spans, p[-2:-1]])


def limb(points: list[tuple[float, float]], start: float, end: float) -> np.ndarray:
    """A limb along a curve, as wide as 2 * `start` at its root and 2 * `end` at its tip."""
    line = smooth(points, closed=False)
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across *= np.linspace(start, end, len(line))[:, None]
    ahead = line[-1] - line[-2]
    tip = line[-1] + ahead / max(float(np.linalg.norm(ahead)), 1e-9) * end
    return np.concatenate([line + across, tip[None], (line - across)[::-1]])


def duck(rng: np.random.Generator) -> list[Part]:
    """Long low body, raised neck, bill, pointed tail, two thin legs."""
    lift, stride = rng.uniform(-0.06, 0.08), rng.uniform(0.06, 0.16)
    hx, hy = 0.44 + 0.4 * lift, -0.5 - lift
    body = smooth([(-0.72, -0.22), (-0.3, -0.13), (0.1, -0.15), (0.4, -0.06), (0.46, 0.1), (0.24, 0.27), (-0.12, 0.28), (-0.46, 0.1)])
    legs = [
        Part(outline=outline, tone="dark")
        for x in (-0.04 - stride / 2, 0.06 + stride / 2)
        for outline in (
            limb([(x, 0.2), (x - 0.01, 0.34), (x, 0.5)], 0.034, 0.026),
            smooth([(x - 0.05, 0.53), (x + 0.02, 0.45), (x + 0.17, 0.53)]),
        )
    ]
    return [
        *legs,
        Part(outline=smooth([(hx + 0.08, hy - 0.05), (hx + 0.36, hy + 0.05), (hx + 0.32, hy + 0.11), (hx + 0.08, hy + 0.09)]), tone="dark"),
        Part(outline=limb([(0.26, 0.06), (0.36, -0.2), (hx, hy)], 0.17, 0.1)),
        Part(outline=body),
        Part(outline=ellipse(hx, hy, 0.155, 0.14)),
        Part(outline=smooth([(-0.5, -0.05), (-0.1, -0.1), (0.2, 0.02), (0.05, 0.15), (-0.25, 0.12)]), tone="dark"),
        Part(outline=ellipse(hx + 0.05, hy - 0.035, 0.026, 0.026), tone="eye"),
    ]


def hare(rng: np.random.Generator) -> list[Part]:
    """Sitting up: round rump, two long upright ears, a ball of a tail."""
    lean, spread = rng.uniform(-0.05, 0.05), rng.uniform(0.04, 0.16)
    hx, hy = 0.3 + lean, -0.34
    body = smooth([(-0.46, 0.34), (-0.5, 0.06), (-0.28, -0.2), (0.06, -0.3), (0.32, -0.16), (0.32, 0.2), (0.14, 0.46), (-0.2, 0.48)])
    pair: list[tuple[float, float, Tone]] = [(0.03, spread * 0.2, "dark"), (-0.07, spread + 0.06, "coat")]
    ears = [
        Part(outline=limb([(hx + dx, hy - 0.05), (hx + dx - tip * 0.6, hy - 0.3), (hx + dx - tip, hy - 0.62)], 0.075, 0.045), tone=tone)
        for dx, tip, tone in pair
    ]
    return [
        Part(outline=ellipse(-0.52, 0.28, 0.11, 0.1), tone="light"),
        ears[0],
        Part(outline=limb([(0.2, 0.0), (0.27, 0.26), (0.27, 0.48)], 0.1, 0.06), tone="dark"),
        Part(outline=body),
        Part(outline=ellipse(0.02, 0.47, 0.28, 0.07), tone="light"),
        Part(outline=ellipse(-0.2, 0.22, 0.25, 0.23, -15), tone="coat"),
        ears[1],
        Part(outline=ellipse(hx, hy, 0.2, 0.155, 12)),
        Part(outline=ellipse(hx + 0.17, hy + 0.05, 0.045, 0.04), tone="light"),
        Part(outline=ellipse(hx + 0.06, hy - 0.03, 0.028, 0.028), tone="eye"),
    ]


def cat(rng: np.random.Generator) -> list[Part]:
    """Standing on four legs: two pointed ears, a long tail held up."""
    step, curl = rng.uniform(-0.07, 0.07), rng.uniform(-0.12, 0.12)
    hx, hy = 0.52, -0.26
    body = smooth([(-0.5, -0.02), (-0.3, -0.2), (0.1, -0.16), (0.4, -0.18), (0.46, 0.02), (0.3, 0.17), (-0.1, 0.14), (-0.44, 0.18)])
    four: list[tuple[float, float, Tone]] = [(-0.3, -step, "dark"), (0.26, step, "dark"), (-0.4, step, "coat"), (0.36, -step, "coat")]
    legs = [Part(outline=limb([(x, 0.02), (x + s * 0.4, 0.26), (x + s, 0.5)], 0.095, 0.052), tone=tone) for x, s, tone in four]
    tail = limb([(-0.42, -0.04), (-0.66, -0.12), (-0.7, -0.42), (-0.78 - curl, -0.7)], 0.065, 0.045)
    return [
        Part(outline=tail),
        *legs[:2],
        Part(outline=body),
        *legs[2:],
        Part(outline=np.array([(hx + 0.0, hy - 0.08), (hx + 0.1, hy - 0.3), (hx + 0.17, hy - 0.04)]), tone="dark"),
        Part(outline=np.array([(hx - 0.18, hy - 0.02), (hx - 0.13, hy - 0.3), (hx + 0.02, hy - 0.11)])),
        Part(outline=ellipse(hx, hy, 0.19, 0.165)),
        Part(outline=ellipse(hx + 0.13, hy + 0.06, 0.075, 0.055), tone="light"),
        Part(outline=ellipse(hx + 0.08, hy - 0.03, 0.026, 0.03), tone="eye"),
    ]


FIGURES: dict[str, Callable[[np.random.Generator], list[Part]]] = {"duck": duck, "hare": hare, "cat": cat}


def figure(name: str, rng: np.random.Generator, *, area_px: float, foot_xy: tuple[float, float]) -> list[Part]:
    """The parts of one animal in pixels: outline of `area_px`, feet at `foot_xy`, turned, stretched and mirrored at random.

    Raises:
        InputError: `name` is not one of `FIGURES`.
    """
    if name not in FIGURES:
        raise InputError(f"`name` must be one of {sorted(FIGURES)}; got '{name}'")
    parts = FIGURES[name](rng)
    turn, stretch, mirror = np.deg2rad(rng.uniform(-7, 7)), rng.uniform(0.92, 1.08), rng.choice((-1.0, 1.0))
    frame = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * (stretch * mirror, 1 / stretch)
    turned = [part.outline @ frame for part in parts]
    canvas = np.zeros((400, 400), np.uint8)
    for outline in turned:
        cv2.fillPoly(canvas, [np.round(outline * 100 + 200).astype(np.int32)], 1)
    scale = np.sqrt(area_px / max(1, int(canvas.sum()))) * 100
    points = np.concatenate(turned) * scale
    foot = np.array([points[:, 0].min() / 2 + points[:, 0].max() / 2, points[:, 1].max()])
    return [Part(outline=o * scale - foot + foot_xy, tone=part.tone) for o, part in zip(turned, parts, strict=True)]
