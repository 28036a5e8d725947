"""One pass over all predictions: workers compare chunks, the best candidates are kept, and what is done is noted, not to be done again."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from figureground.core.errors import Fault, check_failures, may_leave_out
from figureground.data.align import Alignment, Chunk
from figureground.data.faults import refusal
from figureground.data.prediction_stream import Rows
from figureground.runs.artifact import ArtifactWriter
from figureground.runs.executor import Executor
from figureground.runs.progress import Reporter
from figureground.stages.mine.coreset import FEATURES, merged_centres
from figureground.stages.mine.measure import ChunkMeter, Found
from figureground.stages.mine.round import Round
from figureground.stages.mine.tops import COLUMNS, merged

CHUNK = 2048
"""Samples that a worker compares at a time."""
SAVED_EVERY = 32
"""Chunks between two notes of what is done: what an interruption can cost."""
HELD_ROWS = 50_000
"""Candidates that may wait to be merged."""


@dataclass(slots=True, kw_only=True, eq=False)
class Tally:
    """What is known of the samples gone through so far."""

    table: pa.Table
    """The best candidates: group, score, id, row, and for each model the file, group and row of the sample."""
    seen: np.ndarray
    """int64 [groups], samples that each group has."""
    fitting: np.ndarray
    """int64 [groups], those of them that it may choose from."""
    apart: np.ndarray
    """bool [rivals]: the rival disagrees with the target somewhere."""
    chunks: int = 0
    samples: int = 0
    unscored: int = 0
    faults: list[Fault] = field(default_factory=list)
    unmatched: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Ids that are not everywhere -> where they are: 0 is the pool, then the models."""


def go_through(mined: Round, meter: ChunkMeter, *, state: str, writer: ArtifactWriter, executor: Executor, reporter: Reporter) -> Tally:
    """Compares every sample that the pool and all models have.

    Args:
        mined: whose samples, by which models.
        meter: what a worker does; each has a copy.
        state: name of the shard in which the state is noted.
        writer: of the artifact in the making.
        executor: where chunks are compared.
        reporter: where progress is told.

    Raises:
        FormatError: more faulty samples than are allowed, a table that cannot be read, or an id that stands twice.
    """
    tally = _read_state(writer, state) or _nothing(mined)
    alignment = Alignment(streams=[_Parts(mined.pool), *(_Parts(model.stream) for model in mined.models)])
    sent: deque[Chunk] = deque()
    done, skipped = 0, tally.chunks
    held: list[pa.Table] = [tally.table]

    def chunks() -> Iterator[Chunk]:
        for number, chunk in enumerate(alignment.chunks(CHUNK)):
            if number >= skipped:
                own = dataclasses.replace(chunk, rows=chunk.rows[1:])  # the pool has no maps
                sent.append(own)
                yield own

    with reporter.track("mine", total=len(mined.pool), unit="samples", done=tally.samples) as progress:
        for found in executor.map_batches(functools.partial(_make_meter, meter), chunks()):
            chunk = sent.popleft()
            held.append(_with_places(found.table, chunk))
            _add(tally, found, len(chunk.ids))
            with may_leave_out():
                check_failures(tally.faults, mined.options.max_failures)
            done += 1
            progress.advance(len(chunk.ids))
            if sum(map(len, held)) > HELD_ROWS:
                held = [_merged(held, meter)]
            if done % SAVED_EVERY == 0:
                held = [_merged(held, meter)]
                tally.table, tally.chunks = held[0], skipped + done
                writer.write_shard(state, _state_bytes(tally))
    tally.table, tally.chunks, tally.unmatched = _merged(held, meter), skipped + done, alignment.unmatched
    _check_once(tally.table)
    return tally


def _check_once(table: pa.Table) -> None:
    """Raise where a group has a candidate twice: then the pool and every model have that id twice."""
    counts = table.group_by(["group", "id"]).aggregate([([], "count_all")])
    if twice := counts.filter(pc.field("count_all") > 1)["id"].to_pylist():
        problem = f"the id '{min(twice)}' stands for more than one row of the pool and of every model"
        raise refusal("duplicate-id", problem, "Give each sample its own id", sample=min(twice))


class _Parts:
    """Something with parts, to be walked through."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Any]:
        return self._source.parts()


def _make_meter(meter: ChunkMeter) -> ChunkMeter:
    return dataclasses.replace(meter)


def _merged(tables: Sequence[pa.Table], meter: ChunkMeter) -> pa.Table:
    if meter.selection.selector == "core-set":
        return merged_centres(tables, k=meter.keep[0])
    return merged(tables, keep=meter.keep)


def _with_places(table: pa.Table, chunk: Chunk) -> pa.Table:
    """The candidates with where each model has them."""
    at = table["row"].to_numpy()
    for number, rows in enumerate(chunk.rows):
        part = rows.part[at]
        files, groups = (pa.array([one[which] for one in rows.parts], kind) for which, kind in ((0, pa.string()), (1, pa.int64())))
        table = table.append_column(f"file_{number}", files.take(pa.array(part)))
        table = table.append_column(f"group_{number}", groups.take(pa.array(part)))
        table = table.append_column(f"row_{number}", pa.array(rows.row[at], pa.int64()))
    return table


def _add(tally: Tally, found: Found, samples: int) -> None:
    tally.samples += samples
    tally.unscored += found.unscored
    tally.faults += found.faults
    tally.seen, tally.fitting, tally.apart = tally.seen + found.seen, tally.fitting + found.fitting, tally.apart | found.apart


def _state_bytes(tally: Tally) -> bytes:
    plain = {
        "chunks": tally.chunks,
        "samples": tally.samples,
        "unscored": tally.unscored,
        "seen": tally.seen.tolist(),
        "fitting": tally.fitting.tolist(),
        "apart": tally.apart.tolist(),
        "faults": [dataclasses.asdict(fault) for fault in tally.faults],
    }
    sink = io.BytesIO()
    pq.write_table(tally.table.replace_schema_metadata({"tally": json.dumps(plain)}), sink, compression="zstd")
    return sink.getvalue()


def _nothing(mined: Round) -> Tally:
    """The tally before the first chunk."""
    none = np.empty(0, np.int32)
    nowhere = Chunk(ids=(), rows=(Rows(parts=(), part=none, row=none),) * len(mined.models))
    columns = FEATURES if mined.options.selector == "core-set" else COLUMNS
    return Tally(
        table=_with_places(columns.empty_table(), nowhere),
        seen=np.zeros(len(mined.groups), np.int64),
        fitting=np.zeros(len(mined.groups), np.int64),
        apart=np.zeros(len(mined.rivals), bool),
    )


def _read_state(writer: ArtifactWriter, state: str) -> Tally | None:
    path = writer.shard(state)
    if not path.exists():
        return None
    table = pq.read_table(path)
    plain = json.loads((table.schema.metadata or {})[b"tally"])
    return Tally(
        table=table.replace_schema_metadata(None),
        chunks=plain["chunks"],
        samples=plain["samples"],
        unscored=plain["unscored"],
        seen=np.array(plain["seen"], np.int64),
        fitting=np.array(plain["fitting"], np.int64),
        apart=np.array(plain["apart"], bool),
        faults=[Fault(**row) for row in plain["faults"]],
    )
