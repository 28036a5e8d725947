"""Three grounds as painted scenes: shore, forest and street, each float32 RGB in [0, 1] with its own light, texture and props."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np


def noise(rng: np.random.Generator, size_hw: tuple[int, int], cell: tuple[int, int]) -> np.ndarray:
    """Smooth noise of about zero mean and unit spread, float32 [height, width]; `cell` is the size of a blob (height, width) in pixels."""
    coarse = rng.standard_normal((size_hw[0] // cell[0] + 3, size_hw[1] // cell[1] + 3)).astype(np.float32)
    fine = cv2.resize(coarse, (coarse.shape[1] * cell[1], coarse.shape[0] * cell[0]), interpolation=cv2.INTER_CUBIC)
    return fine[cell[0] : cell[0] + size_hw[0], cell[1] : cell[1] + size_hw[1]]


def _blend(top: np.ndarray, bottom: np.ndarray, share: np.ndarray) -> np.ndarray:
    return bottom + (top - bottom) * np.clip(share, 0, 1).astype(np.float32)[..., None]


def _colour(rng: np.random.Generator, *rgb: int, vary: float = 0.04) -> np.ndarray:
    """RGB in [0, 1]; brightness varies by `vary` and each channel by 0.04."""
    return (np.array(rgb, np.float32) / 255 + rng.uniform(-vary, vary) + rng.uniform(-0.04, 0.04, 3)).astype(np.float32)


def _rows(size_hw: tuple[int, int]) -> np.ndarray:
    return np.broadcast_to(np.linspace(0, 1, size_hw[0], dtype=np.float32)[:, None], size_hw)


def _stone(scene: np.ndarray, rng: np.random.Generator, colour: np.ndarray, *, y: float, size: float) -> None:
    """A rounded thing lying on the ground: it is ground, and now and then taken for a figure."""
    height, width = scene.shape[:2]
    layer = np.zeros((height, width), np.float32)
    centre = (int(rng.uniform(0, width)), int(y * height))
    axes = (int(size * height * rng.uniform(0.8, 1.6)), int(size * height))
    cv2.ellipse(layer, centre, axes, rng.uniform(-15, 15), 180, 360, 1.0, -1, cv2.LINE_AA)
    lit = colour * (1.05 - 0.5 * np.clip((_rows((height, width)) - y + size) / size, 0, 1))[..., None]
    scene[:] = _blend(lit, scene, cv2.GaussianBlur(layer, (0, 0), 1.2))


def shore(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Sky, sea with waves, and sand with a foam line and stones."""
    y = _rows(size_hw)
    horizon, beach = rng.uniform(0.24, 0.36), rng.uniform(0.52, 0.66)
    sky = _blend(_colour(rng, 226, 236, 242), _colour(rng, 128, 176, 220), y / horizon)
    sky += 0.07 * np.clip(noise(rng, size_hw, (16, 47)), 0, 2)[..., None]
    sea = _blend(_colour(rng, 96, 168, 178), _colour(rng, 36, 92, 138), (y - horizon) / (beach - horizon))
    sea += (0.05 * noise(rng, size_hw, (3, 23)) * (0.4 + 2 * np.clip(y - horizon, 0, 1)))[..., None]
    sand = _colour(rng, 214, 190, 146) + 0.03 * noise(rng, size_hw, (1, 2))[..., None] + 0.03 * noise(rng, size_hw, (13, 40))[..., None]
    edge = beach + 0.02 * noise(rng, size_hw, (267, 40))
    scene = _blend(sea, sky, (y - horizon) * 90)
    scene = _blend(sand - 0.12 * np.exp(-(((y - edge) / 0.05) ** 2))[..., None], scene, (y - edge) * 60)
    scene = _blend(np.ones(3, np.float32) * 0.96, scene, 0.9 * np.exp(-(((y - edge) / 0.011) ** 2)))
    for _ in range(rng.integers(0, 4)):
        _stone(scene, rng, _colour(rng, 150, 140, 128, vary=0.08), y=rng.uniform(beach + 0.04, 0.97), size=rng.uniform(0.02, 0.05))
    return scene


