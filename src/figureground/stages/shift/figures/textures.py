"""Noise for every surface, made once for each picture size and cut out at a chance place for each use: a view, not a drawing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from figureground.stages.shift.figures.chance import Chance

_ROOM = 384
"""Pixels by which a sheet is larger than a picture, at most: the places to cut from."""

CELLS = {
    "grain": (0.0, 0.0),
    "speck": (0.016, 0.016),
    "leaf": (0.045, 0.05),
    "patch": (0.13, 0.13),
    "cloud": (0.1, 0.32),
    "wave": (0.022, 0.16),
    "ripple": (0.03, 0.3),
    "bark": (0.11, 0.012),
    "blade": (0.06, 0.01),
    "drift": (0.3, 0.3),
}
"""Height and width of a blob as parts of the picture's side; 0 = one pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Textures:
    """Sheets of smooth noise of zero mean and unit spread, for pictures of one size."""

    size: int
    sheets: dict[str, np.ndarray]
    """float32 [side, side], with side above `size`."""

    def cut(self, name: str, chance: Chance, height: int, width: int | None = None) -> np.ndarray:
        """A view of a sheet at a chance place, mirrored or not: float32 [height, width], not to be written to."""
        sheet = self.sheets[name]
        width = self.size if width is None else width
        y, x = chance.whole(sheet.shape[0] - height + 1), chance.whole(sheet.shape[1] - width + 1)
        found = sheet[y : y + height, x : x + width]
        return found[:, ::-1] if chance.share() < 0.5 else found

    def line(self, name: str, chance: Chance) -> np.ndarray:
        """One row of a sheet, float32 [size]: an uneven edge."""
        return self.cut(name, chance, 1)[0]


@lru_cache(maxsize=2)
def textures(size: int) -> Textures:
    """The sheets for pictures of `size` x `size` pixels; the same in every process."""
    rng = np.random.default_rng(size)
    side = size + min(2 * size, _ROOM)
    return Textures(size, {name: _sheet(rng, side, max(1, round(h * size)), max(1, round(w * size))) for name, (h, w) in CELLS.items()})


def _sheet(rng: np.random.Generator, side: int, height: int, width: int) -> np.ndarray:
    coarse = rng.standard_normal((side // height + 4, side // width + 4), np.float32)
    if height == width == 1:
        sheet = coarse
    else:
        sheet = cv2.resize(coarse, (coarse.shape[1] * width, coarse.shape[0] * height), interpolation=cv2.INTER_CUBIC)
    sheet = sheet[height : height + side, width : width + side]
    sheet = np.ascontiguousarray((sheet - sheet.mean()) / sheet.std())
    sheet.flags.writeable = False
    return sheet
