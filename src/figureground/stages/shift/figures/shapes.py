"""Outlines from a few numbers: ellipses, smooth curves through points, limbs that taper, and moving them about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from figureground.stages.shift.figures.raster import Part

_POINTS, _STEPS = 28, 6
_ANGLES = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_T = np.linspace(0, 1, _STEPS, endpoint=False)
_SPLINE = 0.5 * np.stack([-_T + 2 * _T**2 - _T**3, 2 - 5 * _T**2 + 3 * _T**3, _T + 4 * _T**2 - 3 * _T**3, _T**3 - _T**2], axis=1)
"""Weights of the four points around a span, [steps, 4]."""

Points = Sequence[tuple[float, float]]


def ellipse(x: float, y: float, rx: float, ry: float, turn_deg: float = 0.0) -> np.ndarray:
    """An ellipse as a polygon of 28 points, turned clockwise (y is down) by `turn_deg`."""
    a = np.deg2rad(turn_deg)
    cos, sin = float(np.cos(a)), float(np.sin(a))
    return _CIRCLE @ np.array([[rx * cos, rx * sin], [-ry * sin, ry * cos]]) + (x, y)


def smooth(points: Points, *, closed: bool = True) -> np.ndarray:
    """A Catmull-Rom curve through the points, 6 samples a span, float64 [samples, 2]."""
    p = np.asarray(points, float)
    p = np.concatenate([p[-1:], p, p[:2]] if closed else [p[:1], p, p[-1:]])
    around = np.stack([p[:-3], p[1:-2], p[2:-1], p[3:]], axis=1)  # [spans, 4, 2]
    curve = (_SPLINE @ around).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, p[-1:]])


def limb(points: Points, start: float, end: float) -> np.ndarray:
    """A limb along a curve, as wide as 2 * `start` at its root and 2 * `end` at its tip."""
    line = smooth(points, closed=False)
    along = np.concatenate([line[1:2] - line[:1], line[2:] - line[:-2], line[-1:] - line[-2:-1]])
    along /= np.maximum(np.sqrt((along**2).sum(axis=1, keepdims=True)), 1e-9)
    across = along[:, ::-1] * (-1.0, 1.0) * np.linspace(start, end, len(line))[:, None]
    return np.concatenate([line + across, line[-1:] + along[-1:] * end, (line - across)[::-1]])


def polygon(points: Points) -> np.ndarray:
    """A polygon with the points as corners."""
    return np.asarray(points, float)


def bounds(parts: Sequence[Part]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of some parts."""
    points = np.concatenate([part.outline for part in parts])
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return left, top, right, bottom


def moved(parts: Sequence[Part], *, frame: np.ndarray | None = None, scale: float = 1.0, shift_xy: tuple[float, float]) -> list[Part]:
    """Every part times `frame` (float64 [2, 2], from the right), times `scale`, plus a shift."""
    turn = np.eye(2) * scale if frame is None else frame * scale
    return [Part(outline=part.outline @ turn + shift_xy, shade=part.shade) for part in parts]
