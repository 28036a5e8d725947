"""BackMix: the figure of a training picture, by its mask, on the ground of another one, whose own figure leaves a hole of 0.

Source: as arXiv 2606.32018 describes BackMix for echocardiography (MICCAI 2024): a figure on a random other background, holes zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelSource
from figureground.data.dataset import Dataset
from figureground.data.labelmap import figure_of, resize_nearest
from figureground.models.fit.samples import TrainData


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BackMix:
    """A picture source: figures on the grounds of other pictures.

    A picture whose mask shows no figure stays as it is: its label is about what would be gone.
    """

    data: TrainData
    masks: LabelSource
    classes: ClassTable
    """Of the masks."""
    chance: float
    """Of another ground, in [0, 1]; else the picture stays as it is."""
    grounds: np.ndarray
    """int64, ascending: places of the samples whose grounds are drawn, for their figures are known."""

    def read(self, index: int, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The figure of a sample on a ground that is drawn uniformly from `grounds` but its own, uint8 [height, width, 3].

        The ground has holes of 0 where its picture shows any class.
        """
        own, target = self.data.read(index)
        place = int(np.searchsorted(self.grounds, index))
        among = place < len(self.grounds) and self.grounds[place] == index
        mixed, drawn = rng.random() < self.chance, int(rng.integers(len(self.grounds) - among))
        figure = self.figure(index) if mixed else None
        if figure is None or not figure.any():
            return own, target
        other = int(self.grounds[drawn + (among and drawn >= place)])
        things = figure_of(self._mask(other), None, self.classes)
        ground = np.where(things[..., None], np.uint8(0), self.data.read(other)[0])
        return np.where(figure[..., None], own, ground), target

    def figure(self, index: int) -> np.ndarray:
        """Where a sample shows its figure, bool [height, width] at the size of training: its class, or any where masks do not know that."""
        label = self.data.labels[index]
        return figure_of(self._mask(index), label if label in self.classes.names else None, self.classes)

    def _mask(self, index: int) -> np.ndarray:
        """The label map of a sample at the size of training."""
        assert self.data.size_hw is not None
        return resize_nearest(self.masks.read(self.data.samples[index]), self.data.size_hw).dense()

    def identity(self) -> str:
        """The chance; masks are told by the data set."""
        return f"backmix {self.chance}"


def backmix_source(dataset: Dataset, data: TrainData, *, chance: float, known: Sequence[bool] = ()) -> BackMix:
    """The source for the training samples of a data set with masks.

    Args:
        dataset: the training samples.
        data: the same, as they are read.
        chance: of another ground.
        known: for each sample, whether its figure is known, so that its ground may be drawn; empty = all are.

    Raises:
        InputError: no masks, or a single sample.
    """
    if dataset.masks is None:
        raise InputError(f"{dataset.name}: `backmix` cuts figures out by their masks, and the data set has none. Give one with masks")
    if len(data) < 2:
        raise InputError(f"{dataset.name}: `backmix` needs the ground of another picture, and there is one picture only. Give more")
    grounds = np.flatnonzero(known) if len(known) else np.arange(len(data))
    if len(grounds) < 2:
        raise InputError(
            f"{dataset.name}: `backmix` draws grounds of pictures whose figure is known, and has {len(grounds)}. Give figures of more"
        )
    return BackMix(data=data, masks=dataset.masks, classes=dataset.classes, chance=chance, grounds=grounds)
