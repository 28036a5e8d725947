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
    """int64 [rows], index (not id) of the truth class."""
    predicted: np.ndarray
    """int64 [rows], index of the predicted class."""
    pixels: np.ndarray
    """int64 [rows]."""
    boundary: np.ndarray
    """int64 [samples, 4], columns `BOUNDARY`."""

    @property
    def samples(self) -> int:
        """Number of samples, those without a counted pixel included."""
        return self.boundary.shape[0]

    @property
    def background(self) -> int:
        """Index of the background class."""
        return self.classes.ids.index(self.classes.background)

    def sums(self, keep: np.ndarray) -> np.ndarray:
        """int64 [samples], pixels of the rows where `keep`."""
        return _summed(self.sample[keep], self.pixels[keep], self.samples)

    def class_sums(self) -> np.ndarray:
        """int64 [samples, classes, 3]: pixels both, truth and predicted of each class."""
        out = np.empty((self.samples, len(self.classes), 3), np.int64)
        same = self.truth == self.predicted
        size = self.samples * len(self.classes)
        for place, (column, keep) in enumerate(((self.truth, same), (self.truth, slice(None)), (self.predicted, slice(None)))):
            key = (self.sample * len(self.classes) + column)[keep]
            out[:, :, place] = _summed(key, self.pixels[keep], size).reshape(self.samples, -1)
        return out

    def counts(self, members: np.ndarray | None = None) -> JointCounts:
        """Joint counts, by class id, of all samples or of those whose indices are given."""
        keep: slice | np.ndarray = slice(None)
        if members is not None:
            chosen = np.zeros(self.samples, bool)
            chosen[members] = True
            keep = chosen[self.sample]
        ids = np.asarray(self.classes.ids, np.int64)
        return merge_rows(ids[self.truth[keep]], ids[self.predicted[keep]], self.pixels[keep])


def sample_table(counts: pa.Table, boundary: np.ndarray, ids: Sequence[str], classes: ClassTable) -> SampleTable:
    """The sample table from rows `id, truth, predicted, pixels` with class ids; `ids` are in sample order."""
    place = np.full(max(classes.ids) + 1, -1, np.int64)
    place[list(classes.ids)] = np.arange(len(classes))
    sample = pc.index_in(counts["id"], value_set=pa.array(ids, pa.string())).to_numpy().astype(np.int64)
    rows = np.argsort(sample, kind="stable")
    return SampleTable(
        classes=classes,
        sample=sample[rows],
        truth=place[counts["truth"].to_numpy()][rows],
        predicted=place[counts["predicted"].to_numpy()][rows],
        pixels=counts["pixels"].to_numpy()[rows],
        boundary=boundary,
    )


def _summed(index: np.ndarray, pixels: np.ndarray, size: int) -> np.ndarray:
    """Exact int64 sums of `pixels` by `index`; float64 weights are exact up to 2**53 pixels."""
    return np.bincount(index, weights=pixels, minlength=size).astype(np.int64)
