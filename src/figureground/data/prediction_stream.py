"""Predictions read in parts, so that a pool of any size goes through a bounded memory: ids first, label maps where they are asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import Fault, FiguregroundError, FormatError
from figureground.core.types import ClassTable, LabelRuns, RunBatch, batch_of
from figureground.data import paths
from figureground.data.faults import some
from figureground.data.masks import read_numbers
from figureground.data.parquet import READ_FAULTS, open_parquet, unreadable
from figureground.data.prediction_artifact import RUN_COLUMNS, artifact_parts, check_columns, label_files, read_manifest
from figureground.data.predictions import COUNT_SUFFIX, Predictions, open_predictions, parse_predictions
from figureground.data.sources import MaskFiles, file_of

_RUN_TYPES = (("height", pa.int64()), ("width", pa.int64()), ("values", pa.list_(pa.uint16())), ("lengths", pa.list_(pa.uint32())))
FILES_A_PART = 256
"""Label maps in files of their own that make a part: as many as a row group of predictions holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Samples that lie together, such as a row group of a table."""

    file: str
    """The table; empty where every map is a file of its own."""
    group: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Where some samples of a stream lie."""

    parts: tuple[tuple[str, int], ...]
    """File and group of each part that holds some of them."""
    part: np.ndarray
    """int32 [samples], index into `parts`."""
    row: np.ndarray
    """int32 [samples], row within the part."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadMaps:
    """Label maps of some samples, in the order asked for."""

    batch: RunBatch
    """A map that could not be read has size 0 x 0 and no runs."""
    scores: Mapping[str, np.ndarray]
    """Column -> float64 [samples], NaN where a sample has none."""
    faults: tuple[Fault, ...]
    """What is wrong with single maps."""


class MapReader(Protocol):
    """Reads label maps; picklable, so that worker processes can."""

    def read(self, ids: Sequence[str], rows: Rows, *, scores: Sequence[str] = ()) -> ReadMaps:
        """The maps of some samples; a table that cannot be read raises `FormatError`, a single map becomes a fault."""
        ...

    def file_of(self, sample_id: str, rows: Rows, *, place: int) -> str | None:
        """The file that holds the map of a sample, which is at `place` among those asked for; None for one in memory."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionStream:
    """The predictions of one model: what is known without reading a label map, and how to read them."""

    name: str
    where: str | None
    reader: MapReader
    scores: tuple[str, ...]
    """Score columns there are."""
    manifest: Mapping[str, Any] | None = None
    failed: Mapping[str, Fault] = field(default_factory=dict)
    """Id -> why the prediction left the sample out."""
    files: tuple[str, ...] = ()
    """Every table that is read; empty where maps are files of their own."""
    opened: Mapping[str, str] = field(default_factory=dict)
    """Table -> its stamp when the predictions were opened."""
    held: Predictions | None = None
    """The predictions, where their ids are held in memory."""

    def parts(self) -> Iterator[Part]:
        """All samples, in the order of the files.

        Raises:
            FormatError: a table that cannot be read, or without the columns of label maps.
            InputError: a table that changed meanwhile.
        """
        if self.held is not None:
            ids = self.held.ids
            for group, start in enumerate(range(0, len(ids), FILES_A_PART)):
                yield Part(file="", group=group, ids=ids[start : start + FILES_A_PART])
            return
        for file in self.files:
            with open_parquet(file, since=self.opened.get(file)) as table:
                check_columns(table, file)
                for group in range(table.num_row_groups):
                    yield Part(file=file, group=group, ids=_ids(table, group, file, since=self.opened.get(file)))

    def fingerprint(self) -> str:
        """sha256 over size and time of change of everything that is read."""
        if self.held is not None:
            return self.held.fingerprint()
        return hashlib.sha256("\n".join(f"{file}\t{paths.stamp(file)}" for file in self.files).encode()).hexdigest()

    def every_file(self) -> Iterator[str]:
        """Paths and URLs of all that is read."""
        yield from self.held.every_file() if self.held is not None else self.files


