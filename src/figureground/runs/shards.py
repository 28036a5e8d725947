"""Mapping many items in shards: each shard is one Parquet file, written when its batch is done and skipped when it is there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.whole_file import whole_file
from figureground.runs.artifact import ArtifactWriter
from figureground.runs.executor import Executor
from figureground.runs.progress import Reporter

SHARDS_A_FILE, ROWS_A_GROUP = 128, 256
"""Of joined tables: few files to open and to list, and row groups small enough that single label maps are read quickly."""

Tables = dict[str, pa.Table]
"""What a worker returns for a batch: named tables."""


def map_in_shards(
    items: Sequence[Any],
    make_worker: Callable[[], Callable[[Sequence[Any]], Tables]],
    *,
    writer: ArtifactWriter,
    executor: Executor,
    reporter: Reporter,
    what: str,
    unit: str,
    shard_size: int,
) -> int:
    """Maps batches of `shard_size` items to tables and keeps each as shard files `NNNNNN.<table>.parquet`.

    Returns:
        The number of shards. A shard that a former run left behind is not computed again.
    """
    batches = [items[start : start + shard_size] for start in range(0, len(items), shard_size)]
    missing = [index for index in range(len(batches)) if not writer.shard(_done_name(index)).exists()]
    done = sum(len(batch) for index, batch in enumerate(batches) if index not in set(missing))
    with reporter.track(what, total=len(items), unit=unit, done=done) as progress:
        results = executor.map_batches(make_worker, (batches[index] for index in missing))
        for index, tables in zip(missing, results, strict=True):
            for name, table in tables.items():
                writer.write_shard(f"{index:06d}.{name}.parquet", _parquet_bytes(table))
            writer.write_shard(_done_name(index), b"")
            progress.advance(len(batches[index]))
    return len(batches)


def read_shards(writer: ArtifactWriter, name: str, shards: int) -> pa.Table:
    """All rows of one table over all shards, in the order of the items."""
    return pa.concat_tables(iterate_shards(writer, name, shards))


def iterate_shards(writer: ArtifactWriter, name: str, shards: int) -> Iterator[pa.Table]:
    """One table of each shard in turn, for what should not be held whole."""
    for index in range(shards):
        yield pq.read_table(writer.shard(f"{index:06d}.{name}.parquet"))


def join_shards(writer: ArtifactWriter, name: str, shards: int) -> None:
    """One table of all shards as files `<name>/NNNNN.parquet` of the artifact, in the order of the items; the shards stay.

    Files of one number hold the same items in every table.
    """
    (writer.path / name).mkdir(exist_ok=True)
    tables = iterate_shards(writer, name, shards)
    for number in range(-(-shards // SHARDS_A_FILE)):
        whole = pa.concat_tables(itertools.islice(tables, SHARDS_A_FILE))
        with whole_file(writer.path / name / f"{number:05d}.parquet") as file:
            pq.write_table(whole, file, compression="zstd", row_group_size=ROWS_A_GROUP)


def write_table(path: Path, table: pa.Table) -> None:
    """One Parquet file, compressed with zstd; a disk that refuses raises `OSError`, which names the file."""
    with whole_file(path) as file:
        pq.write_table(table, file, compression="zstd")


def _done_name(index: int) -> str:
    return f"{index:06d}.done"


def _parquet_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()
