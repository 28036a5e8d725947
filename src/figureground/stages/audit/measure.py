"""What is read from one sample: joint counts, boundary counts and regions. The only part of an audit that touches label maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from figureground.core.errors import Fault, FormatError
from figureground.core.types import ClassTable, LabelRuns, LabelSource
from figureground.data.faults import size_mismatch
from figureground.data.labelmap import resize_nearest
from figureground.data.sources import file_of
from figureground.metrics.boundary import BoundaryCounts, boundary_counts
from figureground.metrics.joint import JointCounts, counts_of_runs
from figureground.metrics.regions import VERDICTS, RegionTable, majority_verdict, regions_of

COUNT_SCHEMA = pa.schema(
    [("prediction", pa.string()), ("id", pa.string()), ("truth", pa.int32()), ("predicted", pa.int32()), ("pixels", pa.int64())]
)
SIZE_COLUMNS = ("height", "width", "matched_truth", "truth_boundary", "matched_predicted", "predicted_boundary")
SIZE_SCHEMA = pa.schema([("prediction", pa.string()), ("id", pa.string()), *((name, pa.int64()) for name in SIZE_COLUMNS)])
REGION_COLUMNS = ("class_id", "area", "ignored", "correct", "flipped", "missed", "added", "top", "left", "bottom", "right")
REGION_SCHEMA = pa.schema(
    [
        ("prediction", pa.string()),
        ("id", pa.string()),
        ("side", pa.string()),
        ("region", pa.int32()),
        *((name, pa.int64()) for name in REGION_COLUMNS),
        ("verdict", pa.string()),
    ]
)
FAULT_SCHEMA = pa.schema([(name, pa.string()) for name in ("code", "problem", "remedy", "sample", "file")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One sample under one prediction."""

    prediction: str
    id: str
    size_hw: tuple[int, int]
    counts: JointCounts
    boundary: BoundaryCounts
    regions: tuple[RegionTable, RegionTable]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMeter:
    """Measures batches of samples: one truth against each prediction. Picklable; one is built per worker.

    With `collect`, a sample with a fault becomes a row of the table `faults`, for all predictions together; without, it raises.
    """

    masks: LabelSource
    predictions: tuple[tuple[str, LabelSource], ...]
    classes: ClassTable
    tolerance: float
    resize: Literal["refuse", "nearest"]
    collect: bool

    def __call__(self, ids: Sequence[str]) -> dict[str, pa.Table]:
        """Tables `counts`, `sizes`, `regions` and `faults` of a batch."""
        measured: list[Measured] = []
        faults: list[Fault] = []
        for sample_id in ids:
            try:
                measured.extend(self._sample(sample_id))
            except FormatError as error:
                if not self.collect:
                    raise
                faults.append(error.fault)
        return {
            "counts": _count_rows(measured),
            "sizes": _size_rows(measured),
            "regions": _region_rows(measured),
            "faults": pa.Table.from_pylist([asdict(fault) for fault in faults], FAULT_SCHEMA),
        }

    def _sample(self, sample_id: str) -> list[Measured]:
        truth = self.masks.read(sample_id)
        return [self._pair(sample_id, name, truth, source) for name, source in self.predictions]

    def _pair(self, sample_id: str, name: str, truth: LabelRuns, source: LabelSource) -> Measured:
        predicted = source.read(sample_id)
        if truth.size_hw != predicted.size_hw:
            if self.resize == "refuse":
                file = file_of(source, sample_id)
                raise FormatError(size_mismatch(truth.size_hw, predicted.size_hw, sample=sample_id, prediction=name, file=file))
            predicted = resize_nearest(predicted, truth.size_hw)
        setting = {"background": self.classes.background, "ignore": self.classes.ignore}
        return Measured(
            prediction=name,
            id=sample_id,
            size_hw=truth.size_hw,
            counts=counts_of_runs(truth, predicted, ignore=self.classes.ignore),
            boundary=boundary_counts(truth, predicted, tolerance=self.tolerance, **setting),
            regions=(
                regions_of(truth, predicted, side="truth", **setting),
                regions_of(truth, predicted, side="predicted", **setting),
            ),
        )


def _count_rows(measured: Sequence[Measured]) -> pa.Table:
    rows = [m.counts.pixels.size for m in measured]
    columns = [_joined([getattr(m.counts, name) for m in measured]) for name in ("truth", "predicted", "pixels")]
    return _table(COUNT_SCHEMA, [_repeated([m.prediction for m in measured], rows), _repeated([m.id for m in measured], rows), *columns])


def _size_rows(measured: Sequence[Measured]) -> pa.Table:
    numbers = [
        (*m.size_hw, m.boundary.matched_truth, m.boundary.truth, m.boundary.matched_predicted, m.boundary.predicted) for m in measured
    ]
    columns = np.asarray(numbers, np.int64).reshape(len(measured), len(SIZE_COLUMNS)).T
    return _table(SIZE_SCHEMA, [[m.prediction for m in measured], [m.id for m in measured], *columns])


def _region_rows(measured: Sequence[Measured]) -> pa.Table:
    tables = [(m, table) for m in measured for table in m.regions]
    rows = [len(table) for _, table in tables]
    texts = [_repeated([text(m, t) for m, t in tables], rows) for text in (_prediction_of, _id_of, _side_of)]
    number = _joined([np.arange(n) for n in rows])
    columns = {name: _joined([getattr(table, name) for _, table in tables]) for name in REGION_COLUMNS}
    verdict = majority_verdict(np.stack([columns[name] for name in VERDICTS[:4]]))
    return _table(REGION_SCHEMA, [*texts, number, *columns.values(), pa.array(VERDICTS).take(pa.array(verdict))])


def _prediction_of(measured: Measured, _: RegionTable) -> str:
    return measured.prediction


def _id_of(measured: Measured, _: RegionTable) -> str:
    return measured.id


def _side_of(_: Measured, table: RegionTable) -> str:
    return table.side


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)


def _repeated(texts: list[str], times: list[int]) -> pa.Array:
    return pa.array(texts, pa.string()).take(pa.array(np.repeat(np.arange(len(texts)), times)))


def _table(schema: pa.Schema, columns: Sequence[object]) -> pa.Table:
    return pa.Table.from_arrays(
        [c if isinstance(c, pa.Array) else pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
    )