def stream_predictions(spec: str, classes: ClassTable, *, name: str | None = None, raw: bool = False) -> PredictionStream:
    """The predictions that a spec names, as `open_predictions` takes it, without holding the ids of an artifact.

    Args:
        spec: `[NAME=]KIND:WHERE?key=value`, or the directory of an artifact.
        classes: the classes of the pool.
        name: wins over the name in the spec.
        raw: take the numbers of label map files as they stand, since another table of classes explains them.

    Raises:
        InputError: an unknown kind or option, or a directory that holds no predictions.
        FormatError: a folder or table that cannot be read.
    """
    parsed = parse_predictions(spec)
    if parsed.kind in (None, "artifact") and not parsed.options:
        files, parts = label_files(parsed.where), artifact_parts(parsed.where)
        opened = {file: paths.stamp(file) for file in files}
        with open_parquet(files[0], since=opened[files[0]]) as table:
            check_columns(table, files[0])
            scores = tuple(
                f.name for f in table.schema_arrow if pa.types.is_floating(f.type) and not f.name.endswith(COUNT_SUFFIX) and f.name != "id"
            )
        return PredictionStream(
            name=name or parsed.name or paths.leaf(parsed.where),
            where=parsed.where,
            reader=TableReader(opened),
            scores=scores,
            manifest=read_manifest(parts[0]),
            failed={i: fault for part in parts for i, fault in _failed(part).items()},
            files=tuple(files),
            opened=opened,
        )
    held = open_predictions(spec, classes, name=name)
    return PredictionStream(
        name=held.name,
        where=held.where,
        reader=FileReader(predictions=held, raw=raw),
        scores=tuple(held.scores),
        manifest=held.manifest,
        failed=_failed(held.where) if held.where else {},
        held=held,
    )


