"""What the maps of a target and its rivals say of some samples: the areas of classes, and how far each rival is from the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.types import ClassTable, RunBatch
from figureground.metrics.discrepancy import Distance, class_areas, class_places, discrepancy, region_discrepancy, shared_areas
from figureground.metrics.overlap import ClassCounts

DIGITS = 12
"""Decimals that a score is rounded to, so that samples of the same score tie however the sums behind it were rounded."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Numbers of some samples; of those that were left out they mean nothing."""

    parts: np.ndarray
    """float64 [models, samples, classes], part of the picture that a model gives to each class of the table."""
    distances: np.ndarray
    """float64 [rivals, samples]; zeros where no distance was asked for."""
    differing: np.ndarray
    """bool [rivals, samples]: the rival's map differs from the target's."""


def compare(batches: Sequence[RunBatch], good: np.ndarray, *, classes: ClassTable, distance: Distance | None) -> Comparison:
    """Compares each rival with the target.

    Args:
        batches: label maps of the target and of each rival, with the class ids of the pool.
        good: bool [samples], those whose maps are whole and of one size.
        classes: of the pool.
        distance: what discrepancy is; None = it is not needed.
    """
    places, number = class_places(classes.ids), len(classes)
    areas = [class_areas(batch, places, classes=number) for batch in batches]
    distances = np.zeros((len(batches) - 1, len(good)))
    differing = np.zeros(distances.shape, bool)
    pixels = np.maximum(batches[0].sizes_hw.prod(1), 1)
    for r, rival in enumerate(batches[1:]):
        shared = shared_areas(batches[0], rival, places, classes=number)
        differing[r] = shared.sum(1) != pixels
        if distance == "region":
            distances[r, good] = [_by_region(batches[0], rival, row, classes) for row in np.flatnonzero(good).tolist()]
        elif distance is not None:
            counts = ClassCounts(ids=classes.ids, hits=shared, truth=areas[0], predicted=areas[r + 1])
            distances[r] = discrepancy(counts, distance=distance, background=classes.background)
    return Comparison(parts=np.stack(areas) / pixels[:, None], distances=distances.round(DIGITS), differing=differing)


def _by_region(target: RunBatch, rival: RunBatch, row: int, classes: ClassTable) -> float:
    return region_discrepancy(target.map_of(row), rival.map_of(row), background=classes.background)
