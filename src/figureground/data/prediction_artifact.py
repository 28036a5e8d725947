"""Predictions read from an artifact: Parquet tables of runs, one row a sample, beside its scores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data import paths
from figureground.data.faults import refusal
from figureground.data.labelmap import check_runs, columns_to_runs
from figureground.data.masks import check_ids
from figureground.data.parquet import PREDICT_AGAIN, READ_FAULTS, open_parquet, unreadable
from figureground.data.predictions import RISK, Predictions
from figureground.data.sources import absent_map
from figureground.data.tables import check_unique

RUN_COLUMNS = ("height", "width", "values", "lengths")
_KEPT_GROUPS = 4


class RunTables:
    """Label maps in Parquet files; the row groups read last are kept, so reading in order reads each once.

    Args:
        rows: id -> file, row group, and row in it.
        classes: of the maps.
        opened: the stamp of each file when the ids were read from it.
    """

    def __init__(self, *, rows: Mapping[str, tuple[str, int, int]], classes: ClassTable, opened: Mapping[str, str]) -> None:
        self._rows, self._classes, self._opened = rows, classes, opened
        self._kept: dict[tuple[str, int], list[LabelRuns]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_rows": self._rows, "_classes": self._classes, "_opened": self._opened, "_kept": {}}  # a worker process reads its own

    def read(self, sample_id: str) -> LabelRuns:
        """The label map of a sample; an absent or faulty one raises `FormatError`."""
        if sample_id not in self._rows:
            raise absent_map(sample_id, "prediction")
        file, group, row = self._rows[sample_id]
        if (file, group) not in self._kept:
            while len(self._kept) >= _KEPT_GROUPS:
                self._kept.pop(next(iter(self._kept)))
            self._kept[file, group] = _read_group(file, group, last=row, since=self._opened.get(file), sample=sample_id)
        runs = self._kept[file, group][row]
        try:
            if runs.values.dtype.kind != "u" or runs.lengths.dtype.kind != "u":
                raise ValueError("a run lacks its value or length")
            check_runs(runs)
        except ValueError as error:
            raise refusal("corrupt-file", f"the runs are no label map: {error}", PREDICT_AGAIN, file=file, sample=sample_id) from error
        return check_ids(runs, self._classes, sample=sample_id, file=file, role="prediction")

    def file_of(self, sample_id: str) -> str | None:
        """The table that holds a sample, None for one that is in none."""
        return self._rows[sample_id][0] if sample_id in self._rows else None

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        """Size and time of change of the file that holds each sample."""
        known: dict[str, str] = {}
        for i in ids:
            file, group, row = self._rows[i]
            if file not in known:
                known[file] = paths.stamp(file)
            yield f"{known[file]}:{group}:{row}"


def open_artifact(where: str, classes: ClassTable) -> Predictions:
    """Predictions of a directory with `labels.parquet`, or with shards `labels/*.parquet`, or with several such directories in it.

    Columns `id, height, width, values, lengths`; every further column of numbers is a score, except counts, whose names end in `_pixels`.
    `regions.parquet` or `regions/*.parquet` (`id, region, flip_risk`), where there are any, give the risk of each predicted region.

    Raises:
        InputError: the directory holds no such table.
        FormatError: a table that cannot be read, lacks a column, or gives an id twice.
    """
    rows: dict[str, tuple[str, int, int]] = {}
    scores: dict[str, dict[str, float]] = {}
    ids: list[str] = []
    files = label_files(where)
    opened = {file: paths.stamp(file) for file in files}
    for file in files:
        with open_parquet(file, since=opened[file]) as table:
            check_columns(table, file)
            for group in range(table.num_row_groups):
                part = _flat_columns(table, group, file, since=opened[file])
                names = part.pop("id")
                rows |= {i: (file, group, row) for row, i in enumerate(names)}
                ids += names
                for column, values in part.items():
                    scores.setdefault(column, {}).update(zip(names, values, strict=True))
    check_unique(ids, file=where)
    return Predictions(
        name=paths.leaf(where),
        source=RunTables(rows=rows, classes=classes, opened=opened),
        ids=tuple(ids),
        scores=scores,
        region_scores=_region_scores(where),
        manifest=read_manifest(artifact_parts(where)[0]),
        where=where,
    )


def _tables(where: str, name: str) -> list[str]:
    """The one table of a name, or its shards; empty where there is neither."""
    single, folder = paths.join(where, f"{name}.parquet"), paths.join(where, name)
    if paths.exists(single):
        return [single]
    return [paths.join(folder, item) for item in paths.list_files(folder) if item.endswith(".parquet")] if paths.is_folder(folder) else []


def label_files(where: str) -> list[str]:
    """The tables of label maps in a directory, or in the artifacts below it, in order.

    Raises:
        InputError: there are none, or the artifacts below it are of different models.
        FormatError: there is no such directory.
    """
    found = [file for part in artifact_parts(where) for file in _tables(part, "labels")]
    if found:
        return found
    if not paths.exists(where):
        raise refusal("missing-file", "there is no such file or folder", "Correct the path, or run the prediction first", file=where)
    raise InputError(f"{where}: predictions are a folder with labels.parquet, or png:FOLDER or npy:FOLDER of label maps; got neither")


def artifact_parts(where: str) -> list[str]:
    """The directory itself where label maps lie in it; else the directories right below it in which some do, numbers in their order.

    So the predictions of a pool that was predicted in parts are those of the directory around them.

    Raises:
        InputError: the parts are of different models or classes.
    """
    if _tables(where, "labels"):
        return [where]
    below = (paths.join(where, name) for name in sorted(paths.list_folders(where), key=_natural) if not name.endswith(".partial"))
    parts = [part for part in below if _tables(part, "labels")]
    said = {part: _of_whom(part) for part in parts}
    if other := [part for part in parts if said[part] != said[parts[0]]]:
        raise InputError(
            f"{where}: its parts are not of one model: {paths.leaf(parts[0])} and {paths.leaf(other[0])} differ. Keep those of one"
        )
    return parts or [where]


def _of_whom(part: str) -> list[Any]:
    """What the parts of one prediction have in common: model and classes."""
    details = (read_manifest(part) or {}).get("details", {})
    return [details.get(key) for key in ("model", "classes", "ids", "background")]


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts `part-10` behind `part-9`."""
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in re.split(r"(\d+)", name)]


