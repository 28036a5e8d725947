"""Reading an audit again: its summary, and groups by any columns, from the tables alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from figureground.core.errors import ArtifactError, InputError
from figureground.core.options import make_options
from figureground.core.types import ClassTable
from figureground.runs.artifact import read_manifest
from figureground.stages.audit.estimates import group_estimates
from figureground.stages.audit.grouping import build_groups
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.statistics import sample_features
from figureground.stages.audit.summary import Findings
from figureground.stages.audit.table import BOUNDARY, sample_table
from figureground.stages.audit.tables import group_rows


def read_summary(directory: Path) -> dict[str, Any]:
    """The content of `audit.json`; an absent or broken one raises `ArtifactError`."""
    file = Path(directory) / "audit.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{file}: the summary cannot be read ({error}). Run the audit again") from error


def group_table(directory: Path, attributes: Sequence[str]) -> pa.Table:
    """The groups that share the values of some columns of `samples.parquet`, as rows of `groups.parquet`.

    Raises:
        InputError: no attribute, or one that is no column.
    """
    samples, counts = (pq.read_table(directory / f"{name}.parquet") for name in ("samples", "counts"))
    if unknown := [name for name in attributes if name not in samples.column_names] or not attributes:
        raise InputError(f"`attributes` must be columns of the samples ({', '.join(samples.column_names)}); got {unknown or 'none'}")
    options = make_options(AuditOptions, dict(read_manifest(directory).options))
    classes = _classes(directory)
    parts = []
    for name in samples["prediction"].unique().to_pylist():
        own = samples.filter(pc.field("prediction") == name)
        boundary = np.stack([own[column].to_numpy() for column in BOUNDARY], axis=1)
        rows = counts.filter(pc.field("prediction") == name)
        features = sample_features(sample_table(rows, boundary, ids=own["id"].to_pylist(), classes=classes))
        columns = {a: [str(v) if v is not None else "" for v in own[a].to_pylist()] for a in attributes}
        groups = [g for g in build_groups(columns, {}).groups if g.by == tuple(attributes)]
        estimated = group_estimates(features, [g.members for g in groups], np.full(len(groups), -1), options=options, clusters=None)
        found = Findings(summary={}, overall=estimated, groups=estimated, features=features)
        parts.append(group_rows(groups, {name: found}))
    return pa.concat_tables(parts)


def _classes(directory: Path) -> ClassTable:
    dataset = read_summary(directory)["dataset"]
    return ClassTable(
        names=tuple(dataset["classes"]), ids=tuple(dataset["ids"]), background=dataset["background"], ignore=dataset["ignore"]
    )
