"""The features of the samples of an audit that is finished, from its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.types import ClassTable
from figureground.stages.audit.statistics import sample_features
from figureground.stages.audit.table import BOUNDARY, SampleTable, sample_table


def audit_features(audit: Path, classes: ClassTable) -> tuple[pa.Table, np.ndarray]:
    """What each sample of an audit of one prediction contributes to every sum.

    Args:
        audit: the artifact.
        classes: of its data set.

    Returns:
        `samples.parquet` by id, and float64 [samples, features] in that order, see `statistics`.
    """
    samples = pq.read_table(audit / "samples.parquet").sort_by("id")
    boundary = np.stack([samples[name].to_numpy() for name in BOUNDARY], axis=1)
    counts = pq.read_table(audit / "counts.parquet")
    table: SampleTable = sample_table(counts, boundary, ids=samples["id"].to_pylist(), classes=classes)
    return samples, sample_features(table)