def check_columns(table: pq.ParquetFile, file: str) -> None:
    """Raise the `bad-table` fault unless a table has ids and label maps."""
    missing = [c for c in ("id", *RUN_COLUMNS) if c not in table.schema_arrow.names]
    if missing:
        raise refusal("bad-table", f"there is no column `{missing[0]}`", "Write id, height, width, values, lengths", file=file)
    for name in RUN_COLUMNS:
        kind = table.schema_arrow.field(name).type
        inner = kind.value_type if pa.types.is_list(kind) else None
        if not (pa.types.is_integer(kind) if name in ("height", "width") else inner is not None and pa.types.is_unsigned_integer(inner)):
            raise refusal(
                "bad-table",
                f"the column `{name}` is of type {kind}",
                "Write height and width as whole numbers, values as list<uint16> and lengths as list<uint32>",
                file=file,
            )


def _flat_columns(table: pq.ParquetFile, group: int, file: str, *, since: str) -> dict[str, list[Any]]:
    """Ids as texts, and the columns of numbers, of one row group."""
    schema = table.schema_arrow
    numeric = [f.name for f in schema if f.name not in RUN_COLUMNS and (pa.types.is_floating(f.type) or pa.types.is_integer(f.type))]
    try:
        part = table.read_row_group(group, columns=["id", *(c for c in numeric if c != "id")])
        ids = [str(i) for i in part["id"].to_pylist()]
        found: dict[str, list[Any]] = {c: [np.nan if v is None else float(v) for v in part[c].to_pylist()] for c in numeric if c != "id"}
    except READ_FAULTS as error:
        raise unreadable(file, error, since=since, part=f"row group {group + 1}") from error
    return {"id": ids, **found}


def _read_group(file: str, group: int, *, last: int, since: str | None, sample: str) -> list[LabelRuns]:
    try:
        with open_parquet(file, since=since) as table:
            part = table.read_row_group(group, columns=list(RUN_COLUMNS)).combine_chunks()
            if len(part) <= last:
                raise ValueError(f"it has {len(part)} rows")
            if any(part[name].null_count for name in RUN_COLUMNS):
                raise ValueError("a row lacks its label map")
            return list(columns_to_runs(part))
    except (*READ_FAULTS, AttributeError) as error:
        raise unreadable(file, error, since=since, part=f"row group {group + 1}", sample=sample) from error


def _region_scores(where: str) -> dict[str, dict[int, float]] | None:
    """Id -> region -> risk; None where no table of regions was written."""
    files = [file for part in artifact_parts(where) for file in _tables(part, "regions")]
    scores: dict[str, dict[int, float]] = {}
    for file in files:
        since = paths.stamp(file)
        with open_parquet(file, since=since) as table:
            if missing := [c for c in ("id", "region", RISK) if c not in table.schema_arrow.names]:
                raise refusal("bad-table", f"there is no column `{missing[0]}`", f"Write id, region, {RISK}", file=file)
            try:
                columns = [table.read(columns=[c])[c].to_pylist() for c in ("id", "region", RISK)]
                for i, region, risk in zip(*columns, strict=True):
                    scores.setdefault(str(i), {})[int(region)] = np.nan if risk is None else float(risk)
            except READ_FAULTS as error:
                raise unreadable(file, error, since=since) from error
    return scores if files else None


def read_manifest(where: str) -> dict[str, Any] | None:
    """The manifest of a directory; None where there is none, `FormatError` where it is no JSON object."""
    path = paths.join(where, "manifest.json")
    if not paths.exists(path):
        return None
    try:
        found = json.loads(paths.read_text(path))
    except (ValueError, RecursionError) as error:
        raise refusal("bad-json", f"the manifest is no valid JSON ({error})", "Predict again", file=path) from error
    if not isinstance(found, dict):
        raise refusal("bad-json", "the manifest is no JSON object", "Predict again", file=path)
    return found
