"""Which samples an epoch shows, where it is not each of them once: repeated ones, or as many of each group.

A plan has a length and an order for each epoch, a pure function of the seed; `Mixture` of a repair is one as well. Another way to choose
samples is another plan.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from figureground.core.errors import InputError

_REPEATED, _SUBSET, _SHUFFLED = 6, 7, 8  # branches of the seed that nothing else uses


class Plan(Protocol):
    """Which samples the epochs of a training show."""

    def __len__(self) -> int:
        """Samples an epoch shows."""
        ...

    def order(self, *, seed: int, epoch: int) -> np.ndarray:
        """Numbers of the samples of an epoch in the order they are shown, int64 [samples of an epoch]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repeated:
    """Every sample as often as it is said, shuffled together.

    Source: the second training of Just Train Twice (arXiv 2107.09044, Algorithm 1), which shows what the first model got wrong several
    times as often.
    """

    times: np.ndarray
    """int64 [samples], at least 0, not all 0."""

    def __post_init__(self) -> None:
        if self.times.size == 0 or self.times.min() < 0 or not self.times.any():
            raise InputError("`times` must be at least 0 for every sample and above 0 for one")

    def __len__(self) -> int:
        return int(self.times.sum())

    def order(self, *, seed: int, epoch: int) -> np.ndarray:
        """The samples of an epoch."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_REPEATED, epoch)))
        return rng.permutation(np.repeat(np.arange(self.times.size), self.times)).astype(np.int64)

    def identity(self) -> str:
        """Digest of the numbers."""
        return hashlib.sha256(self.times.astype(np.int64).tobytes()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subsampled:
    """As many samples of every known group as its smallest has, the same ones in every epoch; samples of no group are left out.

    Source: group subsampling, "SUBG" in Idrissi et al. (arXiv 2110.14503).
    """

    groups: np.ndarray
    """int64 [samples], -1 = in no group."""
    seed: int
    """Decides which samples stay."""

    def __post_init__(self) -> None:
        if not (self.groups >= 0).any():
            raise InputError("`balance` subsample needs groups: training samples with a label and a context; there are none. Give --groups")

    def __len__(self) -> int:
        sizes = np.bincount(self.groups[self.groups >= 0])
        return int((sizes > 0).sum() * sizes[sizes > 0].min())

    def kept(self) -> np.ndarray:
        """Numbers of the samples that stay, int64, ascending."""
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(_SUBSET,)))
        members = [np.flatnonzero(self.groups == group) for group in np.unique(self.groups[self.groups >= 0])]
        smallest = min(map(len, members))
        return np.sort(np.concatenate([rng.choice(own, smallest, replace=False) for own in members])).astype(np.int64)

    def order(self, *, seed: int, epoch: int) -> np.ndarray:
        """The samples of an epoch."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SHUFFLED, epoch)))
        return rng.permutation(self.kept())
