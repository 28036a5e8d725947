"""Label maps to measure on: real masks with real predictions where they lie beside the project, and drawn ones of any number of classes.

A drawn map is a Voronoi diagram seen through two displacement fields: a smooth one that bends the cells and a fine one that frays their
edges. The prediction looks at the same cells through a field of its own, which shifts every boundary by a few pixels, is smoother, as a
network's output is, and gives some cells another class. What decides the speed of run-based code is the number of runs, so the fields are
set to come out near real maps of the same size (about 3.2 runs a row of truth and 1.8 of prediction on the real set of 21 classes).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from figureground.core.types import LabelRuns
from figureground.data.dataset import open_dataset
from figureground.data.labelmap import decode_runs, encode_runs
from figureground.data.predictions import open_predictions

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SIDE = 512
IGNORE = 255
VOID_ABOVE = 2.0
"""Where a field of unit variance is above this the truth is void: about two pixels in a hundred, as in the real set."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How maps of one number of classes are drawn."""

    classes: int
    cells: int
    """Voronoi cells a map."""
    ground: float
    """Share of the cells that are background."""
    bend: float
    """Displacement of cells by the smooth field, in pixels."""
    fray: float
    """Displacement of the truth's edges by the fine field, in pixels; the prediction's are frayed half as much."""
    shift: float = 4.0
    """How far the prediction's boundaries are off, in pixels."""
    flips: float = 0.15
    """Share of the cells that get another class in the prediction."""


DRAWINGS = {
    3: Drawing(classes=3, cells=10, ground=0.75, bend=24, fray=2.0),
    21: Drawing(classes=21, cells=10, ground=0.65, bend=24, fray=2.0),
    150: Drawing(classes=150, cells=30, ground=0.02, bend=20, fray=1.5),
}
"""One object or two; a few objects on ground; a scene labelled all over."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A truth and a prediction, dense uint8 [height, width], and both as runs."""

    truth: np.ndarray
    predicted: np.ndarray

    @cached_property
    def runs(self) -> tuple[LabelRuns, LabelRuns]:
        return encode_runs(self.truth), encode_runs(self.predicted)

    @cached_property
    def without_void(self) -> np.ndarray:
        """The truth with void made background, for peers that know no void."""
        return np.where(self.truth == IGNORE, 0, self.truth).astype(np.uint8)


def draw_pairs(drawing: Drawing, count: int, *, seed: int = 0) -> list[Pair]:
    """As many pairs of 512 x 512 pixels."""
    return [_draw(drawing, np.random.default_rng([seed, drawing.classes, number])) for number in range(count)]


def real_files(data: Path = REAL_DATA) -> list[tuple[Path, Path]]:
    """Mask and prediction of every sample under every network, networks taking turns; empty where the data is absent."""
    networks = sorted(p / "voc21" for p in (data / "predictions").glob("*") if (p / "voc21").is_dir())
    masks = sorted((data / "voc21" / "masks").glob("*.png"))
    return [(mask, folder / mask.name) for mask, folder in itertools.product(masks, networks) if (folder / mask.name).is_file()]


def real_pairs(count: int, data: Path = REAL_DATA) -> list[Pair]:
    """Pairs spread evenly over samples and networks; empty where the data is absent."""
    files = real_files(data)
    if not files:
        return []
    dataset = open_dataset(str(data / "voc21"))
    assert dataset.masks is not None
    sources = {f: open_predictions(f"png:{f}", dataset.classes).source for f in {p.parent for _, p in files}}
    step = next(n for n in range(max(1, len(files) // count), 0, -1) if np.gcd(n, len(sources)) == 1)  # so that networks take turns
    return [
        Pair(truth=decode_runs(dataset.masks.read(mask.stem)), predicted=decode_runs(sources[found.parent].read(mask.stem)))
        for mask, found in files[::step][:count]
    ]


def pairs_by_name(*, quick: bool) -> dict[str, tuple[int, list[Pair]]]:
    """Name of a set of pairs -> number of classes and the pairs; the real set first, where there is one."""
    count = 6 if quick else 48
    drawn = {f"drawn, {k} classes": (k, draw_pairs(drawing, count)) for k, drawing in DRAWINGS.items()}
    real = real_pairs(count)
    return {"voc21 and six networks": (21, real), **drawn} if real else drawn


def _draw(drawing: Drawing, rng: np.random.Generator) -> Pair:
    centres = rng.uniform(0, SIDE, (drawing.cells, 2)).astype(np.float32)
    foreground = rng.integers(1, drawing.classes, drawing.cells)
    classes = np.where(rng.random(drawing.cells) < drawing.ground, 0, foreground)
    flipped = (rng.random(drawing.cells) < drawing.flips) & (classes > 0)
    others = np.where(flipped, rng.integers(0, drawing.classes, drawing.cells), classes)
    bend = drawing.bend * _field(rng, 5)
    truth = classes[_cells(centres, bend + drawing.fray * _field(rng, 170))]
    truth[_field(rng, 6)[0] > VOID_ABOVE] = IGNORE
    predicted = others[_cells(centres, bend + drawing.shift * _field(rng, 12) + drawing.fray / 2 * _field(rng, 90))]
    return Pair(truth=truth.astype(np.uint8), predicted=predicted.astype(np.uint8))


def _field(rng: np.random.Generator, knots: int) -> np.ndarray:
    """Smooth noise float32 [2, side, side] of unit variance; more knots, finer."""
    planes = [cv2.resize(rng.standard_normal((knots, knots)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for _ in range(2)]
    return np.stack([plane / plane.std() for plane in planes]).astype(np.float32)


def _cells(centres: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Index of the nearest centre as seen through a displacement, [side, side]."""
    grid = np.mgrid[:SIDE, :SIDE].astype(np.float32) + displacement
    nearest, best = np.zeros((SIDE, SIDE), np.int64), np.full((SIDE, SIDE), np.inf, np.float32)
    for number, (y, x) in enumerate(centres):
        distance = (grid[0] - y) ** 2 + (grid[1] - x) ** 2
        closer = distance < best
        nearest[closer], best[closer] = number, distance[closer]
    return nearest
