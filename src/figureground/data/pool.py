"""A pool: samples without labels, of which ids and pictures are all that is asked; one in a Parquet table is never held whole."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.data import paths
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.faults import refusal
from figureground.data.formats.own import read_head
from figureground.data.parquet import READ_FAULTS, WRITE_AGAIN, open_parquet, unreadable
from figureground.data.prediction_stream import Part
from figureground.data.spec import parse_spec
from figureground.data.tables import no_samples

IDS_A_PART = 256
"""Ids of a data set in memory that make a part: as many as a row group of predictions holds, for parts alike are matched at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Samples by id, with their pictures."""

    name: str
    classes: ClassTable
    dataset: Dataset | None
    """None where the samples stay in their table."""
    files: tuple[str, ...]
    """The small files that define the pool, and its table."""
    opened: str | None = None
    """The stamp of the table when the pool was opened, where the samples stay in it."""

    @property
    def table(self) -> str:
        """The table of samples, where they stay in it."""
        return self.files[-1]

    def __len__(self) -> int:
        if self.dataset is not None:
            return len(self.dataset)
        with _open(self.table, self.opened) as table:
            return table.metadata.num_rows

    def parts(self) -> Iterator[Part]:
        """All ids in order; a table that cannot be read, or without ids, raises `FormatError`, one that changed meanwhile `InputError`."""
        if self.dataset is not None:
            ids = self.dataset.ids
            for group, start in enumerate(range(0, len(ids), IDS_A_PART)):
                yield Part(file="", group=group, ids=ids[start : start + IDS_A_PART])
            return
        for group, table in self._groups(["id"]):
            ids = _texts(table, "id")
            if "" in ids:
                raise refusal(
                    "bad-table", f"row {ids.index('') + 1} of row group {group + 1} has no `id`", "Give each row an id", file=self.table
                )
            yield Part(file=self.table, group=group, ids=ids)

    def images(self, ids: Collection[str]) -> dict[str, str]:
        """Id -> path or URL of the picture, for those that have one; ids that the pool does not have are left out."""
        if self.dataset is not None:
            wanted = set(ids)
            return {s.id: s.image for s in self.dataset.samples if s.image and s.id in wanted}
        found: dict[str, str] = {}
        wanted, base = set(ids), paths.parent(self.table)
        for _, table in self._groups(["id", "image"]):
            if "image" not in table.column_names:
                return {}
            names = _texts(table, "id")
            if places := [place for place, i in enumerate(names) if i in wanted]:
                pictures = _texts(table.take(places), "image")
                found |= {names[place]: paths.join(base, image) for place, image in zip(places, pictures, strict=True) if image}
        return found

    def every_file(self) -> Iterator[str]:
        """Paths and URLs of what is read; of pictures those that are known without a look into the table."""
        yield from self.dataset.every_file() if self.dataset is not None else self.files

    def fingerprint(self) -> str:
        """sha256 over ids, classes and the places of the pictures; of a pool that stays in its table, over that file's size and time."""
        if self.dataset is None:
            words = [repr(self.classes), *(f"{file}\t{paths.stamp(file)}" for file in self.files)]
        else:
            words = [repr(self.classes), *(f"{s.id}\t{s.image}" for s in self.dataset.samples)]
        return hashlib.sha256("\n".join(words).encode()).hexdigest()

    def _groups(self, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
        with _open(self.table, self.opened) as table:
            names = table.schema_arrow.names
            if "id" not in names:
                raise refusal("bad-table", "there is no column `id`", "Add the column", file=self.table)
            for group in range(table.num_row_groups):
                yield group, self._group(table, group, [c for c in columns if c in names])

    def _group(self, table: pq.ParquetFile, group: int, columns: list[str]) -> pa.Table:
        try:
            return table.read_row_group(group, columns)
        except READ_FAULTS as error:
            part = f"row group {group + 1}"
            raise unreadable(self.table, error, since=self.opened, part=part, code="bad-table", remedy=WRITE_AGAIN) from error


def open_pool(spec: str) -> Pool:
    """The pool that a DATA spec names; one in the project's own form with a Parquet table stays in it.

    Raises:
        InputError: an unknown kind or option, or a path that is no data set.
        FormatError: a fault in the files, or no samples.
    """
    parsed = parse_spec(str(spec))
    if parsed.kind in (None, "own") and not parsed.options:
        paths.check_name(parsed.where)
        head = read_head(parsed.where)
        if head.table.endswith(".parquet"):
            opened = paths.stamp(head.table)
            with _open(head.table, opened) as table:
                if not table.metadata.num_rows:
                    raise no_samples(head.table)
            return Pool(name=head.name, classes=head.classes, dataset=None, files=(head.file, head.table), opened=opened)
    return pool_of(open_dataset(spec))


def pool_of(dataset: Dataset) -> Pool:
    """A data set as a pool; its masks, if it has any, are not looked at. One without samples raises `InputError`."""
    if not dataset.samples:
        raise InputError(f"{dataset.name}: the pool has no samples. Name a data set that has some")
    return Pool(name=dataset.name, classes=dataset.classes, dataset=dataset, files=dataset.files)


def _texts(table: pa.Table, column: str) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in table[column].to_pylist())


def _open(file: str, since: str | None) -> pq.ParquetFile:
    return open_parquet(file, since=since, code="bad-table", remedy=WRITE_AGAIN)
