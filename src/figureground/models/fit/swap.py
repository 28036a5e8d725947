"""Training samples whose ground is swapped as they are read, a new ground in each epoch: a torch data set around any reading of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from figureground.core.errors import InputError
from figureground.data.backgrounds import Backgrounds
from figureground.data.swap_options import SwapOptions
from figureground.data.swapper import Swapper
from figureground.models.fit.options import SWAP, FitOptions
from figureground.models.fit.samples import TrainData


class Reading(Protocol):
    """How a training loop reads its samples; `TrainData` is one."""

    @property
    def samples(self) -> Sequence[str]:
        """Ids."""
        ...

    def read(self, index: int) -> tuple[Any, ...]:
        """Picture, uint8 [height, width, 3], then anything; an array [height, width] right behind it is its mask."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Swapping:
    """A picture source: figures on drawn grounds, masks following them."""

    data: TrainData
    swapper: Swapper

    def read(self, index: int, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """As `TrainData.read`, on another ground; a sample whose figure cannot be cut out is shown as it is."""
        picture, mask = self.data.read(index)
        own = mask if self.data.targets is None else None
        made = self.swapper.swapped(picture, own, self.data.samples[index], rng)
        return made.picture, mask if made.mask is None else made.mask

    def identity(self) -> str:
        """The backgrounds' key and how figures are set on them."""
        return f"{self.swapper.grounds.key} {self.swapper.options}"


def swapping_source(data: TrainData, options: FitOptions) -> Swapping:
    """The source for the training samples that `grounds` was made of.

    Raises:
        ArtifactError: there are no backgrounds.
        InputError: samples that the backgrounds do not know, a class that has none, or a smallest scale above the largest.
    """
    if options.swap_scale_low > options.swap_scale_high:
        low, high = options.swap_scale_low, options.swap_scale_high
        raise InputError(f"`swap_scale_low` must not be above `swap_scale_high`; got {low} and {high}")
    told = asdict(options)
    how = SwapOptions(**{name: told[f"swap_{name}"] for name in SWAP})
    background = 0 if data.targets is not None else data.background
    known = {"labels": data.labels, "images": data.images, "size_hw": data.size_hw, "background": background}
    return Swapping(data=data, swapper=Swapper.of(options.grounds, data.samples, options=how, **known))


class SwapDataset(Dataset[tuple[Any, ...]]):
    """What `reading.read` gives, with the figure on a ground of a class drawn at random, and the mask following it.

    A sample is a pure function of seed, epoch and index: workers, batches and order change nothing, and no epoch repeats another. Give the
    epoch with `set_epoch` before each round through a `DataLoader`, also one that keeps its workers; or ask for `dataset[epoch, index]`.

    Args:
        reading: of the training samples, such as `train_data(...)` or `labelled_data(...)`, or a reading that gives a picture and a label.
        backgrounds: what `swap infill` wrote of them.
        options: how figures are set on grounds.
        background: value of ground in the masks; default that of the reading, else 0.

    Raises:
        ArtifactError: there are no backgrounds.
        InputError: samples that the backgrounds do not know, or a class that has none.
    """

    def __init__(
        self,
        reading: Reading,
        backgrounds: str | Path | Backgrounds,
        *,
        options: SwapOptions | None = None,
        background: int | None = None,
    ) -> None:
        value = getattr(reading, "background", 0) if background is None else background
        self.reading = reading
        known: dict[str, Any] = {name: getattr(reading, name, empty) for name, empty in (("labels", ()), ("images", ()), ("size_hw", None))}
        self.swapper = Swapper.of(backgrounds, reading.samples, options=options or SwapOptions(), background=value, **known)
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # seen by workers that are running already

    def __len__(self) -> int:
        return len(self.reading.samples)

    @property
    def epoch(self) -> int:
        """Number of the epoch whose samples are given."""
        return int(self._epoch[0])

    def set_epoch(self, epoch: int) -> None:
        """From now on the samples of this epoch, at least 0."""
        if epoch < 0:
            raise InputError(f"`epoch` must be at least 0; got {epoch}")
        self._epoch[0] = epoch

    def __getitem__(self, item: int | tuple[int, int]) -> tuple[Any, ...]:
        """A sample of the epoch, or of an epoch of its own as (epoch, index)."""
        epoch, index = item if isinstance(item, tuple) else (self.epoch, item)
        index = int(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no sample {index} among {len(self)}")
        index %= len(self)
        picture, *rest = self.reading.read(index)
        labelled = getattr(self.reading, "targets", None) is not None  # its mask is one pixel, the class
        has_mask = not labelled and bool(rest) and _is_mask(rest[0], self.reading.samples[index])
        mask, others = (rest[0], rest[1:]) if has_mask else (None, rest)
        made = self.swapper(picture, mask, self.reading.samples[index], epoch=int(epoch), index=index)
        return (made.picture, made.mask, *others) if has_mask else (made.picture, *others)


def _is_mask(second: Any, sample: str) -> bool:
    """Whether it is a mask; what looks like one and cannot be swapped raises `InputError`, since it would stay behind its figure."""
    if isinstance(second, np.ndarray) and second.ndim == 2:
        return True
    shape = getattr(second, "shape", None) or getattr(second, "size", ())  # the latter of a picture of PIL
    if isinstance(shape, tuple) and len(shape) > 1:
        raise InputError(
            f"sample '{sample}': behind its picture the reading gives {type(second).__name__} {list(shape)}, which would not follow the "
            "figure. Give the mask as a numpy array [height, width], and what is no mask after it"
        )
    return False