@dataclass(frozen=True, slots=True)
class TableReader:
    """Label maps in the tables of an artifact; a row group is read once for the samples of a call, and only their rows are held."""

    opened: Mapping[str, str]
    """Table -> its stamp when the predictions were opened."""

    def read(self, ids: Sequence[str], rows: Rows, *, scores: Sequence[str] = ()) -> ReadMaps:
        """The maps of some samples; a table that cannot be read raises `FormatError`."""
        if not rows.parts:
            return ReadMaps(batch=batch_of([]), scores={name: np.empty(0) for name in scores}, faults=())
        schema = pa.schema([*_RUN_TYPES, *((name, pa.float64()) for name in scores)])
        order = np.argsort(rows.part, kind="stable")
        wanted = np.split(rows.row[order], np.searchsorted(rows.part[order], np.arange(1, len(rows.parts))))
        tables: list[pa.Table] = []
        for number, own in enumerate(wanted):
            try:
                tables.append(_read_rows(*rows.parts[number], own, schema, since=self.opened.get(rows.parts[number][0])))
            except READ_FAULTS as error:
                raise self._damaged(error, ids, rows, number) from error
        try:
            whole = _taken(pa.concat_tables(tables), np.argsort(order))
            batch = _batch(whole.combine_chunks())
            found = {name: whole[name].to_numpy() for name in scores}
        except READ_FAULTS as error:
            raise self._damaged(error, ids, rows, _crooked(tables)) from error
        return ReadMaps(batch=batch, scores=found, faults=())

    def file_of(self, sample_id: str, rows: Rows, *, place: int) -> str | None:
        """The table that holds a sample."""
        del sample_id
        return rows.parts[int(rows.part[place])][0]

    def _damaged(self, error: Exception, ids: Sequence[str], rows: Rows, number: int) -> FiguregroundError:
        """What to raise where a part cannot be read, with the samples that were wanted of it."""
        file, group = rows.parts[number]
        own = [ids[place] for place in np.flatnonzero(rows.part == number).tolist()]
        return unreadable(file, error, since=self.opened.get(file), part=f"row group {group + 1}, which holds {some(own)}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileReader:
    """Label maps in files of their own, or in memory."""

    predictions: Predictions
    raw: bool

    def read(self, ids: Sequence[str], rows: Rows, *, scores: Sequence[str] = ()) -> ReadMaps:
        """The maps of some samples; one that cannot be read is empty and has a fault."""
        del rows
        maps: list[LabelRuns | None] = []
        faults: list[Fault] = []
        for i in ids:
            try:
                maps.append(self._map(i))
            except FormatError as error:
                maps.append(None)
                faults.append(error.fault)
        known = self.predictions.scores
        columns = {name: np.array([known[name].get(i, np.nan) for i in ids], np.float64) for name in scores}
        return ReadMaps(batch=batch_of(maps), scores=columns, faults=tuple(faults))

    def file_of(self, sample_id: str, rows: Rows, *, place: int) -> str | None:
        """The file of a sample's map."""
        del rows, place
        return file_of(self.predictions.source, sample_id)

    def _map(self, sample_id: str) -> LabelRuns:
        source = self.predictions.source
        if self.raw and isinstance(source, MaskFiles):
            return read_numbers(source.files[sample_id], sample=sample_id, role="prediction")
        return source.read(sample_id)


def _taken(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """The rows at some places; the table itself where those are all of it in order."""
    return table if np.array_equal(rows, np.arange(len(table))) else table.take(pa.array(rows))


def _ids(table: pq.ParquetFile, group: int, file: str, *, since: str | None) -> tuple[str, ...]:
    """The ids of a row group."""
    try:
        return tuple(map(str, table.read_row_group(group, ["id"])["id"].to_pylist()))
    except READ_FAULTS as error:
        raise unreadable(file, error, since=since, part=f"row group {group + 1}") from error


def _read_rows(file: str, group: int, rows: np.ndarray, schema: pa.Schema, *, since: str | None) -> pa.Table:
    """Some rows of a row group in the types of `schema`; a number that does not fit its type is a fault. The rest is not kept."""
    with open_parquet(file, since=since) as table:
        return _taken(table.read_row_group(group, columns=schema.names).select(schema.names).cast(schema), rows)


def _crooked(tables: Sequence[pa.Table]) -> int:
    """The place of the first table whose rows are no label maps."""
    for number, table in enumerate(tables):
        try:
            _batch(table.combine_chunks())
        except READ_FAULTS:
            return number
    return 0


def _batch(table: pa.Table) -> RunBatch:
    """The runs of a table of one chunk, its memory shared; rows that are no label maps raise `ValueError`."""
    columns = {name: table[name].combine_chunks() for name in RUN_COLUMNS}
    values, lengths = (_only_chunk(columns[name]) for name in ("values", "lengths"))
    if any(column.null_count for column in (*columns.values(), values.values, lengths.values)):
        raise ValueError("a row lacks its label map")
    offsets = values.offsets.to_numpy()
    if not np.array_equal(offsets, lengths.offsets.to_numpy()):
        raise ValueError("a row has more values than lengths, or fewer")
    return RunBatch(
        sizes_hw=np.stack([columns[name].to_numpy(zero_copy_only=False) for name in ("height", "width")], axis=1),
        values=values.values.to_numpy(zero_copy_only=False),
        lengths=lengths.values.to_numpy(zero_copy_only=False),
        offsets=offsets.astype(np.int64),
    )


def _only_chunk(column: Any) -> pa.ListArray:
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _failed(where: str) -> dict[str, Fault]:
    """The samples that the prediction left out, from `failures.json`; none where there is no such file, or it is another's."""
    path = paths.join(where, "failures.json")
    if not paths.exists(path):
        return {}
    try:
        return {row["sample"]: Fault(**row) for row in json.loads(paths.read_text(path)) if row["sample"] is not None}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
