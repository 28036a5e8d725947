"""Which figure stands where on which scene: the picture of an index in a composition of given cut-outs and scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from figureground.core.errors import FormatError, InputError
from figureground.core.types import Sample
from figureground.data.cutout import HALF, Cutout, composite, cover, resize_cutout
from figureground.data.faults import make_fault
from figureground.data.pixels import read_picture
from figureground.stages.shift.composition import Picture
from figureground.stages.shift.dial import Dial
from figureground.stages.shift.ingredients import CutoutReader, Scene
from figureground.stages.shift.layout import SPLITS, Layout, Place

COLUMNS = ("figure", "ground", "mirrored", "area")
"""What a table says of a picture beside its group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasteDraw:
    """The picture of an index; picklable, and a pure function of it."""

    layout: Layout
    classes: tuple[str, ...]
    contexts: tuple[str, ...]
    figures: Mapping[str, tuple[tuple[Sample, ...], ...]]
    """Split -> for each class, its figures in the order of their use."""
    scenes: Mapping[str, tuple[tuple[Scene, ...], ...]]
    """Split -> for each context, its scenes in the order of their use."""
    reader: CutoutReader
    size: int
    area: tuple[float, float]
    spread: float

    def __call__(self, index: int) -> Picture:
        """One composed picture; a faulty or absent file raises `FormatError`."""
        place = self.layout.place(index)
        figure, scene = self.figure(place), self.scene(place)
        try:
            cutout = self.reader.read(figure)
            rgb, alpha, top, left, mirror = self._placed(cutout, place)
        except InputError as error:
            raise FormatError(
                make_fault("bad-annotation", str(error), "Correct its mask, or leave the sample out", sample=figure.id, file=figure.image)
            ) from error
        ground = cover(read_picture(scene.image, sample=scene.name), (self.size, self.size))
        mask = np.zeros((self.size, self.size), np.uint8)
        mask[top : top + alpha.shape[0], left : left + alpha.shape[1]][alpha > HALF] = place.row + 1
        return Picture(
            id=place.id,
            image=composite(rgb, alpha, ground, top=top, left=left),
            mask=mask,
            label=self.classes[place.row],
            split=place.split,
            context=self.contexts[place.column],
            attributes=dict(zip(COLUMNS, (figure.id, scene.name, "yes" if mirror else "no", f"{(mask > 0).mean():.4f}"), strict=True)),
        )

    def figure(self, place: Place) -> Sample:
        """The figure of a sample."""
        some = self.figures[place.split][place.row]
        return some[self.layout.turn(place) % len(some)]

    def scene(self, place: Place) -> Scene:
        """The scene of a sample."""
        some = self.scenes[place.split][place.column]
        turn, dial = self.layout.turn(place), self.layout.dial(place.split)
        return some[(int(scene_slots(dial, place.row)[0][turn]) if dial else turn * len(self.classes) + place.row) % len(some)]

    def _placed(self, cutout: Cutout, place: Place) -> tuple[np.ndarray, np.ndarray, int, int, bool]:
        """The cut-out as drawn: colours, alpha, first row and column, mirrored. Knows nothing of the context."""
        rng = np.random.default_rng((self.layout.seed, SPLITS.index(place.split), place.row, self.layout.turn(place)))
        share, down, across, coin = rng.random(4)
        area = self.area[0] + (self.area[1] - self.area[0]) * share
        height, width = drawn_size(cutout, area=area, size=self.size)
        rgb, alpha = resize_cutout(cutout, (height, width), mirror=bool(coin < 0.5))
        if not (alpha > HALF).any():
            raise InputError("nothing of the figure is left at the drawn size")
        top, left = (round((self.size - side) * (0.5 + self.spread * (u - 0.5))) for side, u in ((height, down), (width, across)))
        return rgb, alpha, top, left, bool(coin < 0.5)


def drawn_size(cutout: Cutout, *, area: float, size: int) -> tuple[int, int]:
    """Height and width at which a cut-out has an area, as a part of a square picture; less where its box would not fit into it.

    Args:
        cutout: the figure.
        area: part of the picture, in (0, 1].
        size: height and width of the picture in px.
    """
    height, width = cutout.size_hw
    scale = min(np.sqrt(area * size * size / cutout.area_px), size / height, size / width)
    return min(size, max(1, round(height * scale))), min(size, max(1, round(width * scale)))


@lru_cache(maxsize=64)
def scene_slots(dial: Dial, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Which scene of which context each sample of a class takes in a tied split.

    A sample at home counts on from the front by its rank, one away from the back; so a sample has the same scene of a context for every
    rho, and with two classes in two contexts all scenes are used equally often, give or take one.

    Returns:
        int64 [per class], number of the scene, counted without end in both directions; int64 [per class], number of the context.
    """
    count, own, others = dial.per_class(row), dial.own(row), dial.others(row)
    rank, placed, places = dial.ranks(row), dial.order(row), range(dial.contexts)
    before = [sum(_turns(dial, other, column) for other in range(row)) for column in places]
    behind = [sum(_away_turns(dial, other) for other in range(row) if column not in dial.homes[other]) for column in places]
    front = np.take(before, placed) + rank // len(own)
    back = -1 - np.take(behind, placed) - (count - 1 - rank) // len(others)
    return np.where(np.isin(placed, own), front, back), placed


def _turns(dial: Dial, row: int, column: int) -> int:
    """Samples of a class that stand in a context of its own where all are at home."""
    own = dial.own(row)
    return len(range(own.index(column), dial.per_class(row), len(own))) if column in own else 0


def _away_turns(dial: Dial, row: int) -> int:
    """The most samples of a class that stand in one other context."""
    return -(-dial.per_class(row) // len(dial.others(row)))
