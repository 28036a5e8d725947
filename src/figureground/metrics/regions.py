"""Regions: the connected components of a label map, each with its verdict against the other map.

A region is a largest set of pixels of one foreground class that touch at a side or a corner (8-connectivity). Runs are cut at the ends of
rows and joined to those of the row above, so the cost grows with the length of the boundaries and not with the area. Source: defined here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

from figureground.core.errors import InputError
from figureground.core.types import LabelRuns

VERDICTS = ("correct", "flipped", "missed", "added", "mixed", "ignored")
"""What `RegionTable.verdict` indexes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComponentRuns:
    """The foreground of a label map as segments of rows, each with the index of its region.

    Regions are numbered from 0 in the order of their first pixel, row by row. Segments are sorted by row and start.
    """

    height: int
    width: int
    row: np.ndarray
    """int64 [segments]."""
    start: np.ndarray
    """int64 [segments], first column."""
    stop: np.ndarray
    """int64 [segments], one past the last column."""
    component: np.ndarray
    """int64 [segments], index of the region."""
    class_id: np.ndarray
    """int64 [regions], class of each region."""

    def __len__(self) -> int:
        return self.class_id.size

    def dense(self) -> np.ndarray:
        """int64 [height, width], index of the region of each pixel; -1 where there is none."""
        regions = np.full((self.height, self.width), -1, dtype=np.int64)
        for row, start, stop, component in zip(self.row, self.start, self.stop, self.component, strict=True):
            regions[row, start:stop] = component
        return regions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegionTable:
    """One row per region, as columns. On the truth's side correct + flipped + missed = area; on the predicted side + added."""

    side: Literal["truth", "predicted"]
    class_id: np.ndarray
    """int64 [regions], class in the map the regions are of."""
    area: np.ndarray
    """int64 [regions], counted pixels: those whose truth is not ignored."""
    ignored: np.ndarray
    """int64 [regions], further pixels of the region whose truth is ignored; always 0 on the truth's side."""
    correct: np.ndarray
    """int64 [regions], pixels where the other map has the same class."""
    flipped: np.ndarray
    """int64 [regions], pixels where the other map has another foreground class."""
    missed: np.ndarray
    """int64 [regions], truth's side: pixels predicted as background; 0 on the predicted side."""
    added: np.ndarray
    """int64 [regions], predicted side: pixels whose truth is background; 0 on the truth's side."""
    top: np.ndarray
    """int64 [regions], first row."""
    left: np.ndarray
    """int64 [regions], first column."""
    bottom: np.ndarray
    """int64 [regions], one past the last row."""
    right: np.ndarray
    """int64 [regions], one past the last column."""

    def __len__(self) -> int:
        return self.class_id.size

    @property
    def verdict(self) -> np.ndarray:
        """int8 [regions], index into `VERDICTS`: the part that holds more than half of the area, else mixed; ignored where it is 0."""
        return majority_verdict(np.stack([self.correct, self.flipped, self.missed, self.added]))

    @property
    def verdicts(self) -> list[str]:
        """The verdict of each region in words."""
        return [VERDICTS[i] for i in self.verdict]


def component_runs(label_runs: LabelRuns, *, background: int = 0, ignore: int | None = 255) -> ComponentRuns:
    """The regions of a label map: connected components (8-connectivity) of equal class id, background and ignore left out.

    Args:
        label_runs: the map.
        background: id of the class that is ground.
        ignore: id of void pixels, which belong to no region; None = there are none, as in a prediction.

    Returns:
        Segments of rows with the index of their region; empty where there is no foreground.

    Source: defined here (union-find over row segments).
    """
    # int64 copies here and below: runs come as uint8 or uint16, owned or read-only, and one compiled form is enough
    values, lengths = label_runs.values.astype(np.int64), label_runs.lengths.astype(np.int64)
    row, start, stop, value, first = _segments(
        values, lengths, label_runs.height, label_runs.width, background, -1 if ignore is None else ignore
    )
    component, class_id = _components(start, stop, value, first)
    return ComponentRuns(
        height=label_runs.height, width=label_runs.width, row=row, start=start, stop=stop, component=component, class_id=class_id
    )


