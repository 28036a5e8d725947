"""One picture of the demo and its exact mask, and the plan of which pictures there are; pure functions of the seed.

The planted shortcut: in the split `train` each class stands on its own ground 19 times in 20, in `balanced` and `test` every class stands
on every ground equally often. Class says nothing about colour, size or place in the picture; ground says nothing but by that tie.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from figureground.core.errors import InputError
from figureground.stages.demo.figures import COATS, FIGURES, Part, figure
from figureground.stages.demo.grounds import GROUNDS, noise

SIZE_HW = (120, 160)
CLASSES = ("background", *FIGURES)
COMMON = dict(zip(FIGURES, GROUNDS, strict=True))
"""The ground that the split `train` ties each class to."""
TIED, BALANCED, TESTED = 76, 27, 30
"""Pictures of a class on its own ground in `train`, and of each class on each ground in `balanced` and in `test`."""
_FINE = 2  # drawn twice as large, then averaged down: smooth outlines from integer polygons


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one picture shows, and which split it belongs to."""

    index: int
    split: str
    label: str
    context: str

    @property
    def id(self) -> str:
        """The sample's id: its split and its number."""
        return f"{self.split}_{self.index:04d}"


def plans() -> tuple[Plan, ...]:
    """Every picture of the demo, in the order of its index; the same for every seed."""
    count = {
        "train": lambda label, context: TIED if COMMON[label] == context else (TIED // 19) // (len(GROUNDS) - 1),
        "balanced": lambda label, context: BALANCED,
        "test": lambda label, context: TESTED,
    }
    rows = [
        (split, label, context)
        for split, number in count.items()
        for label in FIGURES
        for context in GROUNDS
        for _ in range(number(label, context))
    ]
    return tuple(Plan(index=i, split=split, label=label, context=context) for i, (split, label, context) in enumerate(rows))


def picture(label: str, context: str, *, seed: int, index: int) -> tuple[np.ndarray, np.ndarray]:
    """One picture (uint8 [120, 160, 3] RGB) and its label map (uint8 [120, 160], 0 background, then `CLASSES` in order).

    The same arguments give the same arrays. The figure covers 9 to 17 % of the picture, whatever it is and wherever it stands.

    Raises:
        InputError: `label` or `context` is unknown, or `index` or `seed` is negative.
    """
    if context not in GROUNDS:
        raise InputError(f"`context` must be one of {sorted(GROUNDS)}; got '{context}'")
    if seed < 0 or index < 0:
        raise InputError(f"`seed` and `index` must not be negative; got {seed} and {index}")
    rng = np.random.default_rng((seed, index))
    height, width = size_hw = (SIZE_HW[0] * _FINE, SIZE_HW[1] * _FINE)
    scene = GROUNDS[context](rng, size_hw)
    foot_xy = (rng.uniform(0.36, 0.64) * width, rng.uniform(0.82, 0.95) * height)
    parts = figure(label, rng, area_px=rng.uniform(0.09, 0.17) * height * width, foot_xy=foot_xy)
    light = rng.uniform(-1, 1)
    covered, tones = _tones(parts, rng, size_hw)
    scene = _shadow(scene, covered, foot_y=foot_xy[1], light=light)
    body = tones * _relief(covered, light)[..., None]
    alpha = cv2.GaussianBlur(covered.astype(np.float32), (0, 0), 0.6)[..., None]
    painted = cv2.resize(scene * (1 - alpha) + body * alpha, SIZE_HW[::-1], interpolation=cv2.INTER_AREA)
    share = cv2.resize(covered.astype(np.float32), SIZE_HW[::-1], interpolation=cv2.INTER_AREA)
    return _exposed(painted, rng), np.where(share >= 0.5, CLASSES.index(label), 0).astype(np.uint8)


def _tones(parts: list[Part], rng: np.random.Generator, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where the figure is (bool) and its paint before light (float32 RGB)."""
    first, second = (np.array(COATS[i], np.float32) / 255 for i in rng.permutation(len(COATS))[:2])
    coat = first + rng.uniform(-0.04, 0.04, 3).astype(np.float32)
    patches = noise(rng, size_hw, (24, 24)) > (0.9 if rng.random() < 0.5 else 9.0)
    shade = {"coat": 1.0, "light": 1.16, "dark": 0.74}
    tones, covered = np.zeros((*size_hw, 3), np.float32), np.zeros(size_hw, bool)
    for part in parts:
        layer = cv2.fillPoly(np.zeros(size_hw, np.uint8), [np.round(part.outline).astype(np.int32)], 1) > 0
        if part.tone == "eye":
            tones[layer] = 0.06
        else:
            tones[layer] = np.where(patches[layer][:, None], second, coat) * shade[part.tone]
        covered |= layer
    return covered, tones + 0.025 * noise(rng, size_hw, (2, 2))[..., None]


def _relief(covered: np.ndarray, light: float) -> np.ndarray:
    """Brightness of a figure that bulges towards the viewer, lit from above and from the side `light` (-1 left, 1 right)."""
    depth = np.sqrt(np.minimum(cv2.distanceTransform(covered.astype(np.uint8), cv2.DIST_L2, 5), 27))
    depth = cv2.GaussianBlur(depth, (0, 0), 2.7)
    slope_y, slope_x = np.gradient(depth)
    return np.clip(0.92 + 0.75 * slope_y - 0.4 * light * slope_x, 0.45, 1.3).astype(np.float32)


def _shadow(scene: np.ndarray, covered: np.ndarray, *, foot_y: float, light: float) -> np.ndarray:
    """The scene with the figure's shadow: the outline laid flat away from the light, and soft."""
    height, width = covered.shape
    flat, lean = 0.22, -0.5 * light
    # A point h above the feet falls h * flat below the foot line on the picture and h * lean to the side.
    lay = np.array([[1, lean, -lean * foot_y], [0, -flat, foot_y * (1 + flat)]], np.float32)
    laid = cv2.warpAffine(covered.astype(np.float32), lay, (width, height))
    blob = np.zeros((height, width), np.float32)
    columns = np.flatnonzero(covered.any(axis=0))
    cv2.ellipse(blob, (int(columns.mean()), int(foot_y)), (len(columns) * 2 // 5, height // 40), 0, 0, 360, 1.0, -1)
    soft = np.maximum(cv2.GaussianBlur(laid, (0, 0), 4) * 0.4, cv2.GaussianBlur(blob, (0, 0), 4.7) * 0.55)
    return scene * (1 - soft)[..., None]


def _exposed(painted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture as a small camera sees it: exposure, tint, darker corners, grain; uint8."""
    height, width = painted.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    gain = rng.uniform(0.86, 1.12) * (1 + rng.uniform(-0.04, 0.04, 3)) * (1 - 0.13 * (x**2 + y**2))[..., None]
    grain = rng.normal(0, 0.016, painted.shape)
    return np.round(np.clip(painted * gain + grain, 0, 1) * 255).astype(np.uint8)
