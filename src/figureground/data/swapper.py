"""The swap of one sample: whether, with which background, how the figure is changed, and the picture that comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from figureground.core.errors import InputError
from figureground.data.backgrounds import Backgrounds, read_backgrounds
from figureground.data.recombine import drawn_jitter, recombined, swap_stream
from figureground.data.swap_options import SwapOptions

_SEE = "See `gates` in its grounds.parquet, and use other masks or thresholds"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Swapped:
    """A sample as it is shown."""

    picture: np.ndarray
    """uint8 [height, width, 3]."""
    mask: np.ndarray | None
    """The label map that belongs to it; None where none was given."""
    ground: int | None
    """Row of its background; None = it is shown as it is."""
    pasted: np.ndarray | None = None
    """bool [height, width], where the figure is; None where it is shown as it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Swapper:
    """Swaps samples; picklable, and a pure function of seed, epoch and index."""

    grounds: Backgrounds
    options: SwapOptions
    background: int = 0
    """Value of ground in the masks that are given."""

    @staticmethod
    def of(
        backgrounds: str | Path | Backgrounds,
        samples: Sequence[str],
        *,
        options: SwapOptions,
        labels: Sequence[str | None] = (),
        images: Sequence[str | None] = (),
        size_hw: tuple[int, int] | None = None,
        background: int = 0,
    ) -> Swapper:
        """The swapper of training samples, given by their ids and, where they are known, labels and files of pictures.

        Grounds are drawn from those of the samples alone, whatever else the backgrounds know, and kept at the size at which pictures are
        shown where that is one and known.

        Raises:
            ArtifactError: there are no backgrounds.
            InputError: samples that the backgrounds do not know or know as others, a class none of whose figures can be cut out, or one
                that has no background.
        """
        grounds = backgrounds if isinstance(backgrounds, Backgrounds) else read_backgrounds(backgrounds)
        grounds.check_known(samples, labels=labels, images=images)
        grounds = grounds.of(samples)
        named = [grounds.labels[grounds.rows[i]] for i in samples]
        cut = {label for label, i in zip(named, samples, strict=True) if grounds.figures[grounds.rows[i]] is not None}
        if not cut:
            raise InputError(
                f"{grounds.folder}: no figure can be cut out of these {len(samples)} samples, so each would be shown as it is. {_SEE}"
            )
        grounds.check(named, options)
        if (stuck := sorted(set(named) - cut)) and not options.allow_missing:
            raise InputError(
                f"{grounds.folder}: no figure of class '{stuck[0]}' can be cut out, so that its pictures would all keep their own grounds, "
                f"which then tell it from the others. {_SEE}, or go on with `allow_missing`"
            )
        return Swapper(grounds=grounds if size_hw is None else grounds.at(size_hw), options=options, background=background)

    def count(self, samples: Sequence[str]) -> int:
        """How many of the samples have a figure that can be set on another ground."""
        return sum(self.grounds.figures[self.grounds.rows[i]] is not None for i in samples)

    def drawn(self, sample_id: str, rng: np.random.Generator) -> int | None:
        """The row of the background that a sample gets; None = it is shown as it is."""
        chance, row = rng.random(), self.grounds.drawn(rng)
        known = self.grounds.rows.get(sample_id)
        if known is None or self.grounds.figures[known] is None or chance >= self.options.probability:
            return None
        return row

    def __call__(self, picture: np.ndarray, mask: np.ndarray | None, sample_id: str, *, epoch: int, index: int, turn: int = 0) -> Swapped:
        """A sample in an epoch.

        Args:
            picture: uint8 [height, width, 3], at its own size or any other.
            mask: label map [height, width]; None = none.
            sample_id: whose picture it is.
            epoch: number of the epoch, or of the copy.
            index: number of the sample.
            turn: how often it was shown before in this epoch.

        Raises:
            FormatError: a background that cannot be read, or a figure that does not fit the picture.
        """
        return self.swapped(picture, mask, sample_id, swap_stream(seed=self.options.seed, epoch=epoch, index=index, turn=turn))

    def swapped(self, picture: np.ndarray, mask: np.ndarray | None, sample_id: str, rng: np.random.Generator) -> Swapped:
        """A sample with all chance from the generator."""
        row = self.drawn(sample_id, rng)
        figure = None if row is None else self._figure(sample_id, picture.shape[:2])
        if row is None or figure is None:
            return Swapped(picture=picture, mask=mask, ground=None)
        jitter = drawn_jitter(rng, self.options)
        ground = self.grounds.read_ground(row)
        how = {"jitter": jitter, "feather_px": self.options.feather, "background": self.background}
        made = recombined(picture, figure, ground, mask=mask, **how)
        return Swapped(picture=made.picture, mask=made.mask, ground=row, pasted=made.pasted)

    def _figure(self, sample_id: str, size_hw: tuple[int, ...]) -> np.ndarray | None:
        """The figure at the size at which the picture is shown; None where nothing of it is left there."""
        runs = self.grounds.figures[self.grounds.rows[sample_id]]
        assert runs is not None
        figure = runs.dense()
        if runs.size_hw != size_hw:  # as `resize_nearest` does, without runs in between
            rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size_hw, runs.size_hw, strict=True))
            figure = figure[rows].take(columns, axis=1)
        return figure.view(bool) if figure.any() else None
