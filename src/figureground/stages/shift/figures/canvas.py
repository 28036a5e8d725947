"""The colours of a picture while it is painted: three planes of float32, and the few ways in which paint is laid on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from figureground.stages.shift.figures.chance import Chance
from figureground.stages.shift.figures.textures import Textures


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A square picture in the making."""

    planes: np.ndarray
    """float32 [3, size, size]: red, green and blue in [0, 1], nothing cut off yet."""
    textures: Textures

    @property
    def size(self) -> int:
        """Height and width in pixels."""
        return self.planes.shape[1]

    def rows(self, top: float, bottom: float) -> slice:
        """The rows between two heights, given as parts of the picture."""
        return slice(max(0, round(top * self.size)), min(self.size, round(bottom * self.size)))

    def fill(self, rows: slice, upper: np.ndarray, lower: np.ndarray, bend: float = 1.0) -> np.ndarray:
        """Paints rows from one colour to another, and returns their planes [3, rows, size]; `bend` > 1 keeps the upper one longer."""
        target = self.planes[:, rows]
        share = np.linspace(0, 1, target.shape[1], dtype=np.float32) ** bend
        target[:] = (upper[:, None] + (lower - upper)[:, None] * share)[..., None]
        return target

    def noise(self, name: str, chance: Chance, rows: slice) -> np.ndarray:
        """Noise for some rows, [rows, size]."""
        return self.textures.cut(name, chance, rows.stop - rows.start)

    def lay(self, rows: slice, columns: slice, colour: np.ndarray, alpha: np.ndarray) -> None:
        """Lays paint, [3] or [3, rows, columns], over a part of the picture, as strongly as `alpha` [rows, columns] says."""
        target = self.planes[:, rows, columns]
        target += ((colour[:, None, None] if colour.ndim == 1 else colour) - target) * alpha


def colour(chance: Chance, red: int, green: int, blue: int, vary: float = 0.05) -> np.ndarray:
    """A colour near the one given in 0 ... 255, float32 [3]: brightness varies by `vary` of full, and each channel by 0.03."""
    light = chance.between(-vary, vary)
    return np.array([c / 255 + light + chance.between(-0.03, 0.03) for c in (red, green, blue)], np.float32)


def below(edge: np.ndarray, rows: slice, softness_px: float = 1.0) -> np.ndarray:
    """How far each pixel of some rows lies below an edge (in pixels from the top, [size] or a number): 0 above to 1, [rows, size]."""
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5
    return np.clip((y - edge) / softness_px + 0.5, 0, 1)


def ellipse_window(size: int, x: float, y: float, rx: float, ry: float) -> tuple[slice, slice, np.ndarray, np.ndarray]:
    """The part of the picture around an ellipse (in pixels), and the pixels' places in it, -1 to 1 from side to side: v, u."""
    rows = slice(max(0, int(y - ry - 1)), min(size, int(y + ry + 3)))
    columns = slice(max(0, int(x - rx - 1)), min(size, int(x + rx + 3)))
    v = (np.arange(rows.start, max(rows.start, rows.stop), dtype=np.float32)[:, None] + 0.5 - y) / ry
    u = (np.arange(columns.start, max(columns.start, columns.stop), dtype=np.float32)[None] + 0.5 - x) / rx
    return rows, columns, v, u