def forest(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Foliage with light through it, trunks, and a floor of moss and leaves with bushes."""
    width = size_hw[1]
    y = _rows(size_hw)
    floor = rng.uniform(0.5, 0.64)
    leaves = noise(rng, size_hw, (6, 6)) + noise(rng, size_hw, (17, 17))
    scene = _blend(_colour(rng, 148, 178, 96), _colour(rng, 34, 62, 38), 0.32 + 0.24 * leaves)
    for _ in range(rng.integers(5, 9)):
        x, half, depth = rng.uniform(0, width), rng.uniform(0.008, 0.03) * width, rng.uniform(0.0, 1.0)
        across = (np.arange(width, dtype=np.float32) - x)[None] + 4 * noise(rng, size_hw, (80, 267)) * half / 5
        bark = _colour(rng, 92, 74, 58) * (0.65 + 0.5 * depth) * (1 - 0.35 * across / half)[..., None]
        bark = bark + 0.05 * noise(rng, size_hw, (12, 2))[..., None]
        scene = _blend(bark, scene, (half - np.abs(across)) * 0.8 * (y < floor + 0.06 * depth))
    moss = _blend(_colour(rng, 116, 124, 58), _colour(rng, 82, 66, 44), 0.5 + 0.3 * noise(rng, size_hw, (9, 20)))
    moss = moss + (0.05 * noise(rng, size_hw, (2, 3)) + 0.04 * noise(rng, size_hw, (5, 5)))[..., None]
    scene = _blend(moss, scene, (y - floor - 0.03 * noise(rng, size_hw, (40, 20))) * 30)
    for _ in range(rng.integers(0, 4)):
        _stone(scene, rng, _colour(rng, 74, 104, 52, vary=0.08), y=rng.uniform(floor + 0.06, 0.97), size=rng.uniform(0.03, 0.07))
    return scene


def street(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """House fronts with windows, a kerb, and asphalt with a line and bags."""
    height, width = size_hw
    y = _rows(size_hw)
    kerb = rng.uniform(0.5, 0.62)
    scene = np.broadcast_to(_colour(rng, 176, 186, 198), (height, width, 3)).copy()
    left = -int(rng.uniform(0, 0.2) * width)
    while left < width:
        right = left + int(rng.uniform(0.22, 0.42) * width)
        wall = _colour(rng, *((172, 104, 84), (196, 180, 156), (138, 142, 150), (214, 206, 190))[rng.integers(4)])
        _front(scene, rng, wall, box=(max(left, 0), int(rng.uniform(-0.1, 0.12) * height), right, int(kerb * height)))
        left = right
    pavement = _colour(rng, 170, 166, 160) + 0.02 * noise(rng, size_hw, (2, 2))[..., None]
    asphalt = _colour(rng, 96, 98, 104) + (0.04 * noise(rng, size_hw, (1, 1)) + 0.03 * noise(rng, size_hw, (16, 33)))[..., None]
    line = rng.uniform(kerb + 0.22, 0.94)
    asphalt = _blend(_colour(rng, 226, 222, 206), asphalt, 0.8 * (np.abs(y - line) < 0.014))
    scene = _blend(pavement, scene, (y - kerb) * 200)
    scene = _blend(asphalt, scene, (y - kerb - 0.09) * 200)
    for _ in range(rng.integers(0, 4)):
        _stone(scene, rng, _colour(rng, 88, 92, 96, vary=0.12), y=rng.uniform(kerb + 0.08, 0.97), size=rng.uniform(0.02, 0.06))
    return scene


def _front(scene: np.ndarray, rng: np.random.Generator, wall: np.ndarray, *, box: tuple[int, int, int, int]) -> None:
    """One house front with a grid of windows, painted into the scene."""
    left, top, right, bottom = box
    top = max(top, 0)
    patch = scene[top:bottom, left:right]
    patch[:] = wall + 0.015 * rng.standard_normal((*patch.shape[:2], 1)).astype(np.float32)
    patch[:, :2] *= 0.7
    glass, cell = _colour(rng, 70, 84, 102), int(rng.uniform(0.11, 0.16) * scene.shape[0])
    for row in range(top + cell // 2, bottom - cell, cell + cell // 3):
        for column in range(left + cell // 3, right - cell, cell):
            cv2.rectangle(scene, (column, row), (column + cell * 2 // 3, row + cell), [float(v) for v in wall * 1.12], -1)
            lit = glass * rng.uniform(0.75, 1.35)
            cv2.rectangle(scene, (column + 2, row + 2), (column + cell * 2 // 3 - 2, row + cell - 2), [float(v) for v in lit], -1)


GROUNDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {"shore": shore, "forest": forest, "street": street}