def regions_of(
    truth: LabelRuns,
    predicted: LabelRuns,
    *,
    side: Literal["truth", "predicted"] = "truth",
    background: int = 0,
    ignore: int | None = 255,
    components: ComponentRuns | None = None,
) -> RegionTable:
    """The regions of the truth or of the prediction, with their pixels by kind and their verdict.

    A predicted region keeps its shape where the truth is ignored, but those pixels are counted apart and have no say in the verdict.

    Args:
        truth: label map of the truth.
        predicted: label map of the prediction, of the same size.
        side: whose regions.
        background: id of the class that is ground.
        ignore: id of void pixels in the truth; None = there are none.
        components: `component_runs` of that side where they are known already.

    Returns:
        One row per region, numbered as in `component_runs`; no rows where that map has no foreground.

    Raises:
        InputError: the sizes differ, or `side` is neither.

    Source: defined here.
    """
    if side not in ("truth", "predicted"):
        raise InputError(f"`side` must be 'truth' or 'predicted'; got '{side}'")
    if truth.size_hw != predicted.size_hw:
        raise InputError(f"`truth` and `predicted` must be of one size; got {truth.size_hw} and {predicted.size_hw} (height, width)")
    own, other = (truth, predicted) if side == "truth" else (predicted, truth)
    if components is None:
        components = component_runs(own, background=background, ignore=ignore if side == "truth" else None)
    void = -1 if ignore is None or side == "truth" else ignore
    c, values, lengths = components, other.values.astype(np.int64), other.lengths.astype(np.int64)
    sums = _region_sums(c.row, c.start, c.stop, c.component, c.class_id, c.width, values, lengths, background, void)
    correct, flipped, lost, ignored, nothing, area, top, left, bottom, right = sums
    missed, added = (lost, nothing) if side == "truth" else (nothing, lost)
    return RegionTable(
        side=side,
        class_id=c.class_id,
        area=area,
        ignored=ignored,
        correct=correct,
        flipped=flipped,
        missed=missed,
        added=added,
        top=top,
        left=left,
        bottom=bottom,
        right=right,
    )


def majority_verdict(parts: np.ndarray) -> np.ndarray:
    """The part that holds more than half of each column's sum, as an index into `VERDICTS`.

    Args:
        parts: int64 [4, regions], correct, flipped, missed and added pixels.

    Returns:
        int8 [regions]: 0 to 3 for a majority, 4 (mixed) without one, 5 (ignored) where all parts are 0.
    """
    total = parts.sum(0)
    if parts.shape[1] == 0:
        return np.empty(0, dtype=np.int8)
    verdict = np.where(2 * parts.max(0) > total, parts.argmax(0), VERDICTS.index("mixed"))
    return np.where(total == 0, VERDICTS.index("ignored"), verdict).astype(np.int8)


@njit(cache=True, nogil=True)
def _segments(values, lengths, height, width, background, ignore):  # pragma: no cover - compiled
    """Foreground runs cut at the ends of rows, and for each row the index of its first segment."""
    most = values.size + height
    row, start, stop = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    value, first = np.empty(most, np.int64), np.zeros(height + 1, np.int64)
    n = 0
    y = x = np.int64(0)
    for i in range(values.size):
        left = lengths[i]
        figure = values[i] != background and values[i] != ignore
        while left > 0:
            step = min(left, width - x)
            if figure:
                row[n], start[n], stop[n], value[n] = y, x, x + step, values[i]
                n += 1
            x += step
            left -= step
            if x == width:
                x = 0
                y += 1
                first[y] = n
    return row[:n], start[:n], stop[:n], value[:n], first


@njit(cache=True, nogil=True)
def _components(start, stop, value, first):  # pragma: no cover - compiled
    """Index of the region of each segment, and the class of each region."""
    parent = np.arange(start.size)
    for y in range(1, first.size - 1):
        above = first[y - 1]
        for k in range(first[y], first[y + 1]):
            while above < first[y] and stop[above] < start[k]:
                above += 1
            q = above
            while q < first[y] and start[q] <= stop[k]:
                if value[q] == value[k]:
                    _join(parent, q, k)
                q += 1
    component, class_id = np.empty(start.size, np.int64), np.empty(start.size, np.int64)
    n = 0
    for k in range(start.size):
        root = _root(parent, k)
        if root == k:
            component[k], class_id[n] = n, value[k]
            n += 1
        else:
            component[k] = component[root]
    return component, class_id[:n].copy()


@njit(cache=True, nogil=True)
def _root(parent, k):  # pragma: no cover - compiled
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@njit(cache=True, nogil=True)
def _join(parent, a, b):  # pragma: no cover - compiled
    """The smaller root wins, so that a region's root is its first segment."""
    a, b = _root(parent, a), _root(parent, b)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@njit(cache=True, nogil=True)
def _region_sums(row, start, stop, component, class_id, width, values, lengths, background, void):  # pragma: no cover
    """int64 [10, regions]: correct, flipped, lost and ignored pixels, zeros, area, and top, left, bottom, right."""
    sums = np.zeros((10, class_id.size), np.int64)
    area, top, left, bottom, right = sums[5], sums[6], sums[7], sums[8], sums[9]
    left[:] = width
    i, end = -1, 0
    for k in range(row.size):
        c = component[k]
        if bottom[c] == 0:
            top[c] = row[k]
        left[c], bottom[c], right[c] = min(left[c], start[k]), row[k] + 1, max(right[c], stop[k])
        at, to = row[k] * width + start[k], row[k] * width + stop[k]
        while at < to:
            while end <= at:
                i += 1
                end += lengths[i]
            step = min(to, end) - at
            other = values[i]
            kind = 3 if other == void else 0 if other == class_id[c] else 2 if other == background else 1
            sums[kind, c] += step
            at += step
    area[:] = sums[0] + sums[1] + sums[2]
    return sums
