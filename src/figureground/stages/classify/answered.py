"""Pictures with the answers to them: what everything here is measured of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """Pictures with the answers to them; all sequences in the order of the samples."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    contexts: tuple[str, ...]
    """Empty where the column has no value."""
    figures: tuple[str, ...]
    """Empty where no column of figures is named, or it has no value."""
    clusters: tuple[str, ...]
    """What is resampled as a whole."""
    names: tuple[str, ...]
    """Class of each column of `probabilities`."""
    probabilities: np.ndarray
    """float32 [samples, classes]."""
    groups: np.ndarray
    """int64 [samples], index into `group_names`, -1 = in none."""
    group_names: tuple[str, ...]
    group_values: tuple[tuple[str, str], ...]
    """Label and context of each group; no context where groups are the classes."""

    @property
    def answers(self) -> tuple[str, ...]:
        """The most probable class, the first of several."""
        return tuple(self.names[place] for place in self.probabilities.argmax(1))

    @property
    def right(self) -> np.ndarray:
        """Bool [samples]."""
        return np.array([answer == label for answer, label in zip(self.answers, self.labels, strict=True)], bool)

    def clusters_of(self, groups: list[int]) -> int:
        """How many clusters have a picture in some groups."""
        return len({self.clusters[row] for row in np.flatnonzero(np.isin(self.groups, groups))})
