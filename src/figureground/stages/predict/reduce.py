"""What is kept of a picture's logits: a label map as runs, four scores, and the risk of each region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from figureground.core.errors import Fault
from figureground.core.types import ClassTable, LabelRuns, Sample
from figureground.data.faults import make_fault
from figureground.data.labelmap import RUN_FIELDS, encode_runs, runs_to_columns
from figureground.metrics.regions import component_runs
from figureground.metrics.risk import SCORES, reduce_logits, region_means

LABEL_SCHEMA = pa.schema(
    [pa.field("id", pa.string(), nullable=False), *RUN_FIELDS, *((name, pa.float64()) for name in SCORES), ("picture", pa.string())]
)
REGION_SCHEMA = pa.schema([("id", pa.string()), ("region", pa.int32()), ("class_id", pa.int32()), ("flip_risk", pa.float64())])
FAULT_SCHEMA = pa.schema([(name, pa.string()) for name in ("code", "problem", "remedy", "sample", "file")])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """All that is kept of one picture."""

    id: str
    runs: LabelRuns
    scores: np.ndarray
    """float64 in the order of `SCORES`, means over the predicted foreground; NaN where there is none."""
    region_classes: np.ndarray
    """int64 [regions], class id."""
    region_risks: np.ndarray
    """float64 [regions], mean flip-risk; regions as `component_runs` numbers them."""


class PictureReducer:
    """Takes the logits of a picture in bands of rows from the top down, and keeps the label map, the risk of each pixel and sums."""

    def __init__(self, size_hw: tuple[int, int], classes: ClassTable) -> None:
        self._classes = classes
        self._labels = np.empty(size_hw, classes.dtype)
        self._risk = np.empty(size_hw, np.float32)
        self._sums, self._foreground, self._rows = np.zeros(len(SCORES)), 0, 0

    def add(self, logits: np.ndarray) -> None:
        """The next rows: float32 [classes, rows, width], finite."""
        band = reduce_logits(logits, background=self._classes.background, ids=self._classes.ids)
        at = np.s_[self._rows : self._rows + logits.shape[1]]
        self._labels[at], self._risk[at] = band.label_map, band.risk
        if band.foreground:
            self._sums += band.foreground * np.array([band.scores[name] for name in SCORES])
        self._foreground += band.foreground
        self._rows += logits.shape[1]

    def finish(self, sample_id: str) -> Predicted:
        """What is kept, once all rows are in."""
        runs = encode_runs(self._labels)
        regions = component_runs(runs, background=self._classes.background, ignore=None)
        return Predicted(
            id=sample_id,
            runs=runs,
            scores=self._sums / self._foreground if self._foreground else np.full(len(SCORES), np.nan),
            region_classes=regions.class_id,
            region_risks=region_means(self._risk, regions),
        )


def not_finite(sample: Sample) -> Fault:
    """The fault of a picture for which the network gives no numbers."""
    return make_fault(
        "bad-logits",
        "the network gives logits that are not finite for this picture",
        "Check its weights and the normalisation in the model spec; a network in half precision can overflow",
        sample=sample.id,
        file=sample.image,
    )


def tables_of(predicted: Sequence[Predicted], faults: Sequence[Fault], digests: Mapping[str, str] | None = None) -> dict[str, pa.Table]:
    """Tables `labels` (one row a picture), `regions` (one row a predicted region) and `faults`.

    Args:
        predicted: in order.
        faults: of the pictures that are left out.
        digests: id -> digest of the content of the picture's file, where that is known.
    """
    known = digests or {}
    scores = np.array([p.scores for p in predicted], np.float64).reshape(len(predicted), len(SCORES))
    labels = [
        pa.array([p.id for p in predicted], pa.string()),
        *runs_to_columns([p.runs for p in predicted]),
        *(pa.array(column, pa.float64(), from_pandas=True) for column in scores.T),
        pa.array([known.get(p.id) for p in predicted], pa.string()),
    ]
    regions = [
        pa.array([p.id for p in predicted for _ in p.region_risks], pa.string()),
        pa.array(_joined([np.arange(p.region_risks.size) for p in predicted]), pa.int32()),
        pa.array(_joined([p.region_classes for p in predicted]), pa.int32()),
        pa.array(_joined([p.region_risks for p in predicted]), pa.float64()),
    ]
    return {
        "labels": pa.Table.from_arrays(labels, schema=LABEL_SCHEMA),
        "regions": pa.Table.from_arrays(regions, schema=REGION_SCHEMA),
        "faults": pa.Table.from_pylist([asdict(fault) for fault in faults], FAULT_SCHEMA),
    }


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
