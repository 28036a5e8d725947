"""Light and paint: the coat of a figure, the relief that makes it round, its shadow, and the camera that takes the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from figureground.stages.shift.figures.canvas import Canvas, colour
from figureground.stages.shift.figures.chance import Chance
from figureground.stages.shift.figures.raster import WHOLE, Coverage, Part, cover
from figureground.stages.shift.figures.shapes import bounds, moved

COATS = ((198, 120, 58), (140, 138, 142), (116, 78, 50), (228, 208, 172), (74, 78, 96), (238, 236, 230), (164, 102, 82), (96, 92, 84))
"""RGB of the coats, shared by all figures and by all things that are painted as they are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Parts on the pixels of a window of the picture."""

    rows: slice
    columns: slice
    cover: Coverage

    @property
    def alpha(self) -> np.ndarray:
        """float32 [rows, columns], covered part of each pixel."""
        return self.cover.inside.astype(np.float32) * np.float32(1 / WHOLE)


def window_of(parts: Sequence[Part], region: tuple[slice, slice], front: Window | None = None) -> Window:
    """The parts on the pixels of a region (rows and columns, as `around` gives them).

    Args:
        parts: outlines in pixels of the picture.
        region: rows and columns of the window, at least one pixel.
        front: what hides them, in a window of the same region.
    """
    rows, columns = region
    inside = moved(parts, shift_xy=(-columns.start, -rows.start))
    size_hw = (rows.stop - rows.start, columns.stop - columns.start)
    return Window(rows=rows, columns=columns, cover=cover(inside, size_hw=size_hw, front=None if front is None else front.cover))


def around(parts: Sequence[Part], size: int) -> tuple[slice, slice]:
    """Rows and columns of the pixels around some parts, with a pixel to spare, cut at the edges of the picture."""
    left, top, right, bottom = bounds(parts)
    return slice(max(0, int(top) - 1), min(size, int(bottom) + 2)), slice(max(0, int(left) - 1), min(size, int(right) + 2))


def paint_body(canvas: Canvas, chance: Chance, window: Window, *, light: float) -> None:
    """Paints parts in a coat of one or two colours, lit from above and from the side `light` (-1 left, 1 right).

    The mean brightness of the light on it is 1 whatever its shape, so that brightness and colour come from the coat alone.
    """
    alpha, size_hw = window.alpha, window.cover.inside.shape
    first, second = colour(chance, *chance.one_of(COATS)), colour(chance, *chance.one_of(COATS))
    patched = chance.share() < 0.5
    lit = window.cover.shade * _relief(alpha, light, canvas.size)
    lit *= 1 + 0.045 * canvas.textures.cut("speck", chance, *size_hw)
    if (whole := float(alpha.sum())) > 0:
        lit *= whole / float((lit * alpha).sum())
    coat = np.repeat(first, size_hw[0] * size_hw[1]).reshape(3, *size_hw)
    if patched:
        patch = np.clip((canvas.textures.cut("patch", chance, *size_hw) - 0.6) * 5, 0, 1)
        coat += (second - first)[:, None, None] * patch
    canvas.lay(window.rows, window.columns, coat * lit, alpha)


def paint_front(canvas: Canvas, tone: np.ndarray, window: Window) -> None:
    """Paints what stands before a figure, darker towards its foot."""
    fall = np.linspace(1.1, 0.8, window.cover.inside.shape[0], dtype=np.float32)[:, None]
    canvas.lay(window.rows, window.columns, tone[:, None, None] * (window.cover.shade * fall), window.alpha)


def cast_shadow(canvas: Canvas, window: Window, *, foot_y: float, light: float) -> None:
    """Darkens the ground where the outline falls, laid flat away from the light, and below the feet; both are soft."""
    size, alpha = canvas.size, window.alpha
    x0, y0 = window.columns.start, window.rows.start
    flat, lean = 0.2, -0.6 * light
    high = foot_y - y0
    rows = slice(max(0, int(foot_y - 0.07 * size)), min(size, int(foot_y + flat * high + 0.06 * size)))
    if rows.stop - rows.start < 2:
        return
    # A point h above the feet falls h * flat below the foot line of the picture and h * lean to the side.
    lay = np.array([[1, lean, x0 - lean * high], [0, -flat, high * flat + foot_y - rows.start]])
    laid = cv2.warpAffine(alpha, lay, (size, rows.stop - rows.start), flags=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(laid, (0, 0), 0.014 * size) * 0.42
    columns = np.flatnonzero(alpha.max(axis=0) > 0.3)
    if columns.size:
        blob = np.zeros_like(laid)
        centre = (int(x0 + columns.mean()), int(foot_y - rows.start - 0.008 * size))
        cv2.ellipse(blob, centre, (int(columns.size * 0.4) + 1, max(1, size // 40)), 0, 0, 360, 1.0, -1)
        soft = np.maximum(soft, cv2.GaussianBlur(blob, (0, 0), 0.016 * size) * 0.5)
    canvas.planes[:, rows] *= 1 - soft


def _relief(alpha: np.ndarray, light: float, size: int) -> np.ndarray:
    """Brightness of a body that bulges towards the viewer."""
    inside = (alpha >= 0.5).astype(np.uint8)
    depth = np.sqrt(np.minimum(cv2.distanceTransform(inside, cv2.DIST_L2, 3) / size, 0.11))
    depth = cv2.GaussianBlur(depth, (0, 0), 0.012 * size)
    across, down = cv2.Sobel(depth, cv2.CV_32F, 1, 0, scale=size / 8), cv2.Sobel(depth, cv2.CV_32F, 0, 1, scale=size / 8)
    return np.clip(0.92 + 0.055 * down - 0.035 * light * across, 0.45, 1.35)


def photograph(canvas: Canvas, chance: Chance, *, noise: float) -> np.ndarray:
    """The picture as a small camera takes it: exposure, tint, darker corners, grain; uint8 [size, size, 3]."""
    size, exposure = canvas.size, chance.between(0.88, 1.1)
    warmth = chance.between(-0.05, 0.05)
    corners = _corners(size)
    planes = []
    for plane, tint in zip(canvas.planes, (1 + warmth, 1.0, 1 - warmth), strict=True):
        taken = plane * (corners * np.float32(255 * exposure * tint))
        taken += canvas.textures.cut("grain", chance, size) * np.float32(255 * noise)
        planes.append(cv2.convertScaleAbs(np.maximum(taken, 0, out=taken)))
    return cv2.merge(planes)


@lru_cache(maxsize=2)
def _corners(size: int) -> np.ndarray:
    """What a lens lets through, 1 in the middle."""
    away = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    return 1 - np.float32(0.12) * (away[:, None] + away[None])
