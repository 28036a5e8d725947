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
from figureground.stages.audit.grouping import build_groups, cluster_numbers
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
    unknown = [name for name in attributes if name not in samples.column_names]
    if unknown or not attributes:
        columns = ", ".join(samples.column_names)
        raise InputError(f"`attributes` must be one or more columns of the samples ({columns}); got {', '.join(unknown) or 'none'}")
    options = make_options(AuditOptions, dict(read_manifest(directory).options))
    summary = read_summary(directory)
    classes = _classes(summary)
    parts = []
    for name in samples["prediction"].unique().to_pylist():
        own = samples.filter(pc.field("prediction") == name)
        boundary = np.stack([own[column].to_numpy() for column in BOUNDARY], axis=1)
        rows = counts.filter(pc.field("prediction") == name)
        ids = own["id"].to_pylist()
        features = sample_features(sample_table(rows, boundary, ids=ids, classes=classes))
        clusters = cluster_numbers(ids, _texts(own, options.cluster)) if options.cluster else None
        grouping = build_groups({a: _texts(own, a) for a in attributes}, summary["common"], clusters)
        groups = [g for g in grouping.groups if g.by == tuple(attributes)]
        members, nobody = [g.members for g in groups], np.full(len(groups), -1)
        estimated = group_estimates(features, members, nobody, options=options, clusters=clusters)
        found = Findings(summary={}, overall=estimated, groups=estimated, features=features)
        parts.append(group_rows(groups, {name: found}))
    return pa.concat_tables(parts)


def _texts(table: pa.Table, column: str) -> list[str]:
    column = column if column in table.column_names else "label"  # `class` stands under its own name where it makes groups only
    return ["" if value is None else str(value) for value in table[column].to_pylist()]


def _classes(summary: dict[str, Any]) -> ClassTable:
    dataset = summary["dataset"]
    return ClassTable(
        names=tuple(dataset["classes"]), ids=tuple(dataset["ids"]), background=dataset["background"], ignore=dataset["ignore"]
    )
