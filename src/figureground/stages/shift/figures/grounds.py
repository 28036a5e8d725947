"""Five grounds as painted scenes, each with its own light, texture and clutter: shore, forest, street, meadow and snow.

Each paints the whole canvas. Above the middle is the distance, below about 0.62 of the height is ground to stand on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from figureground.stages.shift.figures.canvas import Canvas, below, colour, ellipse_window
from figureground.stages.shift.figures.chance import Chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """How a scene is painted, and the colours of what grows and lies in it."""

    paint: Callable[[Canvas, Chance], None]
    blade: tuple[int, int, int]
    """RGB of stalks that stand before a figure."""
    lump: tuple[int, int, int]
    """RGB of stones, snow heaps or bags that lie before it."""


def shore(canvas: Canvas, chance: Chance) -> None:
    """Sky with clouds, a headland, sea with waves, wet and dry sand with a line of foam, stones."""
    size = canvas.size
    horizon, beach = chance.between(0.24, 0.36), chance.between(0.5, 0.6)
    _sky(canvas, chance, horizon, (112, 166, 216), (224, 234, 240))
    if chance.share() < 0.6:
        _hills(canvas, chance, horizon, height=chance.between(0.03, 0.1), tone=colour(chance, 104, 128, 138))
    sea = canvas.rows(horizon, beach + 0.1)
    water = canvas.fill(sea, colour(chance, 42, 100, 146), colour(chance, 104, 178, 184))
    swell = np.linspace(0.25, 1.0, water.shape[1], dtype=np.float32)[:, None]
    water += canvas.noise("wave", chance, sea) * swell * 0.06
    water += np.maximum(canvas.noise("wave", chance, sea) - 1.3, 0) * swell * 0.35
    rows = canvas.rows(beach - 0.08, 1)
    edge = (beach + 0.018 * canvas.textures.line("drift", chance) + 0.006 * canvas.textures.line("patch", chance)) * size
    sand = _floor(canvas, chance, rows, (222, 198, 152), (206, 178, 128), {"grain": 0.025, "ripple": 0.022, "patch": 0.015})
    depth = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - edge) / size
    sand -= 0.17 * np.exp(-np.maximum(depth, 0) / 0.05)
    canvas.lay(rows, slice(None), sand, below(edge, rows, 1.5))
    foam = np.exp(-((depth / 0.011) ** 2)) * 0.85 + np.exp(-(((depth + 0.045) / 0.008) ** 2)) * 0.35
    canvas.lay(rows, slice(None), np.full(3, 0.97, np.float32), foam)
    for _ in range(chance.whole(4)):
        _lump(canvas, chance, colour(chance, 136, 126, 116, vary=0.12), y=chance.between(beach + 0.06, 0.97))


def forest(canvas: Canvas, chance: Chance) -> None:
    """Foliage with light through it, trunks near and far, a floor of moss and leaves, ferns and bushes."""
    size = canvas.size
    floor = chance.between(0.48, 0.58)
    rows = canvas.rows(0, floor + 0.06)
    crowns = canvas.fill(rows, colour(chance, 62, 92, 48), colour(chance, 44, 72, 46))
    leaves = canvas.noise("leaf", chance, rows) + canvas.noise("patch", chance, rows)
    crowns += leaves * np.array([0.05, 0.065, 0.03], np.float32)[:, None, None]
    gaps = np.clip(canvas.noise("drift", chance, rows) + 0.6 * leaves - 0.7, 0, 1) * 0.6
    canvas.lay(rows, slice(None), colour(chance, 206, 222, 152), gaps)
    for depth in sorted(chance.between(0, 1) for _ in range(4 + chance.whole(5))):
        _trunk(canvas, chance, depth, bottom=floor + 0.01 + 0.05 * depth)
    ground = canvas.rows(floor - 0.04, 1)
    edge = (floor + 0.014 * canvas.textures.line("patch", chance)) * size
    moss = _floor(canvas, chance, ground, (84, 92, 46), (118, 112, 60), {"leaf": 0.03, "speck": 0.03, "grain": 0.012})
    litter = np.clip(canvas.noise("patch", chance, ground) * 0.6 + 0.2 * canvas.noise("speck", chance, ground), 0, 0.9)
    moss += (colour(chance, 116, 84, 54)[:, None, None] - moss) * litter
    canvas.lay(ground, slice(None), moss, below(edge, ground, 0.02 * size))
    for _ in range(chance.whole(4)):
        _tuft(canvas, chance, colour(chance, 70, 108, 50, vary=0.1), y=chance.between(floor + 0.06, 0.98))


def street(canvas: Canvas, chance: Chance) -> None:
    """House fronts with windows and doors, a pavement with its kerb, asphalt with a painted line, posts and bags."""
    size = canvas.size
    kerb = chance.between(0.48, 0.56)
    _sky(canvas, chance, kerb, (150, 178, 208), (206, 214, 222))
    left = -chance.between(0, 0.2)
    while left < 1:
        right = left + chance.between(0.24, 0.44)
        wall = colour(chance, *chance.one_of(((176, 104, 82), (204, 186, 154), (136, 142, 152), (214, 204, 186), (150, 120, 104))))
        _front(canvas, chance, wall, (left, chance.between(-0.08, 0.14), right, kerb))
        left = right
    pavement = canvas.rows(kerb, kerb + 0.1)
    slabs = canvas.fill(pavement, colour(chance, 158, 154, 150), colour(chance, 180, 176, 170))
    slabs += 0.015 * canvas.noise("grain", chance, pavement)
    canvas.planes[:, canvas.rows(kerb + 0.085, kerb + 0.1)] *= 0.72
    road = canvas.rows(kerb + 0.1, 1)
    canvas.planes[:, road] = _floor(canvas, chance, road, (88, 90, 96), (112, 112, 116), {"grain": 0.035, "cloud": 0.025, "speck": 0.012})
    line = chance.between(kerb + 0.2, 0.96)
    worn = np.clip(0.75 + 0.25 * canvas.noise("speck", chance, canvas.rows(line, line + 0.022)), 0, 1)
    canvas.lay(canvas.rows(line, line + 0.022), slice(None), colour(chance, 226, 220, 204), worn)
    if chance.share() < 0.5:
        _post(canvas, colour(chance, 60, 66, 70), x=chance.between(0.04, 0.96) * size, half=0.009 * size, bottom=kerb + 0.07)
    for _ in range(chance.whole(4)):
        _lump(canvas, chance, colour(chance, 84, 90, 96, vary=0.14), y=chance.between(kerb + 0.1, 0.97))


def meadow(canvas: Canvas, chance: Chance) -> None:
    """Sky, hills and a row of trees far away, grass that grows coarser towards the viewer, flowers."""
    horizon = chance.between(0.38, 0.5)
    _sky(canvas, chance, horizon, (104, 164, 226), (222, 234, 240))
    _hills(canvas, chance, horizon, height=chance.between(0.05, 0.14), tone=colour(chance, 128, 158, 146))
    _hills(canvas, chance, horizon, height=chance.between(0.01, 0.05), tone=colour(chance, 62, 100, 60), rough=0.012)
    rows = canvas.rows(horizon, 1)
    grass = _floor(canvas, chance, rows, (150, 182, 84), (92, 142, 52), {"patch": 0.02, "cloud": 0.03})
    near = np.linspace(0.15, 1, grass.shape[1], dtype=np.float32)[:, None]
    grass += canvas.noise("blade", chance, rows) * near * np.array([0.05, 0.06, 0.03], np.float32)[:, None, None]
    canvas.planes[:, rows] = grass
    petal = colour(chance, *chance.one_of(((244, 240, 236), (246, 214, 70), (214, 84, 92), (168, 126, 206))))
    spots = np.clip((canvas.noise("speck", chance, rows) - 1.9) * 2, 0, 1) * near
    canvas.lay(rows, slice(None), petal, spots)
    for _ in range(chance.whole(4)):
        _tuft(canvas, chance, colour(chance, 88, 132, 48, vary=0.08), y=chance.between(horizon + 0.12, 0.98))


def snow(canvas: Canvas, chance: Chance) -> None:
    """Pale sky, mountains with lit and shaded faces, dark firs, a field of snow with blue shadows, heaps."""
    size = canvas.size
    horizon = chance.between(0.38, 0.48)
    _sky(canvas, chance, horizon, (150, 184, 222), (226, 232, 240))
    peaks = _hills(canvas, chance, horizon, height=chance.between(0.14, 0.24), tone=colour(chance, 138, 152, 178), rough=0.03)
    caps = canvas.rows(0, horizon)
    white = below(peaks, caps, 1.5) * (1 - below(peaks + 0.07 * size, caps, 0.06 * size))
    canvas.lay(caps, slice(None), colour(chance, 240, 244, 250), white * np.clip(0.6 + 0.5 * canvas.noise("leaf", chance, caps), 0, 1))
    for _ in range(3 + chance.whole(8)):
        _fir(canvas, chance, bottom=horizon + chance.between(0.0, 0.05))
    rows = canvas.rows(horizon - 0.04, 1)
    edge = (horizon + 0.012 * canvas.textures.line("drift", chance)) * size
    field = _floor(canvas, chance, rows, (214, 226, 242), (238, 242, 248), {"grain": 0.01, "speck": 0.006})
    hollow = np.clip(canvas.noise("ripple", chance, rows) + canvas.noise("drift", chance, rows), 0, 3)
    field -= hollow * np.array([0.075, 0.055, 0.022], np.float32)[:, None, None]
    canvas.lay(rows, slice(None), field, below(edge, rows, 1.5))
    for _ in range(chance.whole(4)):
        _lump(canvas, chance, colour(chance, 222, 228, 240, vary=0.03), y=chance.between(horizon + 0.1, 0.97))


GROUNDS: dict[str, Ground] = {
    "shore": Ground(paint=shore, blade=(170, 160, 96), lump=(140, 130, 120)),
    "forest": Ground(paint=forest, blade=(78, 118, 52), lump=(92, 100, 76)),
    "street": Ground(paint=street, blade=(112, 124, 84), lump=(96, 98, 104)),
    "meadow": Ground(paint=meadow, blade=(116, 160, 60), lump=(150, 146, 136)),
    "snow": Ground(paint=snow, blade=(148, 136, 100), lump=(218, 226, 238)),
}
"""The contexts in the order in which `--contexts` takes them."""


def _sky(canvas: Canvas, chance: Chance, bottom: float, upper: tuple[int, int, int], lower: tuple[int, int, int]) -> None:
    rows = canvas.rows(0, bottom + 0.05)
    sky = canvas.fill(rows, colour(chance, *upper), colour(chance, *lower))
    clouds = np.clip(canvas.noise("cloud", chance, rows) + chance.between(-1.2, 0.6), 0, 1.6) * 0.4
    sky += (0.97 - sky) * clouds


def _hills(canvas: Canvas, chance: Chance, foot: float, *, height: float, tone: np.ndarray, rough: float = 0.0) -> np.ndarray:
    """A ridge against the sky, lighter towards its foot; returns its edge in pixels from the top."""
    lines = canvas.textures
    ridge = foot - height * (0.55 + 0.4 * lines.line("drift", chance)) - rough * lines.line("leaf", chance)
    edge, rows = np.minimum(ridge, foot) * canvas.size, canvas.rows(0, foot + 0.05)
    haze = np.linspace(0, 0.18, rows.stop - rows.start, dtype=np.float32)[:, None]
    paint = tone[:, None, None] + haze + 0.02 * canvas.noise("leaf", chance, rows)
    canvas.lay(rows, slice(None), paint, below(edge, rows, 1.5))
    return edge


def _floor(
    canvas: Canvas, chance: Chance, rows: slice, far: tuple[int, int, int], near: tuple[int, int, int], noises: dict[str, float]
) -> np.ndarray:
    """The paint of ground, [3, rows, size]: from its colour far away to that nearby, and some noises on it, each of its strength."""
    a, b = colour(chance, *far), colour(chance, *near)
    share = np.linspace(0, 1, rows.stop - rows.start, dtype=np.float32)
    rough = sum(canvas.noise(name, chance, rows) * strength for name, strength in noises.items())
    return (a[:, None] + (b - a)[:, None] * share)[..., None] + rough


def _trunk(canvas: Canvas, chance: Chance, depth: float, *, bottom: float) -> None:
    """A trunk, thin and pale far away (`depth` 0), thick and dark nearby (1), rounded by light from one side."""
    size = canvas.size
    x, half = chance.share() * size, (0.008 + 0.026 * depth * chance.between(0.6, 1)) * size
    columns, rows = slice(max(0, int(x - half - 2)), min(size, int(x + half + 3))), canvas.rows(0, bottom)
    if columns.stop <= columns.start:
        return
    lean = chance.between(-0.06, 0.06)
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
    across = (np.arange(columns.start, columns.stop, dtype=np.float32)[None] + 0.5 - x - lean * (y - rows.stop / 2) * 0.3) / half
    bark = canvas.textures.cut("bark", chance, rows.stop - rows.start, columns.stop - columns.start)
    tone = colour(chance, 112, 98, 78) * (1.05 - 0.45 * depth)
    paint = tone[:, None, None] * (1 - 0.4 * across + 0.16 * bark)
    canvas.lay(rows, columns, paint, np.clip((1 - np.abs(across)) * half + 0.5, 0, 1))


def _front(canvas: Canvas, chance: Chance, wall: np.ndarray, box: tuple[float, float, float, float]) -> None:
    """One house front with a grid of windows, and perhaps a door."""
    size = canvas.size
    left, top, right, bottom = (round(v * size) for v in box)
    left, top, right = max(left, 0), max(top, 0), min(right, size)
    if right - left < 3:
        return
    patch = canvas.planes[:, top:bottom, left:right]
    patch[:] = wall[:, None, None] + 0.018 * canvas.textures.cut("speck", chance, bottom - top, right - left)
    patch[:, :, :1] *= 0.68
    patch[:, :2] *= 0.82
    cell = max(5, round(chance.between(0.1, 0.15) * size))
    glass, wide, frame = colour(chance, 62, 78, 98), max(2, round(cell * 0.62)), wall * 1.16
    for y in range(top + cell // 2, bottom - cell, cell + cell // 3):
        for x in range(left + cell // 3, right - wide, cell):
            canvas.planes[:, y : y + cell, x : x + wide] = frame[:, None, None]
            rim = max(1, cell // 9)
            canvas.planes[:, y + rim : y + cell - rim, x + rim : x + wide - rim] = (glass * chance.between(0.7, 1.5))[:, None, None]
    if chance.share() < 0.6 and right - left > 2 * cell:
        x = left + cell // 2 + chance.whole(right - left - 2 * cell)
        door = colour(chance, *chance.one_of(((110, 60, 44), (52, 76, 66), (60, 64, 92))))
        canvas.planes[:, bottom - round(0.15 * size) : bottom, x : x + round(0.075 * size)] = door[:, None, None]


def _post(canvas: Canvas, tone: np.ndarray, *, x: float, half: float, bottom: float) -> None:
    columns = slice(max(0, int(x - half - 1)), min(canvas.size, int(x + half + 2)))
    across = (np.arange(columns.start, columns.stop, dtype=np.float32)[None] + 0.5 - x) / half
    canvas.lay(canvas.rows(0.05, bottom), columns, tone, np.clip((1 - np.abs(across)) * half + 0.5, 0, 1))


def _lump(canvas: Canvas, chance: Chance, tone: np.ndarray, *, y: float) -> None:
    """A rounded thing lying on the ground, lit from above, with a dark foot."""
    size = canvas.size
    high = chance.between(0.014, 0.03) * (0.4 + 1.2 * y) * size
    wide, x = high * chance.between(1.1, 1.9), chance.share() * size
    rows, columns, v, u = ellipse_window(size, x, y * size, wide * 1.25, high * 0.5)
    canvas.lay(rows, columns, np.zeros(3, np.float32), 0.4 * np.clip(1 - v * v - u * u, 0, 1))
    rows, columns, v, u = ellipse_window(size, x, y * size, wide, high)
    inside = np.clip((1 - np.sqrt(v * v + u * u)) * high + 0.5, 0, 1) * np.clip(0.35 * high - v * high + 0.5, 0, 1)
    canvas.lay(rows, columns, tone[:, None, None] * (0.85 - 0.42 * v + 0.1 * u), inside)


def _tuft(canvas: Canvas, chance: Chance, tone: np.ndarray, *, y: float) -> None:
    """A bush or a tuft: leaves in a half round, dark at its foot."""
    size = canvas.size
    high = chance.between(0.03, 0.055) * (0.4 + 1.1 * y) * size
    wide, x = high * chance.between(1.0, 1.7), chance.share() * size
    rows, columns, v, u = ellipse_window(size, x, y * size, wide, high)
    if v.size == 0 or u.size == 0:
        return
    leaves = canvas.textures.cut("speck", chance, v.size, u.size)
    inside = np.clip((0.85 - np.sqrt(v * v + u * u) + 0.22 * leaves) * high * 0.5, 0, 1) * np.clip(0.2 * high - v * high + 0.5, 0, 1)
    canvas.lay(rows, columns, tone[:, None, None] * (0.85 - 0.5 * v + 0.25 * leaves), inside)


def _fir(canvas: Canvas, chance: Chance, *, bottom: float) -> None:
    """A dark fir: a triangle with a ragged edge and snow on one side."""
    size = canvas.size
    high, x = chance.between(0.07, 0.17) * size, chance.share() * size
    rows, columns, v, u = ellipse_window(size, x, bottom * size - high / 2, high * 0.26, high / 2)
    if v.size == 0 or u.size == 0:
        return
    ragged = canvas.textures.cut("speck", chance, v.size, u.size)
    inside = np.clip(((1 + v) / 2 - np.abs(u) + 0.14 * ragged) * high * 0.26, 0, 1) * (v < 1)
    canvas.lay(rows, columns, colour(chance, 44, 66, 60)[:, None, None] + 0.3 * np.clip(ragged * 0.5 - u, 0, 1) ** 2, inside)
