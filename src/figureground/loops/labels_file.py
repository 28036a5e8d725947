"""Writing labels that no review page wrote: an oracle's answers, and the part of people's masks that is learned from."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from figureground.data.labelmap import RUN_FIELDS, runs_to_columns
from figureground.data.labels import KIND, MASKS, SCHEMA, TABLES, GivenMask, Labels
from figureground.runs.artifact import ArtifactWriter, artifact_key, finished

_RUNS = tuple(field.name for field in RUN_FIELDS)


def write_answers(out: Path, labels: Labels, *, options: Mapping[str, Any]) -> Path:
    """Writes a labels artifact, the same tables for the same answers, and returns its directory.

    Args:
        out: directory of the artifact; there already with the same answers = nothing is done.
        labels: all that it is to hold.
        options: how the answers came about, for the manifest.

    Raises:
        ArtifactError: `out` holds something else.
    """
    rows = {name: getattr(labels, name) for name in TABLES}
    tables = {name: _mask_table(labels.masks) if name == "masks" else _table(name, found) for name, found in rows.items()}
    digest, classes = hashlib.sha256(), labels.classes
    for name, table in tables.items():
        digest.update(repr((name, table.to_pydict())).encode())
    details = {"classes": list(classes.names), "ids": list(classes.ids), "background": classes.background, "ignore": classes.ignore}
    inputs = {"answers": digest.hexdigest(), "classes": hashlib.sha256(repr(details).encode()).hexdigest()}
    key = artifact_key(kind=KIND, schema=SCHEMA, inputs=inputs, options=options)
    if finished(out, kind=KIND, key=key):
        return out
    writer = ArtifactWriter(out, kind=KIND, schema=SCHEMA, key=key)
    for name, table in tables.items():
        pq.write_table(table, writer.path / f"{name}.parquet", compression="zstd")
    counts = {name: table.num_rows for name, table in tables.items()}
    writer.finish(options=options, inputs=inputs, counts=counts, details=details)
    return out


def _table(name: str, rows: Sequence[Any]) -> pa.Table:
    plain = [dataclasses.asdict(row) for row in rows]
    if name == "patches":
        plain = [{**row, "rows": row["cells"].shape[0], "columns": row["cells"].shape[1], "cells": row["cells"].ravel()} for row in plain]
    schema = TABLES[name]
    return pa.table([pa.array([row[f.name] for row in plain], f.type, from_pandas=True) for f in schema], schema=schema)


def _mask_table(masks: Sequence[GivenMask]) -> pa.Table:
    runs = dict(zip(_RUNS, runs_to_columns([mask.runs for mask in masks]), strict=True))
    columns = [runs[f.name] if f.name in runs else pa.array([getattr(mask, f.name) for mask in masks], f.type) for f in MASKS]
    return pa.Table.from_arrays(columns, schema=MASKS)
