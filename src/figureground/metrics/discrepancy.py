"""How far two label maps of one picture disagree: symmetric, in [0, 1], 0 = they agree.

Every distance but the region-wise one is arithmetic on three counts per class: pixels where both maps have it, pixels where the first has
it, and pixels where the second has it. They are counted on runs, for a whole batch of pictures in one call, and never on pixels.
Source: maximum discrepancy of doi 10.1007/s10994-021-06110-7, whose distance is `miou` or `pixel`; the others are defined here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numba import njit

from figureground.core.errors import InputError
from figureground.core.types import LabelRuns, RunBatch
from figureground.metrics.decompose import ratio
from figureground.metrics.overlap import ClassCounts, nan_mean
from figureground.metrics.regions import regions_of

Distance = Literal["miou", "pixel", "foreground", "flip", "region"]
DISTANCES: tuple[Distance, ...] = get_args(Distance)


def discrepancy(counts: ClassCounts, *, distance: Distance = "miou", background: int = 0) -> np.ndarray:
    """How far the two maps of each sample disagree.

    With F the foreground of a map, everything that is not background:
        miou: 1 - mean IoU over the classes, background included, that either map has. Two maps of background alone give 0.
        pixel: 1 - part of the pixels that have the same class.
        foreground: 1 - |F1 and F2| / |F1 or F2|; 0 where neither map has foreground. Blind to which class it is.
        flip: part of F1 or F2 where both are foreground of different classes; 0 where neither map has foreground. Blind to where the
            foreground ends: `foreground` and `flip` add up to at most 1, and what is left is agreement.

    Args:
        counts: of the two maps, as `pair_counts` gives them; `truth` is one map and `predicted` the other.
        distance: as above; `region` needs the maps themselves, see `region_discrepancy`.
        background: id of the class that is ground.

    Returns:
        float64 [samples], in [0, 1]; NaN for a sample without pixels.

    Raises:
        InputError: another distance.

    Source: `miou` and `pixel` of doi 10.1007/s10994-021-06110-7, section 3; `foreground` and `flip` are defined here.

    >>> a = LabelRuns(height=1, width=6, values=np.array([0, 1, 2], np.uint8), lengths=np.array([2, 2, 2], np.uint32))
    >>> b = LabelRuns(height=1, width=6, values=np.array([0, 1, 0], np.uint8), lengths=np.array([1, 3, 2], np.uint32))
    >>> counts = pair_counts(batch_of([a]), batch_of([b]), ids=(0, 1, 2))
    >>> discrepancy(counts).round(6).tolist(), discrepancy(counts, distance="pixel").tolist()
    ([0.694444], [0.5])
    """
    both, a, b = counts.hits, counts.truth, counts.predicted
    if distance == "miou":
        return 1 - nan_mean(ratio(both, a + b - both))
    total = a.sum(1)
    if distance == "pixel":
        return 1 - ratio(both.sum(1), total)
    if distance not in ("foreground", "flip"):
        raise InputError(f"`distance` must be one of miou, pixel, foreground, flip; got '{distance}'")
    ground = [place for place, class_id in enumerate(counts.ids) if class_id == background]
    either = total - both[:, ground].sum(1)
    common = a.sum(1) + b.sum(1) - a[:, ground].sum(1) - b[:, ground].sum(1) - either
    part = either - common if distance == "foreground" else common - (both.sum(1) - both[:, ground].sum(1))
    return np.where(total == 0, np.nan, np.where(either == 0, 0.0, ratio(part, either)))


def region_discrepancy(a: LabelRuns, b: LabelRuns, *, background: int = 0) -> float:
    """Mean over the regions of both maps of the part of a region to which the other map gives another class.

    A region is a connected component of one foreground class. A small figure counts as much as a large one.

    Args:
        a: one label map.
        b: the other, of the same size.
        background: id of the class that is ground.

    Returns:
        A number in [0, 1]; 0 where neither map has foreground, 1 where only one has.

    Raises:
        InputError: the sizes differ.

    Source: defined here.
    """
    sides = [regions_of(own, other, side="truth", background=background, ignore=None) for own, other in ((a, b), (b, a))]
    areas, correct = (np.concatenate([getattr(side, name) for side in sides]) for name in ("area", "correct"))
    return float(1 - (correct / areas).mean()) if areas.size else 0.0


def pair_counts(a: RunBatch, b: RunBatch, *, ids: Sequence[int]) -> ClassCounts:
    """Pixels per class of both maps together, of one and of the other, for each sample of two batches.

    Args:
        a: label maps; every value is one of `ids`.
        b: label maps of the same samples, of the same sizes.
        ids: the class ids, in the order wanted.

    Returns:
        `ClassCounts` with `a` as truth and `b` as predicted.

    Raises:
        InputError: the batches differ in length or size, runs do not fill a map, or a value is no class id.
    """
    if len(a) != len(b) or not np.array_equal(a.sizes_hw, b.sizes_hw):
        raise InputError("the two batches must hold maps of the same sizes")
    place = class_places(ids)
    areas = [class_areas(batch, place, classes=len(ids)) for batch in (a, b)]
    for own, batch in zip(areas, (a, b), strict=True):
        if not np.array_equal(own.sum(1), batch.sizes_hw.prod(1)):
            raise InputError("the runs of a map must fill it, and every value must be a class id")
    return ClassCounts(ids=tuple(ids), hits=shared_areas(a, b, place, classes=len(ids)), truth=areas[0], predicted=areas[1])


def class_places(ids: Sequence[int]) -> np.ndarray:
    """int16 [65536]: class id -> its place in `ids`, -1 for what is no class."""
    place = np.full(65_536, -1, np.int16)
    place[np.asarray(ids, np.int64)] = np.arange(len(ids))
    return place


def class_areas(batch: RunBatch, place: np.ndarray, *, classes: int) -> np.ndarray:
    """int64 [samples, classes]: pixels of each class; values whose place is -1 are in none."""
    return _areas(batch.values, batch.lengths, batch.offsets, place, classes)


def shared_areas(a: RunBatch, b: RunBatch, place: np.ndarray, *, classes: int) -> np.ndarray:
    """int64 [samples, classes]: pixels that have the class in both maps.

    Where the maps of a pair have another number of pixels, only as many as the smaller has are walked through, in rows.

    Args:
        a: label maps.
        b: label maps of the same samples.
        place: as `class_places` gives it.
        classes: number of classes.
    """
    return _shared(a.values, a.lengths, a.offsets, b.values, b.lengths, b.offsets, place, classes)


@njit(cache=True, nogil=True)
def _areas(values, lengths, offsets, place, classes):  # pragma: no cover - compiled
    areas = np.zeros((offsets.size - 1, classes), np.int64)
    for i in range(offsets.size - 1):
        for run in range(offsets[i], offsets[i + 1]):
            at = place[values[run]]
            if at >= 0:
                areas[i, at] += lengths[run]
    return areas


@njit(cache=True, nogil=True)
def _shared(av, al, ao, bv, bl, bo, place, classes):  # pragma: no cover - compiled
    """Both run lists of each sample walked through together; which is ahead decides no branch, for it cannot be foretold."""
    shared = np.zeros((ao.size - 1, classes + 1), np.int64)  # the last column takes what differs
    rest = np.uint64(classes)
    for i in range(ao.size - 1):
        a, a_end, b, b_end = np.uint64(ao[i]), np.uint64(ao[i + 1]), np.uint64(bo[i]), np.uint64(bo[i + 1])
        if a == a_end or b == b_end:
            continue
        row = shared[i]
        at, to_a, to_b = np.uint64(0), np.uint64(al[a]), np.uint64(bl[b])
        while True:
            to = min(to_a, to_b)
            same = place[av[a]]
            row[np.uint64(same) if av[a] == bv[b] and same >= 0 else rest] += np.int64(to - at)
            at = to
            a += np.uint64(to_a == to)
            b += np.uint64(to_b == to)
            if a == a_end or b == b_end:
                break
            to_a += np.uint64(to_a == to) * np.uint64(al[a])
            to_b += np.uint64(to_b == to) * np.uint64(bl[b])
    return shared[:, :classes].copy()
