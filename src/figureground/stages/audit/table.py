"""What was measured on every sample, as arrays: the only thing the estimates see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from figureground.core.types import ClassTable
from figureground.metrics.joint import JointCounts, merge_rows

BOUNDARY = ("matched_truth", "truth_boundary", "matched_predicted", "predicted_boundary")
"""Columns of the boundary counts of a sample, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleTable:
    """Joint counts and boundary counts of all samples under one prediction."""

    classes: ClassTable
    sample: np.ndarray
    """int64 [rows], index of the sample each row of counts belongs to, ascending."""
    truth: np.ndarray
    """int64 [rows], class id."""
    predicted: np.ndarray
    """int64 [rows], class id."""
    pixels: np.ndarray
    """int64 [rows]."""
    boundary: np.ndarray
    """int64 [samples, 4], columns `BOUNDARY`."""

    @property
    def samples(self) -> int:
        """Number of samples, those without a counted pixel included."""
        return self.boundary.shape[0]

    def counts(self, members: np.ndarray | None = None) -> JointCounts:
        """Joint counts of all samples together, or of those whose indices are given."""
        if members is None:
            return merge_rows(self.truth, self.predicted, self.pixels)
        chosen = np.zeros(self.samples, bool)
        chosen[members] = True
        keep = chosen[self.sample]
        return merge_rows(self.truth[keep], self.predicted[keep], self.pixels[keep])


def sample_table(counts: pa.Table, boundary: np.ndarray, *, ids: Sequence[str], classes: ClassTable) -> SampleTable:
    """The sample table from rows `id, truth, predicted, pixels`; `ids` and the rows of `boundary` are in sample order."""
    sample = places(counts["id"], pa.array(ids, pa.string())).to_numpy().astype(np.int64)
    rows = np.argsort(sample, kind="stable")
    return SampleTable(
        classes=classes,
        sample=sample[rows],
        truth=counts["truth"].to_numpy().astype(np.int64)[rows],
        predicted=counts["predicted"].to_numpy().astype(np.int64)[rows],
        pixels=counts["pixels"].to_numpy()[rows],
        boundary=boundary,
    )


def places(values: pa.Array | pa.ChunkedArray, known: pa.Array) -> pa.Array:
    """Where each value stands among the known ones, int32; null where it does not."""
    found = pc.call_function("index_in", [values], pc.SetLookupOptions(value_set=known))
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def top_confusion(table: SampleTable) -> list[tuple[int, int] | None]:
    """The pair (truth id, predicted id) with the most flipped pixels of each sample; None where nothing is flipped."""
    ground = table.classes.background
    flipped = (table.truth != ground) & (table.predicted != ground) & (table.truth != table.predicted)
    out: list[tuple[int, int] | None] = [None] * table.samples
    rows = np.flatnonzero(flipped)
    for row in rows[np.argsort(table.pixels[rows], kind="stable")].tolist():  # the largest is written last
        out[int(table.sample[row])] = (int(table.truth[row]), int(table.predicted[row]))
    return out


def sole_classes(table: SampleTable) -> list[str]:
    """The class of each sample whose truth holds exactly one foreground class; the empty string for the others."""
    found: list[set[int]] = [set() for _ in range(table.samples)]
    figure = table.truth != table.classes.background
    for sample, truth in zip(table.sample[figure].tolist(), table.truth[figure].tolist(), strict=True):
        found[sample].add(truth)
    return [table.classes.name_of(next(iter(ids))) if len(ids) == 1 else "" for ids in found]
