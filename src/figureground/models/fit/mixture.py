"""Which samples an epoch of a repair shows: all labelled ones once, and training samples among them.

Everything is a pure function of the seed and the epoch, as in `order`: a stopped run needs no memory of what it drew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from figureground.core.errors import InputError
from figureground.models.fit.order import epoch_order

_REPLAY, _MIX = 3, 4  # branches of the seed that no order, sample or step uses


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Labelled samples, numbers 0 to `labelled` - 1, among training samples, the numbers behind them.

    An epoch shows every labelled sample exactly once. Training samples are taken from one endless stream of shuffled passes over all of
    them, which goes on from epoch to epoch: however few an epoch takes, no one is ever seen two times more often than another.

    Source: batches of labelled and training samples in a stated ratio: Wang et al., Efficiently Troubleshooting Image Segmentation Models
    with Human-in-the-Loop (doi 10.1007/s10994-021-06110-7), whose public code takes 1 to 1; the stream: defined here.

    Raises:
        InputError: no labelled sample, a share outside (0, 1], or training samples that are asked for and not there.
    """

    labelled: int
    """Number of labelled samples, at least 1."""
    replay: int
    """Number of training samples."""
    how: Literal["ratio", "epoch"]
    """`ratio`: every batch holds its share of labelled samples. `epoch`: all samples of an epoch are shuffled together."""
    share: float = 0.5
    """For `ratio`: labelled part of every batch, in (0, 1]; 1 = no replay."""
    sampled: int = 0
    """For `epoch`: training samples an epoch shows; 0, or more than there are = all."""

    def __post_init__(self) -> None:
        if self.labelled < 1:
            raise InputError("a mixture needs at least one labelled sample; got none")
        if not 0 < self.share <= 1:
            raise InputError(f"`share` must be in (0, 1]; got {self.share}")
        if self.replayed and not self.replay:
            raise InputError("there is no training sample to replay. Give the training data, or share 1 for none")

    def __len__(self) -> int:
        """Samples an epoch shows."""
        return self.labelled + self.replayed

    @property
    def replayed(self) -> int:
        """Training samples an epoch shows."""
        if self.how == "ratio":
            return round(self.labelled / self.share) - self.labelled
        return min(self.sampled or self.replay, self.replay)

    def order(self, *, seed: int, epoch: int) -> np.ndarray:
        """The samples of an epoch in the order they are shown, int64 [samples of an epoch].

        With `ratio` the k-th of N places is a labelled one where `(k + 1) n // N > k n // N`, n being the labelled samples: any stretch of
        consecutive places, so any batch, holds its share of them, rounded down or up.
        """
        shown, mixed = len(self), np.empty(len(self), np.int64)
        labelled, replayed = epoch_order(np.empty(self.labelled), seed=seed, epoch=epoch), self._replayed(seed, epoch)
        if self.how == "epoch":
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_MIX, epoch)))
            return rng.permutation(np.concatenate([labelled, replayed]))
        places = np.arange(shown + 1) * self.labelled // shown
        own = places[1:] > places[:-1]
        mixed[own], mixed[~own] = labelled, replayed
        return mixed

    def drawn(self, *, seed: int, epochs: int) -> np.ndarray:
        """The training samples that any of the first `epochs` epochs shows, int64, ascending."""
        if epochs * self.replayed >= self.replay:
            return np.arange(self.labelled, self.labelled + self.replay) if self.replayed else np.empty(0, np.int64)
        return np.sort(np.concatenate([self._replayed(seed, epoch) for epoch in range(epochs)]))

    def _replayed(self, seed: int, epoch: int) -> np.ndarray:
        """The stretch of the endless stream that belongs to an epoch."""
        start, end = epoch * self.replayed, (epoch + 1) * self.replayed
        if not self.replayed:
            return np.empty(0, np.int64)
        first, last = start // self.replay, (end - 1) // self.replay
        rngs = (np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_REPLAY, number))) for number in range(first, last + 1))
        stream = np.concatenate([rng.permutation(self.replay) for rng in rngs])
        return stream[start - first * self.replay : end - first * self.replay].astype(np.int64) + self.labelled
